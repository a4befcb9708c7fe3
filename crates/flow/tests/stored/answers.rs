//! What the public read verbs answer about a store: one named answer for each question. Reads only, so that it can be
//! asked of a store that nobody has opened.

use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_flow::count::{Minute, cloudwatch};
use landfall_flow::keep::{logs, networks, parameters, queues, roles};
use landfall_flow::land::list::{
    ListedVersion, Listing, VersionMarker, list_objects, list_uploads, list_versions,
};
use landfall_flow::land::object::ObjectAt;
use landfall_flow::land::{bucket, config, multipart, read};
use landfall_flow::route::{archive, bus, replay, rules, targets};
use landfall_flow::run::{cluster, definition, task};
use landfall_flow::trail::{history, keys, selectors, tags, trails};
use landfall_flow::{Key, Reader as _, View, build, keep, tell};
use landfall_testkit::MemoryState;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::house::{ENDPOINT, caller, request};
use super::scenario::arn;

const MANY: usize = 1_000;

struct Asked<'a> {
    view: View<'a>,
    answers: Map<String, Value>,
}

/// All answers of a store at a moment, by name.
pub fn answers(state: &MemoryState, now: Timestamp) -> Value {
    let mut asked = Asked {
        view: View::new(state),
        answers: Map::new(),
    };
    asked.parameters();
    asked.roles();
    asked.networks();
    asked.queues(now);
    asked.logs(now);
    asked.buckets();
    asked.objects();
    asked.buses();
    asked.archives();
    asked.clusters();
    asked.stacks();
    asked.trails();
    asked.metrics(now);
    asked.ledger();
    Value::Object(asked.answers)
}

impl<'a> Asked<'a> {
    fn tell<A: Serialize>(&mut self, name: &str, answer: Result<A, ApiError>) -> Value {
        let told = match answer {
            Ok(answer) => serde_json::to_value(answer).expect("an answer is JSON"),
            Err(e) => json!({"refused": e.to_string()}),
        };
        let former = self.answers.insert(name.to_owned(), told.clone());
        assert_eq!(former, None, "{name} was asked twice");
        told
    }

