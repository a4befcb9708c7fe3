//! Whatever a stranger sends, the protocols answer a value or an error, never a crash; and what they accept, the
//! validator can judge.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use http::HeaderMap;
use http::header::AUTHORIZATION;
use landfall_core::api::generated::SERVICES;
use landfall_core::api::model::{Kind, Protocol, ServiceModel};
use landfall_core::api::validate::{types, validate};
use landfall_core::clock::Timestamp;
use landfall_wire::protocol::query::Form;
use landfall_wire::protocol::sigv4::{Claim, Credentials, verify};
use landfall_wire::protocol::{json, query};
use proptest::prelude::*;

/// Every word that can be a part of a form's name in this service, and some that cannot.
fn words(model: &ServiceModel) -> Vec<String> {
    let mut words: Vec<String> = [
        "1",
        "2",
        "0",
        "-1",
        "4294967296",
        "",
        "member",
        "entry",
        "x",
        "%",
        "%ff",
    ]
    .map(str::to_owned)
    .to_vec();
    for shape in model.shapes {
        if let Kind::Structure { members } = shape.kind {
            words.extend(members.iter().map(|member| member.query.to_owned()));
        }
    }
    words
}

fn form_of(model: &'static ServiceModel) -> impl Strategy<Value = String> {
    let name = prop::collection::vec(prop::sample::select(words(model)), 1..6);
    let value = prop_oneof![
        "[a-z0-9%+=.-]{0,8}",
        Just("true".to_owned()),
        any::<String>()
    ];
    let pair = (name, value).prop_map(|(name, value)| format!("{}={value}", name.join(".")));
    prop::collection::vec(pair, 0..12).prop_map(|pairs| pairs.join("&"))
}

fn call_of_a_form() -> impl Strategy<Value = (&'static ServiceModel, usize, String)> {
    let forms: Vec<_> = SERVICES
        .iter()
        .copied()
        .filter(|model| model.protocol != Protocol::Json || model.query_compatible)
        .collect();
    prop::sample::select(forms)
        .prop_flat_map(|model| (Just(model), 0..model.operations.len(), form_of(model)))
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
    ];
    let names = SERVICES
        .iter()
        .flat_map(|model| words(model))
        .collect::<Vec<_>>();
    scalar.prop_recursive(4, 64, 6, move |inner| {
        let names = prop::sample::select(names.clone());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((names, inner), 0..6)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_form_is_read_or_refused((model, operation, form) in call_of_a_form()) {
        let operation = &model.operations[operation];
        if let Ok(form) = Form::parse(form.as_bytes())
            && let Ok(value) = query::decode(model, operation.input, &form)
            && let Some(shape) = operation.input
        {
            // A number may be too large for its shape and bytes no base64; nothing else is left to the type check.
            if let Err(error) = types(model, shape, &value) {
                let known = error.message.contains("NUMBER_VALUE") || error.message.contains("base64");
                prop_assert!(known, "{}", error.message);
            }
            let _ = validate(model, operation, &value);
        }
    }

    #[test]
    fn any_json_is_judged(value in any_json()) {
        for model in SERVICES {
            for operation in model.operations {
                let _ = validate(model, operation, &value);
            }
        }
    }

    #[test]
    fn any_bytes_are_json_or_refused(body in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = json::decode(&body) {
            prop_assert!(value.is_object());
        }
    }

    #[test]
    fn any_signature_is_read_or_refused(
        header in "(AWS4-HMAC-SHA256 ?)?(Credential=[a-zA-Z0-9/]{0,30},? ?)?(SignedHeaders=[a-z;-]{0,20},? ?)?(Signature=[0-9a-z]{0,8})?",
        query in "(X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature)=[A-Z0-9%/-]{0,12}&){0,6}",
    ) {
        let mut headers = HeaderMap::new();
        if !header.is_empty() {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        Claim::of(&headers, &query);
        if let Ok(uri) = format!("/?{query}").parse::<http::Uri>() {
            let mut request = http::Request::get(uri).body(()).unwrap();
            *request.headers_mut() = headers;
            let (parts, ()) = request.into_parts();
            let known = Credentials::new([("key".to_owned(), "secret".to_owned())]);
            prop_assert!(verify(&parts, "", &known, Timestamp(0)).is_err());
        }
    }
}
