//! The same way for a Terraform plan (`terraform show -json`): what to write instead, and what to take out.
//!
//! A plan holds values, not the source they came from, so nothing is edited: the answer is text to put into the
//! configuration, resource by resource. Never reads HCL.

use serde_json::{Map, Value, json};

use super::edit::{Draft, Source, apply};
use super::input::{Moved, moved};
use super::note::{Kind, Note};
use super::pattern::{Road, Translator, item_holds, road};
use super::prove::{ProveError, Side};
use super::{MigrateError, Options};
use crate::template::{Node, TemplateError, parse_document};
use crate::transform;

/// What to do to the configuration behind a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// What to write and what to take out, as HCL with comments.
    pub text: String,
    /// What there is to say about it.
    pub notes: Vec<Note>,
    /// Addresses of the rules that can be moved.
    pub moved: Vec<String>,
    /// Addresses of the rules that are refused.
    pub refused: Vec<String>,
    old: Vec<Resource>,
    new: Vec<Resource>,
}

/// One resource of a plan.
#[derive(Debug, Clone, PartialEq)]
struct Resource {
    address: String,
    kind: String,
    values: Value,
}

impl Resource {
    fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }
}

const RULE: &str = "aws_cloudwatch_event_rule";
const TARGET: &str = "aws_cloudwatch_event_target";
const BUCKET: &str = "aws_s3_bucket";
const POLICY: &str = "aws_s3_bucket_policy";
const NOTIFICATION: &str = "aws_s3_bucket_notification";
const TRAIL: &str = "aws_cloudtrail";

/// Whether a text is the JSON of a plan or a state rather than a template.
pub fn is_plan(text: &str) -> bool {
    let document: Option<Map<String, Value>> = serde_json::from_str(text).ok();
    document.is_some_and(|it| {
        it.contains_key("format_version")
            && ["planned_values", "values", "resource_changes"]
                .iter()
                .any(|name| it.contains_key(*name))
    })
}

/// Works out what to write instead.
///
/// # Errors
/// [`MigrateError::Template`] for a text that is no JSON.
pub fn suggest(text: &str, options: Options) -> Result<Suggestion, MigrateError> {
    let document: Value = serde_json::from_str(text)
        .map_err(|e| TemplateError::new(format!("the plan is not JSON: {e}")))?;
    let old = resources(&document);
    let mut work = Work {
        old: &old,
        new: old.clone(),
        options,
        text: String::new(),
        notes: Vec::new(),
        moved: Vec::new(),
        refused: Vec::new(),
        watched: Vec::new(),
        stays: None,
    };
    work.rules();
    if !work.moved.is_empty() {
        work.buckets();
        work.removals();
    }
    let Work {
        new,
        text,
        mut notes,
        moved,
        refused,
        ..
    } = work;
    notes.sort_by_key(|it| it.kind);
    Ok(Suggestion {
        text,
        notes,
        moved,
        refused,
        new,
        old,
    })
}

impl Suggestion {
    /// The plan as it is and as it would be, to be held against uploads.
    ///
    /// # Errors
    /// Patterns and inputs that EventBridge would refuse.
    pub fn sides(&self) -> Result<(Side, Side), ProveError> {
        Ok((side(&self.old)?, side(&self.new)?))
    }
}

fn resources(document: &Value) -> Vec<Resource> {
    let mut found = Vec::new();
    for name in ["planned_values", "values"] {
        if let Some(root) = document.get(name).and_then(|it| it.get("root_module")) {
            module(root, &mut found);
        }
    }
    if found.is_empty() {
        let changes = document.get("resource_changes").and_then(Value::as_array);
        for change in changes.into_iter().flatten() {
            let after = change.get("change").and_then(|it| it.get("after"));
            found.extend(resource(change, after.filter(|it| it.is_object())));
        }
    }
    found
}

