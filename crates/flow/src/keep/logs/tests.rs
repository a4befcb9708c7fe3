//! Logs through the flow, as `aws logs` reads them.

use std::sync::Arc;

use landfall_core::api::generated::logs as api;
use landfall_core::caller::Caller;
use landfall_core::clock::{Clock, Timestamp};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};

use super::*;
use crate::drive::{Flow, FlowParts};
use crate::keep::permit::ForRule;
use crate::tx::Tx;

const START: i64 = 1_700_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

struct House {
    flow: Flow,
    clock: Arc<TestClock>,
}

impl House {
    async fn with_group() -> Self {
        let clock = Arc::new(TestClock::at(Timestamp(START)));
        let flow = Flow::open(FlowParts {
            state: Arc::new(MemoryState::new()),
            contents: Arc::new(MemoryContents::new()),
            runtime: Arc::new(FakeRuntime::new()),
            clock: Arc::<TestClock>::clone(&clock),
            ids: Arc::new(SeededIds::new(5)),
            endpoint: "http://127.0.0.1:4566".to_owned(),
            container_credentials: None,
        });
        let house = Self {
            flow: flow.unwrap(),
            clock,
        };
        house
            .write(|tx, c| ensure_group(tx, c, "/app"))
            .await
            .unwrap();
        house
    }

    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Tx<'_>, &Caller) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.flow.write(move |tx| verb(tx, &caller())).await
    }

    async fn append(&self, stream: &'static str, events: &[(i64, &str)]) {
        let events: Vec<_> = events
            .iter()
            .map(|(at, text)| (Timestamp(*at), (*text).to_owned()))
            .collect();
        self.write(move |tx, c| append(tx, c, "/app", stream, &events))
            .await
            .unwrap();
    }

    async fn put(&self, events: &[(i64, &str)]) -> Result<api::PutLogEventsResponse, ApiError> {
        let event = |(at, message): &(i64, &str)| api::InputLogEvent {
            timestamp: Some(*at),
            message: text(message),
        };
        let request = api::PutLogEventsRequest {
            log_group_name: text("/app"),
            log_stream_name: text("s"),
            log_events: Some(events.iter().map(event).collect()),
            ..Default::default()
        };
        self.write(move |tx, c| put_events(tx, c, request)).await
    }

    fn get(&self, token: Option<String>, head: bool, limit: i32) -> api::GetLogEventsResponse {
        let request = api::GetLogEventsRequest {
            log_group_name: text("/app"),
            log_stream_name: text("s"),
            next_token: token,
            start_from_head: Some(head),
            limit: Some(limit),
            ..Default::default()
        };
        get_events(&self.flow.view(), &caller(), self.clock.now(), &request).unwrap()
    }

    fn filter(&self, request: api::FilterLogEventsRequest) -> api::FilterLogEventsResponse {
        let request = api::FilterLogEventsRequest {
            log_group_name: text("/app"),
            ..request
        };
        filter_events(&self.flow.view(), &caller(), self.clock.now(), &request).unwrap()
    }

    fn streams(&self) -> Vec<api::LogStream> {
        let request = api::DescribeLogStreamsRequest {
            log_group_name: text("/app"),
            order_by: text("LastEventTime"),
            descending: Some(true),
            ..Default::default()
        };
        describe_streams(&self.flow.view(), &caller(), &request)
            .unwrap()
            .log_streams
            .unwrap()
    }
}

