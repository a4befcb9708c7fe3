//! Event patterns evaluated in the most literal way: every pick of leaves is tried. Slow, and independent of the
//! crate's own code; it only has to be obviously right.

use std::collections::BTreeMap;

/// Spellings of numbers and, where they are comparable, their value.
pub const NUMBERS: [(&str, Option<f64>); 14] = [
    ("1", Some(1.0)),
    ("1.0", Some(1.0)),
    ("10e-1", Some(1.0)),
    ("0.1E+1", Some(1.0)),
    ("0", Some(0.0)),
    ("-0.0", Some(0.0)),
    ("2", Some(2.0)),
    ("2.5", Some(2.5)),
    ("25e-1", Some(2.5)),
    ("-3", Some(-3.0)),
    ("123456789012", Some(123_456_789_012.0)),
    ("9007199254740993", None),
    ("1e400", None),
    ("2.50000000000000000001", None),
];

/// A number's place in [`NUMBERS`].
pub type Number = usize;

#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(Number),
    /// The flag asks for every character to be written as an escape.
    Text(String, bool),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

#[derive(Clone, Debug)]
pub enum Value {
    Literal(Json),
    Exactly(String),
    Prefix(String),
    Suffix(String),
    Fold(String),
    PrefixFold(String),
    SuffixFold(String),
    Wildcard(String),
    /// Bottom and top, each with whether it belongs to the range.
    Numeric(Option<(Number, bool)>, Option<(Number, bool)>),
    Exists(bool),
    But(Vec<String>),
    ButNumber(Vec<Number>),
    ButPrefix(Vec<String>),
    ButSuffix(Vec<String>),
    ButFold(Vec<String>),
    ButWildcard(Vec<String>),
    /// A place in [`BLOCKS`].
    Cidr(usize),
}

/// Blocks of addresses, and the spellings of addresses among the generated texts that lie in them.
pub const BLOCKS: [(&str, &[&str]); 6] = [
    ("10.0.0.77/24", &["10.0.0.1", "010.0.0.1", "::ffff:a00:1"]),
    ("10.0.0.0/31/", &["10.0.0.1", "010.0.0.1", "::ffff:a00:1"]),
    ("10.0.1.0/24", &[]),
    ("::ffff:a00:1/8", &["10.0.0.1", "010.0.0.1", "::ffff:a00:1"]),
    ("::/64", &["::1", "0:0:0:0:0:0:0:1"]),
    ("100::/+8", &[]),
];

#[derive(Clone, Debug)]
pub enum Node {
    Values(Vec<Value>),
    Fields(Vec<(String, Node)>),
    Or(Vec<Vec<(String, Node)>>),
}

type Trail = Vec<(usize, usize)>;
type Combination<'p> = BTreeMap<String, &'p [Value]>;

