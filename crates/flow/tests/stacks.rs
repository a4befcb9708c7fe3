//! Stacks from templates to resources and back, over a store in memory: what a client of CloudFormation sees.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

use std::sync::Arc;

use landfall_core::api::generated::cloudformation as api;
use landfall_core::api::generated::{ecs, events};
use landfall_core::caller::{Caller, Identity};
use landfall_core::error::ApiError;
use landfall_flow::land::bucket;
use landfall_flow::route::{rules, targets};
use landfall_flow::run::cluster;
use landfall_flow::trail::HistoryRecord;
use landfall_flow::{Flow, FlowParts, Key, Reader as _, Tx, build};
use landfall_testkit::{FakeRuntime, MemoryContents, MemoryState, SeededIds, TestClock};
use serde_json::{Value, json};

const NETWORK: &str = include_str!("../../../examples/direct/network.yaml");
const APPLICATION: &str = include_str!("../../../examples/direct/application.yaml");

fn caller() -> Caller {
    Caller::service("test", "000000000000", "us-east-1", "request".to_owned())
}

struct House {
    state: Arc<MemoryState>,
    flow: Flow,
}

fn open(state: Arc<MemoryState>) -> House {
    let flow = Flow::open(FlowParts {
        state: Arc::clone(&state) as Arc<_>,
        contents: Arc::new(MemoryContents::new()),
        runtime: Arc::new(FakeRuntime::new()),
        clock: Arc::new(TestClock::default()),
        ids: Arc::new(SeededIds::new(7)),
        endpoint: "http://127.0.0.1:4566".to_owned(),
        container_credentials: None,
        settings: landfall_core::settings::Settings::default(),
    })
    .expect("the flow opens");
    House { state, flow }
}

fn parameters(pairs: &[(&str, &str)]) -> Option<Vec<api::Parameter>> {
    let parameter = |(key, value): &(&str, &str)| api::Parameter {
        parameter_key: Some((*key).to_owned()),
        parameter_value: Some((*value).to_owned()),
        ..Default::default()
    };
    Some(pairs.iter().map(parameter).collect())
}

impl House {
    fn new() -> Self {
        open(Arc::new(MemoryState::new()))
    }

