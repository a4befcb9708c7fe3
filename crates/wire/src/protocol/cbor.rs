//! Smithy RPC v2 CBOR: an input becomes the value form, an output of the value form becomes CBOR by its shape. Never checks
//! constraints; that is the validator's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ciborium::value::{Integer, Value as Cbor};
use http::Response;
use landfall_core::api::model::{Kind, ServiceModel, ShapeId};
use landfall_core::api::validate::serialization;
use landfall_core::error::ApiError;
use landfall_core::limits::DOCUMENT_DEPTH_MAX;
use serde_json::{Map, Number, Value};

use super::{answer, json, set};
use crate::http::Body;

/// The header by which a request says that it speaks this, and its value.
pub const HEADER: (&str, &str) = ("smithy-protocol", "rpc-v2-cbor");
const CONTENT_TYPE: &str = "application/cbor";
/// CBOR's tag of a point in time, in seconds since the epoch.
const EPOCH: u64 = 1;

/// Service and operation of a path `/service/SERVICE/operation/OPERATION`.
pub fn called(path: &str) -> Option<(&str, &str)> {
    let (service, operation) = path.strip_prefix("/service/")?.split_once("/operation/")?;
    (!service.contains('/') && !operation.contains('/')).then_some((service, operation))
}

/// The input of an operation; an empty body is an empty structure.
pub fn decode(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let mut rest = body;
    let refuse = |why: String| serialization(format!("The request is not valid CBOR: {why}"));
    let read: Cbor = ciborium::de::from_reader_with_recursion_limit(&mut rest, DOCUMENT_DEPTH_MAX)
        .map_err(|e| refuse(e.to_string()))?;
    if !rest.is_empty() {
        return Err(refuse("something stands behind the input".to_owned()));
    }
    match plain(read)? {
        value @ Value::Object(_) => Ok(value),
        _ => Err(serialization("Expected a structure or a map")),
    }
}

fn plain(value: Cbor) -> Result<Value, ApiError> {
    Ok(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(value) => Value::Bool(value),
        Cbor::Text(text) => Value::String(text),
        Cbor::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        Cbor::Integer(number) => Value::Number(whole(number)?),
        Cbor::Float(number) => Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| serialization("A number is not finite"))?,
        Cbor::Tag(EPOCH, inner) => plain(*inner)?,
        Cbor::Array(items) => items
            .into_iter()
            .map(plain)
            .collect::<Result<_, _>>()
            .map(Value::Array)?,
        Cbor::Map(entries) => object(entries)?,
        _ => {
            return Err(serialization(
                "The request holds a tag that is none of the protocol's",
            ));
        }
    })
}

fn whole(number: Integer) -> Result<Number, ApiError> {
    let number = i128::from(number);
    let signed = i64::try_from(number).map(Number::from);
    signed
        .or_else(|_| u64::try_from(number).map(Number::from))
        .map_err(|_| serialization("A number is too large"))
}

fn object(entries: Vec<(Cbor, Cbor)>) -> Result<Value, ApiError> {
    let mut object = Map::new();
    for (key, value) in entries {
        let Cbor::Text(key) = key else {
            return Err(serialization("The name of a member is no text"));
        };
        object.insert(key, plain(value)?);
    }
    Ok(Value::Object(object))
}

/// The answer of an operation.
pub fn encode(
    model: &ServiceModel,
    shape: Option<ShapeId>,
    output: &Value,
    request_id: &str,
) -> Response<Body> {
    let shaped = match output {
        Value::Null => Cbor::Map(Vec::new()),
        output => shaped(model, shape, output),
    };
    written(200, &shaped, request_id)
}

/// An error of a served service; like its JSON form it names the code of the former Query protocol too.
pub fn error(model: &ServiceModel, error: &ApiError, request_id: &str) -> Response<Body> {
    let code = model.error(&error.code).map_or(&*error.code, |it| it.name);
    let text = |text: &str| Cbor::Text(text.to_owned());
    let mut members = vec![
        (
            text("__type"),
            Cbor::Text(format!("com.amazonaws.{}#{code}", model.name)),
        ),
        (text("message"), text(&error.message)),
    ];
    members.extend(
        error
            .members
            .iter()
            .map(|(name, value)| (text(name), text(value))),
    );
    let mut response = written(error.status, &Cbor::Map(members), request_id);
    json::set_query_error(&mut response, model, error);
    response
}

fn written(status: u16, value: &Cbor, request_id: &str) -> Response<Body> {
    let mut body = Vec::new();
    let (status, body) = match ciborium::into_writer(value, &mut body) {
        Ok(()) => (status, body),
        Err(_) => (500, Vec::new()),
    };
    let mut response = answer(status, CONTENT_TYPE, request_id, Bytes::from(body));
    set(&mut response, HEADER.0, HEADER.1);
    response
}

