//! Queues through the flow, as clients see them, and against a model that keeps messages in a list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use landfall_core::clock::Clock;
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};
use proptest::prelude::*;

use super::*;
use crate::drive::{Flow, FlowParts};
use crate::keep::permit::ForRule;

const ENDPOINT: &str = "http://127.0.0.1:4566";
const START: Timestamp = Timestamp(1_700_000_000_000);

struct House {
    flow: Flow,
    clock: Arc<TestClock>,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(TestClock::at(START));
        let flow = Flow::open(FlowParts {
            state: Arc::new(MemoryState::new()),
            contents: Arc::new(MemoryContents::new()),
            runtime: Arc::new(FakeRuntime::new()),
            clock: Arc::<TestClock>::clone(&clock),
            ids: Arc::new(SeededIds::new(11)),
            endpoint: ENDPOINT.to_owned(),
            container_credentials: None,
        });
        Self {
            flow: flow.unwrap(),
            clock,
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Tx<'_>, &Caller) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.flow.write(move |tx| verb(tx, &caller())).await
    }

    async fn create(&self, name: &str, given: &[(&str, &str)]) -> Result<String, ApiError> {
        let request = api::CreateQueueRequest {
            queue_name: text(name),
            attributes: Some(attributes(given)),
            tags: None,
        };
        let answer = self
            .write(move |tx, c| create(tx, c, ENDPOINT, request))
            .await?;
        Ok(answer.queue_url.unwrap())
    }

    async fn send(&self, url: &str, body: &str) -> Result<api::SendMessageResult, ApiError> {
        let request = api::SendMessageRequest {
            queue_url: text(url),
            message_body: text(body),
            ..Default::default()
        };
        self.write(move |tx, c| send(tx, c, request)).await
    }

    async fn receive(&self, url: &str, count: i32) -> Vec<api::Message> {
        let request = api::ReceiveMessageRequest {
            queue_url: text(url),
            max_number_of_messages: Some(count),
            message_system_attribute_names: Some(vec!["All".to_owned()]),
            message_attribute_names: Some(vec!["All".to_owned()]),
            ..Default::default()
        };
        let answer = self.write(move |tx, c| receive(tx, c, &request)).await;
        answer.unwrap().messages.unwrap_or_default()
    }

    async fn delete(&self, url: &str, handle: Option<String>) -> Result<(), ApiError> {
        let request = api::DeleteMessageRequest {
            queue_url: text(url),
            receipt_handle: handle,
        };
        self.write(move |tx, c| delete_message(tx, c, &request))
            .await
    }

    async fn hide(&self, url: &str, handle: Option<String>, seconds: i32) -> Result<(), ApiError> {
        let request = api::ChangeMessageVisibilityRequest {
            queue_url: text(url),
            receipt_handle: handle,
            visibility_timeout: Some(seconds),
        };
        self.write(move |tx, c| change_visibility(tx, c, &request))
            .await
    }

    fn told(&self, url: &str) -> BTreeMap<String, String> {
        let request = api::GetQueueAttributesRequest {
            queue_url: text(url),
            attribute_names: Some(vec!["All".to_owned()]),
        };
        let now = self.clock.now();
        let answer = get_attributes(&self.flow.view(), &caller(), now, &request);
        answer.unwrap().attributes.unwrap()
    }
}

fn caller() -> Caller {
    Caller::service("test", "123456789012", "eu-west-1", "request".to_owned())
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn attributes(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn bodies(messages: &[api::Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|m| m.body.as_deref().unwrap())
        .collect()
}

fn system<'a>(message: &'a api::Message, name: &str) -> &'a str {
    &message.attributes.as_ref().unwrap()[name]
}