    async fn write<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.flow.write(decide).await
    }

    async fn create(&self, name: &str, template: &str) -> Result<String, ApiError> {
        self.create_with(name, template, &[]).await
    }

    async fn create_with(
        &self,
        name: &str,
        template: &str,
        pairs: &[(&str, &str)],
    ) -> Result<String, ApiError> {
        let request = api::CreateStackInput {
            stack_name: Some(name.to_owned()),
            template_body: Some(template.to_owned()),
            parameters: parameters(pairs),
            capabilities: Some(vec!["CAPABILITY_NAMED_IAM".to_owned()]),
            ..Default::default()
        };
        self.create_as(request).await
    }

    async fn create_as(&self, request: api::CreateStackInput) -> Result<String, ApiError> {
        let answer = self
            .write(|tx| build::create_stack(tx, &caller(), request, None))
            .await;
        answer.map(|it| it.stack_id.unwrap())
    }

    async fn update(&self, name: &str, template: &str) -> Result<(), ApiError> {
        let request = api::UpdateStackInput {
            stack_name: Some(name.to_owned()),
            template_body: Some(template.to_owned()),
            capabilities: Some(vec!["CAPABILITY_NAMED_IAM".to_owned()]),
            ..Default::default()
        };
        self.write(|tx| build::update_stack(tx, &caller(), request, None))
            .await
            .map(|_| ())
    }

    async fn delete(&self, name: &str) -> Result<(), ApiError> {
        let stack_name = Some(name.to_owned());
        let request = api::DeleteStackInput {
            stack_name,
            ..Default::default()
        };
        self.write(|tx| build::delete_stack(tx, &caller(), request))
            .await
    }

    fn stack(&self, name: &str) -> Result<api::Stack, ApiError> {
        let request = api::DescribeStacksInput {
            stack_name: Some(name.to_owned()),
            next_token: None,
        };
        let answer = build::describe_stacks(&self.flow.view(), &caller(), &request)?;
        Ok(answer.stacks.unwrap().remove(0))
    }

    /// The stack when no operation is under way any more.
    async fn settled(&self, id: &str) -> api::Stack {
        let id = self.stack(id).unwrap().stack_id.unwrap();
        loop {
            let waiter = self.flow.waiter(&id);
            let woken = waiter.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let stack = self.stack(&id).unwrap();
            if !stack
                .stack_status
                .as_deref()
                .unwrap()
                .ends_with("_IN_PROGRESS")
            {
                return stack;
            }
            woken.await;
        }
    }

    async fn status(&self, id: &str) -> String {
        self.settled(id).await.stack_status.unwrap()
    }

    fn events(&self, id: &str) -> Vec<api::StackEvent> {
        let mut all = Vec::new();
        let mut next_token = None;
        loop {
            let request = api::DescribeStackEventsInput {
                stack_name: Some(id.to_owned()),
                next_token,
            };
            let page =
                build::describe_stack_events(&self.flow.view(), &caller(), &request).unwrap();
            all.extend(page.stack_events.unwrap());
            next_token = page.next_token;
            if next_token.is_none() {
                return all;
            }
        }
    }

    /// `logical id status: reason` of the events with a reason, newest first.
    fn reasons(&self, id: &str) -> Vec<String> {
        let line = |it: api::StackEvent| {
            let reason = it.resource_status_reason?;
            let (id, status) = (it.logical_resource_id.unwrap(), it.resource_status.unwrap());
            Some(format!("{id} {status}: {reason}"))
        };
        self.events(id).into_iter().filter_map(line).collect()
    }

    fn resources(&self, id: &str) -> Vec<(String, String, Option<String>)> {
        let request = api::ListStackResourcesInput {
            stack_name: Some(id.to_owned()),
            next_token: None,
        };
        let answer = build::list_stack_resources(&self.flow.view(), &caller(), &request).unwrap();
        let line = |it: api::StackResourceSummary| {
            let id = it.logical_resource_id.unwrap();
            (id, it.resource_status.unwrap(), it.physical_resource_id)
        };
        answer
            .stack_resource_summaries
            .unwrap()
            .into_iter()
            .map(line)
            .collect()
    }

    fn physical(&self, id: &str, logical: &str) -> String {
        let all = self.resources(id);
        all.into_iter()
            .find(|it| it.0 == logical)
            .unwrap()
            .2
            .unwrap()
    }

    async fn propose(
        &self,
        stack: &str,
        set: &str,
        kind: &str,
        template: &str,
    ) -> Result<api::DescribeChangeSetOutput, ApiError> {
        let request = api::CreateChangeSetInput {
            stack_name: Some(stack.to_owned()),
            change_set_name: Some(set.to_owned()),
            change_set_type: Some(kind.to_owned()),
            template_body: Some(template.to_owned()),
            ..Default::default()
        };
        self.write(|tx| build::create_change_set(tx, &caller(), request, None))
            .await?;
        self.change_set(stack, set)
    }

    fn change_set(&self, stack: &str, set: &str) -> Result<api::DescribeChangeSetOutput, ApiError> {
        let request = api::DescribeChangeSetInput {
            stack_name: Some(stack.to_owned()),
            change_set_name: Some(set.to_owned()),
            ..Default::default()
        };
        build::describe_change_set(&self.flow.view(), &caller(), &request)
    }

    async fn execute(&self, stack: &str, set: &str) -> Result<(), ApiError> {
        let request = api::ExecuteChangeSetInput {
            stack_name: Some(stack.to_owned()),
            change_set_name: Some(set.to_owned()),
            ..Default::default()
        };
        self.write(|tx| build::execute_change_set(tx, &caller(), request))
            .await
            .map(|_| ())
    }

    /// The sample's network and application, as a user deploys them.
    async fn sample(&self) -> (api::Stack, api::Stack) {
        let dev = ("EnvironmentName", "dev");
        let id = self.create_with("network", NETWORK, &[dev]).await.unwrap();
        let network = self.settled(&id).await;
        let application = self.application().await.unwrap();
        (network, self.settled(&application).await)
    }

    async fn application(&self) -> Result<String, ApiError> {
        let pairs = [
            ("EnvironmentName", "dev"),
            ("OrganizationName", "acme"),
            ("AppName", "csv"),
            ("AppImageTag", "1"),
            ("SubnetIds", "/sample/dev/subnet-ids"),
        ];
        self.create_with("application", APPLICATION, &pairs).await
    }
}