fn module(module: &Value, found: &mut Vec<Resource>) {
    let list = |name: &str| {
        module
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    found.extend(list("resources").filter_map(|it| resource(it, it.get("values"))));
    list("child_modules").for_each(|it| self::module(it, found));
}

fn resource(declared: &Value, values: Option<&Value>) -> Option<Resource> {
    let text = |name: &str| {
        declared
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    Some(Resource {
        address: text("address")?,
        kind: text("type")?,
        values: values?.clone(),
    })
}

struct Work<'a> {
    old: &'a [Resource],
    new: Vec<Resource>,
    options: Options,
    text: String,
    notes: Vec<Note>,
    moved: Vec<String>,
    refused: Vec<String>,
    watched: Vec<String>,
    stays: Option<String>,
}

impl Work<'_> {
    fn rules(&mut self) {
        for rule in self.old.iter().filter(|it| it.kind == RULE) {
            let Some(pattern) = rule.text("event_pattern") else {
                if rule.text("schedule_expression").is_none() {
                    let note = Note::new(
                        Kind::Left,
                        &rule.address,
                        None,
                        "the plan does not know the event pattern before it is applied",
                    );
                    self.notes.push(
                        note.advise("apply it, then migrate `terraform show -json` of the state"),
                    );
                }
                continue;
            };
            let Ok(node) = parse_document(pattern) else {
                continue;
            };
            match road(&node) {
                Road::Old => self.rule(rule, pattern),
                Road::OtherCalls => {
                    self.stays = Some(format!("{} waits for calls that it logs", rule.address));
                }
                Road::Elsewhere => {}
            }
        }
    }

    fn rule(&mut self, rule: &Resource, pattern: &str) {
        let Ok(node) = parse_document(pattern) else {
            return;
        };
        let source = Source { text: pattern };
        let mut translator = Translator {
            source,
            template: None,
            rule: &rule.address,
            widen: self.options.widen,
            draft: Draft::default(),
            notes: Vec::new(),
        };
        translator.pattern(&node);
        let mut notes = std::mem::take(&mut translator.notes);
        let new = apply(pattern, &translator.draft.settle(source, &node));
        let mut targets = Targets {
            rule: &rule.address,
            text: format!(
                "# {}\nevent_pattern = jsonencode({})\n",
                rule.address,
                hcl(&new)
            ),
            changes: vec![(rule.address.clone(), "event_pattern".to_owned(), json!(new))],
            notes: Vec::new(),
        };
        let of_rule = self.old.iter().filter(|it| is_target_of(it, rule));
        of_rule.for_each(|it| targets.target(it));
        let Targets { text, changes, .. } = targets;
        notes.append(&mut targets.notes);
        for note in &mut notes {
            note.span = None;
        }
        if notes.iter().any(|it| it.kind == Kind::Refused) {
            notes.retain(|it| it.kind == Kind::Refused);
            self.notes.append(&mut notes);
            self.refused.push(rule.address.clone());
            return;
        }
        self.notes.append(&mut notes);
        self.moved.push(rule.address.clone());
        self.text.push_str(&text);
        for (address, name, value) in changes {
            self.set(&address, &name, value);
        }
        self.watch(&rule.address, &node);
    }

    /// Watches the buckets that a rule names or takes; of a rule that takes any, those that the trails log.
    fn watch(&mut self, rule: &str, pattern: &Node) {
        let names = super::facts::old_buckets(pattern);
        if names.is_empty() {
            let trails = self.old.iter().filter(|it| it.kind == TRAIL);
            let mut side = Side::empty();
            trails.for_each(|it| side.add_trail(&trail_properties(&it.values)));
            let logged = side.logged_buckets().filter(|it| !it.is_empty());
            self.watched.extend(logged.map(str::to_owned));
        }
        for name in names {
            if let Some(name) = name.as_str() {
                let name = name.strip_prefix("arn:aws:s3:::").unwrap_or(name);
                let bucket = name.split('/').next().unwrap_or(name);
                self.watched.push(bucket.to_owned());
                continue;
            }
            let buckets = self.old.iter().filter(|it| it.kind == BUCKET);
            let taken = buckets
                .filter_map(|it| it.text("bucket"))
                .filter(|it| item_holds(name, it));
            self.watched.extend(taken.map(str::to_owned));
            let note = Note::new(
                Kind::Left,
                rule,
                None,
                "the rule takes every bucket that its matcher takes, also buckets outside this plan",
            );
            self.notes
                .push(note.advise("set `eventbridge = true` for each of them"));
        }
    }

    fn set(&mut self, address: &str, name: &str, value: Value) {
        let found = self.new.iter_mut().find(|it| it.address == address);
        if let Some(members) = found.and_then(|it| it.values.as_object_mut()) {
            members.insert(name.to_owned(), value);
        }
    }

    fn buckets(&mut self) {
        let mut names = self.watched.clone();
        names.sort();
        names.dedup();
        for name in names {
            let of_name = |it: &&Resource| it.text("bucket") == Some(name.as_str());
            let notification = self
                .old
                .iter()
                .filter(|it| it.kind == NOTIFICATION)
                .find(of_name);
            let bucket = self.old.iter().filter(|it| it.kind == BUCKET).find(of_name);
            let written = match (notification, bucket) {
                (Some(it), _) if it.values.get("eventbridge") == Some(&json!(true)) => continue,
                (Some(it), _) => {
                    let address = it.address.clone();
                    self.set(&address, "eventbridge", json!(true));
                    format!("# {address}\neventbridge = true\n")
                }
                (None, found) => {
                    let bucket = found.map_or_else(
                        || json!(name).to_string(),
                        |it| format!("{}.id", it.address),
                    );
                    self.new.push(Resource {
                        address: format!("{NOTIFICATION}.{name}"),
                        kind: NOTIFICATION.to_owned(),
                        values: json!({"bucket": name, "eventbridge": true}),
                    });
                    let label = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
                    format!(
                        "# new\nresource \"{NOTIFICATION}\" \"{label}_events\" {{\n  bucket      = {bucket}\n  \
                         eventbridge = true\n}}\n"
                    )
                }
            };
            self.text.push_str(&written);
            let message = format!("the bucket {name} sends its events to EventBridge");
            self.notes
                .push(Note::new(Kind::Changed, &name, None, message));
        }
    }

    fn removals(&mut self) {
        let stays = match self.refused.first() {
            Some(rule) => Some(format!("{rule} still needs it")),
            None if self.options.keep_trail => Some("--keep-trail asks for it".to_owned()),
            None => self.stays.clone(),
        };
        let trails: Vec<Resource> = self
            .old
            .iter()
            .filter(|it| it.kind == TRAIL)
            .cloned()
            .collect();
        let why: Vec<Option<String>> = trails
            .iter()
            .map(|it| stays.clone().or_else(|| self.why_stays(it)))
            .collect();
        let log_bucket = |it: &Resource| it.text("s3_bucket_name").unwrap_or_default().to_owned();
        let kept: Vec<String> = trails
            .iter()
            .zip(&why)
            .filter(|(_, why)| why.is_some())
            .map(|(it, _)| log_bucket(it))
            .collect();
        for (trail, why) in trails.iter().zip(why) {
            if let Some(why) = why {
                let message = format!("the trail stays: {why}");
                self.notes
                    .push(Note::new(Kind::Left, &trail.address, None, message));
                continue;
            }
            self.remove(&trail.address, "the trail: no rule needs it any more");
            let logs = log_bucket(trail);
            if self.watched.contains(&logs) || kept.contains(&logs) {
                continue;
            }
            let own: Vec<String> = self
                .old
                .iter()
                .filter(|it| matches!(it.kind.as_str(), BUCKET | POLICY))
                .filter(|it| it.text("bucket") == Some(logs.as_str()))
                .filter(|it| self.new.iter().any(|new| new.address == it.address))
                .map(|it| it.address.clone())
                .collect();
            for address in own {
                self.remove(
                    &address,
                    "for the trail's log files; keep it if anything else uses it",
                );
            }
        }
    }

    fn why_stays(&self, trail: &Resource) -> Option<String> {
        let properties = trail_properties(&trail.values);
        let text = properties.to_string();
        if !text.contains(super::facts::OBJECT) {
            return Some("it logs no objects".to_owned());
        }
        if text.contains("AWS::Lambda") || text.contains("AWS::DynamoDB") {
            return Some("it logs other things than objects too".to_owned());
        }
        let mut side = Side::empty();
        side.add_trail(&properties);
        let is_watched =
            |bucket: &str| self.watched.is_empty() || self.watched.iter().any(|it| it == bucket);
        let strange = side
            .logged_buckets()
            .find(|it| !it.is_empty() && !is_watched(it))?;
        Some(format!(
            "it logs objects of {strange}, which no rule of this plan watches"
        ))
    }

    fn remove(&mut self, address: &str, why: &str) {
        self.new.retain(|it| it.address != address);
        self.text.push_str(&format!("# take out {address}\n"));
        self.notes
            .push(Note::new(Kind::Removed, address, None, why));
    }
}

