//! Reads lists of values and the matchers in them, in the order of checks and with the messages of EventBridge.
//! Never knows which field it reads for.

use crate::address::Block;
use crate::condition::{Condition, Range};
use crate::error::Fault;
use crate::fold::Folded;
use crate::number::{Ordinal, comparable};
use crate::reader::{Reader, Token};
use crate::wildcard::Wildcard;

const ONE_KEY_ONLY: &str = "Only one key allowed in match expression";
const TOO_MANY_ELEMENTS: &str = "Too many elements in numeric expression";
const IGNORE_CASE: &str = "equals-ignore-case";

type Read<T> = Result<T, Fault>;

/// Reads a list of values from behind its bracket to its end.
pub(crate) fn values(reader: &mut Reader<'_>) -> Read<Vec<Condition>> {
    let mut conditions = Vec::new();
    loop {
        conditions.push(match reader.next()? {
            Token::EndArray => break,
            Token::StartObject => matcher(reader)?,
            Token::Text => Condition::text(&reader.text()?),
            Token::Number => Condition::number(&reader.text()?),
            Token::True => Condition::True,
            Token::False => Condition::False,
            Token::Null => Condition::Null,
            Token::StartArray | Token::EndObject | Token::Name | Token::End => {
                let reason = "Match value must be String, number, true, false, or null";
                return Err(reader.fault(reason));
            }
        });
    }
    if conditions.is_empty() {
        return Err(reader.fault("Empty arrays are not allowed"));
    }
    Ok(conditions)
}

/// Reads a matcher from behind its brace to its end.
fn matcher(reader: &mut Reader<'_>) -> Read<Condition> {
    if reader.next()? != Token::Name {
        return Err(reader.fault("Match expression name not found"));
    }
    let operator = reader.name().clone();
    match &*operator {
        "numeric" => {
            let range = numeric(reader)?;
            return end(reader, TOO_MANY_ELEMENTS).map(|()| Condition::Range(range));
        }
        "anything-but" => return anything_but(reader),
        _ => {}
    }
    let condition = match &*operator {
        "exactly" => Condition::Text(string(reader, "exact")?.into()),
        "prefix" => affix(reader, &PREFIX)?,
        "suffix" => affix(reader, &SUFFIX)?,
        IGNORE_CASE => Condition::Fold(Folded::new(&string(reader, IGNORE_CASE)?)),
        "wildcard" => {
            let operand = string(reader, "wildcard")?;
            Condition::Wildcard(wildcard(reader, &operand)?)
        }
        "exists" => exists(reader)?,
        "cidr" => {
            let operand = string(reader, "prefix")?;
            Condition::Cidr(Block::parse(&operand).map_err(Fault::nowhere)?)
        }
        unknown => return Err(reader.fault(format!("Unrecognized match type {unknown}"))),
    };
    end(reader, ONE_KEY_ONLY)?;
    Ok(condition)
}

fn end(reader: &mut Reader<'_>, reason: &str) -> Read<()> {
    if reader.next()? == Token::EndObject {
        Ok(())
    } else {
        Err(reader.fault(reason))
    }
}

fn string(reader: &mut Reader<'_>, operator: &str) -> Read<String> {
    if reader.next()? != Token::Text {
        return Err(reader.fault(format!("{operator} match pattern must be a string")));
    }
    Ok(reader.text()?.into_owned())
}

fn wildcard(reader: &Reader<'_>, operand: &str) -> Read<Wildcard> {
    Wildcard::parse(operand).map_err(|reason| reader.fault(reason))
}

fn exists(reader: &mut Reader<'_>) -> Read<Condition> {
    match reader.next()? {
        Token::True => Ok(Condition::Exists),
        Token::False => Ok(Condition::Absent),
        _ => Err(reader.fault("exists match pattern must be either true or false.")),
    }
}

/// What differs between the two ends of a string.
struct Affix {
    operator: &'static str,
    title: &'static str,
    plain: fn(Box<str>) -> Condition,
    folded: fn(Folded) -> Condition,
}

const PREFIX: Affix = Affix {
    operator: "prefix",
    title: "Prefix",
    plain: Condition::Prefix,
    folded: Condition::PrefixFold,
};

const SUFFIX: Affix = Affix {
    operator: "suffix",
    title: "Suffix",
    plain: Condition::Suffix,
    folded: Condition::SuffixFold,
};