/// Whether the event matches.
pub fn matches(pattern: &[(String, Node)], event: &[(String, Json)]) -> bool {
    let mut leaves = Vec::new();
    flatten_object("", event, &Vec::new(), &mut 0, &mut leaves);
    let mut combinations = vec![Combination::new()];
    expand("", pattern, &mut combinations);
    combinations.iter().any(|combination| {
        let fields: Vec<_> = combination.iter().collect();
        pick(&fields, &leaves, &Vec::new())
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn expand<'p>(path: &str, fields: &'p [(String, Node)], combinations: &mut Vec<Combination<'p>>) {
    for (name, node) in fields {
        match node {
            Node::Values(values) => {
                for combination in combinations.iter_mut() {
                    combination.insert(join(path, name), values);
                }
            }
            Node::Fields(inner) => expand(&join(path, name), inner, combinations),
            Node::Or(branches) => {
                let before = std::mem::take(combinations);
                for branch in branches {
                    let mut copy = before.clone();
                    expand(path, branch, &mut copy);
                    combinations.extend(copy);
                }
            }
        }
    }
}

fn flatten_object<'e>(
    path: &str,
    fields: &'e [(String, Json)],
    trail: &Trail,
    arrays: &mut usize,
    leaves: &mut Vec<(String, &'e Json, Trail)>,
) {
    for (name, value) in fields {
        flatten(&join(path, name), value, trail, arrays, leaves);
    }
}

fn flatten<'e>(
    path: &str,
    value: &'e Json,
    trail: &Trail,
    arrays: &mut usize,
    leaves: &mut Vec<(String, &'e Json, Trail)>,
) {
    match value {
        Json::Object(fields) => flatten_object(path, fields, trail, arrays, leaves),
        Json::Array(elements) => {
            *arrays += 1;
            let array = *arrays;
            for (index, element) in elements.iter().enumerate() {
                let mut inside = trail.clone();
                if matches!(element, Json::Array(_) | Json::Object(_)) {
                    inside.push((array, index));
                }
                flatten(path, element, &inside, arrays, leaves);
            }
        }
        scalar => leaves.push((path.to_owned(), scalar, trail.clone())),
    }
}

fn pick(
    fields: &[(&String, &&[Value])],
    leaves: &[(String, &Json, Trail)],
    picked: &Trail,
) -> bool {
    let Some(((path, values), rest)) = fields.split_first() else {
        return true;
    };
    let here: Vec<_> = leaves
        .iter()
        .filter(|(at, _, trail)| at == *path && is_consistent(trail, picked))
        .collect();
    let wants_absence = values
        .iter()
        .any(|value| matches!(value, Value::Exists(false)));
    if wants_absence && here.is_empty() && pick(rest, leaves, picked) {
        return true;
    }
    here.iter().any(|(_, leaf, trail)| {
        let all: Trail = picked.iter().chain(trail).copied().collect();
        values.iter().any(|value| is_met(value, leaf)) && pick(rest, leaves, &all)
    })
}

fn is_consistent(trail: &Trail, picked: &Trail) -> bool {
    trail.iter().all(|(array, index)| {
        picked
            .iter()
            .all(|(other, chosen)| other != array || chosen == index)
    })
}

fn is_met(value: &Value, leaf: &Json) -> bool {
    let text = if let Json::Text(text, _) = leaf {
        Some(text.as_str())
    } else {
        None
    };
    let number = if let Json::Number(number) = leaf {
        NUMBERS[*number].1
    } else {
        None
    };
    let not = |is_excluded: &dyn Fn(&str) -> bool| !text.is_some_and(is_excluded);
    match value {
        Value::Literal(literal) => is_equal(literal, leaf),
        Value::Exactly(wanted) => text == Some(wanted),
        Value::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
        Value::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
        Value::Fold(operand) => text.is_some_and(|text| heads(operand, text).contains(&"")),
        Value::PrefixFold(operand) => text.is_some_and(|text| !heads(operand, text).is_empty()),
        Value::SuffixFold(operand) => text.is_some_and(|text| {
            let mut tails = text.char_indices().map(|(at, _)| &text[at..]).chain([""]);
            tails.any(|tail| heads(operand, tail).contains(&""))
        }),
        Value::Wildcard(operand) => text.is_some_and(|text| is_like(operand, text)),
        Value::Numeric(bottom, top) => number.is_some_and(|number| {
            let value = |end: Number| NUMBERS[end].1.unwrap();
            bottom.is_none_or(|(end, closed)| number > value(end) || closed && number == value(end))
                && top.is_none_or(|(end, closed)| {
                    number < value(end) || closed && number == value(end)
                })
        }),
        Value::Exists(wanted) => *wanted,
        Value::But(texts) => not(&|text| texts.iter().any(|other| other == text)),
        Value::ButNumber(numbers) => !numbers
            .iter()
            .any(|other| number.is_some() && NUMBERS[*other].1 == number),
        Value::ButPrefix(texts) => not(&|text| texts.iter().any(|other| text.starts_with(other))),
        Value::ButSuffix(texts) => not(&|text| texts.iter().any(|other| text.ends_with(other))),
        Value::ButFold(texts) => {
            not(&|text| texts.iter().any(|other| heads(other, text).contains(&"")))
        }
        Value::Cidr(block) => text.is_some_and(|text| BLOCKS[*block].1.contains(&text)),
        Value::ButWildcard(texts) => not(&|text| texts.iter().any(|other| is_like(other, text))),
    }
}

fn is_equal(wanted: &Json, leaf: &Json) -> bool {
    match (wanted, leaf) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(wanted), Json::Bool(leaf)) => wanted == leaf,
        (Json::Text(wanted, _), Json::Text(leaf, _)) => address(wanted) == address(leaf),
        (Json::Number(wanted), Json::Number(leaf)) => {
            wanted == leaf || NUMBERS[*wanted].1.is_some() && NUMBERS[*wanted].1 == NUMBERS[*leaf].1
        }
        _ => false,
    }
}

/// The addresses among the generated texts, each in one spelling.
fn address(text: &str) -> &str {
    match text {
        "010.0.0.1" | "::ffff:a00:1" => "10.0.0.1",
        "0:0:0:0:0:0:0:1" => "::1",
        other => other,
    }
}

/// What is left of the text behind each way of reading the operand off its start.
fn heads<'t>(operand: &str, text: &'t str) -> Vec<&'t str> {
    let Some(first) = operand.chars().next() else {
        return vec![text];
    };
    let rest = &operand[first.len_utf8()..];
    let spellings = if first as u32 > 0xFFFF {
        vec![first.to_string()]
    } else {
        vec![
            first.to_lowercase().to_string(),
            first.to_uppercase().to_string(),
        ]
    };
    let behind = spellings
        .iter()
        .filter_map(|spelling| text.strip_prefix(spelling.as_str()));
    behind.flat_map(|behind| heads(rest, behind)).collect()
}

fn is_like(operand: &str, text: &str) -> bool {
    let Some(first) = operand.chars().next() else {
        return text.is_empty();
    };
    let rest = &operand[first.len_utf8()..];
    if first == '*' {
        let mut tails = text.char_indices().map(|(at, _)| &text[at..]).chain([""]);
        return tails.any(|tail| is_like(rest, tail));
    }
    let (wanted, rest) = if first == '\\' {
        (rest.chars().next().unwrap(), &rest[1..])
    } else {
        (first, rest)
    };
    text.strip_prefix(wanted)
        .is_some_and(|text| is_like(rest, text))
}
