//! The subset of JSONPath that input paths speak: `$`, `.name`, `['name']`, `[0]`, `.*` and `[*]`.
//! Never filters, slices or descends recursively: such paths are kept and fail when they are followed.

use std::iter::Peekable;
use std::str::Chars;

use super::TransformError;
use super::json;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
    All,
}

/// A path taken apart once. AWS accepts any text as a path when the target is put, so a malformed one is kept
/// with what is wrong with it and fails every delivery that needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    text: String,
    steps: Result<Vec<Step>, &'static str>,
}

impl JsonPath {
    /// Takes the path apart; never fails (see [`JsonPath`]).
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            steps: parse(text),
        }
    }

    /// The path as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The JSON text (minified, numbers and strings as written) of what the path selects; `None` for nothing.
    ///
    /// A path with a wildcard selects a list, which is empty when the wildcard's parent is.
    ///
    /// # Errors
    /// [`TransformError::Path`] for a malformed path, [`TransformError::Event`] when the event is not JSON.
    pub fn select(&self, event: &str) -> Result<Option<String>, TransformError> {
        let steps = self.steps.as_ref().map_err(|why| TransformError::Path {
            path: self.text.clone(),
            why,
        })?;
        let mut nodes = vec![event.trim_ascii()];
        let mut is_list = false;
        for step in steps {
            let parents_are_absent = nodes.is_empty();
            nodes = follow(step, &nodes).map_err(|e| TransformError::Event(e.to_string()))?;
            if !is_list && (parents_are_absent || (nodes.is_empty() && *step != Step::All)) {
                return Ok(None);
            }
            is_list |= *step == Step::All;
        }
        let texts: Vec<String> = nodes.iter().map(|node| json::minify(node)).collect();
        Ok(if is_list {
            Some(format!("[{}]", texts.join(",")))
        } else {
            texts.into_iter().next()
        })
    }
}

fn follow<'e>(step: &Step, nodes: &[&'e str]) -> Result<Vec<&'e str>, serde_json::Error> {
    let mut found = Vec::new();
    for node in nodes {
        match step {
            Step::Name(name) => {
                found.extend(json::members(node)?.and_then(|m| m.get(name.as_str()).copied()));
            }
            Step::Index(index) => {
                found.extend(json::elements(node)?.and_then(|e| e.get(*index).copied()));
            }
            Step::All => {
                found.extend(
                    json::members(node)?
                        .into_iter()
                        .flatten()
                        .map(|(_, value)| value),
                );
                found.extend(json::elements(node)?.into_iter().flatten());
            }
        }
    }
    Ok(found)
}

fn parse(text: &str) -> Result<Vec<Step>, &'static str> {
    let mut chars = text.chars().peekable();
    if chars.next() != Some('$') {
        return Err("it does not start with $");
    }
    let mut steps = Vec::new();
    while let Some(c) = chars.next() {
        steps.push(match c {
            '.' => dot_step(&mut chars)?,
            '[' => bracket_step(&mut chars)?,
            _ => return Err("a step starts with neither . nor ["),
        });
    }
    Ok(steps)
}

fn dot_step(chars: &mut Peekable<Chars<'_>>) -> Result<Step, &'static str> {
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| !matches!(c, '.' | '[')) {
        name.push(c);
    }
    match name.as_str() {
        "*" => Ok(Step::All),
        "" => Err("a name is missing behind a dot"),
        _ if name.contains(is_reserved) => Err("a name holds a character that needs ['…']"),
        _ => Ok(Step::Name(name)),
    }
}

fn is_reserved(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "*]()?@,'\"\\".contains(c)
}

fn bracket_step(chars: &mut Peekable<Chars<'_>>) -> Result<Step, &'static str> {
    if let Some(quote) = chars.next_if(|c| matches!(c, '\'' | '"')) {
        let name = quoted_name(chars, quote)?;
        return match chars.next() {
            Some(']') => Ok(Step::Name(name)),
            _ => Err("a bracket is not closed behind its name"),
        };
    }
    let mut inside = String::new();
    loop {
        match chars.next() {
            Some(']') => break,
            Some(c) => inside.push(c),
            None => return Err("a bracket is not closed"),
        }
    }
    match inside.as_str() {
        "*" => Ok(Step::All),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => digits
            .parse()
            .map(Step::Index)
            .map_err(|_| "an index is missing or too large"),
        _ => Err("only a number, * or a quoted name may stand in brackets"),
    }
}

fn quoted_name(chars: &mut Peekable<Chars<'_>>, quote: char) -> Result<String, &'static str> {
    let mut name = String::new();
    loop {
        match chars.next() {
            Some(c) if c == quote => return Ok(name),
            Some('\\') => name.extend(chars.next()),
            Some(c) => name.push(c),
            None => return Err("a quoted name is not closed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"id":"1","detail-type":"T","n":1.50,"z":null,"e":[],"o":{},
        "detail":{"a b":"x","é/k":{"q\"":7},"list":[{"v":1},{"v":[2, 3]},{"w":4},5],"deep":[[1],[2]]}}"#;

    fn select(path: &str) -> Option<String> {
        JsonPath::new(path).select(EVENT).unwrap()
    }

    #[test]
    fn paths_select() {
        let table: [(&str, Option<&str>); 26] = [
            ("$.id", Some("\"1\"")),
            ("$.detail-type", Some("\"T\"")),
            ("$['detail-type']", Some("\"T\"")),
            ("$[\"detail-type\"]", Some("\"T\"")),
            ("$.n", Some("1.50")),
            ("$.z", Some("null")),
            ("$.e", Some("[]")),
            ("$.o", Some("{}")),
            ("$.e[*]", Some("[]")),
            ("$.o.*", Some("[]")),
            ("$.n.*", Some("[]")),
            ("$.missing.*", None),
            ("$.e[0]", None),
            ("$.ID", None),
            ("$.id.x", None),
            ("$.detail['a b']", Some("\"x\"")),
            ("$.detail.é/k", Some("{\"q\\\"\":7}")),
            ("$.detail.é/k['q\"']", Some("7")),
            ("$.detail.list[0].v", Some("1")),
            ("$.detail.list[3]", Some("5")),
            ("$.detail.list[4]", None),
            ("$.detail.list[*].v", Some("[1,[2,3]]")),
            ("$.detail.list[*].none", Some("[]")),
            ("$.detail.deep[*][0]", Some("[1,2]")),
            ("$.detail.deep.*.*", Some("[1,2]")),
            ("$.detail.list[1]", Some("{\"v\":[2,3]}")),
        ];
        for (path, expected) in table {
            assert_eq!(select(path).as_deref(), expected, "{path}");
        }
        assert_eq!(select("$").unwrap(), json::minify(EVENT));
    }

    #[test]
    fn malformed_paths_fail_when_followed() {
        for path in [
            "",
            "detail",
            "$detail",
            "$.",
            "$..id",
            "$.a[",
            "$.a[]",
            "$.a[-1]",
            "$.a[0:2]",
            "$.a[?(@.x)]",
            "$.a['x",
            "$.a['x'",
            "$.a b",
            "$.a*",
            "$.a[99999999999999999999]",
        ] {
            let error = JsonPath::new(path).select(EVENT).unwrap_err();
            assert!(
                matches!(error, TransformError::Path { .. }),
                "{path}: {error}"
            );
        }
    }

    #[test]
    fn an_event_that_is_not_json_is_an_error() {
        let error = JsonPath::new("$.a").select("{\"a\":").unwrap_err();
        assert!(matches!(error, TransformError::Event(_)));
    }
}
