//! The static shape table of a service, one line for each shape. Never decides what a constraint means.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Context;

use super::model::{Member, Model, Shape};

type Ids<'a> = BTreeMap<&'a str, usize>;

/// The `SERVICE` table of the generated module.
pub fn table(service: &str, model: &Model) -> anyhow::Result<String> {
    let ids: Ids = model
        .shapes
        .keys()
        .enumerate()
        .map(|(id, name)| (name.as_str(), id))
        .collect();
    let meta = &model.metadata;
    let protocol = match meta.protocol.as_str() {
        // Services that speak RPC v2 CBOR still speak JSON to older clients; both have the value form.
        "json" | "smithy-rpc-v2-cbor" => "Json",
        "query" => "Query",
        "ec2" => "Ec2",
        other => anyhow::bail!("no codec for protocol {other}"),
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let signing = meta
        .signing_name
        .clone()
        .unwrap_or_else(|| meta.endpoint_prefix.clone());
    let mut code = String::new();
    writeln!(
        code,
        "#[rustfmt::skip]\npub static SERVICE: ServiceModel = ServiceModel {{\n\
         name: {service:?},\nprotocol: Protocol::{protocol},\njson_version: {:?},\ntarget_prefix: {:?},\n\
         api_version: {:?},\nsigning_name: {signing:?},\nendpoint_prefix: {:?},\nxml_namespace: {:?},\n\
         query_compatible: {},\noperations: OPERATIONS,\nshapes: SHAPES,\nerrors: ERRORS,\n}};\n",
        text(&meta.json_version),
        text(&meta.target_prefix),
        meta.api_version,
        meta.endpoint_prefix,
        text(&meta.xml_namespace),
        meta.aws_query_compatible.is_some(),
    )?;
    code.push_str("#[rustfmt::skip]\nstatic OPERATIONS: &[OperationModel] = &[\n");
    for (name, operation) in &model.operations {
        let input = id(&ids, operation.input.as_ref())?;
        let output = id(&ids, operation.output.as_ref())?;
        let wrapper = operation
            .output
            .as_ref()
            .and_then(|o| o.result_wrapper.clone())
            .unwrap_or_default();
        writeln!(
            code,
            "OperationModel {{ name: {name:?}, input: {input}, output: {output}, result_wrapper: {wrapper:?} }},"
        )?;
    }
    code.push_str("];\n\n#[rustfmt::skip]\nstatic SHAPES: &[Shape] = &[\n");
    for (name, shape) in &model.shapes {
        writeln!(
            code,
            "Shape {{ name: {name:?}, kind: {} }},",
            kind(&meta.protocol, &ids, shape)?
        )?;
    }
    code.push_str("];\n\n#[rustfmt::skip]\nstatic ERRORS: &[ErrorModel] = &[\n");
    for (name, shape) in model.shapes.iter().filter(|(_, shape)| shape.exception) {
        code.push_str(&error(name, shape));
    }
    code.push_str("];\n");
    Ok(code)
}

fn error(name: &str, shape: &Shape) -> String {
    let declared = shape.error.as_ref();
    let code = declared
        .and_then(|e| e.code.clone())
        .unwrap_or_else(|| name.to_owned());
    let default = if shape.fault { 500 } else { 400 };
    let status = declared.and_then(|e| e.http_status_code).unwrap_or(default);
    format!("ErrorModel {{ name: {name:?}, code: {code:?}, status: {status} }},\n")
}

fn id(ids: &Ids, member: Option<&Member>) -> anyhow::Result<String> {
    let Some(member) = member else {
        return Ok("None".to_owned());
    };
    Ok(format!("Some({})", index(ids, &member.shape)?))
}

fn index(ids: &Ids, shape: &str) -> anyhow::Result<usize> {
    ids.get(shape)
        .copied()
        .with_context(|| format!("no shape {shape}"))
}

fn kind(protocol: &str, ids: &Ids, shape: &Shape) -> anyhow::Result<String> {
    let bounds = format!("min: {}, max: {}", bound(shape.min), bound(shape.max));
    Ok(match shape.kind.as_str() {
        "structure" => {
            let mut members = Vec::new();
            for (name, m) in shape.members()? {
                members.push(member(protocol, ids, shape, &name, &m)?);
            }
            format!("Kind::Structure {{ members: &[{}] }}", members.join(", "))
        }
        "list" => {
            let item = shape.member.as_ref().context("a list without member")?;
            format!(
                "Kind::List {{ item: {}, item_name: {:?}, flattened: {}, {bounds} }}",
                index(ids, &item.shape)?,
                item.location_name.as_deref().unwrap_or("member"),
                shape.flattened,
            )
        }
        "map" => {
            let key = shape.key.as_ref().context("a map without key")?;
            let value = shape.value.as_ref().context("a map without value")?;
            format!(
                "Kind::Map {{ key: {}, value: {}, key_name: {:?}, value_name: {:?}, flattened: {}, {bounds} }}",
                index(ids, &key.shape)?,
                index(ids, &value.shape)?,
                key.location_name.as_deref().unwrap_or("key"),
                value.location_name.as_deref().unwrap_or("value"),
                shape.flattened,
            )
        }
        "string" => format!(
            "Kind::String {{ {bounds}, pattern: {:?}, values: &{:?} }}",
            shape.pattern.as_deref().unwrap_or_default(),
            shape.values
        ),
        "integer" => format!("Kind::Integer {{ {bounds} }}"),
        "long" => format!("Kind::Long {{ {bounds} }}"),
        "blob" => format!("Kind::Blob {{ {bounds} }}"),
        "boolean" => "Kind::Boolean".to_owned(),
        "double" | "float" => "Kind::Double".to_owned(),
        "timestamp" => "Kind::Timestamp".to_owned(),
        other => anyhow::bail!("no kind for {other}"),
    })
}

fn member(
    protocol: &str,
    ids: &Ids,
    shape: &Shape,
    name: &str,
    member: &Member,
) -> anyhow::Result<String> {
    let location = member.location_name.as_deref();
    let raised = |text: &str| {
        let mut chars = text.chars();
        chars
            .next()
            .map(|c| c.to_uppercase().to_string() + chars.as_str())
            .unwrap_or_default()
    };
    let query = match (&member.query_name, location) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) if protocol == "ec2" => raised(name),
        (None, Some(name)) => name.to_owned(),
        (None, None) => name.to_owned(),
    };
    let xml = match (location, protocol) {
        (Some(name), _) => name.to_owned(),
        (None, "json") => query.clone(),
        (None, _) => name.to_owned(),
    };
    Ok(format!(
        "Member {{ name: {name:?}, query: {query:?}, xml: {xml:?}, required: {}, flattened: {}, shape: {} }}",
        shape.required.iter().any(|r| r == name),
        member.flattened,
        index(ids, &member.shape)?,
    ))
}

#[allow(clippy::cast_possible_truncation)]
fn bound(value: Option<f64>) -> String {
    value.map_or_else(|| "None".to_owned(), |v| format!("Some({})", v as i64))
}
