//! Filter patterns for plain text: terms, phrases, `-excluded` and `?optional` ones. JSON, space-delimited and
//! regular-expression patterns are refused, never half understood.

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    /// A form that AWS has and Landfall does not.
    #[error(
        "Invalid filter pattern: {0} patterns are not supported by Landfall; use plain terms or quoted phrases."
    )]
    Unsupported(&'static str),
    /// A quotation mark without its partner.
    #[error("Invalid filter pattern: a quoted phrase is not closed.")]
    Unclosed,
    /// A term that must be quoted.
    #[error(
        "Invalid filter pattern: the term {0} has characters that are not alphanumeric; put it in quotation marks."
    )]
    NeedsQuotes(String),
}

/// A compiled pattern; matching is case-sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    required: Vec<String>,
    excluded: Vec<String>,
    optional: Vec<String>,
}

impl Pattern {
    /// Compiles a pattern; the empty one matches everything.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut pattern = Self::default();
        let mut rest = text.trim_start();
        match rest.chars().next() {
            Some('{') => return Err(PatternError::Unsupported("JSON")),
            Some('[') => return Err(PatternError::Unsupported("space-delimited")),
            _ => {}
        }
        while !rest.is_empty() {
            let list = if let Some(behind) = rest.strip_prefix('-') {
                rest = behind;
                &mut pattern.excluded
            } else if let Some(behind) = rest.strip_prefix('?') {
                rest = behind;
                &mut pattern.optional
            } else {
                &mut pattern.required
            };
            let (term, behind) = term(rest)?;
            list.push(term);
            rest = behind.trim_start();
        }
        Ok(pattern)
    }

    /// Whether a message matches: all required terms, none of the excluded ones, and, when nothing is required, one
    /// of the optional ones.
    pub fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.required.iter().all(has)
            && !self.excluded.iter().any(has)
            && (!self.required.is_empty()
                || self.optional.is_empty()
                || self.optional.iter().any(has))
    }
}

fn term(text: &str) -> Result<(String, &str), PatternError> {
    if let Some(quoted) = text.strip_prefix('"') {
        return phrase(quoted);
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (term, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    if term.starts_with('%') {
        return Err(PatternError::Unsupported("regular-expression"));
    }
    let is_plain = |c: char| c.is_alphanumeric() || c == '_';
    if term.is_empty() || !term.chars().all(is_plain) {
        return Err(PatternError::NeedsQuotes(term.to_owned()));
    }
    Ok((term.to_owned(), rest))
}

/// The phrase up to the closing quotation mark; a backslash takes the next character as it is.
fn phrase(quoted: &str) -> Result<(String, &str), PatternError> {
    let mut phrase = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((phrase, chars.as_str())),
            '\\' => phrase.extend(chars.next()),
            other => phrase.push(other),
        }
    }
    Err(PatternError::Unclosed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_documented() {
        let table = [
            ("", "anything", true),
            ("  ", "anything", true),
            ("ERROR", "[ERROR 400] bad", true),
            ("ERROR", "error", false),
            ("ERROR Exception", "ERROR: Exception", true),
            ("ERROR Exception", "ERROR only", false),
            (
                "\"INTERNAL SERVER ERROR\"",
                "x INTERNAL SERVER ERROR y",
                true,
            ),
            ("\"INTERNAL SERVER ERROR\"", "INTERNAL ERROR SERVER", false),
            ("?ERROR ?WARN", "a WARN b", true),
            ("?ERROR ?WARN", "a INFO b", false),
            ("ERROR -ARGUMENTS", "ERROR x", true),
            ("ERROR -ARGUMENTS", "ERROR ARGUMENTS", false),
            ("-\"a b\"", "a b", false),
            ("-\"a b\"", "a c b", true),
            ("\"say \\\"hi\\\"\"", "they say \"hi\" to us", true),
            ("übergröße", "die übergröße", true),
        ];
        for (pattern, message, expected) in table {
            let compiled = Pattern::parse(pattern).unwrap();
            assert_eq!(
                compiled.matches(message),
                expected,
                "{pattern} on {message}"
            );
        }
    }

    #[test]
    fn other_forms_are_refused_by_name() {
        let table = [
            ("{ $.level = \"ERROR\" }", PatternError::Unsupported("JSON")),
            ("[ip, user]", PatternError::Unsupported("space-delimited")),
            ("%ERR.*%", PatternError::Unsupported("regular-expression")),
            ("\"open", PatternError::Unclosed),
            ("a/b", PatternError::NeedsQuotes("a/b".to_owned())),
        ];
        for (pattern, expected) in table {
            assert_eq!(Pattern::parse(pattern), Err(expected), "{pattern}");
        }
    }
}