/// A value with the types of its shape; what the shape does not know goes as it is.
fn shaped(model: &ServiceModel, shape: Option<ShapeId>, value: &Value) -> Cbor {
    let kind = shape.and_then(|shape| model.kind(shape));
    match (kind, value) {
        (_, Value::Null) => Cbor::Null,
        (_, Value::Bool(value)) => Cbor::Bool(*value),
        (Some(Kind::Timestamp), Value::Number(number)) => Cbor::Tag(
            EPOCH,
            Box::new(Cbor::Float(number.as_f64().unwrap_or_default())),
        ),
        (Some(Kind::Double), Value::Number(number)) => {
            Cbor::Float(number.as_f64().unwrap_or_default())
        }
        (_, Value::Number(number)) => match number.as_i64() {
            Some(number) => Cbor::Integer(number.into()),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        (Some(Kind::Blob { .. }), Value::String(text)) => {
            Cbor::Bytes(STANDARD.decode(text).unwrap_or_default())
        }
        (_, Value::String(text)) => Cbor::Text(text.clone()),
        (kind, Value::Array(items)) => {
            let item = match kind {
                Some(Kind::List { item, .. }) => Some(*item),
                _ => None,
            };
            Cbor::Array(items.iter().map(|it| shaped(model, item, it)).collect())
        }
        (kind, Value::Object(members)) => {
            let entry = |(name, value): (&String, &Value)| {
                let shape = member_shape(kind, name);
                (Cbor::Text(name.clone()), shaped(model, shape, value))
            };
            let present = members.iter().filter(|(_, value)| !value.is_null());
            Cbor::Map(present.map(entry).collect())
        }
    }
}

fn member_shape(kind: Option<&Kind>, name: &str) -> Option<ShapeId> {
    match kind {
        Some(Kind::Structure { members }) => {
            members.iter().find(|it| it.name == name).map(|it| it.shape)
        }
        Some(Kind::Map { value, .. }) => Some(*value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::BodyExt;
    use landfall_core::api::cloudwatch::SERVICE;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn bytes(value: &Cbor) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes
    }

    fn read(response: Response<Body>) -> (http::HeaderMap, Cbor) {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().now_or_never().unwrap().unwrap().to_bytes();
        (parts.headers, ciborium::from_reader(&bytes[..]).unwrap())
    }

    #[test]
    fn paths_name_service_and_operation() {
        let table = [
            ("/service/S/operation/O", Some(("S", "O"))),
            ("/service/S/operation/", Some(("S", ""))),
            ("/service/a/b/operation/O", None),
            ("/service/S/operation/O/more", None),
            ("/bucket/key", None),
            ("/", None),
        ];
        for (path, expected) in table {
            assert_eq!(called(path), expected, "{path}");
        }
    }

    #[test]
    fn inputs_become_the_value_form() {
        assert_eq!(decode(b"").unwrap(), json!({}));
        let text = |text: &str| Cbor::Text(text.to_owned());
        let at = Cbor::Tag(1, Box::new(Cbor::Float(1.5)));
        let whole = Cbor::Tag(1, Box::new(Cbor::Integer(7.into())));
        let input = Cbor::Map(vec![
            (text("Start"), at),
            (text("End"), whole),
            (text("Period"), Cbor::Integer(60.into())),
            (text("Blob"), Cbor::Bytes(b"hi".to_vec())),
            (
                text("List"),
                Cbor::Array(vec![Cbor::Bool(true), Cbor::Null]),
            ),
        ]);
        let expected =
            json!({"Start": 1.5, "End": 7, "Period": 60, "Blob": "aGk=", "List": [true, null]});
        assert_eq!(decode(&bytes(&input)).unwrap(), expected);
        // Of unknown length, as clients that stream write them: a map with one list.
        assert_eq!(
            decode(b"\xbf\x61a\x9f\x01\xff\xff").unwrap(),
            json!({"a": [1]})
        );
    }

    #[test]
    fn what_is_no_input_is_refused() {
        let deep = [vec![0x81; 10_000], vec![0x01]].concat();
        let tag = bytes(&Cbor::Map(vec![(
            Cbor::Text("a".to_owned()),
            Cbor::Tag(99, Box::new(Cbor::Bytes(vec![1]))),
        )]));
        let table: [&[u8]; 9] = [
            b"\xa1",
            b"\x01",
            b"\x80",
            b"\xa1\x01\x02",
            b"\xa0\xa0",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xa1\x61a\xf9\x7c\x00",
            &deep,
            &tag,
        ];
        for body in table {
            let error = decode(body).unwrap_err();
            assert_eq!(error.code, "SerializationException", "{body:?}");
        }
    }

    #[test]
    fn outputs_have_the_types_of_their_shapes() {
        let shape = SERVICE.operation("GetMetricStatistics").unwrap().output;
        let output =
            json!({"Label": "l", "Datapoints": [{"Timestamp": 60, "Sum": 2, "Unit": null}]});
        let (headers, body) = read(encode(&SERVICE, shape, &output, "id-1"));
        assert_eq!(headers["smithy-protocol"], "rpc-v2-cbor");
        assert_eq!(headers["content-type"], "application/cbor");
        assert_eq!(headers["x-amzn-requestid"], "id-1");
        let text = |text: &str| Cbor::Text(text.to_owned());
        let point = Cbor::Map(vec![
            (text("Timestamp"), Cbor::Tag(1, Box::new(Cbor::Float(60.0)))),
            (text("Sum"), Cbor::Float(2.0)),
        ]);
        let expected = Cbor::Map(vec![
            (text("Label"), text("l")),
            (text("Datapoints"), Cbor::Array(vec![point])),
        ]);
        assert_eq!(body, expected);
    }

    #[test]
    fn errors_name_both_of_their_codes() {
        let bad = ApiError::client("InvalidParameterValue", "no");
        let (headers, body) = read(error(&SERVICE, &bad, "id-1"));
        assert_eq!(
            headers["x-amzn-query-error"],
            "InvalidParameterValue;Sender"
        );
        let Cbor::Map(members) = body else {
            panic!("{body:?}");
        };
        let name = "com.amazonaws.cloudwatch#InvalidParameterValueException";
        assert_eq!(members[0].1, Cbor::Text(name.to_owned()));
        assert_eq!(members[1].1, Cbor::Text("no".to_owned()));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&body);
        }
    }
}