fn output(stack: &api::Stack, key: &str) -> String {
    let outputs = stack.outputs.as_ref().unwrap();
    let found = outputs
        .iter()
        .find(|it| it.output_key.as_deref() == Some(key))
        .unwrap();
    found.output_value.clone().unwrap()
}

#[tokio::test]
async fn the_sample_stands_and_goes() {
    let house = House::new();
    let (network, application) = house.sample().await;
    assert_eq!(
        network.stack_status.as_deref(),
        Some("CREATE_COMPLETE"),
        "{:#?}",
        house.reasons("network")
    );
    assert_eq!(
        application.stack_status.as_deref(),
        Some("CREATE_COMPLETE"),
        "{:#?}",
        house.reasons("application")
    );
    assert_eq!(output(&application, "BucketName"), "sample-bucket");
    assert!(output(&network, "ECSServiceSecurityGroup").starts_with("sg-"));
    let view = house.flow.view();
    assert!(bucket::bucket(&view, "sample-bucket").unwrap().event_bridge);
    let request = events::ListTargetsByRuleRequest {
        rule: Some("sample-events".into()),
        ..Default::default()
    };
    let target = targets::list(&view, &caller(), &request)
        .unwrap()
        .targets
        .unwrap()
        .remove(0);
    let ecs = target.ecs_parameters.unwrap();
    assert_eq!(
        ecs.task_definition_arn.unwrap(),
        output(&application, "TaskDefinitionArn")
    );
    let vpc = ecs
        .network_configuration
        .unwrap()
        .awsvpc_configuration
        .unwrap();
    assert_eq!(vpc.subnets.unwrap().len(), 2);
    assert_eq!(
        vpc.security_groups.unwrap(),
        [output(&network, "ECSServiceSecurityGroup")]
    );
    assert_eq!(
        target.retry_policy.unwrap().maximum_event_age_in_seconds,
        Some(3600)
    );

    let refused = house.delete("network").await.unwrap_err();
    assert_eq!(
        refused.message,
        "Export Sample:ECSServiceSecurityGroup cannot be deleted as it is in use by application"
    );
    for name in ["application", "network"] {
        let id = house.stack(name).unwrap().stack_id.unwrap();
        house.delete(name).await.unwrap();
        assert_eq!(
            house.status(&id).await,
            "DELETE_COMPLETE",
            "{:#?}",
            house.reasons(&id)
        );
        let gone = house.stack(name).unwrap_err();
        assert_eq!((gone.code.as_ref(), gone.status), ("ValidationError", 400));
        assert_eq!(gone.message, format!("Stack with id {name} does not exist"));
    }
    assert!(bucket::bucket(&house.flow.view(), "sample-bucket").is_err());
    house.delete("network").await.unwrap();
}

