//! The events that Landfall itself puts on a bus: their envelope and their details, member by member as AWS writes
//! them. Never decides whether an event is due; never parses one.

mod replay;
mod s3;

use serde::Deserialize;

pub use replay::{replayed, time_of};
pub use s3::{CreatedReason, DeletedReason, DeletionType, S3Event, S3EventKind, sequencer};

use crate::clock::Timestamp;

/// What every event carries around its detail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// UUID.
    pub id: String,
    /// When it happened; written with whole seconds.
    pub time: Timestamp,
    /// 12-digit account id.
    pub account: String,
    /// Region.
    pub region: String,
    /// Such as `aws.s3`.
    pub source: String,
    /// Such as `Object Created`.
    pub detail_type: String,
    /// ARNs.
    pub resources: Vec<String>,
}

/// Why a detail cannot go into an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// PutEvents answers `MalformedDetail` to this.
    #[error("Detail is malformed.")]
    MalformedDetail,
    /// A task without `taskArn` is none.
    #[error("the task has no taskArn")]
    NotATask,
}

impl Envelope {
    /// The event's JSON text. The detail's text is kept as it is, numbers included.
    ///
    /// # Errors
    /// [`EventError::MalformedDetail`] unless the detail is a JSON object.
    pub fn with_detail(&self, detail_json: &str) -> Result<String, EventError> {
        let detail = detail_json.trim_ascii();
        let is_object = detail.starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(detail).is_ok();
        if is_object {
            Ok(self.around(detail))
        } else {
            Err(EventError::MalformedDetail)
        }
    }

    /// Puts the envelope around a text that is known to be a JSON object.
    fn around(&self, detail: &str) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        format!(
            "{{\"version\":\"0\",\"id\":{},\"detail-type\":{},\"source\":{},\"account\":{},\"time\":{},\
             \"region\":{},\"resources\":{},\"detail\":{detail}}}",
            quoted(&self.id),
            quoted(&self.detail_type),
            quoted(&self.source),
            quoted(&self.account),
            quoted(&self.time.rfc3339_seconds()),
            quoted(&self.region),
            serde_json::Value::from(self.resources.as_slice()),
        )
    }
}

#[derive(Deserialize)]
struct TaskName {
    #[serde(rename = "taskArn")]
    arn: String,
}

/// `ECS Task State Change`: the task object (AWS's lower-camel JSON) as detail, its ARN as the one resource.
/// The envelope's source, detail type and resources are replaced.
///
/// # Errors
/// [`EventError::NotATask`] when the text is no JSON object with a `taskArn`.
pub fn ecs_task_state_change(envelope: Envelope, task_json: &str) -> Result<String, EventError> {
    let task: TaskName = serde_json::from_str(task_json).map_err(|_| EventError::NotATask)?;
    let envelope = Envelope {
        source: "aws.ecs".to_owned(),
        detail_type: "ECS Task State Change".to_owned(),
        resources: vec![task.arn],
        ..envelope
    };
    envelope
        .with_detail(task_json)
        .map_err(|_| EventError::NotATask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            id: "17793124-05d4-b198-2fde-7ededc63b103".into(),
            time: Timestamp::parse_rfc3339("2026-11-12T00:00:00.999Z").unwrap(),
            account: "111122223333".into(),
            region: "ca-central-1".into(),
            source: "my \"app\"".into(),
            detail_type: "é\n".into(),
            resources: vec!["a".into(), "b".into()],
        }
    }

    #[test]
    fn an_envelope_keeps_the_text_of_its_detail() {
        let expected = concat!(
            r#"{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"é\n","#,
            r#""source":"my \"app\"","account":"111122223333","time":"2026-11-12T00:00:00Z","#,
            r#""region":"ca-central-1","resources":["a","b"],"detail":{ "n": 1.50e400 }}"#
        );
        assert_eq!(
            envelope().with_detail(" { \"n\": 1.50e400 }\n").unwrap(),
            expected
        );
    }

    #[test]
    fn only_an_object_is_a_detail() {
        for detail in [
            "",
            "1",
            "[]",
            "\"x\"",
            "null",
            "{",
            "{}x",
            "{},\"detail\":{}",
        ] {
            let result = envelope().with_detail(detail);
            assert_eq!(result, Err(EventError::MalformedDetail), "{detail}");
        }
    }

    #[test]
    fn a_task_state_change_names_its_task() {
        let task =
            r#"{"lastStatus":"RUNNING","taskArn":"arn:aws:ecs:us-east-1:1:task/c/x","version":3}"#;
        let event = ecs_task_state_change(envelope(), task).unwrap();
        let expected = concat!(
            r#"{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","#,
            r#""detail-type":"ECS Task State Change","source":"aws.ecs","account":"111122223333","#,
            r#""time":"2026-11-12T00:00:00Z","region":"ca-central-1","#,
            r#""resources":["arn:aws:ecs:us-east-1:1:task/c/x"],"detail":{"lastStatus":"RUNNING","#,
            r#""taskArn":"arn:aws:ecs:us-east-1:1:task/c/x","version":3}}"#
        );
        assert_eq!(event, expected);
        assert_eq!(
            ecs_task_state_change(envelope(), "{}"),
            Err(EventError::NotATask)
        );
        assert_eq!(
            ecs_task_state_change(envelope(), "[\"a\"]"),
            Err(EventError::NotATask)
        );
    }
}
