//! Finds what a part of a template refers to: `Ref`, `Fn::GetAtt`, the variables of `Fn::Sub`, conditions.
//!
//! Static: every branch of an `Fn::If` counts. Never looks up whether what is named exists.

use super::node::{Entry, Node, Span, Value};

/// One mention of something else in the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What is mentioned, and how.
    pub target: Target,
    /// Where.
    pub span: Span,
}

/// What a reference names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A parameter, resource or pseudo parameter (`Ref`, `${Name}`).
    Name(String),
    /// An attribute of a resource (`Fn::GetAtt`, `${Id.Attribute}`).
    Attribute(String, String),
    /// A condition (`Condition`, first argument of `Fn::If`).
    Condition(String),
    /// A mapping (`Fn::FindInMap` with a literal name).
    Mapping(String),
}

/// Everything that a node mentions, in the order of the text.
pub fn references(node: &Node) -> Vec<Reference> {
    references_where(node, &|_| true)
}

/// Everything that a node mentions, without looking into the entries that are not to count.
pub fn references_where(node: &Node, counts: &dyn Fn(&Entry) -> bool) -> Vec<Reference> {
    let mut found = Vec::new();
    collect(node, counts, &mut found);
    found
}

fn collect(node: &Node, counts: &dyn Fn(&Entry) -> bool, found: &mut Vec<Reference>) {
    if let Some((name, argument)) = node.function() {
        mention(name, argument, found);
        if matches!(name, "Ref" | "Condition") {
            return;
        }
    }
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect(item, counts, found)),
        Value::Map(entries) => entries
            .iter()
            .filter(|entry| counts(entry))
            .for_each(|entry| collect(&entry.value, counts, found)),
        _ => {}
    }
}

fn mention(function: &str, argument: &Node, found: &mut Vec<Reference>) {
    let first = || {
        argument
            .items()
            .and_then(<[Node]>::first)
            .and_then(Node::as_str)
    };
    let target = match function {
        "Ref" => argument.as_str().map(|name| Target::Name(name.to_owned())),
        "Condition" => argument
            .as_str()
            .map(|name| Target::Condition(name.to_owned())),
        "Fn::If" => first().map(|name| Target::Condition(name.to_owned())),
        "Fn::FindInMap" => first().map(|name| Target::Mapping(name.to_owned())),
        "Fn::GetAtt" => attribute_of(argument).map(|(id, name)| Target::Attribute(id, name)),
        "Fn::Sub" => return sub_variables(argument, found),
        _ => None,
    };
    found.extend(target.map(|target| Reference {
        target,
        span: argument.span,
    }));
}

/// The logical id and the attribute that a `Fn::GetAtt` asks for; the attribute may be a function and is empty then.
pub(crate) fn attribute_of(argument: &Node) -> Option<(String, String)> {
    if let Some(text) = argument.as_str() {
        return text
            .split_once('.')
            .map(|(id, name)| (id.to_owned(), name.to_owned()));
    }
    let [id, rest @ ..] = argument.items()? else {
        return None;
    };
    let names: Vec<&str> = rest.iter().filter_map(Node::as_str).collect();
    Some((id.as_str()?.to_owned(), names.join(".")))
}

fn sub_variables(argument: &Node, found: &mut Vec<Reference>) {
    let (text, own) = match argument.items() {
        Some([text, own, ..]) => (text, Some(own)),
        _ => (argument, None),
    };
    for piece in pieces(text.as_str().unwrap_or_default()) {
        let Piece::Variable(name) = piece else {
            continue;
        };
        if own.is_some_and(|own| own.get(name).is_some()) {
            continue;
        }
        let target = match name.split_once('.') {
            Some((id, attribute)) => Target::Attribute(id.to_owned(), attribute.to_owned()),
            None => Target::Name(name.to_owned()),
        };
        found.push(Reference {
            target,
            span: text.span,
        });
    }
}

/// A piece of a `Fn::Sub` string.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Text as it is.
    Text(&'a str),
    /// `${Name}`.
    Variable(&'a str),
    /// `${!Name}`, which stands for `${Name}`.
    Literal(&'a str),
}

/// Cuts a `Fn::Sub` string into its pieces. A `${` that nothing closes is text.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else {
            break;
        };
        found.push(Piece::Text(before));
        found.push(match name.strip_prefix('!') {
            Some(literal) => Piece::Literal(literal),
            None => Piece::Variable(name.trim()),
        });
        rest = behind;
    }
    found.push(Piece::Text(rest));
    found
}