#[tokio::test]
async fn a_crash_after_any_commit_leaves_a_stack_that_goes_on() {
    let house = House::new();
    let (_, whole) = house.sample().await;
    let commits = house.state.commits();
    for survived in 1..commits {
        let again = open(Arc::new(house.state.crash(survived)));
        let Ok(network) = again.stack("network") else {
            continue;
        };
        let network = again.settled(&network.stack_id.unwrap()).await;
        assert_eq!(
            network.stack_status.as_deref(),
            Some("CREATE_COMPLETE"),
            "{survived}"
        );
        let id = match again.stack("application") {
            Ok(there) => there.stack_id.unwrap(),
            Err(_) => again.application().await.unwrap(),
        };
        let application = again.settled(&id).await;
        assert_eq!(
            application.stack_status.as_deref(),
            Some("CREATE_COMPLETE"),
            "{survived}"
        );
        assert_eq!(application.outputs, whole.outputs, "{survived}");
    }
}

const FAILING: &str = "
Resources:
  Cluster:
    Type: AWS::ECS::Cluster
    Properties: {ClusterName: made}
  Bucket:
    Type: AWS::S3::Bucket
    DependsOn: Cluster
    Properties: {BucketName: NotAName}
";

#[tokio::test]
async fn a_failed_creation_is_rolled_back_with_its_reason() {
    let house = House::new();
    let id = house.create("s", FAILING).await.unwrap();
    assert_eq!(house.status(&id).await, "ROLLBACK_COMPLETE");
    let reasons = house.reasons(&id);
    assert!(
        reasons[1].starts_with("Bucket CREATE_FAILED: "),
        "{reasons:#?}"
    );
    assert!(
        reasons[1].contains("The specified bucket is not valid."),
        "{reasons:#?}"
    );
    assert_eq!(
        reasons[0],
        "s ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [Bucket]. Rollback requested by user."
    );
    let there = cluster::check_active(&house.flow.view(), &caller(), Some("made"));
    assert_eq!(there.unwrap_err().code, "ClusterNotFoundException");
    let refused = house.update("s", FAILING).await.unwrap_err();
    assert_eq!(
        refused.message,
        format!("Stack:{id} is in ROLLBACK_COMPLETE state and can not be updated.")
    );
}

#[tokio::test]
async fn a_tag_that_landfall_cannot_honour_fails_its_resource() {
    for resource in [
        "{Type: AWS::ECS::Cluster, Properties: {Tags: [{Key: 'landfall:max-running', Value: '0'}]}}",
        "{Type: AWS::Events::Rule, Properties: {EventPattern: {source: [x]}, \
          Tags: [{Key: 'landfall:max-running', Value: '0'}]}}",
    ] {
        let house = House::new();
        let template = format!("Resources: {{R: {resource}}}");
        let id = house.create("s", &template).await.unwrap();
        assert_eq!(house.status(&id).await, "ROLLBACK_COMPLETE", "{resource}");
        let words = "The value of the tag landfall:max-running must be a whole number";
        let reasons = house.reasons(&id);
        assert!(reasons.iter().any(|it| it.contains(words)), "{reasons:#?}");
    }
}

#[tokio::test]
async fn without_rollback_what_was_made_stays() {
    let house = House::new();
    let request = api::CreateStackInput {
        stack_name: Some("s".into()),
        template_body: Some(FAILING.into()),
        disable_rollback: Some(true),
        ..Default::default()
    };
    let id = house.create_as(request).await.unwrap();
    assert_eq!(house.status(&id).await, "CREATE_FAILED");
    cluster::check_active(&house.flow.view(), &caller(), Some("made")).unwrap();
    house
        .update("s", &FAILING.replace("NotAName", "a-name"))
        .await
        .unwrap();
    assert_eq!(
        house.status(&id).await,
        "UPDATE_COMPLETE",
        "{:#?}",
        house.reasons(&id)
    );
    assert!(bucket::bucket(&house.flow.view(), "a-name").is_ok());
}

const RULE: &str = "
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: NAME}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {source: [my.app]}
Outputs:
  Rule: {Value: !GetAtt Rule.Arn}
";

