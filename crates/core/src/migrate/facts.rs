//! What a template says about the two roads: its rules, trails and buckets, symbolically.
//!
//! Never evaluates parameters, so it holds for every stack that the template can make.

use super::edit::Source;
use super::embedded::{self, Embedded};
use super::pattern::{Road, find, road};
use super::symbol::Symbol;
use crate::template::{Node, Resource, Template, TemplateError};

pub(crate) const BUCKET: &str = "AWS::S3::Bucket";
pub(crate) const BUCKET_POLICY: &str = "AWS::S3::BucketPolicy";
pub(crate) const RULE: &str = "AWS::Events::Rule";
pub(crate) const TRAIL: &str = "AWS::CloudTrail::Trail";
/// The only resource type whose data events can be those of an upload.
pub(crate) const OBJECT: &str = "AWS::S3::Object";

/// One rule with an event pattern.
pub(crate) struct RuleFacts<'a> {
    pub(crate) id: &'a str,
    pub(crate) properties: &'a Node,
    pub(crate) road: Road,
    /// The pattern; its places are the template's unless `escaped`.
    pub(crate) pattern: Node,
    /// The text that the pattern's places are of, where it stands escaped in the template.
    pub(crate) escaped: Option<String>,
    /// What the template has under `EventPattern`.
    pub(crate) written: &'a Node,
}

/// The rules that have an event pattern.
pub(crate) fn rules<'a>(
    text: &'a str,
    template: &'a Template,
) -> Result<Vec<RuleFacts<'a>>, TemplateError> {
    let mut rules = Vec::new();
    for (id, resource) in of_type(template, RULE) {
        let Some(properties) = &resource.properties else {
            continue;
        };
        let Some(written) = properties.get("EventPattern") else {
            continue;
        };
        let scalar = match written.function() {
            Some(("Fn::Sub", argument)) => argument,
            _ => written,
        };
        let (pattern, escaped) = match embedded::read(Source { text }, scalar)? {
            None => (written.clone(), None),
            Some(Embedded::InPlace(node)) => (node, None),
            Some(Embedded::Escaped(text, node)) => (node, Some(text)),
        };
        rules.push(RuleFacts {
            id,
            properties,
            road: road(&pattern),
            pattern,
            escaped,
            written,
        });
    }
    Ok(rules)
}

/// The resources of a type.
pub(crate) fn of_type<'a>(
    template: &'a Template,
    resource_type: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Resource)> {
    template
        .resources
        .iter()
        .filter(move |(_, it)| it.resource_type == resource_type)
        .map(|(id, resource)| (id.as_str(), resource))
}

/// One value of a trail's data resources: which objects it logs.
pub(crate) struct DataValue<'a> {
    pub(crate) node: &'a Node,
    /// Of a basic selector `ReadWriteType`, of an advanced one `readOnly` in the same words.
    pub(crate) reads_only: bool,
    pub(crate) scope: Scope,
}

/// Which objects a data resource is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All objects of all buckets.
    All,
    /// The objects of a bucket whose keys start so.
    Bucket(Symbol, Symbol),
    /// A bucket without the slash behind it, which is no object's prefix.
    NoSlash(Symbol),
    /// Not to be told from the template.
    Unknown,
}

/// What a trail selects.
#[derive(Default)]
pub(crate) struct Selects<'a> {
    pub(crate) values: Vec<DataValue<'a>>,
    /// Whether other things than objects are selected.
    pub(crate) others: bool,
    /// An advanced selector leaves out objects in ways not looked into.
    pub(crate) narrowed: Option<&'a Node>,
    /// The selectors of objects, as JSON; what the template does not say outright is left in it.
    pub(crate) selectors: Vec<serde_json::Value>,
}