fn is_target_of(target: &Resource, rule: &Resource) -> bool {
    target.kind == TARGET
        && target.text("rule").is_some()
        && target.text("rule") == rule.text("name")
}

/// What becomes of the targets of one rule.
struct Targets<'a> {
    rule: &'a str,
    text: String,
    /// Address, name of the argument, and its new value.
    changes: Vec<(String, String, Value)>,
    notes: Vec<Note>,
}

impl Targets<'_> {
    fn target(&mut self, target: &Resource) {
        if let Some(path) = target.text("input_path") {
            let to = json!(self.path(target, path));
            self.text += &format!("# {}\ninput_path = {to}\n", target.address);
            self.changes
                .push((target.address.clone(), "input_path".to_owned(), to));
            return;
        }
        let transformer = target.values.get("input_transformer");
        if let Some(transformer) = transformer.and_then(|it| it.get(0)) {
            return self.transformer(target, transformer);
        }
        if target.text("input").is_none() && !has_task(target) {
            self.refuse(
                format!(
                    "{}: the target receives the whole event, which has another form",
                    target.address
                ),
                "give it an input_transformer, then migrate",
            );
        }
    }

    fn refuse(&mut self, message: String, advice: &str) {
        let note = Note::new(Kind::Refused, self.rule, None, message);
        self.notes.push(note.advise(advice));
    }

    fn path(&mut self, target: &Resource, path: &str) -> String {
        match moved(path) {
            Moved::Same => path.to_owned(),
            Moved::To(to, how) => {
                let message = format!("{}: the input path `{path}` became `{to}`", target.address);
                self.notes
                    .push(Note::new(Kind::Changed, self.rule, None, message));
                let how = how.map(|how| Note::new(Kind::Differs, self.rule, None, how));
                self.notes.extend(how);
                to
            }
            Moved::None(advice) => {
                let message = format!(
                    "{}: the input path `{path}` has no twin in the direct event",
                    target.address
                );
                self.refuse(message, advice);
                path.to_owned()
            }
        }
    }

    fn transformer(&mut self, target: &Resource, transformer: &Value) {
        let template = transformer.get("input_template").and_then(Value::as_str);
        let template = template.unwrap_or_default();
        let parsed = transform::Template::parse(template);
        let used: Vec<&str> = parsed.placeholders().collect();
        let has_event =
            |it: &&&str| it.starts_with("aws.events.event") && !it.ends_with("ingestion-time");
        if let Some(name) = used.iter().find(has_event) {
            let message = format!("{}: the input template has <{name}>", target.address);
            self.refuse(
                message,
                "the event has another form on the direct road: write the input from bucket and key",
            );
        }
        let mut paths = Map::new();
        let written = transformer.get("input_paths").and_then(Value::as_object);
        for (name, path) in written.into_iter().flatten() {
            let path = path.as_str().unwrap_or_default();
            let to = if used.contains(&name.as_str()) {
                self.path(target, path)
            } else {
                path.to_owned()
            };
            paths.insert(name.clone(), json!(to));
        }
        let paths = Value::Object(paths);
        self.text += &format!(
            "# {}, in input_transformer\ninput_paths = {}\n",
            target.address,
            hcl(&paths.to_string())
        );
        let new = json!([{"input_paths": paths, "input_template": template}]);
        self.changes
            .push((target.address.clone(), "input_transformer".to_owned(), new));
    }
}