fn affix(reader: &mut Reader<'_>, affix: &Affix) -> Read<Condition> {
    let operator = affix.operator;
    match reader.next()? {
        Token::Text => return Ok((affix.plain)(reader.text()?.into())),
        Token::StartObject => {}
        _ => return Err(reader.fault(format!("{operator} match pattern must be a string"))),
    }
    if reader.next()? != Token::Name {
        return Err(reader.fault(format!("{} expression name not found", affix.title)));
    }
    let inner = reader.name().clone();
    if inner != IGNORE_CASE {
        return Err(reader.fault(format!("Unsupported {operator} pattern: {inner}")));
    }
    let operand = string(reader, IGNORE_CASE)?;
    end(reader, ONE_KEY_ONLY)?;
    Ok((affix.folded)(Folded::new(&operand)))
}

fn numeric(reader: &mut Reader<'_>) -> Read<Range> {
    if reader.next()? != Token::StartArray {
        return Err(reader.fault("Value of numeric must be an array."));
    }
    let first = reader.next()?;
    let operator = reader.text()?;
    if first != Token::Text {
        return Err(reader.fault(format!("Invalid member in numeric match: {operator}")));
    }
    let second = reader.next()?;
    let name = match &*operator {
        "=" => "equals",
        "<" | "<=" | ">" | ">=" => &*operator,
        other => {
            return Err(reader.fault(format!("Unrecognized numeric range operator: {other}")));
        }
    };
    if second != Token::Number {
        return Err(reader.fault(format!("Value of {name} must be numeric")));
    }
    let end = reader.text()?;
    let third = reader.next()?;
    let closed = operator.ends_with('=');
    if operator.starts_with('>') {
        return from_bottom(reader, third, &end, closed);
    }
    if third != Token::EndArray {
        return Err(reader.fault(TOO_MANY_ELEMENTS));
    }
    let value = number(reader, &end)?;
    Ok(match &*operator {
        "=" => Range::exactly(value),
        _ => Range::below(value, closed),
    })
}

/// The rest of a range after its bottom; `third` is the token behind it.
fn from_bottom(
    reader: &mut Reader<'_>,
    third: Token,
    bottom: &str,
    bottom_closed: bool,
) -> Read<Range> {
    if third == Token::EndArray {
        let bottom = number(reader, bottom)?;
        return Ok(Range::above(bottom, bottom_closed));
    }
    let operator = reader.text()?;
    if third != Token::Text {
        return Err(reader.fault(format!("Bad value in numeric range: {operator}")));
    }
    if !matches!(&*operator, "<" | "<=") {
        return Err(reader.fault(format!("Bad numeric range operator: {operator}")));
    }
    if reader.next()? != Token::Number {
        return Err(reader.fault(format!("Value of {operator} must be numeric")));
    }
    let top = reader.text()?;
    if reader.next()? != Token::EndArray {
        return Err(reader.fault("Too many terms in numeric range expression"));
    }
    let bottom = number(reader, bottom)?;
    let top = number(reader, &top)?;
    if bottom >= top {
        return Err(reader.fault("Bottom must be less than top"));
    }
    Ok(Range::above(bottom, bottom_closed).and(Range::below(top, &*operator == "<=")))
}

fn number(reader: &Reader<'_>, text: &str) -> Read<Ordinal> {
    comparable(text).ok_or_else(|| reader.fault(format!("Cannot compare number : {text}")))
}

/// What stands under anything-but.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Excluded {
    Values,
    IgnoreCase,
    Prefix,
    Suffix,
    Wildcard,
}

fn anything_but(reader: &mut Reader<'_>) -> Read<Condition> {
    let mut token = reader.next()?;
    let mut kind = Excluded::Values;
    if token == Token::StartObject {
        kind = nested_kind(reader)?;
        token = reader.next()?;
    }
    let excluded = match (token, kind) {
        (Token::StartArray, Excluded::Values) => excluded_values(reader)?,
        (Token::StartArray, _) => nested_list(reader, kind)?,
        (Token::Text, Excluded::Values) => vec![Condition::Text(reader.text()?.into())],
        (Token::Number, Excluded::Values) => {
            let text = reader.text()?;
            // The service lets this one finding escape without its location.
            let value = comparable(&text)
                .ok_or_else(|| Fault::nowhere(format!("Cannot compare number : {text}")))?;
            vec![Condition::Range(Range::exactly(value))]
        }
        (Token::Text, _) => {
            let operand = nested_operand(reader, kind)?;
            vec![nested_condition(reader, kind, &operand)?]
        }
        (Token::Number, _) => return Err(not_a_string(reader, kind)),
        _ => {
            let reason = "Value of anything-but must be an array or single string/number value.";
            return Err(reader.fault(reason));
        }
    };
    end(reader, TOO_MANY_ELEMENTS)?;
    if kind != Excluded::Values {
        end(reader, TOO_MANY_ELEMENTS)?;
    }
    Ok(Condition::AnythingBut(excluded.into()))
}

