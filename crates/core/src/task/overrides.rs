//! What the caller of RunTask, or the input of a rule's target, changes in a task definition.
//! Never sees the task definition itself: it works on the few values that can be overridden.

use indexmap::IndexMap;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::ApiError;
use crate::limits::ECS_OVERRIDES_CHARS_MAX;

/// ECS's `TaskOverride`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct TaskOverride {
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub container_overrides: Vec<ContainerOverride>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_role_arn: Option<String>,
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<EphemeralStorage>,
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub inference_accelerator_overrides: Vec<InferenceAcceleratorOverride>,
}

/// ECS's `ContainerOverride`. CPU in units, memory in MiB.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct ContainerOverride {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<KeyValuePair>,
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub environment_files: Vec<EnvironmentFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<i32>,
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub resource_requirements: Vec<ResourceRequirement>,
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct KeyValuePair {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A file of environment variables in S3; `type` is `s3`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct EnvironmentFile {
    pub value: String,
    #[serde(rename = "type")]
    pub kind: String,
}

/// A GPU or an inference accelerator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ResourceRequirement {
    pub value: String,
    #[serde(rename = "type")]
    pub kind: String,
}

/// Size of the task's scratch space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct EphemeralStorage {
    #[serde(rename = "sizeInGiB")]
    pub size_in_gib: i32,
}

/// An inference accelerator in place of the task definition's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct InferenceAcceleratorOverride {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
}

/// Reads an object and nothing else: serde's derived types would take an array for one.
struct Object<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(std::marker::PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Members<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(std::marker::PhantomData))
    }
}

fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(from)?.map(|object| object.0))
}

fn objects<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let objects = Option::<Vec<Object<T>>>::deserialize(from)?;
    Ok(objects
        .into_iter()
        .flatten()
        .map(|object| object.0)
        .collect())
}

/// Why a target's input cannot be used as overrides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Unable to convert target input to TaskOverride, JSON syntax error in input: {0}")]
pub struct OverrideError(String);

/// Reads a target's input as overrides. Members that overrides do not have are ignored, so a whole event is read as
/// "no overrides", as on AWS.
///
/// # Errors
/// [`OverrideError`] when the input is no JSON object or a member of the overrides has the wrong type.
pub fn parse_override(input: &str) -> Result<TaskOverride, OverrideError> {
    serde_json::from_str::<Object<TaskOverride>>(input)
        .map(|object| object.0)
        .map_err(|e| OverrideError(e.to_string()))
}

/// Checks the length of overrides as RunTask does, JSON formatting included.
///
/// # Errors
/// AWS's `InvalidParameterException`.
pub fn check_length(overrides_json: &str) -> Result<(), ApiError> {
    if overrides_json.chars().count() <= ECS_OVERRIDES_CHARS_MAX {
        return Ok(());
    }
    Err(invalid(format!(
        "Container Overrides length must be at most {ECS_OVERRIDES_CHARS_MAX}"
    )))
}

/// Checks that every overridden container is one of the task definition's.
///
/// # Errors
/// AWS's `InvalidParameterException`.
pub fn check_container_names<'a>(
    overridden: impl IntoIterator<Item = &'a str>,
    defined: &[&str],
) -> Result<(), ApiError> {
    match overridden.into_iter().find(|name| !defined.contains(name)) {
        None => Ok(()),
        Some(name) => Err(invalid(format!(
            "Override for container named {name} is not a container in the TaskDefinition."
        ))),
    }
}

fn invalid(message: String) -> ApiError {
    ApiError::client("InvalidParameterException", message)
}

/// What an override can change in a container. CPU in units, memory in MiB.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerSettings {
    /// Replaces the image's command when given.
    pub command: Option<Vec<String>>,
    /// In order of first appearance, names unique.
    pub environment: Vec<(String, String)>,
    /// CPU units.
    pub cpu: Option<i32>,
    /// Hard limit.
    pub memory: Option<i32>,
    /// Soft limit.
    pub memory_reservation: Option<i32>,
}

impl ContainerOverride {
    /// The definition's settings with this override on top: the environment is merged, everything else replaced.
    pub fn apply(&self, defined: &ContainerSettings) -> ContainerSettings {
        let own: Vec<_> = self
            .environment
            .iter()
            .filter_map(|pair| Some((pair.name.clone()?, pair.value.clone().unwrap_or_default())))
            .collect();
        ContainerSettings {
            command: self.command.clone().or_else(|| defined.command.clone()),
            environment: merge_environment(&[], &defined.environment, &own),
            cpu: self.cpu.or(defined.cpu),
            memory: self.memory.or(defined.memory),
            memory_reservation: self.memory_reservation.or(defined.memory_reservation),
        }
    }
}

