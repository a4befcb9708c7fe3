//! CloudFormation's intrinsic functions, one by one.
//!
//! Each takes its argument's node and gives a value. Functions that need a transform are refused.

use serde_json::Value as Json;

use super::cidr;
use super::error::TemplateError;
use super::evaluate::{Evaluator, Resolved};
use super::loose::{as_i64_loose, as_string_loose, same};
use super::node::Node;
use super::references::{Piece, attribute_of, pieces};

/// Calls a function by its long name.
pub(super) fn call(on: &Evaluator<'_>, name: &str, argument: &Node) -> Resolved {
    match name {
        "Ref" => reference(on, argument),
        "Condition" => condition(on, argument),
        "Fn::GetAtt" => attribute(on, argument),
        "Fn::Sub" => substitute(on, argument),
        "Fn::Join" => join(on, argument),
        "Fn::Select" => select(on, argument),
        "Fn::Split" => split(on, argument),
        "Fn::FindInMap" => find_in_map(on, argument),
        "Fn::ImportValue" => import(on, argument),
        "Fn::If" => choose(on, argument),
        "Fn::Equals" => equals(on, argument),
        "Fn::And" | "Fn::Or" => all_or_any(on, name, argument),
        "Fn::Not" => not(on, argument),
        "Fn::Contains" => contains(on, argument),
        "Fn::EachMemberEquals" | "Fn::EachMemberIn" => each_member(on, name, argument),
        "Fn::Base64" => base64(on, argument),
        "Fn::GetAZs" => zones(on, argument),
        "Fn::Cidr" => blocks(on, argument),
        _ => Err(TemplateError::template(
            argument.span,
            format_args!("{name} is not supported here"),
        )),
    }
}

fn misused(argument: &Node, words: &str) -> TemplateError {
    TemplateError::template(argument.span, words)
}

fn arguments<'a, const N: usize>(
    argument: &'a Node,
    words: &str,
) -> Result<&'a [Node; N], TemplateError> {
    argument
        .items()
        .and_then(|items| items.try_into().ok())
        .ok_or_else(|| misused(argument, words))
}

/// An argument that has to be a list, written out or given by a function.
fn list(on: &Evaluator<'_>, node: &Node, words: &str) -> Result<Vec<Json>, TemplateError> {
    match on.node(node)? {
        Some(Json::Array(items)) => Ok(items),
        _ => Err(misused(node, words)),
    }
}

fn reference(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let name = argument.as_str().ok_or_else(|| {
        TemplateError::format(
            argument.span,
            "Every Ref object must have a single String value.",
        )
    })?;
    on.reference(name)
}

fn condition(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let name = argument.as_str().unwrap_or_default();
    Ok(on.conditions().get(name).map(Json::Bool))
}

fn attribute(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words = "every Fn::GetAtt object requires two non-empty parameters, the resource name and \
                 the resource attribute";
    let (id, mut name) = attribute_of(argument).ok_or_else(|| misused(argument, words))?;
    if name.is_empty()
        && let Some([_, computed]) = argument.items()
    {
        name = on.text(computed, "The attribute of Fn::GetAtt")?;
    }
    if id.is_empty() || name.is_empty() {
        return Err(misused(argument, words));
    }
    on.attribute(&id, &name)
}

fn substitute(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words = "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a \
                 string as first argument, and an optional second argument to specify a mapping of \
                 values to replace in the string";
    let (text, own) = match argument.items() {
        None => (argument.scalar_text(), None),
        Some([text, own]) if own.entries().is_some() => (text.scalar_text(), Some(own)),
        Some([text]) => (text.scalar_text(), None),
        Some(_) => (None, None),
    };
    let text = text.ok_or_else(|| misused(argument, words))?;
    let mut result = String::new();
    for piece in pieces(&text) {
        match piece {
            Piece::Text(text) => result.push_str(text),
            Piece::Literal(name) => result.push_str(&format!("${{{name}}}")),
            Piece::Variable(name) => result.push_str(&variable(on, argument, own, name)?),
        }
    }
    Ok(Some(Json::String(result)))
}

