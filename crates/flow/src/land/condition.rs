//! Conditions of reads and writes on the entity tag and the time of the last change. Never reads the store.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;

use super::error;
use super::model::VersionRecord;

/// What an entity tag is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// `*`: anything that is there.
    Any,
    /// This tag, without quotes.
    Is(String),
}

impl Tag {
    fn holds(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Is(tag) => tag == etag,
        }
    }
}

/// Conditions of a write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteCondition {
    /// `If-Match`.
    pub if_match: Option<Tag>,
    /// `If-None-Match`; S3 takes only `*`.
    pub if_none_match: Option<Tag>,
}

impl WriteCondition {
    /// Holds the condition against the current version of the key.
    ///
    /// Errors: `NoSuchKey`, `PreconditionFailed`, `NotImplemented`.
    pub fn check(&self, key: &str, current: Option<&VersionRecord>) -> Result<(), ApiError> {
        let object = current.filter(|v| !v.delete_marker);
        if let Some(tag) = &self.if_match {
            let object = object.ok_or_else(|| error::no_such_key(key))?;
            if !tag.holds(&object.etag) {
                return Err(error::precondition_failed("If-Match"));
            }
        }
        match &self.if_none_match {
            Some(Tag::Any) if object.is_some() => Err(error::precondition_failed("If-None-Match")),
            Some(Tag::Is(_)) => Err(ApiError::not_implemented(
                "A header you provided implies functionality that is not implemented",
            )
            .member("Header", "If-None-Match")),
            _ => Ok(()),
        }
    }
}

/// Conditions of a read or of the source of a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadCondition {
    /// `If-Match`.
    pub if_match: Option<Tag>,
    /// `If-None-Match`.
    pub if_none_match: Option<Tag>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<Timestamp>,
}

/// Why a read condition does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet {
    /// The object is not the expected one: 412. Names the header.
    Precondition(&'static str),
    /// The reader has it already: 304, or 412 for the source of a copy. Names the header.
    NotModified(&'static str),
}

impl ReadCondition {
    /// Holds the conditions against an object, in the order of RFC 9110 section 13.2.2.
    pub fn check(&self, etag: &str, modified_at: Timestamp) -> Result<(), Unmet> {
        let modified = modified_at.0.div_euclid(1000);
        let after = |t: &Timestamp| modified > t.0.div_euclid(1000);
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(tag), _) if !tag.holds(etag) => return Err(Unmet::Precondition("If-Match")),
            (None, Some(t)) if after(t) => {
                return Err(Unmet::Precondition("If-Unmodified-Since"));
            }
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(tag), _) if tag.holds(etag) => Err(Unmet::NotModified("If-None-Match")),
            (None, Some(t)) if !after(t) => Err(Unmet::NotModified("If-Modified-Since")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_conditions_by_precedence() {
        let is = |t: &str| Some(Tag::Is(t.to_owned()));
        let at = |s: i64| Some(Timestamp(s * 1000));
        let case = |m, n, since, unmodified| ReadCondition {
            if_match: m,
            if_none_match: n,
            if_modified_since: since,
            if_unmodified_since: unmodified,
        };
        let cases = [
            (case(None, None, None, None), Ok(())),
            (case(is("e"), None, None, at(1)), Ok(())),
            (
                case(is("x"), None, None, None),
                Err(Unmet::Precondition("If-Match")),
            ),
            (
                case(None, None, None, at(9)),
                Err(Unmet::Precondition("If-Unmodified-Since")),
            ),
            (case(None, None, None, at(10)), Ok(())),
            (
                case(None, is("e"), None, None),
                Err(Unmet::NotModified("If-None-Match")),
            ),
            (case(None, is("x"), at(99), None), Ok(())),
            (
                case(None, None, at(10), None),
                Err(Unmet::NotModified("If-Modified-Since")),
            ),
            (case(None, None, at(9), None), Ok(())),
            (
                case(None, Some(Tag::Any), None, None),
                Err(Unmet::NotModified("If-None-Match")),
            ),
        ];
        for (condition, expected) in cases {
            let result = condition.check("e", Timestamp(10_400));
            assert_eq!(result, expected, "{condition:?}");
        }
    }
}
