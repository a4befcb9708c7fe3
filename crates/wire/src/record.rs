//! The description of a call of a JSON or Query service, for its record. Never decides whether it is recorded.

use http::HeaderMap;
use landfall_core::api::model::{OperationModel, ServiceModel};
use landfall_core::caller::Caller;
use landfall_flow::trail::Call;
use serde_json::Value;

/// Describes a call; none when calls of the operation are never recorded.
pub(crate) fn describe(
    model: &'static ServiceModel,
    operation: &'static OperationModel,
    input: &Value,
    caller: &Caller,
    headers: &HeaderMap,
) -> Option<Call> {
    let host = headers.get(http::header::HOST);
    let host = host.and_then(|it| it.to_str().ok()).unwrap_or_default();
    Call::of(model, operation, input, caller, host.to_owned())
}
