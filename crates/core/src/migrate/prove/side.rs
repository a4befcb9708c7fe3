//! One template as the roads see it: buckets, trails, rules and targets with every value resolved.
//!
//! What exists only once deployed (roles, clusters, subnets) is named after what declares it, the same on both sides.

use std::collections::BTreeMap;

use landfall_pattern::{Event, Pattern};
use serde_json::Value;

use super::ProveError;
use super::trail::Trail;
use super::upload::{Call, Place, Upload};
use crate::migrate::facts::{BUCKET, RULE, TRAIL};
use crate::task::{TaskOverride, parse_override};
use crate::template::{
    Evaluator, Lookup, ParameterDeclaration, Pseudo, Resource, Supply, Template, as_bool_loose,
};
use crate::transform::{Prepared, RuleContext, TargetInput};

/// One template, ready to be held against uploads.
pub struct Side {
    /// Names of the buckets, and whether they send their events to EventBridge.
    pub(super) buckets: BTreeMap<String, bool>,
    pub(super) trails: Vec<Trail>,
    pub(super) rules: Vec<Rule>,
    /// Parameters without a value, and the ones made up for them.
    pub(super) made_up: BTreeMap<String, String>,
}

/// One rule of the default bus.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) pattern: Pattern,
    pub(super) targets: Vec<Target>,
}

/// One target of a rule.
pub(super) struct Target {
    arn: String,
    /// `EcsParameters`; without them the target starts no task.
    settings: Option<Value>,
    input: Prepared,
}

/// One thing that a rule starts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Start {
    /// ARN of the target: for tasks, of the cluster.
    pub target: String,
    /// `EcsParameters` as JSON; empty for targets that start no task.
    pub settings: String,
    /// The overrides (for other targets the input), or why the delivery fails.
    pub input: String,
}

/// What to evaluate templates with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Values of parameters; those that a template does not declare are left aside.
    pub parameters: BTreeMap<String, String>,
    /// Account and region.
    pub place: Place,
}

impl Side {
    /// Evaluates a template.
    ///
    /// # Errors
    /// What CloudFormation would say, and patterns or inputs that EventBridge would refuse.
    pub fn of_template(text: &str, given: &Given) -> Result<Self, ProveError> {
        let template = Template::parse(text)?;
        let mut made_up = BTreeMap::new();
        let mut supplied = BTreeMap::new();
        for (name, declared) in &template.parameters {
            let value = match given.parameters.get(name) {
                Some(value) => value.clone(),
                None if declared.default.is_some() => continue,
                None => {
                    let value = made_up_value(name, declared);
                    made_up.insert(name.clone(), value.clone());
                    value
                }
            };
            supplied.insert(name.clone(), Supply::Value(value));
        }
        let mut made = Made::default();
        let parameters = template.resolve_parameters(&supplied, &BTreeMap::new(), &made)?;
        let pseudo = pseudo(&given.place);
        let first = Evaluator::new(&template, &parameters, &pseudo, &made)?;
        let names = bucket_names(&template, &first)?;
        made.buckets = names;
        let evaluator = Evaluator::new(&template, &parameters, &pseudo, &made)?;
        let mut side = Self {
            buckets: BTreeMap::new(),
            trails: Vec::new(),
            rules: Vec::new(),
            made_up,
        };
        for (id, resource) in &template.resources {
            if evaluator.conditions().holds(resource) {
                side.add(id, resource, &evaluator, &made)?;
            }
        }
        Ok(side)
    }

    fn add(
        &mut self,
        id: &str,
        resource: &Resource,
        evaluator: &Evaluator<'_>,
        made: &Made,
    ) -> Result<(), ProveError> {
        let properties = || evaluator.properties(resource).map(Value::Object);
        match resource.resource_type.as_str() {
            BUCKET => {
                let name = made.buckets.get(id).cloned().unwrap_or_default();
                self.bucket(name, &properties()?);
            }
            "Custom::S3BucketNotifications" => {
                let properties = properties()?;
                let name = properties.get("BucketName").and_then(Value::as_str);
                let sends = properties
                    .get("NotificationConfiguration")
                    .is_some_and(|it| it.get("EventBridgeConfiguration").is_some());
                if let Some(name) = name.filter(|_| sends) {
                    self.buckets.insert(name.to_owned(), true);
                }
            }
            TRAIL => self.trails.push(Trail::new(&properties()?)),
            RULE => self.rule(id, &properties()?)?,
            _ => {}
        }
        Ok(())
    }