#[tokio::test]
async fn a_replaced_resource_is_made_before_the_old_one_goes() {
    let house = House::new();
    let id = house
        .create("s", &RULE.replace("NAME", "one"))
        .await
        .unwrap();
    assert_eq!(
        house.status(&id).await,
        "CREATE_COMPLETE",
        "{:#?}",
        house.reasons(&id)
    );
    assert!(house.physical(&id, "Rule").starts_with("one|s-Rule-"));
    let planned = house
        .propose("s", "c", "UPDATE", &RULE.replace("NAME", "two"))
        .await
        .unwrap();
    let changes: Vec<_> = planned
        .changes
        .unwrap()
        .into_iter()
        .map(|it| it.resource_change.unwrap())
        .map(|it| (it.logical_resource_id.unwrap(), it.replacement.unwrap()))
        .collect();
    assert_eq!(changes[0], ("Bus".to_owned(), "True".to_owned()));
    assert_eq!(changes[1].0, "Rule");
    house.execute("s", "c").await.unwrap();
    assert_eq!(
        house.status(&id).await,
        "UPDATE_COMPLETE",
        "{:#?}",
        house.reasons(&id)
    );
    assert!(house.physical(&id, "Rule").starts_with("two|s-Rule-"));
    let bus = Some("one".to_owned());
    let request = events::ListRulesRequest {
        event_bus_name: bus,
        ..Default::default()
    };
    let gone = rules::list(&house.flow.view(), &caller(), &request).unwrap_err();
    assert_eq!(gone.message, "Event bus one does not exist.");
    let removed = house.events(&id);
    assert!(removed.iter().any(|it| {
        it.resource_status.as_deref() == Some("DELETE_COMPLETE")
            && it.physical_resource_id.as_deref() == Some("one")
    }));
}

