//! The MD5 sums that SDKs compare: of bodies, and of attributes in SQS's own binary form. Never used for security.

use std::collections::BTreeMap;

use landfall_core::api::generated::sqs as api;
use md5::{Digest, Md5};

const STRING: u8 = 1;
const BINARY: u8 = 2;

/// MD5 of a body, as lower-case hex.
pub(super) fn of_body(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// MD5 of attributes, as lower-case hex; `None` when there are none.
pub(super) fn of_attributes(
    attributes: &BTreeMap<String, api::MessageAttributeValue>,
) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, value) in attributes {
        part(&mut digest, name.as_bytes());
        part(
            &mut digest,
            value.data_type.as_deref().unwrap_or_default().as_bytes(),
        );
        if let Some(binary) = &value.binary_value {
            digest.update([BINARY]);
            part(&mut digest, &binary.0);
        } else {
            digest.update([STRING]);
            part(
                &mut digest,
                value.string_value.as_deref().unwrap_or_default().as_bytes(),
            );
        }
    }
    Some(hex::encode(digest.finalize()))
}

fn part(digest: &mut Md5, bytes: &[u8]) {
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}

#[cfg(test)]
mod tests {
    use landfall_core::api::value::Blob;

    use super::*;

    fn text(kind: &str, value: &str) -> api::MessageAttributeValue {
        api::MessageAttributeValue {
            data_type: Some(kind.to_owned()),
            string_value: Some(value.to_owned()),
            ..Default::default()
        }
    }

    #[test]
    fn sums_are_those_that_clients_compute() {
        assert_eq!(of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
        let one = |value| BTreeMap::from([("timestamp".to_owned(), value)]);
        let sum = of_attributes(&one(text("Number", "1493147359900")));
        assert_eq!(sum.as_deref(), Some("235c5c510d26fb653d073faed50ae77c"));
        let sum = of_attributes(&one(text("Number.java.lang.Long", "1493147359900")));
        assert_eq!(sum.as_deref(), Some("2e2e4876d8e0bd6b8c2c8f556831c349"));
    }

    #[test]
    fn binary_values_and_order_count() {
        let binary = api::MessageAttributeValue {
            data_type: Some("Binary".to_owned()),
            binary_value: Some(Blob(vec![0, 1, 2])),
            ..Default::default()
        };
        let both = BTreeMap::from([
            ("b".to_owned(), binary),
            ("a".to_owned(), text("String", "x")),
        ]);
        assert_eq!(
            of_attributes(&both).as_deref(),
            Some("c7b075151a8e2e09ccb36b393bdb284a")
        );
        assert_eq!(of_attributes(&BTreeMap::new()), None);
    }
}