/// One environment out of three: overrides beat the definition, which beats files; of several files the first wins.
/// The result keeps the order of first appearance.
pub fn merge_environment(
    files: &[Vec<(String, String)>],
    defined: &[(String, String)],
    overrides: &[(String, String)],
) -> Vec<(String, String)> {
    let mut merged: IndexMap<String, String> = IndexMap::new();
    for (name, value) in files.iter().flatten() {
        merged.entry(name.clone()).or_insert_with(|| value.clone());
    }
    for (name, value) in defined.iter().chain(overrides) {
        merged.insert(name.clone(), value.clone());
    }
    merged.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect()
    }

    const ALL: &str = r#"{"containerOverrides":[{"name":"c","command":["a","b"],"environment":[{"name":"K","value":"v"}],"environmentFiles":[{"value":"arn:aws:s3:::b/f.env","type":"s3"}],"cpu":256,"memory":512,"memoryReservation":128,"resourceRequirements":[{"value":"1","type":"GPU"}]}],"cpu":"512","memory":"1 GB","executionRoleArn":"e","taskRoleArn":"t","ephemeralStorage":{"sizeInGiB":30},"inferenceAcceleratorOverrides":[{"deviceName":"d","deviceType":"eia"}]}"#;

    #[test]
    fn all_members_survive_the_round_trip() {
        let parsed = parse_override(ALL).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), ALL);
        assert_eq!(
            serde_json::to_string(&TaskOverride::default()).unwrap(),
            "{}"
        );
    }

    #[test]
    fn what_is_no_override_is_ignored() {
        let event = r#"{"version":"0","id":"1","resources":[],"detail":{"cpu":5}}"#;
        assert_eq!(parse_override(event), Ok(TaskOverride::default()));
        let nulls = r#"{"cpu":null,"containerOverrides":null,"ephemeralStorage":null}"#;
        assert_eq!(parse_override(nulls), Ok(TaskOverride::default()));
        let odd = parse_override(r#"{"containerOverrides":[{"name":"c","x":1}]}"#).unwrap();
        assert_eq!(odd.container_overrides.len(), 1);
    }

    #[test]
    fn wrong_types_are_refused_in_the_schedulers_words() {
        for input in [
            "",
            "1",
            "null",
            "\"text\"",
            "[]",
            "[[]]",
            "{",
            "{} x",
            r#"{"containerOverrides":{}}"#,
            r#"{"containerOverrides":[["c"]]}"#,
            r#"{"containerOverrides":[null]}"#,
            r#"{"containerOverrides":[{"name":1}]}"#,
            r#"{"containerOverrides":[{"command":"a"}]}"#,
            r#"{"containerOverrides":[{"command":[1]}]}"#,
            r#"{"containerOverrides":[{"environment":[["K","v"]]}]}"#,
            r#"{"containerOverrides":[{"environment":[{"name":"K","value":5}]}]}"#,
            r#"{"containerOverrides":[{"environment":[{"name":"K","value":"a","value":"b"}]}]}"#,
            r#"{"containerOverrides":[{"cpu":"256"}]}"#,
            r#"{"containerOverrides":[{"cpu":1.5}]}"#,
            r#"{"cpu":512}"#,
            r#"{"ephemeralStorage":[30]}"#,
            r#"{"ephemeralStorage":{}}"#,
        ] {
            let error = parse_override(input).unwrap_err().to_string();
            let words =
                "Unable to convert target input to TaskOverride, JSON syntax error in input: ";
            assert!(
                error.starts_with(words) && error.len() > words.len(),
                "{input}: {error}"
            );
        }
    }

    #[test]
    fn checks_of_run_task() {
        assert!(check_length(&"é".repeat(8192)).is_ok());
        let error = check_length(&"é".repeat(8193)).unwrap_err();
        assert_eq!(
            error.message,
            "Container Overrides length must be at most 8192"
        );
        assert!(check_container_names(["a"], &["a", "b"]).is_ok());
        let error = check_container_names(["a", "x"], &["a", "b"]).unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
        assert_eq!(
            error.message,
            "Override for container named x is not a container in the TaskDefinition."
        );
    }

    #[test]
    fn environments_merge_by_precedence() {
        let files = [
            pairs(&[("F", "1"), ("D", "f"), ("O", "f")]),
            pairs(&[("F", "2"), ("G", "2")]),
        ];
        let defined = pairs(&[("D", "d"), ("O", "d"), ("N", "d")]);
        let overrides = pairs(&[("O", "o"), ("P", "o"), ("P", "p")]);
        let merged = merge_environment(&files, &defined, &overrides);
        let expected = [
            ("F", "1"),
            ("D", "d"),
            ("O", "o"),
            ("G", "2"),
            ("N", "d"),
            ("P", "p"),
        ];
        assert_eq!(merged, pairs(&expected));
    }

    #[test]
    fn an_override_replaces_what_it_names() {
        let defined = ContainerSettings {
            command: Some(vec!["run".into()]),
            environment: pairs(&[("A", "1"), ("B", "2")]),
            cpu: Some(1),
            memory: Some(2),
            memory_reservation: Some(3),
        };
        assert_eq!(ContainerOverride::default().apply(&defined), defined);
        let parsed = parse_override(ALL).unwrap();
        let applied = parsed.container_overrides[0].apply(&defined);
        let expected = ContainerSettings {
            command: Some(vec!["a".into(), "b".into()]),
            environment: pairs(&[("A", "1"), ("B", "2"), ("K", "v")]),
            cpu: Some(256),
            memory: Some(512),
            memory_reservation: Some(128),
        };
        assert_eq!(applied, expected);
    }

    proptest! {
        #[test]
        fn the_strongest_source_wins(
            file in proptest::collection::vec(("[A-D]", "[a-z]"), 0..6),
            defined in proptest::collection::vec(("[A-D]", "[a-z]"), 0..6),
            overrides in proptest::collection::vec(("[A-D]", "[a-z]"), 0..6),
        ) {
            let merged = merge_environment(std::slice::from_ref(&file), &defined, &overrides);
            let last = |from: &[(String, String)], name: &str| {
                from.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone())
            };
            for name in ["A", "B", "C", "D"] {
                let first = file.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
                let expected = last(&overrides, name).or_else(|| last(&defined, name)).or(first);
                let found: Vec<_> = merged.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect();
                prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