#[tokio::test]
async fn a_queue_is_made_once_and_found_by_any_url_of_its_name() {
    let house = House::new();
    let url = house
        .create("jobs", &[("VisibilityTimeout", "60")])
        .await
        .unwrap();
    assert_eq!(url, "http://127.0.0.1:4566/123456789012/jobs");
    assert_eq!(
        house
            .create("jobs", &[("VisibilityTimeout", "60")])
            .await
            .unwrap(),
        url
    );
    let error = house
        .create("jobs", &[("VisibilityTimeout", "61")])
        .await
        .unwrap_err();
    assert_eq!(error.code, "QueueNameExists");
    assert!(
        error
            .message
            .ends_with("different value for attribute VisibilityTimeout")
    );
    for other in [
        "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs",
        "jobs",
    ] {
        assert!(house.send(other, "x").await.is_ok(), "{other}");
    }
    let error = house
        .send("http://h/210987654321/jobs", "x")
        .await
        .unwrap_err();
    assert_eq!(error.code, "QueueDoesNotExist");
}

#[tokio::test]
async fn bad_queues_are_refused() {
    let house = House::new();
    type Row = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    );
    let table: [Row; 8] = [
        ("a b", &[], "InvalidParameterValue"),
        ("a.fifo", &[], "UnsupportedOperation"),
        ("a", &[("FifoQueue", "true")], "UnsupportedOperation"),
        ("a", &[("Colour", "red")], "InvalidAttributeName"),
        (
            "a",
            &[("VisibilityTimeout", "43201")],
            "InvalidAttributeValue",
        ),
        (
            "a",
            &[("MessageRetentionPeriod", "59")],
            "InvalidAttributeValue",
        ),
        ("a", &[("Policy", "no json")], "InvalidAttributeValue"),
        (
            "a",
            &[(
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:none","maxReceiveCount":3}"#,
            )],
            "InvalidParameterValue",
        ),
    ];
    for (name, given, code) in table {
        let error = house.create(name, given).await.unwrap_err();
        assert_eq!(error.code, code, "{name} {given:?}");
    }
}

#[tokio::test]
async fn what_is_sent_is_received_with_its_sums_and_attributes() {
    let house = House::new();
    let url = house.create("jobs", &[]).await.unwrap();
    let value = api::MessageAttributeValue {
        data_type: text("Number"),
        string_value: text("1493147359900"),
        ..Default::default()
    };
    let request = api::SendMessageRequest {
        queue_url: text(&url),
        message_body: text("hello"),
        message_attributes: Some(BTreeMap::from([("timestamp".to_owned(), value)])),
        ..Default::default()
    };
    let sent = house
        .write(move |tx, c| send(tx, c, request))
        .await
        .unwrap();
    assert_eq!(
        sent.md5_of_message_body.as_deref(),
        Some("5d41402abc4b2a76b9719d911017c592")
    );
    let sum = Some("235c5c510d26fb653d073faed50ae77c");
    assert_eq!(sent.md5_of_message_attributes.as_deref(), sum);
    let received = house.receive(&url, 1).await;
    let message = received.first().unwrap();
    assert_eq!(message.message_id, sent.message_id);
    assert_eq!(message.md5_of_body, sent.md5_of_message_body);
    assert_eq!(message.md5_of_message_attributes.as_deref(), sum);
    assert_eq!(system(message, "SentTimestamp"), START.0.to_string());
    assert_eq!(system(message, "ApproximateReceiveCount"), "1");
    assert_eq!(system(message, "SenderId"), "123456789012");
    assert!(house.receive(&url, 1).await.is_empty());
    let counts = house.told(&url);
    assert_eq!(counts["ApproximateNumberOfMessages"], "0");
    assert_eq!(counts["ApproximateNumberOfMessagesNotVisible"], "1");
}

