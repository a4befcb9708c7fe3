//! Calls of the API that Landfall makes itself: CloudFormation for a stack, EventBridge for a rule, CloudTrail for a
//! log file. Their records go into the commit of what they did. Never makes a call that its caller did not hand over.

use landfall_core::api::model::ServiceModel;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::trail::call::Call;
use landfall_core::trail::s3::Head;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

use super::call::Said;
use super::model::Trail;
use super::{record, watch};
use crate::tx::Tx;

/// A call that was made, before its record is written.
pub(crate) struct Made {
    call: Call,
    outcome: Result<Map<String, Value>, ApiError>,
    /// Those that looked when it was made.
    trails: Arc<[Trail]>,
}

/// Which calls of an attempt that failed are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// All of them: what they answered stands.
    All,
    /// Those that failed: what the others did was taken back.
    Failures,
}

/// Decides something that makes calls, and records them with it.
///
/// # Errors
/// The outer error only for a store that cannot be read.
pub(crate) fn recorded<T, E>(
    tx: &mut Tx<'_>,
    keep: Keep,
    decide: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<Result<T, E>, ApiError> {
    tx.made.clear();
    let decided = tx.attempt(decide);
    for made in std::mem::take(&mut tx.made) {
        if decided.is_err() && keep == Keep::Failures && made.outcome.is_ok() {
            continue;
        }
        let outcome = made.outcome.as_ref().map(|elements| Said {
            elements: elements.clone(),
            key: None,
        });
        record::write(tx, &made.trails, &made.call, outcome)?;
    }
    Ok(decided)
}

/// Makes a call of a JSON or Query service.
pub(crate) fn call<Q: Serialize, A: Serialize>(
    tx: &mut Tx<'_>,
    caller: &Caller,
    service: &'static ServiceModel,
    operation: &str,
    request: Q,
    verb: impl FnOnce(&mut Tx<'_>, &Caller, Q) -> Result<A, ApiError>,
) -> Result<A, ApiError> {
    let host = host(service.endpoint_prefix, caller);
    let call = service.operation(operation).and_then(|operation| {
        let input = serde_json::to_value(&request).unwrap_or_default();
        Call::of(service, operation, &input, caller, host)
    });
    let trails = watch::live(tx)?;
    let answer = verb(tx, caller, request);
    if let Some(call) = call {
        let outcome = match &answer {
            Ok(answer) => Ok(object(answer)),
            Err(error) => Err(error.clone()),
        };
        tx.made.push(Made {
            call,
            outcome,
            trails,
        });
    }
    answer
}

/// Records a call whose parameters have no shape here.
pub(crate) fn plain<A>(
    tx: &mut Tx<'_>,
    caller: &Caller,
    (service, operation): (&str, &str),
    parameters: Value,
    verb: impl FnOnce(&mut Tx<'_>) -> Result<A, ApiError>,
) -> Result<A, ApiError> {
    let call = Call::control(
        &format!("{service}.amazonaws.com"),
        operation,
        object(&parameters),
        caller,
        host(service, caller),
    );
    let trails = watch::live(tx)?;
    let answer = verb(tx);
    let outcome = match &answer {
        Ok(_) => Ok(Map::new()),
        Err(error) => Err(error.clone()),
    };
    tx.made.push(Made {
        call,
        outcome,
        trails,
    });
    answer
}

/// What a call of S3 says in its head.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct S3Call<'a> {
    /// As the API names it.
    pub(crate) operation: &'a str,
    /// Bucket.
    pub(crate) bucket: &'a str,
    /// Key; empty for calls on the bucket.
    pub(crate) key: &'a str,
    /// The one parameter of the query; empty for none.
    pub(crate) query: &'a str,
    /// Headers.
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

/// Makes a call of S3.
pub(crate) fn s3<A>(
    tx: &mut Tx<'_>,
    caller: &Caller,
    asked: S3Call<'_>,
    verb: impl FnOnce(&mut Tx<'_>) -> Result<A, ApiError>,
) -> Result<A, ApiError> {
    let host = host("s3", caller);
    let own = [
        ("host", host.as_str()),
        ("authorization", "AWS4-HMAC-SHA256"),
    ];
    let headers: Vec<(&str, &str)> = own.iter().chain(asked.headers).copied().collect();
    let query = match asked.query {
        "" => Vec::new(),
        name => vec![(name.to_owned(), String::new())],
    };
    let head = Head {
        is_post: false,
        bucket: asked.bucket,
        key: asked.key,
        query: &query,
        headers: &headers,
    };
    let call = head.call(asked.operation, caller);
    let trails = watch::live(tx)?;
    let before = tx.said.replace(Said::default());
    let answer = verb(tx);
    let said = std::mem::replace(&mut tx.said, before);
    let outcome = match &answer {
        Ok(_) => Ok(said.map(|said| said.elements).unwrap_or_default()),
        Err(error) => Err(error.clone()),
    };
    tx.made.push(Made {
        call,
        outcome,
        trails,
    });
    answer
}

/// The host that such a call goes to on AWS.
fn host(service: &str, caller: &Caller) -> String {
    format!("{service}.{}.amazonaws.com", caller.region)
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