    /// Asks a verb that takes its request.
    fn give<Q: DeserializeOwned, A: Serialize>(
        &mut self,
        name: &str,
        verb: impl FnOnce(&View<'a>, &Caller, Q) -> Result<A, ApiError>,
        json: Value,
    ) -> Value {
        let answer = verb(&self.view, &caller(), request(json));
        self.tell(name, answer)
    }

    /// Asks a verb that looks at its request.
    fn lend<Q: DeserializeOwned, A: Serialize>(
        &mut self,
        name: &str,
        verb: impl FnOnce(&View<'a>, &Caller, &Q) -> Result<A, ApiError>,
        json: Value,
    ) -> Value {
        let answer = verb(&self.view, &caller(), &request(json));
        self.tell(name, answer)
    }

    fn parameters(&mut self) {
        self.lend("parameters", parameters::describe, json!({}));
        for name in ["/csv/table", "/csv/columns", "secret"] {
            let get = json!({"Name": name, "WithDecryption": true});
            self.lend(&format!("parameter {name}"), parameters::get, get);
        }
        let history = json!({"Name": "/csv/table"});
        self.lend("parameter history", parameters::get_history, history);
        let tags = json!({"ResourceType": "Parameter", "ResourceId": "/csv/table"});
        self.lend("parameter tags", parameters::list_tags, tags);
    }

    fn roles(&mut self) {
        self.give("roles", roles::list_roles, json!({}));
        let runner = || json!({"RoleName": "Runner"});
        self.give("role", roles::get_role, runner());
        self.give(
            "role policies",
            roles::list_attached_role_policies,
            runner(),
        );
        let inline = json!({"RoleName": "Runner", "PolicyName": "own"});
        self.give("role policy", roles::get_role_policy, inline);
        self.give("policies", roles::list_policies, json!({"Scope": "Local"}));
        let version =
            json!({"PolicyArn": "arn:aws:iam::000000000000:policy/Reads", "VersionId": "v1"});
        self.give("policy version", roles::get_policy_version, version);
    }

    fn networks(&mut self) {
        self.give("vpcs", networks::describe_vpcs, json!({}));
        self.give("subnets", networks::describe_subnets, json!({}));
        self.give("gateways", networks::describe_internet_gateways, json!({}));
        self.give("route tables", networks::describe_route_tables, json!({}));
        self.give(
            "security groups",
            networks::describe_security_groups,
            json!({}),
        );
        self.give(
            "group rules",
            networks::describe_security_group_rules,
            json!({}),
        );
        self.give("network tags", networks::describe_tags, json!({}));
    }

    fn queues(&mut self, now: Timestamp) {
        let list = |db: &View<'a>, c: &Caller, q: &_| queues::list(db, c, ENDPOINT, q);
        self.lend("queues", list, json!({}));
        for name in ["dead", "letters", "work"] {
            let asked = json!({"QueueUrl": name, "AttributeNames": ["All"]});
            let get = |db: &View<'a>, c: &Caller, q: &_| queues::get_attributes(db, c, now, q);
            self.lend(&format!("queue {name}"), get, asked);
        }
        self.lend("queue tags", queues::list_tags, json!({"QueueUrl": "work"}));
    }

    fn logs(&mut self, now: Timestamp) {
        self.lend("log groups", logs::describe_groups, json!({}));
        self.lend("log policies", logs::describe_resource_policies, json!({}));
        for group in ["/csv", "/tasks"] {
            let asked = || json!({"logGroupName": group});
            self.lend(
                &format!("log streams {group}"),
                logs::describe_streams,
                asked(),
            );
            let filter = |db: &View<'a>, c: &Caller, q: &_| logs::filter_events(db, c, now, q);
            self.lend(&format!("log events {group}"), filter, asked());
        }
        let get = |db: &View<'a>, c: &Caller, q: &_| logs::get_events(db, c, now, q);
        let full = json!({"logGroupName": "/csv", "logStreamName": "full", "startFromHead": true});
        self.lend("log events of a stream", get, full);
    }

    fn buckets(&mut self) {
        let view = self.view;
        self.tell("buckets", bucket::list_buckets(&view, &caller().account));
        self.tell("acl", bucket::config::<config::Acl>(&view, "plain"));
        self.tell(
            "encryption",
            bucket::config::<config::Encryption>(&view, "plain"),
        );
        self.tell(
            "ownership",
            bucket::config::<config::Ownership>(&view, "plain"),
        );
        self.tell("policy", bucket::config::<config::Policy>(&view, "plain"));
        let public = bucket::config::<config::PublicAccessBlock>(&view, "plain");
        self.tell("public access", public);
        self.tell("tagging", bucket::config::<config::Tagging>(&view, "plain"));
    }

    fn objects(&mut self) {
        let view = self.view;
        for name in ["inbox", "kept", "plain"] {
            let listing = Listing {
                bucket: name.to_owned(),
                max: MANY,
                ..Listing::default()
            };
            let objects = list_objects(&view, &listing);
            self.tell(&format!("objects {name}"), objects.map(|page| page.entries));
            let versions = list_versions(&view, &listing, &VersionMarker::default());
            let entry = |(key, listed): (_, ListedVersion)| (key, listed.version, listed.is_latest);
            let versions =
                versions.map(|page| page.entries.into_iter().map(entry).collect::<Vec<_>>());
            self.tell(&format!("versions {name}"), versions);
        }
        let listing = Listing {
            bucket: "plain".to_owned(),
            max: MANY,
            ..Listing::default()
        };
        let uploads = list_uploads(&view, &listing, None).map(|page| page.entries);
        let first = uploads
            .as_ref()
            .ok()
            .and_then(|all| all.first())
            .map(|(_, upload)| upload.clone());
        self.tell("uploads", uploads);
        self.tell(
            "parts of an upload",
            first.map_or(Ok(Vec::new()), |upload| multipart::parts(&view, &upload, 0)),
        );
        let at = ObjectAt {
            bucket: "plain".to_owned(),
            key: "parts".to_owned(),
            version_id: None,
        };
        let whole = read::live(&view, &at, "GET");
        let parts = whole.and_then(|it| read::parts_of(&view, &it));
        self.tell("parts of an object", parts);
    }

    fn buses(&mut self) {
        self.lend("buses", bus::list, json!({}));
        self.lend("bus", bus::describe, json!({"Name": "orders"}));
        let tags = keep::tags::of(&self.view, &arn("events", "event-bus/orders"));
        self.tell("bus tags", tags);
        self.lend(
            "disabled rule",
            rules::describe,
            json!({"Name": "off", "EventBusName": "orders"}),
        );
        let all = self.lend("rules", rules::list, json!({}));
        for rule in all["Rules"].as_array().into_iter().flatten() {
            let name = rule["Name"].as_str().unwrap();
            self.lend(
                &format!("targets {name}"),
                targets::list,
                json!({"Rule": name}),
            );
        }
    }

    /// Stores that never had an archive say nothing of them.
    fn archives(&mut self) {
        let listed = self.view.all::<archive::Archive>(&Key::new("archive"));
        if listed.is_ok_and(|all| all.is_empty()) {
            return;
        }
        self.lend("archives", archive::list, json!({}));
        let kept = json!({"ArchiveName": "kept"});
        self.lend("archive", archive::describe, kept);
        self.lend("replays", replay::list, json!({}));
        let ended = json!({"ReplayName": "ended"});
        self.lend("replay", replay::describe, ended);
    }

    fn clusters(&mut self) {
        let clusters = json!({"clusters": ["batch", "closed"], "include": ["TAGS", "SETTINGS", "CONFIGURATIONS"]});
        self.lend("clusters", cluster::describe, clusters);
        for name in ["csv:1", "csv:2", "net"] {
            let asked = json!({"taskDefinition": name, "include": ["TAGS"]});
            self.lend(&format!("definition {name}"), definition::describe, asked);
        }
        let mut arns = Vec::new();
        for status in ["RUNNING", "STOPPED"] {
            let asked = json!({"cluster": "batch", "desiredStatus": status});
            let listed = self.lend(&format!("tasks {status}"), task::list, asked);
            arns.extend(listed["taskArns"].as_array().cloned().into_iter().flatten());
        }
        let asked = json!({"cluster": "batch", "tasks": arns, "include": ["TAGS"]});
        self.lend("tasks", task::describe, asked);
    }

    fn stacks(&mut self) {
        self.lend("stacks", build::describe_stacks, json!({}));
        self.lend("stack summaries", build::list_stacks, json!({}));
        self.lend("exports", build::list_exports, json!({}));
        self.lend(
            "imports",
            build::list_imports,
            json!({"ExportName": "base-cluster"}),
        );
        for name in ["base", "leaning", "left", "review", "moving"] {
            let asked = || json!({"StackName": name});
            self.lend(&format!("stack {name}"), build::describe_stacks, asked());
            self.lend(
                &format!("stack events {name}"),
                build::describe_stack_events,
                asked(),
            );
            self.lend(
                &format!("stack resources {name}"),
                build::describe_stack_resources,
                asked(),
            );
            self.lend(
                &format!("stack template {name}"),
                build::get_template,
                asked(),
            );
            self.lend(
                &format!("change sets {name}"),
                build::list_change_sets,
                asked(),
            );
        }
        let sets = [("review", "first"), ("leaning", "nothing")];
        for (stack, set) in sets {
            let asked = json!({"StackName": stack, "ChangeSetName": set});
            self.lend(
                &format!("change set {set}"),
                build::describe_change_set,
                asked,
            );
        }
    }

    fn trails(&mut self) {
        self.lend("trails", trails::describe, json!({}));
        for name in ["busy", "stopped"] {
            let asked = || json!({"Name": name});
            self.lend(&format!("trail {name}"), trails::get, asked());
            self.lend(&format!("trail status {name}"), trails::status, asked());
            let takes = json!({"TrailName": name});
            self.lend(&format!("event selectors {name}"), selectors::get, takes);
        }
        let tagged = json!({"ResourceIdList": [arn("cloudtrail", "trail/busy")]});
        self.lend("trail tags", tags::list, tagged);
        self.lend("event history", history::lookup, json!({}));
        self.lend("public keys", keys::list, json!({}));
    }

    fn metrics(&mut self, now: Timestamp) {
        let stored = self.view.all::<Minute>(&Key::new("metric"));
        if stored.is_ok_and(|all| all.is_empty()) {
            // A store of the versions that counted nothing.
            return;
        }
        let list = |db: &View<'a>, c: &Caller, q: &_| cloudwatch::list_metrics(db, c, now, q);
        self.lend("metrics", list, json!({}));
        let letters = json!({"Namespace": "AWS/Events", "MetricName": "Invocations",
                             "Dimensions": [{"Name": "RuleName", "Value": "letters"}]});
        let stat = json!({"Metric": letters, "Period": 60, "Stat": "Sum"});
        let asked = json!({
            "MetricDataQueries": [{"Id": "letters", "MetricStat": stat}],
            "StartTime": now.0 / 1_000 - 3_600, "EndTime": now.0 / 1_000 + 60,
        });
        self.lend("metric data", cloudwatch::get_metric_data, asked);
    }

    fn ledger(&mut self) {
        let page = tell::runs(&self.view, &tell::Filter::default(), None, MANY);
        self.tell(
            "runs",
            page.map(|page| page.runs.iter().map(first_form).collect::<Vec<_>>()),
        );
    }
}

/// A run as the first form of the ledger told it; later forms told more.
fn first_form(run: &tell::Run) -> Value {
    const MEMBERS: [&str; 15] = [
        "number",
        "state",
        "bucket",
        "key",
        "version_id",
        "rule",
        "bus",
        "target",
        "event_id",
        "matched_at",
        "ended_at",
        "attempts",
        "tasks",
        "exit_codes",
        "reason",
    ];
    let told = serde_json::to_value(run).unwrap();
    let members = MEMBERS
        .iter()
        .map(|name| ((*name).to_owned(), told[name].clone()));
    members.collect::<serde_json::Map<_, _>>().into()
}