    fn bucket(&mut self, name: String, properties: &Value) {
        let enabled = properties.get("NotificationConfiguration").and_then(|it| {
            it.get("EventBridgeConfiguration")?
                .get("EventBridgeEnabled")
        });
        let sends = enabled.and_then(as_bool_loose) == Some(true);
        let known = self.buckets.entry(name).or_insert(false);
        *known |= sends;
    }

    /// Adds a rule from its properties.
    pub(crate) fn rule(&mut self, id: &str, properties: &Value) -> Result<(), ProveError> {
        let text = |name: &str| properties.get(name).and_then(Value::as_str);
        let is_off = text("State").is_some_and(|it| it == "DISABLED");
        let is_default = text("EventBusName")
            .is_none_or(|it| it == "default" || it.ends_with("event-bus/default"));
        let pattern = match properties.get("EventPattern") {
            Some(Value::String(text)) => text.clone(),
            Some(pattern) => pattern.to_string(),
            None => return Ok(()),
        };
        if is_off || !is_default {
            return Ok(());
        }
        let pattern = Pattern::parse(&pattern).map_err(|e| ProveError::rule(id, &e))?;
        let targets = properties.get("Targets").and_then(Value::as_array);
        let targets = targets.into_iter().flatten();
        self.rules.push(Rule {
            name: text("Name").unwrap_or(id).to_owned(),
            pattern,
            targets: targets
                .map(|it| Target::new(id, it))
                .collect::<Result<_, _>>()?,
        });
        Ok(())
    }

    /// A side with nothing on it, for plans.
    pub(crate) fn empty() -> Self {
        Self {
            buckets: BTreeMap::new(),
            trails: Vec::new(),
            rules: Vec::new(),
            made_up: BTreeMap::new(),
        }
    }

    pub(crate) fn add_bucket(&mut self, name: &str, sends: bool) {
        *self.buckets.entry(name.to_owned()).or_insert(false) |= sends;
    }

    pub(crate) fn add_trail(&mut self, properties: &Value) {
        self.trails.push(Trail::new(properties));
    }

    /// Names of the buckets whose objects the trails of this side log.
    pub(crate) fn logged_buckets(&self) -> impl Iterator<Item = &str> {
        let prefixes = self.trails.iter().flat_map(Trail::prefixes);
        prefixes.map(|it| it.split('/').next().unwrap_or_default())
    }

    /// Whether a trail of this side logs objects at all.
    pub(super) fn logs_objects(&self) -> bool {
        self.trails.iter().any(Trail::logs_objects)
    }

    /// Whether a trail of this side logs a call.
    pub(super) fn logs(&self, call: &Call, upload: &Upload) -> bool {
        let is_logged = |it: &Trail| it.logs(call.name, call.is_read, upload);
        self.trails.iter().any(is_logged)
    }

    /// Whether a bucket sends its events. One that the template does not declare is taken to.
    pub(super) fn sends(&self, bucket: &str) -> bool {
        self.buckets.get(bucket) != Some(&false)
    }

    /// What an event starts, beside what others have started.
    pub(super) fn meet(&self, text: &str, event: &Event, place: &Place, starts: &mut Vec<Start>) {
        for rule in self.rules.iter().filter(|it| it.pattern.matches(event)) {
            starts.extend(rule.targets.iter().map(|it| it.start(rule, text, place)));
        }
    }
}

impl Target {
    fn new(rule: &str, target: &Value) -> Result<Self, ProveError> {
        let text = |name: &str| target.get(name).and_then(Value::as_str).map(str::to_owned);
        let input = match target.get("Input") {
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
            None => None,
        };
        let transformer = target.get("InputTransformer").map(|it| {
            let paths = it.get("InputPathsMap").and_then(Value::as_object);
            let paths = paths
                .into_iter()
                .flatten()
                .filter_map(|(name, path)| Some((name.clone(), path.as_str()?.to_owned())));
            let template = match it.get("InputTemplate") {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            };
            (paths.collect(), template)
        });
        let id = text("Id").unwrap_or_default();
        let input = TargetInput::from_parts(&id, input, text("InputPath"), transformer)
            .and_then(|input| crate::transform::validate(&id, &input).map(|()| input))
            .map_err(|e| ProveError::rule(rule, &e.message))?;
        Ok(Self {
            arn: text("Arn").unwrap_or_default(),
            settings: target.get("EcsParameters").cloned(),
            input: Prepared::new(&input),
        })
    }