fn variable(
    on: &Evaluator<'_>,
    argument: &Node,
    own: Option<&Node>,
    name: &str,
) -> Result<String, TemplateError> {
    if let Some(node) = own.and_then(|own| own.get(name)) {
        return on.text(node, &format!("The variable {name} of Fn::Sub"));
    }
    let value = match name.split_once('.') {
        Some((id, attribute)) => on.attribute(id, attribute)?,
        None => on.reference(name)?,
    };
    value.as_ref().and_then(as_string_loose).ok_or_else(|| {
        misused(
            argument,
            &format!("the variable {name} of Fn::Sub does not evaluate to a string"),
        )
    })
}

fn join(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words = "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a \
                 list of strings to be joined or a function that returns a list of strings (such as \
                 Fn::GetAZs) to be joined.";
    let [delimiter, items] = arguments::<2>(argument, words)?;
    let delimiter = delimiter.as_str().ok_or_else(|| misused(argument, words))?;
    // A written list keeps its items' source text: 1.10 is not 1.1.
    let texts: Option<Vec<String>> = match items.items() {
        Some(nodes) => {
            let mut texts = Vec::with_capacity(nodes.len());
            for node in nodes {
                texts.extend(joined(on, node)?);
            }
            Some(texts)
        }
        None => list(on, items, words)?
            .iter()
            .map(as_string_loose)
            .collect(),
    };
    let texts = texts.ok_or_else(|| misused(argument, words))?;
    Ok(Some(Json::String(texts.join(delimiter))))
}

fn joined(on: &Evaluator<'_>, node: &Node) -> Result<Option<String>, TemplateError> {
    match on.node(node)? {
        None => Ok(None),
        Some(_) if node.function().is_none() => on.text(node, "Every item of Fn::Join").map(Some),
        Some(value) => as_string_loose(&value)
            .map(Some)
            .ok_or_else(|| misused(node, "every item of Fn::Join must evaluate to a string")),
    }
}

fn select(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words =
        "Fn::Select requires a list argument with two elements: an integer index and a list";
    let [index, items] = arguments::<2>(argument, words)?;
    let index = on.node(index)?.as_ref().and_then(as_i64_loose);
    let items = list(on, items, words)?;
    let index = index.ok_or_else(|| misused(argument, words))?;
    let found = usize::try_from(index)
        .ok()
        .and_then(|at| items.get(at).cloned());
    found.map(Some).ok_or_else(|| {
        misused(
            argument,
            &format!("Fn::Select cannot select nonexistent value at index {index}"),
        )
    })
}

fn split(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words = "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a \
                 string to be split or a function that returns a string to be split.";
    let [delimiter, text] = arguments::<2>(argument, words)?;
    let delimiter = delimiter.as_str().filter(|it| !it.is_empty());
    let delimiter = delimiter.ok_or_else(|| misused(argument, words))?;
    let text = on.text(text, "The second parameter of Fn::Split")?;
    Ok(Some(text.split(delimiter).map(Json::from).collect()))
}

fn find_in_map(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words = "every Fn::FindInMap object requires three parameters, the map name, map key and \
                 the attribute for return value";
    let Some([map, top, second, rest @ ..]) = argument.items() else {
        return Err(misused(argument, words));
    };
    let key = |node: &Node| on.text(node, "Every parameter of Fn::FindInMap");
    let (map, top, second) = (key(map)?, key(top)?, key(second)?);
    let mapping = on.template.mappings.get(&map);
    if let Some(found) = mapping.and_then(|it| it.get(&top)?.get(&second)) {
        return Ok(Some(found.to_json()));
    }
    match rest {
        [] => Err(misused(
            argument,
            &format!("Unable to get mapping for {map}::{top}::{second}"),
        )),
        [options] => match options.get("DefaultValue") {
            Some(default) => on.node(default),
            None => Err(misused(argument, words)),
        },
        _ => Err(misused(argument, words)),
    }
}

fn import(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let name = on.text(argument, "The parameter of Fn::ImportValue")?;
    let found = on.lookup.import(&name).map(Json::from);
    found
        .map(Some)
        .ok_or_else(|| TemplateError::at(argument.span, format!("No export named {name} found")))
}