#[tokio::test]
async fn a_stale_receipt_deletes_nothing_and_a_foreign_one_is_refused() {
    let house = House::new();
    let url = house
        .create("jobs", &[("VisibilityTimeout", "1")])
        .await
        .unwrap();
    house.send(&url, "x").await.unwrap();
    let first = house.receive(&url, 1).await.remove(0).receipt_handle;
    house.clock.advance_millis(1_000);
    let second = house.receive(&url, 1).await.remove(0).receipt_handle;
    house.delete(&url, first.clone()).await.unwrap();
    let error = house.hide(&url, first, 5).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterValue");
    house.clock.advance_millis(1_000);
    assert_eq!(house.told(&url)["ApproximateNumberOfMessages"], "1");
    let error = house.hide(&url, second.clone(), 5).await.unwrap_err();
    assert_eq!(error.code, "MessageNotInflight");
    house.delete(&url, second.clone()).await.unwrap();
    assert_eq!(house.told(&url)["ApproximateNumberOfMessages"], "0");
    assert_eq!(
        house.delete(&url, text("x y")).await.unwrap_err().code,
        "ReceiptHandleIsInvalid"
    );
    let other = house.create("other", &[]).await.unwrap();
    assert_eq!(
        house.delete(&other, second).await.unwrap_err().code,
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn messages_received_too_often_go_to_the_dead_letter_queue() {
    let house = House::new();
    let dead = house.create("dead", &[]).await.unwrap();
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:dead","maxReceiveCount":"2"}"#;
    let given = [("RedrivePolicy", policy), ("VisibilityTimeout", "0")];
    let url = house.create("jobs", &given).await.unwrap();
    house.send(&url, "poison").await.unwrap();
    assert_eq!(house.receive(&url, 10).await.len(), 1);
    assert_eq!(house.receive(&url, 10).await.len(), 1);
    assert!(house.receive(&url, 10).await.is_empty());
    let buried = house.receive(&dead, 10).await;
    assert_eq!(bodies(&buried), ["poison"]);
    let source = "arn:aws:sqs:eu-west-1:123456789012:jobs";
    assert_eq!(system(&buried[0], "DeadLetterQueueSourceArn"), source);
    assert_eq!(system(&buried[0], "ApproximateReceiveCount"), "3");
    let request = api::ListDeadLetterSourceQueuesRequest {
        queue_url: text(&dead),
        ..Default::default()
    };
    let sources = list_dead_letter_sources(&house.flow.view(), &caller(), ENDPOINT, &request);
    assert_eq!(sources.unwrap().queue_urls.unwrap(), [url]);
}

#[tokio::test]
async fn expired_messages_are_never_shown() {
    let house = House::new();
    let url = house
        .create("jobs", &[("MessageRetentionPeriod", "60")])
        .await
        .unwrap();
    house.send(&url, "old").await.unwrap();
    house.clock.advance_millis(59_000);
    house.send(&url, "new").await.unwrap();
    house.clock.advance_millis(1_000);
    assert_eq!(house.told(&url)["ApproximateNumberOfMessages"], "1");
    assert_eq!(bodies(&house.receive(&url, 10).await), ["new"]);
}

#[tokio::test]
async fn a_new_queue_of_a_former_name_is_empty() {
    let house = House::new();
    let url = house.create("jobs", &[]).await.unwrap();
    house.send(&url, "x").await.unwrap();
    let request = api::DeleteQueueRequest {
        queue_url: text(&url),
    };
    house
        .write(move |tx, c| delete(tx, c, &request))
        .await
        .unwrap();
    assert_eq!(
        house.send(&url, "x").await.unwrap_err().code,
        "QueueDoesNotExist"
    );
    house.create("jobs", &[]).await.unwrap();
    assert!(house.receive(&url, 10).await.is_empty());
}

#[tokio::test]
async fn a_batch_tells_each_entry_its_own_end() {
    let house = House::new();
    let url = house
        .create("jobs", &[("MaximumMessageSize", "1024")])
        .await
        .unwrap();
    let entry = |id: &str, body: String| api::SendMessageBatchRequestEntry {
        id: text(id),
        message_body: Some(body),
        ..Default::default()
    };
    let batch = |entries: Vec<_>| api::SendMessageBatchRequest {
        queue_url: text(&url),
        entries: Some(entries),
    };
    let request = batch(vec![
        entry("a", "x".to_owned()),
        entry("b", "x".repeat(1_025)),
    ]);
    let answer = house
        .write(move |tx, c| send_batch(tx, c, request))
        .await
        .unwrap();
    assert_eq!(answer.successful.unwrap()[0].id.as_deref(), Some("a"));
    let failed = answer.failed.unwrap();
    assert_eq!(failed[0].id.as_deref(), Some("b"));
    assert_eq!(failed[0].sender_fault, Some(true));
    assert_eq!(bodies(&house.receive(&url, 10).await), ["x"]);
    let many = (0..11)
        .map(|i| entry(&i.to_string(), "x".to_owned()))
        .collect();
    let table = [
        (batch(vec![]), "EmptyBatchRequest"),
        (batch(many), "TooManyEntriesInBatchRequest"),
        (
            batch(vec![entry("a", "x".to_owned()), entry("a", "y".to_owned())]),
            "BatchEntryIdsNotDistinct",
        ),
        (
            batch(vec![entry("a!", "x".to_owned())]),
            "InvalidBatchEntryId",
        ),
    ];
    for (request, code) in table {
        let error = house
            .write(move |tx, c| send_batch(tx, c, request))
            .await
            .unwrap_err();
        assert_eq!(error.code, code);
    }
}

#[tokio::test]
async fn eventbridge_delivers_with_attributes() {
    let house = House::new();
    let open = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"*"}}"#;
    let url = house.create("jobs", &[("Policy", open)]).await.unwrap();
    let arn = "arn:aws:sqs:eu-west-1:123456789012:jobs";
    let rule = ForRule {
        arn: "arn:aws:events:eu-west-1:123456789012:rule/r",
        account: "123456789012",
    };
    let given = [("ERROR_CODE", "NO_RESOURCE".to_owned())];
    house
        .write(move |tx, _| deliver(tx, rule, arn, "{}", &given, None))
        .await
        .unwrap();
    let received = house.receive(&url, 1).await;
    let attributes = received[0].message_attributes.as_ref().unwrap();
    assert_eq!(
        attributes["ERROR_CODE"].string_value.as_deref(),
        Some("NO_RESOURCE")
    );
    let none = "arn:aws:sqs:eu-west-1:123456789012:none";
    let error = house
        .write(move |tx, _| deliver(tx, rule, none, "{}", &[], None))
        .await
        .unwrap_err();
    assert_eq!(error.code, "QueueDoesNotExist");
}