    fn start(&self, rule: &Rule, event: &str, place: &Place) -> Start {
        let arn = format!(
            "arn:aws:events:{}:{}:rule/{}",
            place.region, place.account, rule.name
        );
        let context = RuleContext {
            rule_arn: &arn,
            rule_name: &rule.name,
            ingestion_time: "2026-11-12T00:00:05Z",
        };
        let input = match self.input.apply(event, &context) {
            Err(error) => format!("fails: {error}"),
            Ok(input) if self.settings.is_none() => input,
            Ok(input) => match parse_override(&input) {
                Err(error) => format!("fails: {error}"),
                Ok(overrides) => written(&overrides),
            },
        };
        Start {
            target: self.arn.clone(),
            settings: self
                .settings
                .as_ref()
                .map(Value::to_string)
                .unwrap_or_default(),
            input,
        }
    }
}

fn written(overrides: &TaskOverride) -> String {
    serde_json::to_string(overrides).unwrap_or_default()
}

/// Stands for everything that exists only once deployed.
#[derive(Default)]
struct Made {
    buckets: BTreeMap<String, String>,
}

impl Lookup for Made {
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        let bucket = self.buckets.get(logical_id);
        Some(Value::from(match (bucket, attribute) {
            (Some(name), "Arn") => format!("arn:aws:s3:::{name}"),
            _ => format!("{logical_id}.{attribute}"),
        }))
    }
    fn physical_id(&self, logical_id: &str) -> Option<String> {
        let bucket = self.buckets.get(logical_id).cloned();
        Some(bucket.unwrap_or_else(|| logical_id.to_owned()))
    }
    fn import(&self, export_name: &str) -> Option<String> {
        Some(format!("import-of-{export_name}"))
    }
    fn ssm_parameter(&self, name: &str, _: Option<u64>) -> Option<String> {
        Some(format!("value-of-{name}"))
    }
}

fn pseudo(place: &Place) -> Pseudo {
    Pseudo {
        account_id: place.account.clone(),
        region: place.region.clone(),
        partition: "aws".to_owned(),
        url_suffix: "amazonaws.com".to_owned(),
        stack_name: "stack".to_owned(),
        stack_id: format!(
            "arn:aws:cloudformation:{}:{}:stack/stack/0",
            place.region, place.account
        ),
        notification_arns: Vec::new(),
    }
}

fn bucket_names(
    template: &Template,
    evaluator: &Evaluator<'_>,
) -> Result<BTreeMap<String, String>, ProveError> {
    let mut names = BTreeMap::new();
    for (id, resource) in &template.resources {
        if resource.resource_type != BUCKET || !evaluator.conditions().holds(resource) {
            continue;
        }
        let written = resource
            .properties
            .as_ref()
            .and_then(|it| it.get("BucketName"));
        let name = match written {
            Some(node) => evaluator
                .node(node)?
                .and_then(|it| it.as_str().map(str::to_owned)),
            None => None,
        };
        names.insert(id.clone(), name.unwrap_or_else(|| id.to_lowercase()));
    }
    Ok(names)
}

fn made_up_value(name: &str, declared: &ParameterDeclaration) -> String {
    if let Some(first) = declared.allowed_values.as_ref().and_then(|it| it.first()) {
        return first.clone();
    }
    if declared.parameter_type.ends_with("Number") || declared.parameter_type == "List<Number>" {
        return declared.min_value.unwrap_or(1.0).to_string();
    }
    let mut value = name.to_lowercase();
    while value.len() < declared.min_length.unwrap_or(0) {
        value.push('x');
    }
    match declared.max_length {
        Some(max) => value.chars().take(max).collect(),
        None => value,
    }
}
