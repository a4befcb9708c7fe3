//! Serde types from a service model. Never writes a type that no served operation takes or returns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use heck::ToSnakeCase;

use super::model::{Member, Model};

const DERIVES: &str = "#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]\n";
/// Type names that generated code uses for something else.
const TAKEN: &[&str] = &[
    "Option",
    "Vec",
    "Box",
    "String",
    "BTreeMap",
    "Blob",
    "EpochSeconds",
    "Value",
];
const KEYWORDS: &[&str] = &[
    "as", "async", "await", "box", "break", "const", "continue", "dyn", "else", "enum", "extern",
    "final", "fn", "for", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move",
    "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "try", "type",
    "typeof", "unsafe", "use", "virtual", "where", "while", "yield",
];

/// The structures that operations reach, errors left out.
pub fn types(model: &Model) -> anyhow::Result<String> {
    let mut reached = BTreeSet::new();
    for operation in model.operations.values() {
        for root in operation.input.iter().chain(&operation.output) {
            model.reach(&root.shape, &mut reached)?;
        }
    }
    let mut body = String::new();
    let mut names = BTreeMap::new();
    for name in &reached {
        if model.shape(name)?.kind == "structure" {
            let type_name = type_name(name);
            if let Some(other) = names.insert(type_name.clone(), name) {
                anyhow::bail!("{other} and {name} are both called {type_name}");
            }
            structure(model, name, &mut body)?;
        }
    }
    let mut code = String::new();
    let uses = |word: &str| body.contains(word);
    if uses("BTreeMap<") {
        code.push_str("use std::collections::BTreeMap;\n\n");
    }
    code.push_str("use serde::{Deserialize, Serialize};\n\n");
    for (word, path) in [("Blob>", "Blob"), ("EpochSeconds>", "EpochSeconds")] {
        if uses(word) {
            writeln!(code, "use crate::api::value::{path};")?;
        }
    }
    code.push_str("use crate::api::model::{ErrorModel, Kind, Member, OperationModel, Protocol, ServiceModel, Shape};\n\n");
    Ok(code + &body)
}

fn structure(model: &Model, name: &str, body: &mut String) -> anyhow::Result<()> {
    let shape = model.shape(name)?;
    let members = shape.members()?;
    // One attribute for the whole structure spares most of its members a name of their own.
    let lower = members
        .first()
        .is_some_and(|(name, _)| name.starts_with(char::is_lowercase));
    let case = if lower { "camelCase" } else { "PascalCase" };
    body.push_str(DERIVES);
    if !members.is_empty() {
        writeln!(body, "#[serde(rename_all = {case:?})]")?;
    }
    writeln!(body, "pub struct {} {{", type_name(name))?;
    for (member_name, member) in members {
        let field = member_name.to_snake_case();
        let rename = if recased(&field, lower) == member_name {
            String::new()
        } else {
            format!("rename = {member_name:?}, ")
        };
        let field = if KEYWORDS.contains(&field.as_str()) {
            format!("r#{field}")
        } else {
            field
        };
        let mut rust = rust_type(model, &member)?;
        if contains_directly(model, &member.shape, name)? {
            rust = format!("Box<{rust}>");
        }
        writeln!(
            body,
            "#[serde({rename}skip_serializing_if = \"Option::is_none\")]\npub {field}: Option<{rust}>,"
        )?;
    }
    body.push_str("}\n\n");
    Ok(())
}

fn rust_type(model: &Model, member: &Member) -> anyhow::Result<String> {
    let shape = model.shape(&member.shape)?;
    let inner = |member: &Option<Member>| {
        let member = member
            .as_ref()
            .ok_or_else(|| anyhow::anyhow!("a list without member"))?;
        rust_type(model, member)
    };
    Ok(match shape.kind.as_str() {
        "structure" => type_name(&member.shape),
        "list" => format!("Vec<{}>", inner(&shape.member)?),
        "map" => format!("BTreeMap<String, {}>", inner(&shape.value)?),
        "string" => "String".to_owned(),
        "integer" => "i32".to_owned(),
        "long" => "i64".to_owned(),
        "boolean" => "bool".to_owned(),
        "double" | "float" => "f64".to_owned(),
        "timestamp" => "EpochSeconds".to_owned(),
        "blob" => "Blob".to_owned(),
        other => anyhow::bail!("{}: no type for {other}", member.shape),
    })
}

/// Whether a value of `from` holds a value of `wanted` without a list or map between.
fn contains_directly(model: &Model, from: &str, wanted: &str) -> anyhow::Result<bool> {
    fn walk(
        model: &Model,
        from: &str,
        wanted: &str,
        seen: &mut BTreeSet<String>,
    ) -> anyhow::Result<bool> {
        if from == wanted {
            return Ok(true);
        }
        let shape = model.shape(from)?;
        if shape.kind != "structure" || !seen.insert(from.to_owned()) {
            return Ok(false);
        }
        for (_, member) in shape.members()? {
            if walk(model, &member.shape, wanted, seen)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
    walk(model, from, wanted, &mut BTreeSet::new())
}

/// What serde makes of a field's name under `rename_all`.
fn recased(field: &str, lower: bool) -> String {
    let mut raise = !lower;
    let mut name = String::new();
    for c in field.chars() {
        if c == '_' {
            raise = true;
        } else {
            name.push(if raise { c.to_ascii_uppercase() } else { c });
            raise = false;
        }
    }
    name
}

fn type_name(shape: &str) -> String {
    // Shape names are taken as they are: only a lower-case first letter is raised.
    let mut chars = shape.chars();
    let first = chars
        .next()
        .map(|c| c.to_ascii_uppercase().to_string())
        .unwrap_or_default();
    let raised = first + chars.as_str();
    if TAKEN.contains(&raised.as_str()) {
        format!("{raised}Shape")
    } else {
        raised
    }
}