/// Reads a trail's selectors, basic and advanced.
pub(crate) fn selects<'a>(trail: &'a Resource, template: &Template) -> Selects<'a> {
    let mut found = Selects::default();
    let list = |name: &str| {
        let properties = trail.properties.as_ref();
        properties
            .and_then(|it| it.get(name)?.items())
            .unwrap_or_default()
    };
    for selector in list("EventSelectors") {
        basic(selector, template, &mut found);
    }
    for selector in list("AdvancedEventSelectors") {
        advanced(selector, template, &mut found);
    }
    found
}

fn basic<'a>(selector: &'a Node, template: &Template, found: &mut Selects<'a>) {
    let reads_only = selector.get("ReadWriteType").and_then(Node::as_str) == Some("ReadOnly");
    found.selectors.push(selector.to_json());
    let resources = selector.get("DataResources").and_then(Node::items);
    for resource in resources.unwrap_or_default() {
        if resource.get("Type").and_then(Node::as_str) != Some(OBJECT) {
            found.others = true;
            continue;
        }
        let values = resource.get("Values").and_then(Node::items);
        found
            .values
            .extend(values.unwrap_or_default().iter().map(|node| DataValue {
                node,
                reads_only,
                scope: scope(node, template),
            }));
    }
}

fn advanced<'a>(selector: &'a Node, template: &Template, found: &mut Selects<'a>) {
    let fields = selector.get("FieldSelectors").and_then(Node::items);
    let fields = fields.unwrap_or_default();
    let field = |name: &str| {
        fields
            .iter()
            .find(|it| it.get("Field").and_then(Node::as_str) == Some(name))
    };
    let equals = |name: &str, value: &str| {
        field(name)
            .and_then(|it| it.get("Equals")?.items())
            .is_some_and(|it| {
                it.iter()
                    .any(|it| it.scalar_text().as_deref() == Some(value))
            })
    };
    if !equals("eventCategory", "Data") {
        return;
    }
    if !equals("resources.type", OBJECT) {
        found.others = true;
        return;
    }
    let reads_only = equals("readOnly", "true");
    found.selectors.push(selector.to_json());
    let Some(arns) = field("resources.ARN") else {
        found.values.push(DataValue {
            node: selector,
            reads_only,
            scope: Scope::All,
        });
        return;
    };
    for name in ["StartsWith", "Equals"] {
        let values = arns.get(name).and_then(Node::items).unwrap_or_default();
        found.values.extend(values.iter().map(|node| DataValue {
            node,
            reads_only,
            scope: scope(node, template),
        }));
    }
    let others = ["NotEquals", "NotStartsWith", "EndsWith", "NotEndsWith"];
    if others.iter().any(|it| arns.get(it).is_some()) {
        found.narrowed = Some(arns);
    }
}

fn scope(node: &Node, template: &Template) -> Scope {
    let Some(symbol) = Symbol::of(node, template) else {
        return Scope::Unknown;
    };
    if matches!(symbol.literal(), Some("arn:aws:s3" | "arn:aws:s3:::")) {
        return Scope::All;
    }
    let Some(rest) = symbol.behind_bucket_arn() else {
        return Scope::Unknown;
    };
    match rest.at_slash() {
        Some((bucket, prefix)) => Scope::Bucket(bucket, prefix),
        None => Scope::NoSlash(rest),
    }
}

/// The bucket of the template that a symbol names.
pub(crate) fn bucket_named<'a>(name: &Symbol, template: &'a Template) -> Option<&'a str> {
    of_type(template, BUCKET)
        .map(|(id, _)| id)
        .find(|id| Symbol::of_bucket(id, template) == *name)
}

/// The names that a rule of the old road takes for its bucket, with their places; empty if it takes any.
pub(crate) fn old_buckets(pattern: &Node) -> Vec<&Node> {
    let paths: [&[&str]; 2] = [
        &["detail", "requestParameters", "bucketName"],
        &["detail", "resources", "ARN"],
    ];
    bound(pattern, &paths).unwrap_or_default()
}

