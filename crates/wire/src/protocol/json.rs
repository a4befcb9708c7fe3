//! AWS JSON 1.0 and 1.1. Never checks the input against a shape; that is the validator's.

use bytes::Bytes;
use http::Response;
use landfall_core::api::model::ServiceModel;
use landfall_core::api::validate::serialization;
use landfall_core::error::ApiError;
use serde_json::{Map, Value};

use super::{answer, set};
use crate::http::Body;

/// The input of an operation; an empty body is an empty structure.
pub fn decode(body: &[u8]) -> Result<Value, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(serialization("Expected a structure or a map")),
        Err(error) => Err(serialization(format!(
            "The request is not valid JSON: {error}"
        ))),
    }
}

/// The answer of an operation. An operation without output answers an empty body.
pub fn encode(model: &ServiceModel, output: &Value, request_id: &str) -> Response<Body> {
    let body = if output.is_null() {
        Bytes::new()
    } else {
        output.to_string().into()
    };
    answer(200, &content_type(model.json_version), request_id, body)
}

/// An error of a served service.
pub fn error(model: &ServiceModel, error: &ApiError, request_id: &str) -> Response<Body> {
    let modelled = model.error(&error.code);
    let code = modelled.map_or(&*error.code, |modelled| modelled.name);
    let typed = if model.json_version == "1.0" {
        format!("com.amazonaws.{}#{code}", model.name)
    } else {
        code.to_owned()
    };
    let mut response = plain_error(model.json_version, &typed, code, error, request_id);
    set_query_error(&mut response, model, error);
    response
}

/// Names the code of the former Query protocol, for services that had one.
pub(super) fn set_query_error(
    response: &mut Response<Body>,
    model: &ServiceModel,
    error: &ApiError,
) {
    if !model.query_compatible {
        return;
    }
    let code = model.error(&error.code).map_or(&*error.code, |it| it.code);
    let fault = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    set(response, "x-amzn-query-error", &format!("{code};{fault}"));
}

/// An error of no service in particular, such as for an unknown target.
pub fn unknown_error(error: &ApiError, request_id: &str) -> Response<Body> {
    plain_error("1.1", &error.code, &error.code, error, request_id)
}

fn plain_error(
    version: &str,
    typed: &str,
    code: &str,
    error: &ApiError,
    request_id: &str,
) -> Response<Body> {
    let mut body = Map::new();
    body.insert("__type".to_owned(), typed.into());
    body.insert("message".to_owned(), error.message.clone().into());
    for (name, value) in &error.members {
        body.insert((*name).to_owned(), value.clone().into());
    }
    let body = Value::Object(body).to_string();
    let mut response = answer(error.status, &content_type(version), request_id, body);
    set(&mut response, "x-amzn-errortype", code);
    response
}

fn content_type(version: &str) -> String {
    format!("application/x-amz-json-{version}")
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::BodyExt;
    use landfall_core::api::{events, sqs};
    use serde_json::json;

    use super::*;

    fn read(response: Response<Body>) -> (u16, http::HeaderMap, String) {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().now_or_never().unwrap().unwrap().to_bytes();
        (
            parts.status.as_u16(),
            parts.headers,
            String::from_utf8(bytes.to_vec()).unwrap(),
        )
    }

    #[test]
    fn an_empty_body_is_an_empty_structure() {
        assert_eq!(decode(b"").unwrap(), json!({}));
        assert_eq!(decode(b" {\"Name\":\"r\"} ").unwrap(), json!({"Name": "r"}));
    }

    #[test]
    fn what_is_no_structure_is_refused() {
        let deep = "[".repeat(100_000);
        for body in [
            "[]",
            "null",
            "5",
            "{",
            "{\"a\":\"\u{1}\"}",
            deep.as_str(),
            "\u{feff}{}",
        ] {
            let error = decode(body.as_bytes()).unwrap_err();
            assert_eq!(error.code, "SerializationException");
        }
        assert!(decode(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn answers_carry_version_and_request_id() {
        let (status, headers, body) =
            read(encode(&events::SERVICE, &json!({"RuleArn": "arn"}), "id-1"));
        assert_eq!((status, body.as_str()), (200, r#"{"RuleArn":"arn"}"#));
        assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
        assert_eq!(headers["x-amzn-requestid"], "id-1");
        assert_eq!(read(encode(&events::SERVICE, &Value::Null, "i")).2, "");
    }

    #[test]
    fn errors_name_their_code_in_body_and_header() {
        let gone = ApiError::not_found("Rule r does not exist on EventBus default.");
        let (status, headers, body) = read(error(&events::SERVICE, &gone, "id-1"));
        assert_eq!(status, 400);
        assert_eq!(headers["x-amzn-errortype"], "ResourceNotFoundException");
        assert_eq!(
            body,
            r#"{"__type":"ResourceNotFoundException","message":"Rule r does not exist on EventBus default."}"#
        );
    }

    #[test]
    fn sqs_names_the_code_of_its_query_protocol_too() {
        for code in [
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
        ] {
            let gone = ApiError::client(code, "gone");
            let (_, headers, body) = read(error(&sqs::SERVICE, &gone, "id-1"));
            assert_eq!(
                headers["x-amzn-query-error"],
                "AWS.SimpleQueueService.NonExistentQueue;Sender"
            );
            assert_eq!(headers["content-type"], "application/x-amz-json-1.0");
            assert!(
                body.contains(r#""__type":"com.amazonaws.sqs#QueueDoesNotExist""#),
                "{body}"
            );
        }
    }
}