fn caller() -> Caller {
    Caller::service("test", "123456789012", "eu-west-1", "request".to_owned())
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn read(answer: &api::GetLogEventsResponse) -> Vec<&str> {
    let events = answer.events.as_ref().unwrap();
    events
        .iter()
        .map(|e| e.message.as_deref().unwrap())
        .collect()
}

fn found(answer: &api::FilterLogEventsResponse) -> Vec<&str> {
    let events = answer.events.as_ref().unwrap();
    events
        .iter()
        .map(|e| e.message.as_deref().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_go_forward_to_the_end_and_stay_there() {
    let house = House::with_group().await;
    house
        .append("s", &[(START, "1"), (START, "2"), (START + 5, "3")])
        .await;
    let first = house.get(None, true, 2);
    assert_eq!(read(&first), ["1", "2"]);
    let second = house.get(first.next_forward_token, true, 2);
    assert_eq!(read(&second), ["3"]);
    let end = house.get(second.next_forward_token.clone(), true, 2);
    assert!(read(&end).is_empty());
    assert_eq!(end.next_forward_token, second.next_forward_token);
    house.append("s", &[(START + 6, "4")]).await;
    assert_eq!(read(&house.get(end.next_forward_token, true, 2)), ["4"]);
    let back = house.get(end.next_backward_token, true, 10);
    assert_eq!(read(&back), ["1", "2", "3"]);
}

#[tokio::test]
async fn pages_go_backward_to_the_beginning_and_stay_there() {
    let house = House::with_group().await;
    house
        .append("s", &[(START, "1"), (START + 1, "2"), (START + 2, "3")])
        .await;
    let last = house.get(None, false, 2);
    assert_eq!(read(&last), ["2", "3"]);
    let first = house.get(last.next_backward_token, false, 2);
    assert_eq!(read(&first), ["1"]);
    let end = house.get(first.next_backward_token.clone(), false, 2);
    assert!(read(&end).is_empty());
    assert_eq!(end.next_backward_token, first.next_backward_token);
}

#[tokio::test]
async fn an_empty_stream_can_be_followed() {
    let house = House::with_group().await;
    house.append("s", &[]).await;
    let empty = house.get(None, false, 10);
    assert!(read(&empty).is_empty());
    house.append("s", &[(START, "first")]).await;
    assert_eq!(
        read(&house.get(empty.next_forward_token, false, 10)),
        ["first"]
    );
}

#[tokio::test]
async fn filtering_interleaves_streams_and_pages_join_to_the_whole() {
    let house = House::with_group().await;
    house
        .append(
            "a",
            &[(START, "a1"), (START + 2, "a2"), (START + 4, "a3 ERROR")],
        )
        .await;
    house
        .append(
            "b",
            &[
                (START + 1, "b1"),
                (START + 2, "b2 ERROR"),
                (START + 9, "b3"),
            ],
        )
        .await;
    let all = house.filter(api::FilterLogEventsRequest::default());
    assert_eq!(
        found(&all),
        ["a1", "b1", "a2", "b2 ERROR", "a3 ERROR", "b3"]
    );
    assert_eq!(all.next_token, None);
    let (mut joined, mut token, mut pages) = (Vec::new(), None, 0);
    loop {
        let request = api::FilterLogEventsRequest {
            limit: Some(2),
            next_token: token,
            ..Default::default()
        };
        let page = house.filter(request);
        joined.extend(page.events.unwrap());
        token = page.next_token;
        pages += 1;
        if token.is_none() {
            break;
        }
    }
    assert_eq!((Some(joined.clone()), pages), (all.events, 3));
    let mut ids: Vec<_> = joined.iter().map(|e| e.event_id.clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    let request = api::FilterLogEventsRequest {
        filter_pattern: text("ERROR"),
        start_time: Some(START + 2),
        end_time: Some(START + 4),
        ..Default::default()
    };
    assert_eq!(found(&house.filter(request)), ["b2 ERROR", "a3 ERROR"]);
    let request = api::FilterLogEventsRequest {
        log_stream_name_prefix: text("b"),
        ..Default::default()
    };
    assert_eq!(found(&house.filter(request)), ["b1", "b2 ERROR", "b3"]);
}

#[tokio::test]
async fn put_rejects_what_is_too_old_or_too_new_and_tells() {
    let house = House::with_group().await;
    house.append("s", &[]).await;
    let events = [
        (START - 1, "in time"),
        (START + 3 * 60 * 60 * 1000, "too new"),
    ];
    let info = house
        .put(&events)
        .await
        .unwrap()
        .rejected_log_events_info
        .unwrap();
    assert_eq!(info.too_new_log_event_start_index, Some(1));
    assert_eq!(info.too_old_log_event_end_index, None);
    let info = house
        .put(&[(START - 15 * DAY, "too old"), (START - 14 * DAY, "just")])
        .await;
    let info = info.unwrap().rejected_log_events_info.unwrap();
    assert_eq!(info.too_old_log_event_end_index, Some(1));
    assert_eq!(read(&house.get(None, true, 10)), ["just", "in time"]);
    assert_eq!(
        house
            .put(&[(START, "x")])
            .await
            .unwrap()
            .rejected_log_events_info,
        None
    );
}

#[tokio::test]
async fn put_refuses_bad_batches() {
    let house = House::with_group().await;
    house.append("s", &[]).await;
    let large = "x".repeat(1024 * 1024 - 25);
    let table: [&[(i64, &str)]; 3] = [
        &[(START, "late"), (START - 1, "early")],
        &[(START - DAY - 1, "a"), (START, "b")],
        &[(START, &large)],
    ];
    for events in table {
        let error = house.put(events).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
    }
    assert!(house.put(&[(START, &large[1..])]).await.is_ok());
}

#[tokio::test]
async fn retention_hides_old_events_and_the_next_append_drops_them() {
    let house = House::with_group().await;
    house
        .append("s", &[(START, "old"), (START + DAY, "new")])
        .await;
    let request = api::PutRetentionPolicyRequest {
        log_group_name: text("/app"),
        retention_in_days: Some(1),
    };
    house
        .write(move |tx, c| put_retention(tx, c, &request))
        .await
        .unwrap();
    house.clock.advance_millis(DAY + 1);
    assert_eq!(read(&house.get(None, true, 10)), ["new"]);
    assert_eq!(house.streams()[0].first_event_timestamp, Some(START));
    house.append("s", &[(START + DAY + 1, "newest")]).await;
    assert_eq!(house.streams()[0].first_event_timestamp, Some(START + DAY));
    let request = api::PutRetentionPolicyRequest {
        log_group_name: text("/app"),
        retention_in_days: Some(2),
    };
    let error = house
        .write(move |tx, c| put_retention(tx, c, &request))
        .await
        .unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
}

#[tokio::test]
async fn streams_are_described_by_time() {
    let house = House::with_group().await;
    house
        .append("a", &[(START + 7, "x"), (START + 3, "y")])
        .await;
    house.append("b", &[(START + 9, "x")]).await;
    let streams = house.streams();
    let names: Vec<_> = streams
        .iter()
        .map(|s| s.log_stream_name.as_deref().unwrap())
        .collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(streams[1].first_event_timestamp, Some(START + 3));
    assert_eq!(streams[1].last_event_timestamp, Some(START + 7));
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/app:log-stream:a";
    assert_eq!(streams[1].arn.as_deref(), Some(arn));
}

#[tokio::test]
async fn a_group_takes_its_events_with_it() {
    let house = House::with_group().await;
    house.append("s", &[(START, "x")]).await;
    let request = api::DeleteLogGroupRequest {
        log_group_name: text("/app"),
    };
    let again = request.clone();
    house
        .write(move |tx, c| delete_group(tx, c, &request))
        .await
        .unwrap();
    let error = house
        .write(move |tx, c| delete_group(tx, c, &again))
        .await
        .unwrap_err();
    assert_eq!(error.code, "ResourceNotFoundException");
    let error = house
        .write(|tx, c| append(tx, c, "/app", "s", &[]))
        .await
        .unwrap_err();
    assert_eq!(error.code, "ResourceNotFoundException");
    house
        .write(|tx, c| ensure_group(tx, c, "/app"))
        .await
        .unwrap();
    assert!(house.streams().is_empty());
}

const RULE: ForRule<'static> = ForRule {
    arn: "arn:aws:events:eu-west-1:123456789012:rule/r",
    account: "123456789012",
};

#[tokio::test]
async fn eventbridge_delivers_text_or_a_shaped_event() {
    let house = House::with_group().await;
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/app:*";
    let shaped = format!(r#"{{"timestamp":{},"message":"shaped"}}"#, START - 1);
    let open =
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"logs:*","Resource":"*"}}"#;
    let request = api::PutResourcePolicyRequest {
        policy_name: text("open"),
        policy_document: text(open),
        ..Default::default()
    };
    house
        .write(move |tx, c| put_resource_policy(tx, c, request))
        .await
        .unwrap();
    house
        .write(move |tx, _| deliver(tx, RULE, arn, "s", &shaped))
        .await
        .unwrap();
    house
        .write(move |tx, _| deliver(tx, RULE, arn, "s", r#"{"id":"1"}"#))
        .await
        .unwrap();
    assert_eq!(
        read(&house.get(None, true, 10)),
        ["shaped", r#"{"id":"1"}"#]
    );
    let none = "arn:aws:logs:eu-west-1:123456789012:log-group:none";
    let error = house
        .write(move |tx, _| deliver(tx, RULE, none, "s", "x"))
        .await
        .unwrap_err();
    assert_eq!(error.code, "ResourceNotFoundException");
}

#[tokio::test]
async fn both_tag_apis_see_the_same_tags() {
    let house = House::with_group().await;
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/app";
    let request = api::TagResourceRequest {
        resource_arn: text(arn),
        tags: Some([("team".to_owned(), "blue".to_owned())].into()),
    };
    house
        .write(move |tx, c| tag_resource(tx, c, request))
        .await
        .unwrap();
    let request = api::ListTagsLogGroupRequest {
        log_group_name: text("/app"),
    };
    let tags = list_tags_log_group(&house.flow.view(), &caller(), &request)
        .unwrap()
        .tags
        .unwrap();
    assert_eq!(tags["team"], "blue");
    let request = api::UntagLogGroupRequest {
        log_group_name: text("/app"),
        tags: Some(vec!["team".to_owned()]),
    };
    house
        .write(move |tx, c| untag_log_group(tx, c, &request))
        .await
        .unwrap();
    let request = api::ListTagsForResourceRequest {
        resource_arn: text(&format!("{arn}:*")),
    };
    let tags = list_tags_for_resource(&house.flow.view(), &caller(), &request).unwrap();
    assert!(tags.tags.unwrap().is_empty());
}