#[tokio::test]
async fn permissions_are_statements_of_the_policy() {
    let house = House::new();
    let url = house.create("jobs", &[]).await.unwrap();
    let request = api::AddPermissionRequest {
        queue_url: text(&url),
        label: text("them"),
        aws_account_ids: Some(vec!["210987654321".to_owned()]),
        actions: Some(vec!["SendMessage".to_owned()]),
    };
    let again = request.clone();
    house
        .write(move |tx, c| add_permission(tx, c, &request))
        .await
        .unwrap();
    assert!(house.told(&url)["Policy"].contains("arn:aws:iam::210987654321:root"));
    assert!(
        house
            .write(move |tx, c| add_permission(tx, c, &again))
            .await
            .is_err()
    );
    let request = api::RemovePermissionRequest {
        queue_url: text(&url),
        label: text("them"),
    };
    house
        .write(move |tx, c| remove_permission(tx, c, &request))
        .await
        .unwrap();
    assert!(!house.told(&url).contains_key("Policy"));
}

#[tokio::test]
async fn a_long_poll_is_woken_by_a_message() {
    let house = House::new();
    let url = house.create("jobs", &[]).await.unwrap();
    let poll = api::ReceiveMessageRequest {
        queue_url: text(&url),
        wait_time_seconds: Some(20),
        ..Default::default()
    };
    let flow = house.flow.clone();
    let waiting = tokio::spawn(async move { receive_waiting(&flow, &caller(), poll).await });
    tokio::task::yield_now().await;
    house.send(&url, "at last").await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    let messages = answer.unwrap().unwrap().unwrap().messages.unwrap();
    assert_eq!(bodies(&messages), ["at last"]);
}