fn nested_kind(reader: &mut Reader<'_>) -> Read<Excluded> {
    if reader.next()? != Token::Name {
        return Err(reader.fault("Anything-But expression name not found"));
    }
    match &**reader.name() {
        IGNORE_CASE => Ok(Excluded::IgnoreCase),
        "prefix" => Ok(Excluded::Prefix),
        "suffix" => Ok(Excluded::Suffix),
        "wildcard" => Ok(Excluded::Wildcard),
        other => Err(reader.fault(format!("Unsupported anything-but pattern: {other}"))),
    }
}

fn excluded_values(reader: &mut Reader<'_>) -> Read<Vec<Condition>> {
    let mut excluded = Vec::new();
    let mut numbers = 0;
    loop {
        match excluded_value(reader).map_err(Fault::located_twice)? {
            Some(condition @ Condition::Range(_)) => {
                numbers += 1;
                excluded.push(condition);
            }
            Some(condition) => excluded.push(condition),
            None => break,
        }
    }
    if excluded.is_empty() || (numbers != 0 && numbers != excluded.len()) {
        let reason = "Inside anything but list, either all values are number or string, mixed type is not \
                      supported";
        return Err(reader.fault(reason));
    }
    Ok(excluded)
}

fn excluded_value(reader: &mut Reader<'_>) -> Read<Option<Condition>> {
    match reader.next()? {
        Token::EndArray => Ok(None),
        Token::Text => Ok(Some(Condition::Text(reader.text()?.into()))),
        Token::Number => {
            let text = reader.text()?;
            Ok(Some(Condition::Range(Range::exactly(number(
                reader, &text,
            )?))))
        }
        _ => {
            let reason = "Inside anything but list, start|null|boolean is not supported.";
            Err(reader.fault(reason))
        }
    }
}

fn nested_list(reader: &mut Reader<'_>, kind: Excluded) -> Read<Vec<Condition>> {
    let mut operands = Vec::new();
    while let Some(operand) = nested_item(reader, kind).map_err(Fault::located_twice)? {
        operands.push(operand);
    }
    operands
        .iter()
        .map(|operand| nested_condition(reader, kind, operand))
        .collect()
}

fn nested_item(reader: &mut Reader<'_>, kind: Excluded) -> Read<Option<String>> {
    match reader.next()? {
        Token::EndArray => Ok(None),
        Token::Text => nested_operand(reader, kind).map(Some),
        _ => Err(not_a_string(reader, kind)),
    }
}

fn nested_operand(reader: &mut Reader<'_>, kind: Excluded) -> Read<String> {
    let operand = reader.text()?.into_owned();
    if operand.is_empty() && matches!(kind, Excluded::Prefix | Excluded::Suffix) {
        return Err(reader.fault("Null prefix/suffix not allowed"));
    }
    Ok(operand)
}

fn nested_condition(reader: &Reader<'_>, kind: Excluded, operand: &str) -> Read<Condition> {
    Ok(match kind {
        Excluded::Values => Condition::Text(operand.into()),
        Excluded::IgnoreCase => Condition::Fold(Folded::new(operand)),
        Excluded::Prefix => Condition::Prefix(operand.into()),
        Excluded::Suffix => Condition::Suffix(operand.into()),
        Excluded::Wildcard => Condition::Wildcard(wildcard(reader, operand)?),
    })
}

fn not_a_string(reader: &Reader<'_>, kind: Excluded) -> Fault {
    reader.fault(match kind {
        Excluded::IgnoreCase => {
            "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
        }
        Excluded::Wildcard => "wildcard match pattern must be a string",
        Excluded::Values | Excluded::Prefix | Excluded::Suffix => {
            "prefix/suffix match pattern must be a string"
        }
    })
}
