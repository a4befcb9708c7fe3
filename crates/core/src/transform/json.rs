//! JSON as text: taking a document apart without losing how its numbers and strings were written.
//! Never builds a value tree, so `1.0`, `1e400` and `"\u00e9"` leave as they came.

use indexmap::IndexMap;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// What a JSON text is, as far as inserting it somewhere else goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    /// An object or an array.
    Composite,
    /// A number, a boolean or null.
    Literal,
}

/// The kind of a valid JSON text without leading white space.
pub(super) fn kind(raw: &str) -> Kind {
    match raw.as_bytes().first() {
        Some(b'"') => Kind::String,
        Some(b'{' | b'[') => Kind::Composite,
        _ => Kind::Literal,
    }
}

/// The members of an object in document order, the last of equal names winning; `None` for any other value.
pub(super) fn members(raw: &str) -> Result<Option<IndexMap<String, &str>>, serde_json::Error> {
    if !raw.starts_with('{') {
        return Ok(None);
    }
    let members: IndexMap<String, &RawValue> = serde_json::from_str(raw)?;
    Ok(Some(
        members
            .into_iter()
            .map(|(name, value)| (name, value.get()))
            .collect(),
    ))
}

/// The elements of an array; `None` for any other value.
pub(super) fn elements(raw: &str) -> Result<Option<Vec<&str>>, serde_json::Error> {
    if !raw.starts_with('[') {
        return Ok(None);
    }
    let elements: Vec<&RawValue> = serde_json::from_str(raw)?;
    Ok(Some(elements.into_iter().map(RawValue::get).collect()))
}

/// Whether the text is one JSON value and nothing else.
pub(super) fn check(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(text).map(|_| ())
}

/// The same valid JSON text without the white space between its tokens.
pub(super) fn minify(raw: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    raw.chars()
        .filter(|c| {
            if in_string {
                in_string = escaped || *c != '"';
                escaped = !escaped && *c == '\\';
                return true;
            }
            in_string = *c == '"';
            !matches!(c, ' ' | '\t' | '\n' | '\r')
        })
        .collect()
}

/// A string as JSON text, quotes included.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minify_keeps_strings_and_number_texts() {
        let raw = "{ \"a b\" :\t[ 1.0 ,\n1e+400, \"x \\\" y \\\\\" , \" \\u00e9\" ] }";
        assert_eq!(minify(raw), r#"{"a b":[1.0,1e+400,"x \" y \\"," \u00e9"]}"#);
    }

    #[test]
    fn the_last_of_equal_members_wins_at_the_place_of_the_first() {
        let members = members(r#"{"a": 1, "b": 2, "a": [3 ]}"#).unwrap().unwrap();
        let listed: Vec<_> = members.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        assert_eq!(listed, [("a", "[3 ]"), ("b", "2")]);
        assert!(super::members("[1]").unwrap().is_none());
    }

    #[test]
    fn deep_nesting_needs_no_stack() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(check(&deep).is_ok());
        assert_eq!(elements(&deep).unwrap().unwrap().len(), 1);
    }
}