/// Whether a rule of the old road looks at how calls ended.
pub(crate) fn filters_failures(pattern: &Node) -> bool {
    let detail = pattern.get("detail");
    detail.is_some_and(|it| it.get("errorCode").is_some() || it.get("errorMessage").is_some())
}

/// What a rule of the old road takes for its key; empty if it takes any.
pub(crate) fn old_keys(pattern: &Node) -> Vec<&Node> {
    bound(pattern, &[&["detail", "requestParameters", "key"]]).unwrap_or_default()
}

/// What a rule of the old road takes for the names of calls; none if it takes any.
pub(crate) fn old_names(pattern: &Node) -> Option<Vec<&Node>> {
    bound(pattern, &[&["detail", "eventName"]])
}

/// What a pattern takes for one of some fields; none where an alternative leaves all of them open.
fn bound<'n>(level: &'n Node, paths: &[&[&str]]) -> Option<Vec<&'n Node>> {
    let own = paths.iter().filter_map(|path| at(level, path));
    let in_all = alternatives(level, &|branch| bound(branch, paths));
    let deeper = inner_paths(level, paths);
    let found: Vec<Vec<&Node>> = own.chain(in_all).chain(deeper).collect();
    (!found.is_empty()).then(|| found.concat())
}

/// What the alternatives one level down take, of the paths that lead there.
fn inner_paths<'n>(level: &'n Node, paths: &[&[&str]]) -> Option<Vec<&'n Node>> {
    let (first, _) = paths.first()?.split_first()?;
    let inner: Vec<&[&str]> = paths
        .iter()
        .filter_map(|path| path.split_first())
        .filter(|(name, rest)| *name == first && !rest.is_empty())
        .map(|(_, rest)| rest)
        .collect();
    let below = find(level, first).filter(|_| inner.len() == paths.len())?;
    bound(&below.value, &inner)
}

/// What a field takes, written out or in every alternative.
fn at<'n>(level: &'n Node, path: &[&str]) -> Option<Vec<&'n Node>> {
    let Some((name, rest)) = path.split_first() else {
        return level.items().map(|items| items.iter().collect());
    };
    let own = find(level, name).and_then(|entry| at(&entry.value, rest));
    let in_all = alternatives(level, &|branch| at(branch, path));
    match (own, in_all) {
        (Some(own), Some(more)) => Some([own, more].concat()),
        (own, in_all) => own.or(in_all),
    }
}

fn alternatives<'n>(
    level: &'n Node,
    of: &dyn Fn(&'n Node) -> Option<Vec<&'n Node>>,
) -> Option<Vec<&'n Node>> {
    let branches = level.get("$or")?.items()?;
    let all: Option<Vec<Vec<&Node>>> = branches.iter().map(of).collect();
    all.map(|it| it.concat())
}

/// The names that a rule of the direct road takes for its bucket.
pub(crate) fn direct_buckets(pattern: &Node) -> Vec<&Node> {
    let mut found = Vec::new();
    if let Some(detail) = pattern.get("detail") {
        below(detail, &["bucket", "name"], &mut found);
    }
    found
}

fn below<'n>(node: &'n Node, path: &[&str], found: &mut Vec<&'n Node>) {
    let Some((name, rest)) = path.split_first() else {
        found.extend(node.items().unwrap_or_default());
        return;
    };
    if let Some(entry) = find(node, name) {
        below(&entry.value, rest, found);
    }
    let branches = node.get("$or").and_then(Node::items).unwrap_or_default();
    branches
        .iter()
        .for_each(|branch| below(branch, path, found));
}

/// The name of the bucket that a value of a pattern names: a bucket's name or ARN.
pub(crate) fn names_bucket(value: &Node, template: &Template) -> Option<Symbol> {
    let symbol = Symbol::of(value, template)?;
    match symbol.behind_bucket_arn() {
        Some(rest) => Some(rest.at_slash().map_or(rest, |(bucket, _)| bucket)),
        None => Some(symbol),
    }
}