fn has_task(target: &Resource) -> bool {
    target
        .values
        .get("ecs_target")
        .and_then(|it| it.get(0))
        .is_some()
}

/// JSON as an expression of HCL, which reads it as it is but for its own `${` and `%{`.
fn hcl(json: &str) -> String {
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
    pretty.replace("${", "$${").replace("%{", "%%{")
}

/// A trail's values by CloudFormation's names.
fn trail_properties(values: &Value) -> Value {
    let list = |of: &Value, name: &str| {
        of.get(name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let basic = list(values, "event_selector").into_iter().map(|it| {
        let data = list(&it, "data_resource")
            .into_iter()
            .map(|it| json!({"Type": it.get("type"), "Values": it.get("values")}));
        json!({"ReadWriteType": it.get("read_write_type"), "DataResources": data.collect::<Vec<_>>()})
    });
    let advanced = list(values, "advanced_event_selector")
        .into_iter()
        .map(|it| {
            let fields = list(&it, "field_selector").into_iter().map(|field| {
                let mut members = Map::new();
                for (from, to) in [
                    ("field", "Field"),
                    ("equals", "Equals"),
                    ("starts_with", "StartsWith"),
                    ("ends_with", "EndsWith"),
                    ("not_equals", "NotEquals"),
                    ("not_starts_with", "NotStartsWith"),
                    ("not_ends_with", "NotEndsWith"),
                ] {
                    let value = field
                        .get(from)
                        .filter(|it| !it.is_null() && **it != json!([]));
                    members.extend(value.map(|it| (to.to_owned(), it.clone())));
                }
                Value::Object(members)
            });
            json!({"FieldSelectors": fields.collect::<Vec<_>>()})
        });
    json!({
        "IsLogging": values.get("enable_logging").cloned().unwrap_or(json!(true)),
        "EventSelectors": basic.collect::<Vec<_>>(),
        "AdvancedEventSelectors": advanced.collect::<Vec<_>>(),
    })
}

fn side(resources: &[Resource]) -> Result<Side, ProveError> {
    let mut side = Side::empty();
    for it in resources {
        match it.kind.as_str() {
            BUCKET => side.add_bucket(it.text("bucket").unwrap_or(&it.address), false),
            NOTIFICATION => {
                let sends = it.values.get("eventbridge") == Some(&json!(true));
                side.add_bucket(it.text("bucket").unwrap_or_default(), sends);
            }
            TRAIL => side.add_trail(&trail_properties(&it.values)),
            RULE => {
                let targets = resources.iter().filter(|target| is_target_of(target, it));
                let properties = rule_properties(it, targets.map(target_properties).collect());
                side.rule(&it.address, &properties)?;
            }
            _ => {}
        }
    }
    Ok(side)
}

fn rule_properties(rule: &Resource, targets: Vec<Value>) -> Value {
    let mut properties = json!({"Targets": targets});
    let is_off = rule.values.get("is_enabled") == Some(&json!(false));
    for (from, to) in [
        ("name", "Name"),
        ("state", "State"),
        ("event_bus_name", "EventBusName"),
        ("event_pattern", "EventPattern"),
    ] {
        if let (Some(members), Some(value)) = (properties.as_object_mut(), rule.text(from)) {
            members.insert(to.to_owned(), json!(value));
        }
    }
    if let Some(members) = properties.as_object_mut().filter(|_| is_off) {
        members.insert("State".to_owned(), json!("DISABLED"));
    }
    properties
}

fn target_properties(target: &Resource) -> Value {
    let mut properties = Map::new();
    for (from, to) in [
        ("target_id", "Id"),
        ("arn", "Arn"),
        ("input", "Input"),
        ("input_path", "InputPath"),
    ] {
        properties.extend(target.text(from).map(|it| (to.to_owned(), json!(it))));
    }
    let first = |name: &str| target.values.get(name).and_then(|it| it.get(0)).cloned();
    properties.extend(first("ecs_target").map(|it| ("EcsParameters".to_owned(), it)));
    properties.extend(first("input_transformer").map(|it| {
        let transformer = json!({
            "InputPathsMap": it.get("input_paths").cloned().unwrap_or_default(),
            "InputTemplate": it.get("input_template").cloned().unwrap_or_default(),
        });
        ("InputTransformer".to_owned(), transformer)
    }));
    Value::Object(properties)
}