#[tokio::test]
async fn a_failed_update_puts_back_what_was() {
    let house = House::new();
    let good = RULE.replace("NAME", "one");
    let id = house.create("s", &good).await.unwrap();
    house.settled(&id).await;
    let before = house.resources(&id);
    let bad = format!(
        "{}\nOutputs: {{}}",
        RULE.split("Outputs:").next().unwrap().replace("NAME", "two").replace("my.app", "your.app")
    )
    .replace("Outputs: {}", "  Bad:\n    Type: AWS::S3::Bucket\n    DependsOn: Rule\n    Properties: {BucketName: Bad}\n");
    house.update("s", &bad).await.unwrap();
    assert_eq!(
        house.status(&id).await,
        "UPDATE_ROLLBACK_COMPLETE",
        "{:#?}",
        house.reasons(&id)
    );
    let after: Vec<_> = house
        .resources(&id)
        .into_iter()
        .filter(|it| it.0 != "Bad")
        .collect();
    let names = |all: &[(String, String, Option<String>)]| -> Vec<_> {
        all.iter().map(|it| (it.0.clone(), it.2.clone())).collect()
    };
    assert_eq!(names(&after), names(&before));
    let request = events::DescribeRuleRequest {
        name: Some(
            house
                .physical(&id, "Rule")
                .split_once('|')
                .unwrap()
                .1
                .to_owned(),
        ),
        event_bus_name: Some("one".into()),
    };
    let rule = rules::describe(&house.flow.view(), &caller(), &request).unwrap();
    assert_eq!(
        rule.event_pattern.as_deref(),
        Some(r#"{"source":["my.app"]}"#)
    );
    assert_eq!(
        house.update("s", &good).await.unwrap_err().message,
        "No updates are to be performed."
    );
}

#[tokio::test]
async fn a_change_set_that_changes_nothing_fails_in_known_words() {
    let house = House::new();
    let template = RULE.replace("NAME", "one");
    let review = house
        .propose("s", "first", "CREATE", &template)
        .await
        .unwrap();
    assert_eq!(review.status.as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(
        house.stack("s").unwrap().stack_status.as_deref(),
        Some("REVIEW_IN_PROGRESS")
    );
    house.execute("s", "first").await.unwrap();
    assert_eq!(
        house.status("s").await,
        "CREATE_COMPLETE",
        "{:#?}",
        house.reasons("s")
    );
    let empty = house
        .propose("s", "second", "UPDATE", &template)
        .await
        .unwrap();
    assert_eq!(empty.status.as_deref(), Some("FAILED"));
    assert_eq!(
        empty.status_reason.as_deref(),
        Some(
            "The submitted information didn't contain changes. Submit different information to create a change set."
        )
    );
    let request = api::DeleteChangeSetInput {
        stack_name: Some("s".into()),
        change_set_name: Some("second".into()),
    };
    house
        .write(move |tx| build::delete_change_set(tx, &caller(), &request))
        .await
        .unwrap();
    let gone = house.change_set("s", "second").unwrap_err();
    assert_eq!(
        (gone.code.as_ref(), gone.message.as_str()),
        ("ChangeSetNotFound", "ChangeSet [second] does not exist")
    );
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_made() {
    let house = House::new();
    let cases = [
        (
            "Resources: {A: {Type: 'AWS::Lambda::Function'}}",
            "Unrecognized resource types: [AWS::Lambda::Function]",
        ),
        (
            "Resources: {A: {Type: 'Custom::Thing'}}",
            "not served by Landfall",
        ),
        (
            "Resources: {A: {Type: 'AWS::ECS::Cluster', Properties: {ClusterName: !Ref B}}}",
            "Unresolved resource dependencies [B]",
        ),
    ];
    for (template, words) in cases {
        let refused = house.create("s", template).await.unwrap_err();
        assert_eq!(refused.code, "ValidationError");
        assert!(refused.message.contains(words), "{}", refused.message);
    }
    let role = "Resources: {R: {Type: 'AWS::IAM::Role', Properties: {RoleName: r, AssumeRolePolicyDocument: {}}}}";
    let request = api::CreateStackInput {
        stack_name: Some("s".into()),
        template_body: Some(role.into()),
        ..Default::default()
    };
    let refused = house.create_as(request).await.unwrap_err();
    assert_eq!(refused.code, "InsufficientCapabilitiesException");
    assert_eq!(
        refused.message,
        "Requires capabilities : [CAPABILITY_NAMED_IAM]"
    );
    assert!(house.stack("s").is_err());
}

#[tokio::test]
async fn two_stacks_cannot_export_one_name() {
    let house = House::new();
    let template = "
Resources: {C: {Type: 'AWS::ECS::Cluster'}}
Outputs: {O: {Value: !Ref C, Export: {Name: shared}}}
";
    let one = house.create("one", template).await.unwrap();
    assert_eq!(house.status(&one).await, "CREATE_COMPLETE");
    let two = house.create("two", template).await.unwrap();
    let stack = house.settled(&two).await;
    assert_eq!(stack.stack_status.as_deref(), Some("ROLLBACK_COMPLETE"));
    let reasons = house.reasons(&two);
    let words = "Export with name shared is already exported by stack one.";
    assert!(reasons.iter().any(|it| it.contains(words)), "{reasons:#?}");
}

#[tokio::test]
async fn protection_and_retention_are_honoured() {
    let house = House::new();
    let template = "
Resources:
  Kept:
    Type: AWS::ECS::Cluster
    DeletionPolicy: Retain
    Properties: {ClusterName: kept}
";
    let request = api::CreateStackInput {
        stack_name: Some("s".into()),
        template_body: Some(template.into()),
        enable_termination_protection: Some(true),
        tags: Some(vec![api::Tag {
            key: Some("team".into()),
            value: Some("a".into()),
        }]),
        ..Default::default()
    };
    let id = house.create_as(request).await.unwrap();
    house.settled(&id).await;
    let request = ecs::DescribeClustersRequest {
        clusters: Some(vec!["kept".into()]),
        include: Some(vec!["TAGS".into()]),
    };
    let found = cluster::describe(&house.flow.view(), &caller(), &request).unwrap();
    let tags = found.clusters.unwrap().remove(0).tags.unwrap();
    assert_eq!(tags[0].key.as_deref(), Some("team"));
    let refused = house.delete("s").await.unwrap_err();
    assert_eq!(
        refused.message,
        "Stack [s] cannot be deleted while TerminationProtection is enabled"
    );
    let request = api::UpdateTerminationProtectionInput {
        stack_name: Some("s".into()),
        enable_termination_protection: Some(false),
    };
    house
        .write(move |tx| build::update_termination_protection(tx, &caller(), &request))
        .await
        .unwrap();
    house.delete("s").await.unwrap();
    assert_eq!(house.status(&id).await, "DELETE_COMPLETE");
    cluster::check_active(&house.flow.view(), &caller(), Some("kept")).unwrap();
    assert_eq!(house.resources(&id)[0].1, "DELETE_SKIPPED");
}

/// The management events of the event history.
fn recorded(house: &House) -> Vec<Value> {
    let all: Vec<HistoryRecord> = house.flow.view().all(&Key::new("call-history")).unwrap();
    let read = |it: &HistoryRecord| serde_json::from_str(&it.json).unwrap();
    all.iter().map(read).collect()
}

fn names(records: &[Value]) -> Vec<&str> {
    records
        .iter()
        .map(|it| it["eventName"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_calls_of_a_stack_are_recorded_as_those_of_cloudformation() {
    let house = House::new();
    let template = r#"
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: recorded, NotificationConfiguration: {EventBridgeConfiguration: {EventBridgeEnabled: true}}}
  Rule:
    Type: AWS::Events::Rule
    DependsOn: Bucket
    Properties: {Name: recorded, EventPattern: {source: [aws.s3]}}
"#;
    let mut asker = caller();
    asker.access_key_id = "AKIATEST".to_owned();
    asker.identity = Identity::Root;
    let request = api::CreateStackInput {
        stack_name: Some("recorded".to_owned()),
        template_body: Some(template.to_owned()),
        ..Default::default()
    };
    let made = house.write(move |tx| build::create_stack(tx, &asker, request, None));
    let id = made.await.unwrap().stack_id.unwrap();
    house.settled(&id).await;
    let records = recorded(&house);
    assert_eq!(
        names(&records),
        ["CreateBucket", "PutBucketNotification", "PutRule"]
    );
    for record in &records {
        assert_eq!(
            record["userIdentity"],
            json!({
                "type": "Root",
                "principalId": "000000000000",
                "arn": "arn:aws:iam::000000000000:root",
                "accountId": "000000000000",
                "accessKeyId": "AKIATEST",
                "invokedBy": "cloudformation.amazonaws.com",
            })
        );
        assert_eq!(record["sourceIPAddress"], "cloudformation.amazonaws.com");
        assert_eq!(record["userAgent"], "cloudformation.amazonaws.com");
    }
    assert_eq!(records[1]["requestParameters"]["bucketName"], "recorded");
    assert_eq!(records[2]["requestParameters"]["name"], "recorded");
    let arn = "arn:aws:events:us-east-1:000000000000:rule/recorded";
    assert_eq!(records[2]["responseElements"]["ruleArn"], arn);
    house.delete("recorded").await.unwrap();
    house.settled(&id).await;
    assert_eq!(
        names(&recorded(&house))[3..],
        ["DeleteRule", "DeleteBucket"]
    );
}

#[tokio::test]
async fn of_a_resource_that_failed_only_the_refused_call_is_recorded() {
    let house = House::new();
    let template = r#"
Resources:
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Name: refused
      EventPattern: {source: [aws.s3]}
      Targets: [{Id: t, Arn: 'arn:aws:sns:us-east-1:000000000000:nowhere'}]
"#;
    let id = house.create("refused", template).await.unwrap();
    let stack = house.settled(&id).await;
    assert_eq!(stack.stack_status.as_deref(), Some("ROLLBACK_COMPLETE"));
    let records = recorded(&house);
    assert_eq!(names(&records), ["PutTargets"]);
    assert!(records[0]["errorCode"].is_string());
    assert_eq!(records[0]["responseElements"], Value::Null);
}
