//! A service model as the files hold it, reduced to what the generator reads. Reading a full model into these
//! types and writing it back strips everything else, documentation first of all.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A whole service.
#[derive(Deserialize, Serialize)]
pub struct Model {
    pub metadata: Metadata,
    pub operations: BTreeMap<String, Operation>,
    pub shapes: BTreeMap<String, Shape>,
}

/// How the service is addressed and spoken to.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub endpoint_prefix: String,
    pub protocol: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml_namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_query_compatible: Option<Map<String, Value>>,
}

/// One operation.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Member>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Member>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Member>,
}

/// A reference to a shape, with what the place of reference adds.
#[derive(Deserialize, Serialize, Clone)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub shape: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_wrapper: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub flattened: bool,
}

/// One shape.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub members: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Member>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Member>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub flattened: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub exception: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub fault: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorTrait>,
}

/// How an error shape is spelled on the wire.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status_code: Option<u16>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub sender_fault: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Shape {
    /// The members of a structure in the order of the model.
    pub fn members(&self) -> anyhow::Result<Vec<(String, Member)>> {
        let parse = |(name, value): (&String, &Value)| {
            let member = Member::deserialize(value).with_context(|| format!("member {name}"))?;
            Ok((name.clone(), member))
        };
        self.members.iter().map(parse).collect()
    }

    /// Drops what the generator does not read from the members too.
    fn strip(&mut self) -> anyhow::Result<()> {
        let mut members = Map::new();
        for (name, member) in self.members()? {
            members.insert(name, serde_json::to_value(member)?);
        }
        self.members = members;
        Ok(())
    }
}

impl Model {
    /// The shape of that name.
    pub fn shape(&self, name: &str) -> anyhow::Result<&Shape> {
        self.shapes
            .get(name)
            .with_context(|| format!("no shape {name}"))
    }

    /// Keeps the given operations and the shapes they reach.
    pub fn reduce(&mut self, served: &[&str]) -> anyhow::Result<()> {
        for name in served {
            anyhow::ensure!(self.operations.contains_key(*name), "no operation {name}");
        }
        self.operations
            .retain(|name, _| served.contains(&name.as_str()));
        let mut reached = BTreeSet::new();
        for operation in self.operations.values() {
            let roots = operation
                .input
                .iter()
                .chain(&operation.output)
                .chain(&operation.errors);
            for root in roots {
                self.reach(&root.shape, &mut reached)?;
            }
        }
        self.shapes.retain(|name, _| reached.contains(name));
        self.shapes.values_mut().try_for_each(Shape::strip)
    }

    /// The names of the shapes that `root` reaches, itself included, added to `reached`.
    pub fn reach(&self, root: &str, reached: &mut BTreeSet<String>) -> anyhow::Result<()> {
        if !reached.insert(root.to_owned()) {
            return Ok(());
        }
        let shape = self.shape(root)?;
        let members = shape.members()?.into_iter().map(|(_, member)| member);
        let others = [&shape.member, &shape.key, &shape.value]
            .into_iter()
            .flatten()
            .cloned();
        for member in members.chain(others) {
            self.reach(&member.shape, reached)?;
        }
        Ok(())
    }
}