fn choose(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words = "Fn::If requires a list argument with three elements";
    let [name, yes, no] = arguments::<3>(argument, words)?;
    let name = name.as_str().ok_or_else(|| misused(argument, words))?;
    match on.conditions().get(name) {
        Some(true) => on.node(yes),
        Some(false) => on.node(no),
        None => Err(misused(
            argument,
            &format!("unresolved condition dependency {name} in Fn::If"),
        )),
    }
}

fn equals(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words = "every Fn::Equals object requires a list of 2 string parameters.";
    let [left, right] = arguments::<2>(argument, words)?;
    let (left, right) = (comparable(on, left)?, comparable(on, right)?);
    Ok(Some(Json::Bool(same(&left, &right))))
}

fn comparable(on: &Evaluator<'_>, node: &Node) -> Result<Json, TemplateError> {
    match node.scalar_text() {
        Some(text) => Ok(Json::from(text)),
        None => on.node(node).map(Option::unwrap_or_default),
    }
}

fn all_or_any(on: &Evaluator<'_>, name: &str, argument: &Node) -> Resolved {
    let items = argument
        .items()
        .filter(|items| (2..=10).contains(&items.len()));
    let items = items.ok_or_else(|| {
        let words = "object requires a list of at least 2 and at most 10 boolean parameters.";
        misused(argument, &format!("every {name} {words}"))
    })?;
    let truths = items
        .iter()
        .map(|item| on.truth(item))
        .collect::<Result<Vec<bool>, _>>()?;
    let all = name == "Fn::And";
    let result = if all {
        truths.iter().all(|it| *it)
    } else {
        truths.iter().any(|it| *it)
    };
    Ok(Some(Json::Bool(result)))
}

fn not(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words = "every Fn::Not object requires a list of 1 boolean parameter.";
    let [item] = arguments::<1>(argument, words)?;
    Ok(Some(Json::Bool(!on.truth(item)?)))
}

fn contains(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words = "every Fn::Contains object requires a list of strings and a string.";
    let [items, wanted] = arguments::<2>(argument, words)?;
    let items = list(on, items, words)?;
    let wanted = comparable(on, wanted)?;
    Ok(Some(Json::Bool(
        items.iter().any(|item| same(item, &wanted)),
    )))
}

fn each_member(on: &Evaluator<'_>, name: &str, argument: &Node) -> Resolved {
    let words = "every Fn::EachMemberEquals and Fn::EachMemberIn object requires a list of strings \
                 and what its members are compared with.";
    let [items, wanted] = arguments::<2>(argument, words)?;
    let items = list(on, items, words)?;
    let allowed = match name {
        "Fn::EachMemberIn" => list(on, wanted, words)?,
        _ => vec![comparable(on, wanted)?],
    };
    let fits = |item: &Json| allowed.iter().any(|it| same(it, item));
    Ok(Some(Json::Bool(items.iter().all(fits))))
}

fn base64(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    use base64::Engine as _;
    let text = on.text(argument, "The parameter of Fn::Base64")?;
    Ok(Some(Json::from(
        base64::engine::general_purpose::STANDARD.encode(text),
    )))
}

fn zones(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let region = on.text(argument, "The parameter of Fn::GetAZs")?;
    let region = if region.is_empty() {
        &on.pseudo.region
    } else {
        &region
    };
    Ok(Some(Json::from(on.lookup.availability_zones(region))))
}

fn blocks(on: &Evaluator<'_>, argument: &Node) -> Resolved {
    let words = "Fn::Cidr requires an IP address block, a count from 1 to 256 and, optionally, the \
                 number of subnet bits";
    let (block, count, bits) = match argument.items() {
        Some([block, count]) => (block, count, None),
        Some([block, count, bits]) => (block, count, Some(bits)),
        _ => return Err(misused(argument, words)),
    };
    let number = |node: &Node| {
        let number = on.node(node)?.as_ref().and_then(as_i64_loose);
        number
            .and_then(|it| u32::try_from(it).ok())
            .ok_or_else(|| misused(node, words))
    };
    let block = on.text(block, "The block of Fn::Cidr")?;
    let bits = bits.map(number).transpose()?;
    let blocks = cidr::cut(&block, number(count)?, bits);
    blocks
        .map(|it| Some(Json::from(it)))
        .ok_or_else(|| misused(argument, words))
}
