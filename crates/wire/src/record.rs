//! The description of a call of a JSON or Query service, for its record. Never decides whether it is recorded.

use http::HeaderMap;
use landfall_core::api::model::{OperationModel, ServiceModel};
use landfall_core::caller::Caller;
use landfall_core::trail::calls::{is_read_only, is_recorded, lowered};
use landfall_flow::trail::{Call, Target};
use serde_json::{Map, Value};

/// Describes a call; none when calls of the operation are never recorded.
pub(crate) fn describe(
    model: &'static ServiceModel,
    operation: &'static OperationModel,
    input: &Value,
    caller: &Caller,
    headers: &HeaderMap,
) -> Option<Call> {
    if !is_recorded(model.name, operation.name) {
        return None;
    }
    let parameters = operation.input.map(|shape| lowered(model, shape, input));
    let host = headers.get(http::header::HOST);
    Some(Call {
        source: format!("{}.amazonaws.com", model.signing_name),
        name: operation.name.to_owned(),
        caller: caller.clone(),
        signed: !caller.access_key_id.is_empty(),
        host: host
            .and_then(|it| it.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        target: Target::Control,
        read_only: is_read_only(operation.name),
        parameters: match parameters {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        },
        elements: Map::new(),
        answer: operation.output.map(|shape| (model, shape)),
        additional: Map::new(),
    })
}
