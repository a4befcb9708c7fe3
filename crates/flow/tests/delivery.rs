//! Delivery to AWS's letter: who may be written to, what a failure is called, and what its dead letter says.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "stored/house.rs"]
mod house;

use std::collections::BTreeMap;

use landfall_core::caller::Caller;
use landfall_core::limits;
use landfall_flow::deliver::{DeadLetter, Delivery, Outcome};
use landfall_flow::keep::{logs, queues};
use landfall_flow::route::{bus, put_events, rules, targets};
use landfall_flow::run::{cluster, definition};
use landfall_flow::{Key, Reader as _, Tx, build, tell};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState};
use serde_json::{Value, json};

use house::{BEGIN, ENDPOINT, House, caller, request};

const RULE: &str = "arn:aws:events:us-east-1:000000000000:rule/r";

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:us-east-1:000000000000:{resource}")
}

fn policy(statement: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// Lets the rule `r` of the default bus send to a queue.
fn permit(queue: &str) -> Value {
    json!({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
           "Resource": arn("sqs", queue), "Condition": {"ArnEquals": {"aws:SourceArn": RULE}}})
}

/// A house with a cluster, a task definition, a log group, a bus and the queues `q` and `dlq`; the last lets the rule in.
async fn furnished() -> House {
    let house = House::open(
        MemoryState::new(),
        MemoryContents::new(),
        FakeRuntime::new(),
        BEGIN,
    );
    house
        .give(cluster::create, json!({"clusterName": "batch"}))
        .await;
    let csv = json!({"family": "csv", "containerDefinitions": [{"name": "app", "image": "app:1", "memory": 64}]});
    house.give(definition::register, csv).await;
    house
        .give(logs::create_group, json!({"logGroupName": "/aws/events/g"}))
        .await;
    house.give(bus::create, json!({"Name": "other"})).await;
    queue(&house, json!({"QueueName": "q"})).await;
    let open = json!({"Policy": policy(&permit("dlq"))});
    queue(&house, json!({"QueueName": "dlq", "Attributes": open})).await;
    house
}

async fn queue(house: &House, asked: Value) {
    let create = |tx: &mut Tx<'_>, c: &Caller, q| queues::create(tx, c, ENDPOINT, q);
    house.give(create, asked).await;
}

/// The rule `r` with one target for all events of `demo`.
async fn rule(house: &House, target: Value) {
    let put = json!({"Name": "r", "EventPattern": r#"{"source":["demo"]}"#});
    house.give(rules::put, put).await;
    house
        .give(targets::put, json!({"Rule": "r", "Targets": [target]}))
        .await;
}

async fn send(house: &House, detail: Value) {
    let entry = json!({"Source": "demo", "DetailType": "d", "Detail": detail.to_string()});
    let sent = house.give(put_events::put, json!({"Entries": [entry]}));
    assert_eq!(sent.await.failed_entry_count, Some(0));
}

fn deliveries(house: &House) -> Vec<Delivery> {
    house.flow.view().all(&Key::new("delivery")).unwrap()
}

/// The newest delivery, once it is settled.
async fn settled(house: &House) -> Delivery {
    house
        .until("settled", |house| {
            let last = deliveries(house).pop();
            last.is_some_and(|d| d.outcome != Outcome::Pending)
        })
        .await;
    deliveries(house).pop().unwrap()
}

/// Bodies and attributes of the messages in a queue; every attribute is a text.
async fn messages(house: &House, name: &'static str) -> Vec<(String, BTreeMap<String, String>)> {
    let ask =
        json!({"QueueUrl": name, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]});
    let received = house.lend(queues::receive, ask).await.messages;
    let all = received.into_iter().flatten().map(|message| {
        let attributes = message.message_attributes.unwrap_or_default().into_iter();
        let texts = attributes.map(|(name, value)| {
            assert_eq!(value.data_type.as_deref(), Some("String"));
            (name, value.string_value.unwrap())
        });
        (message.body.unwrap(), texts.collect())
    });
    all.collect()
}

fn refusal(delivery: &Delivery) -> (&'static str, &str) {
    let refusal = delivery.last_refusal.as_ref().expect("refused");
    (refusal.code.name(), &refusal.message)
}

/// The statement that a refusal tells to add.
fn statement(delivery: &Delivery) -> Value {
    let (code, message) = refusal(delivery);
    assert_eq!(code, "NO_PERMISSIONS", "{message}");
    let (_, statement) = message
        .split_once("add this statement to it: ")
        .expect(message);
    serde_json::from_str(statement).expect("a statement")
}

#[tokio::test]
async fn a_queue_takes_what_its_policy_allows_for_the_rule_and_the_reason_says_what_to_add() {
    let house = furnished().await;
    rule(
        &house,
        json!({"Id": "t", "Arn": arn("sqs", "q"), "InputPath": "$.detail"}),
    )
    .await;
    send(&house, json!({"n": 1})).await;
    let refused = settled(&house).await;
    assert_eq!(refused.attempts, 1);
    assert_eq!(refused.outcome, Outcome::GivenUp(DeadLetter::NoQueue));
    let told = statement(&refused);
    assert_eq!(told["Resource"], arn("sqs", "q"));
    let mut of_another = told.clone();
    of_another["Condition"]["ArnEquals"]["aws:SourceArn"] = json!(format!("{RULE}2"));
    let insecure = json!({"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*",
                          "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
    let both = json!([insecure, told]);
    for (policy, is_delivered) in [
        (policy(&of_another), false),
        (json!({"Statement": both}).to_string(), true),
    ] {
        let set = json!({"QueueUrl": "q", "Attributes": {"Policy": policy}});
        house.give(queues::set_attributes, set).await;
        send(&house, json!({"n": 2})).await;
        house.quiet().await;
        let outcome = settled(&house).await.outcome;
        assert_eq!(outcome == Outcome::Delivered, is_delivered, "{policy}");
    }
    let bodies: Vec<_> = messages(&house, "q").await;
    assert_eq!(bodies, [(r#"{"n":2}"#.to_owned(), BTreeMap::new())]);
}

#[tokio::test]
async fn a_log_group_takes_what_a_policy_of_its_account_allows_for_the_rule() {
    let house = furnished().await;
    rule(
        &house,
        json!({"Id": "t", "Arn": arn("logs", "log-group:/aws/events/g"), "Input": "\"x\""}),
    )
    .await;
    send(&house, json!({})).await;
    let told = statement(&settled(&house).await);
    let mut half = told.clone();
    half["Action"] = json!("logs:PutLogEvents");
    let mut other = told.clone();
    other["Resource"] = json!(arn("logs", "log-group:/aws/other/*"));
    let mut of_delivery = told.clone();
    of_delivery["Principal"] = json!({"Service": "delivery.logs.amazonaws.com"});
    for (statement, is_delivered) in [
        (half, false),
        (other, false),
        (told, true),
        (of_delivery, true),
    ] {
        let put = json!({"policyName": "p", "policyDocument": policy(&statement)});
        house.give(logs::put_resource_policy, put).await;
        send(&house, json!({})).await;
        house.quiet().await;
        let outcome = settled(&house).await.outcome;
        assert_eq!(outcome == Outcome::Delivered, is_delivered, "{statement}");
    }
}

#[tokio::test]
async fn a_dead_letter_is_the_event_with_aws_s_attributes() {
    let house = furnished().await;
    let target = json!({"Id": "t", "Arn": arn("sqs", "q"), "Input": "1",
                        "DeadLetterConfig": {"Arn": arn("sqs", "dlq")}});
    rule(&house, target).await;
    send(&house, json!({"n": 1})).await;
    let delivery = settled(&house).await;
    let sent = Outcome::GivenUp(DeadLetter::Sent(arn("sqs", "dlq")));
    assert_eq!(delivery.outcome, sent);
    let (code, message) = refusal(&delivery);
    let expected = [
        ("RULE_ARN", RULE),
        ("TARGET_ARN", &arn("sqs", "q")),
        ("ERROR_CODE", code),
        ("ERROR_MESSAGE", message),
        ("RETRY_ATTEMPTS", "0"),
    ];
    let expected: BTreeMap<String, String> = expected
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let event = delivery.event_json.clone();
    assert_eq!(messages(&house, "dlq").await, [(event, expected)]);
}

#[tokio::test]
async fn a_dead_letter_queue_that_does_not_let_the_rule_in_is_not_reached_and_the_ledger_says_so() {
    let house = furnished().await;
    let target = json!({"Id": "t", "Arn": arn("sqs", "never-there"),
                        "DeadLetterConfig": {"Arn": arn("sqs", "q")}});
    rule(&house, target).await;
    send(&house, json!({})).await;
    let delivery = settled(&house).await;
    let Outcome::GivenUp(DeadLetter::Failed(why)) = &delivery.outcome else {
        panic!("{:?}", delivery.outcome);
    };
    assert!(
        why.contains("does not allow events.amazonaws.com sqs:SendMessage"),
        "{why}"
    );
    let run = tell::runs(&house.flow.view(), &tell::Filter::default(), None, 1)
        .unwrap()
        .runs
        .remove(0);
    let reason = run.reason.unwrap();
    assert!(
        reason.contains("The specified queue does not exist")
            && reason.contains("could not be put into the dead-letter queue")
            && reason.contains("add this statement to it: {"),
        "{reason}"
    );
    assert!(messages(&house, "q").await.is_empty());
}

fn task(more: Value) -> Value {
    let mut target = json!({
        "Id": "t", "Arn": arn("ecs", "cluster/batch"), "RoleArn": "arn:aws:iam::000000000000:role/x",
        "EcsParameters": {"TaskDefinitionArn": "csv"},
    });
    for (name, value) in more.as_object().unwrap() {
        target[name] = value.clone();
    }
    target
}

/// A target that went away after it was put, or never was there.
#[tokio::test]
async fn targets_that_are_gone_are_given_up_at_once_as_no_resource() {
    let gone = [
        task(json!({"Arn": arn("ecs", "cluster/gone")})),
        task(json!({"EcsParameters": {"TaskDefinitionArn": "gone"}})),
        json!({"Id": "t", "Arn": arn("sqs", "gone")}),
        json!({"Id": "t", "Arn": arn("logs", "log-group:/aws/events/gone")}),
        json!({"Id": "t", "Arn": arn("events", "event-bus/gone")}),
    ];
    for mut target in gone {
        let house = furnished().await;
        target["DeadLetterConfig"] = json!({"Arn": arn("sqs", "dlq")});
        rule(&house, target.clone()).await;
        send(&house, json!({})).await;
        let delivery = settled(&house).await;
        assert_eq!(
            (delivery.attempts, refusal(&delivery).0),
            (1, "NO_RESOURCE"),
            "{target}"
        );
        let letters = messages(&house, "dlq").await;
        assert_eq!(letters[0].1["ERROR_CODE"], "NO_RESOURCE", "{target}");
        assert_eq!(letters[0].1["TARGET_ARN"], target["Arn"].as_str().unwrap());
    }
}

#[tokio::test]
async fn inputs_that_cannot_be_made_are_given_up_at_once_with_their_code() {
    let of = |template: &str| json!({"InputTransformer": {"InputPathsMap": {"k": "$.detail.k"}, "InputTemplate": template}});
    let table = [
        (
            of(r#"{"a": "<k>"}"#),
            json!({"k": {"x": 1}}),
            "INVALID_JSON",
        ),
        (of(r#"{"a": "<k>"}"#), json!({"k": "\""}), "INVALID_JSON"),
        (
            json!({"InputPath": "$.detail.none"}),
            json!({}),
            "INVALID_PARAMETER",
        ),
        (json!({"Input": "\"text\""}), json!({}), "INVALID_JSON"),
        (
            json!({"Input": r#"{"containerOverrides": 1}"#}),
            json!({}),
            "INVALID_JSON",
        ),
        (
            json!({"Input": r#"{"containerOverrides": [{"name": "none"}]}"#}),
            json!({}),
            "INVALID_PARAMETER",
        ),
    ];
    for (input, detail, code) in table {
        let house = furnished().await;
        rule(&house, task(input.clone())).await;
        send(&house, detail).await;
        let delivery = settled(&house).await;
        let found = refusal(&delivery);
        assert_eq!((delivery.attempts, found.0), (1, code), "{input} {found:?}");
    }
}

/// Lets the next retry come, until the delivery is given up.
async fn see_through(house: &House) -> Delivery {
    for attempts in 1.. {
        house
            .until("attempted", |house| {
                let delivery = deliveries(house).pop();
                delivery.is_some_and(|d| {
                    d.attempts == attempts
                        && (d.outcome == Outcome::Pending
                            || matches!(d.outcome, Outcome::GivenUp(_)))
                })
            })
            .await;
        let delivery = deliveries(house).pop().unwrap();
        if delivery.outcome != Outcome::Pending {
            return delivery;
        }
        house.later(limits::RETRY_DELAY_MILLIS_FIRST << attempts.min(5));
        house.write(|_| Ok(())).await;
    }
    unreachable!()
}

#[tokio::test]
async fn a_dead_letter_says_which_limit_of_the_retry_policy_was_reached() {
    let table = [
        (
            json!({"MaximumRetryAttempts": 2}),
            "MaximumRetryAttempts",
            "2",
        ),
        (
            json!({"MaximumRetryAttempts": 0}),
            "MaximumRetryAttempts",
            "0",
        ),
        (
            json!({"MaximumEventAgeInSeconds": 60}),
            "MaximumEventAgeInSeconds",
            "",
        ),
    ];
    for (retry, condition, retries) in table {
        let house = furnished().await;
        house.runtime.fail_pulls_of("app:1");
        let dead = json!({"RetryPolicy": retry, "DeadLetterConfig": {"Arn": arn("sqs", "dlq")}});
        rule(&house, task(dead)).await;
        send(&house, json!({})).await;
        let delivery = see_through(&house).await;
        let letter = messages(&house, "dlq").await.remove(0).1;
        assert_eq!(letter["EXHAUSTED_RETRY_CONDITION"], condition);
        assert_eq!(letter["ERROR_CODE"], "TASK_FAILED_TO_START");
        let made = (delivery.attempts - 1).to_string();
        assert_eq!(letter["RETRY_ATTEMPTS"], made);
        assert!(retries.is_empty() || retries == made, "{made}");
        // The last retry is made when the event is as old as the policy allows.
        let age = delivery.finished_at.unwrap().0 - delivery.ingested_at.0;
        assert!(
            !retries.is_empty() || (60_000..92_000).contains(&age),
            "{age}"
        );
    }
}

#[tokio::test]
async fn put_targets_refuses_what_can_never_be_a_dead_letter_queue() {
    let house = furnished().await;
    let put = json!({"Name": "r", "EventPattern": r#"{"source":["demo"]}"#});
    house.give(rules::put, put).await;
    let table = [
        (
            arn("sqs", "q.fifo"),
            "it must be the ARN of a standard SQS queue.",
        ),
        (
            arn("sns", "topic"),
            "it must be the ARN of a standard SQS queue.",
        ),
        (
            "arn:aws:sqs:eu-west-1:000000000000:q".to_owned(),
            "the queue must be in the Region of the rule.",
        ),
    ];
    for (dead, reason) in table {
        let target = json!({"Id": "t", "Arn": arn("sqs", "q"), "DeadLetterConfig": {"Arn": dead}});
        let asked = request(json!({"Rule": "r", "Targets": [target]}));
        let refused = house
            .flow
            .write(move |tx| targets::put(tx, &caller(), asked));
        let error = refused.await.unwrap_err();
        assert_eq!(error.code, "ValidationException");
        assert!(error.message.ends_with(reason), "{}", error.message);
    }
}

const STACK: &str = r#"
Resources:
  Dead: {Type: 'AWS::SQS::Queue'}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Name: r
      EventPattern: {source: [demo]}
      Targets:
        - {Id: t, Arn: !Sub 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:gone', DeadLetterConfig: {Arn: !GetAtt Dead.Arn}}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Dead]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Dead.Arn
            Condition: {ArnEquals: {'aws:SourceArn': !GetAtt Rule.Arn}}
"#;

#[tokio::test]
async fn a_queue_policy_of_a_template_lets_dead_letters_in() {
    let house = furnished().await;
    let create = |tx: &mut Tx<'_>, c: &Caller, q| build::create_stack(tx, c, q, None);
    house
        .give(create, json!({"StackName": "s", "TemplateBody": STACK}))
        .await;
    house
        .until("the stack stands", |house| {
            let asked = request(json!({"StackName": "s"}));
            let told = build::describe_stacks(&house.flow.view(), &caller(), &asked).unwrap();
            told.stacks.unwrap()[0].stack_status.as_deref() == Some("CREATE_COMPLETE")
        })
        .await;
    send(&house, json!({})).await;
    let outcome = settled(&house).await.outcome;
    assert!(
        matches!(&outcome, Outcome::GivenUp(DeadLetter::Sent(_))),
        "{outcome:?}"
    );
}