#[tokio::test]
async fn a_long_poll_notices_a_delayed_message_by_itself() {
    let house = House::new();
    let url = house
        .create(
            "jobs",
            &[
                ("DelaySeconds", "1"),
                ("ReceiveMessageWaitTimeSeconds", "20"),
            ],
        )
        .await
        .unwrap();
    house.send(&url, "later").await.unwrap();
    house.clock.advance_millis(990);
    let poll = api::ReceiveMessageRequest {
        queue_url: text(&url),
        ..Default::default()
    };
    let flow = house.flow.clone();
    let waiting = tokio::spawn(async move { receive_waiting(&flow, &caller(), poll).await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    house.clock.advance_millis(10);
    let answer = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    let messages = answer.unwrap().unwrap().unwrap().messages.unwrap();
    assert_eq!(bodies(&messages), ["later"]);
}

#[derive(Debug, Clone)]
enum Step {
    Send { delay: i32 },
    Receive { count: i32, hidden: i32 },
    Delete { which: usize },
    Hide { which: usize, seconds: i32 },
    Turn { seconds: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..5_i32).prop_map(|delay| Step::Send { delay }),
        (1..=10_i32, 0..6_i32).prop_map(|(count, hidden)| Step::Receive { count, hidden }),
        any::<usize>().prop_map(|which| Step::Delete { which }),
        (any::<usize>(), 0..6_i32).prop_map(|(which, seconds)| Step::Hide { which, seconds }),
        (0..4_i64).prop_map(|seconds| Step::Turn { seconds }),
    ]
}

/// A message as the model knows it: when it is visible, and the handle of its last receive.
struct Known {
    body: String,
    visible_at: i64,
    handle: Option<String>,
}

/// Takes the steps on a queue and on the model side by side.
async fn play(steps: Vec<Step>) {
    let house = House::new();
    let url = house.create("jobs", &[]).await.unwrap();
    let mut model: Vec<Known> = Vec::new();
    for (number, step) in steps.into_iter().enumerate() {
        let now = house.clock.now().0;
        match step {
            Step::Send { delay } => {
                let body = format!("m{number}");
                let request = api::SendMessageRequest {
                    queue_url: text(&url),
                    message_body: Some(body.clone()),
                    delay_seconds: Some(delay),
                    ..Default::default()
                };
                house
                    .write(move |tx, c| send(tx, c, request))
                    .await
                    .unwrap();
                let visible_at = now + i64::from(delay) * 1000;
                model.push(Known {
                    body,
                    visible_at,
                    handle: None,
                });
            }
            Step::Receive { count, hidden } => {
                let request = api::ReceiveMessageRequest {
                    queue_url: text(&url),
                    max_number_of_messages: Some(count),
                    visibility_timeout: Some(hidden),
                    ..Default::default()
                };
                let answer = house
                    .write(move |tx, c| receive(tx, c, &request))
                    .await
                    .unwrap();
                let received = answer.messages.unwrap_or_default();
                let visible = model.iter().filter(|m| m.visible_at <= now).count();
                assert_eq!(received.len(), visible.min(usize::try_from(count).unwrap()));
                for message in received {
                    let body = message.body.unwrap();
                    let known = model.iter_mut().find(|m| m.body == body).unwrap();
                    assert!(known.visible_at <= now, "{body} came while it was hidden");
                    known.visible_at = now + i64::from(hidden) * 1000;
                    known.handle = message.receipt_handle;
                }
            }
            Step::Delete { which } => {
                let taken: Vec<_> = model.iter().filter_map(|m| m.handle.clone()).collect();
                if taken.is_empty() {
                    continue;
                }
                let handle = taken[which % taken.len()].clone();
                house.delete(&url, Some(handle.clone())).await.unwrap();
                model.retain(|m| m.handle.as_ref() != Some(&handle));
            }
            Step::Hide { which, seconds } => {
                let flying: Vec<_> = model
                    .iter()
                    .filter(|m| m.handle.is_some() && m.visible_at > now)
                    .collect();
                if flying.is_empty() {
                    continue;
                }
                let handle = flying[which % flying.len()].handle.clone();
                house.hide(&url, handle.clone(), seconds).await.unwrap();
                let known = model.iter_mut().find(|m| m.handle == handle).unwrap();
                known.visible_at = now + i64::from(seconds) * 1000;
            }
            Step::Turn { seconds } => house.clock.advance_millis(seconds * 1000),
        }
        let told = house.told(&url);
        let count = |name: &str| told[name].parse::<usize>().unwrap();
        let visible = count("ApproximateNumberOfMessages");
        let now = house.clock.now().0;
        assert_eq!(
            visible,
            model.iter().filter(|m| m.visible_at <= now).count()
        );
        let hidden = count("ApproximateNumberOfMessagesNotVisible")
            + count("ApproximateNumberOfMessagesDelayed");
        assert_eq!(visible + hidden, model.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_message_is_lost_and_none_comes_twice_while_hidden(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
