//! Rewrites what the targets of a rule receive: input paths of the record become those of the direct event.
//!
//! Never touches the text of an input template: its placeholders keep their names.

use super::edit::{Draft, Source};
use super::note::{Kind, Note};
use super::symbol::Symbol;
use super::table::{Twin, twin};
use crate::template::{Node, Span, Template};
use crate::transform;

/// An input path in the direct event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moved {
    /// It reads the same there.
    Same,
    /// It is another one; the second text says where its value differs.
    To(String, Option<&'static str>),
    /// There is none; the text advises what to do.
    None(&'static str),
}

const WHOLE: &str = "write the input of the target from the bucket and the key with an InputTransformer, then migrate";

/// Translates one input path.
pub(super) fn moved(path: &str) -> Moved {
    let Some(steps) = dotted(path) else {
        return Moved::None("write the path with names and dots, then migrate");
    };
    match steps.as_str() {
        "id" | "time" | "region" | "account" | "source" | "version" => return Moved::Same,
        "" | "detail" | "detail.requestParameters" => return Moved::None(WHOLE),
        "detail-type" => {
            return Moved::None(
                "the detail type of the direct event is another one: take the path out",
            );
        }
        _ => {}
    }
    let below = steps.strip_prefix("detail.").unwrap_or_default();
    match twin(below) {
        Twin::At(to) => Moved::To(written(to), None),
        Twin::Nearly(to, how) => Moved::To(written(to), Some(how)),
        Twin::Always(_) => {
            Moved::None("it always had the same value: write that into the input template")
        }
        Twin::OnlyOfFailures => {
            Moved::None("S3 sends events only for calls that succeed: take the path out")
        }
        Twin::None(advice) => Moved::None(advice),
    }
}

fn written(to: &str) -> String {
    format!("$.{to}")
}

/// `$.a['b'][0]` as `a.b[0]`; `None` for paths with wildcards and malformed ones.
pub(crate) fn dotted(path: &str) -> Option<String> {
    let mut rest = path.strip_prefix('$')?;
    let mut result = String::new();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix("['").or_else(|| rest.strip_prefix("[\"")) {
            let quote = rest.chars().nth(1)?;
            let (name, behind) = inside.split_once(quote)?;
            rest = behind.strip_prefix(']')?;
            push(&mut result, name);
        } else if let Some(inside) = rest.strip_prefix('[') {
            let (index, behind) = inside.split_once(']')?;
            index.parse::<usize>().ok()?;
            result.push_str(&format!("[{index}]"));
            rest = behind;
        } else {
            let after = rest.strip_prefix('.')?;
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, behind) = after.split_at_checked(end)?;
            if name.is_empty() || name == "*" {
                return None;
            }
            push(&mut result, name);
            rest = behind;
        }
    }
    Some(result)
}

fn push(result: &mut String, name: &str) {
    if !result.is_empty() {
        result.push('.');
    }
    result.push_str(name);
}

/// What translating the inputs of a rule's targets needs to know.
pub(super) struct Inputs<'a> {
    pub(super) source: Source<'a>,
    pub(super) template: &'a Template,
    /// Logical id of the rule.
    pub(super) rule: &'a str,
    pub(super) draft: Draft,
    pub(super) notes: Vec<Note>,
}

impl Inputs<'_> {
    /// Translates the inputs of all targets of a rule.
    pub(super) fn targets(&mut self, targets: &Node) {
        let Some(items) = targets.items() else {
            return self.refuse(
                targets.span,
                "the rule's targets are not written out",
                "write them out, then migrate",
            );
        };
        for target in items {
            if target.function().is_some() {
                self.refuse(
                    target.span,
                    "a target of the rule is not written out",
                    "write it out, then migrate",
                );
                continue;
            }
            self.target(target);
        }
    }

    fn refuse(&mut self, span: Span, message: impl Into<String>, advice: &str) {
        let note = Note::new(Kind::Refused, self.rule, span, message);
        self.notes.push(note.advise(advice));
    }

    fn target(&mut self, target: &Node) {
        if let Some(path) = target.get("InputPath") {
            self.path(path, "InputPath", is_task(target));
        } else if let Some(transformer) = target.get("InputTransformer") {
            self.transformer(transformer);
        } else if target.get("Input").is_none() && !is_task(target) {
            self.refuse(
                target.span,
                "the target receives the whole event, which has another form on the direct road",
                WHOLE,
            );
        }
    }

    fn transformer(&mut self, transformer: &Node) {
        let Some(template) = transformer.get("InputTemplate") else {
            return;
        };
        let text = Symbol::of(template, self.template);
        let text = text.as_ref().and_then(Symbol::literal);
        let names: Option<Vec<String>> = text.map(|text| {
            let template = transform::Template::parse(text);
            template.placeholders().map(str::to_owned).collect()
        });
        let uses = |name: &str| {
            names
                .as_ref()
                .is_none_or(|all| all.iter().any(|it| it == name))
        };
        let names_event = names
            .iter()
            .flatten()
            .find(|it| it.starts_with("aws.events.event"));
        if let Some(name) = names_event.filter(|it| !it.ends_with("ingestion-time")) {
            self.refuse(
                template.span,
                format!("the input template has <{name}>, and the event has another form on the direct road"),
                WHOLE,
            );
        }
        let paths = transformer.get("InputPathsMap").and_then(Node::entries);
        for entry in paths.unwrap_or_default() {
            if uses(&entry.key) {
                self.path(&entry.value, &entry.key, false);
            }
        }
    }

    /// `is_harmless`: what the path selects is read as overrides, of which a part of the event never has any.
    fn path(&mut self, path: &Node, name: &str, is_harmless: bool) {
        let symbol = Symbol::of(path, self.template);
        let Some(text) = symbol.as_ref().and_then(Symbol::literal) else {
            return self.refuse(
                path.span,
                format!("the input path {name} is not literal"),
                "write it out, then migrate",
            );
        };
        match moved(text) {
            Moved::Same => {}
            Moved::To(to, how) => {
                let scalar = path.function().map_or(path, |(_, argument)| argument);
                if scalar.as_str().is_none() {
                    return self.refuse(
                        path.span,
                        format!("the input path {name} is put together"),
                        "write it out, then migrate",
                    );
                }
                self.draft.rewrite(self.source, scalar.span, &to);
                let message = format!("the input path `{text}` became `{to}`");
                self.notes
                    .push(Note::new(Kind::Changed, self.rule, path.span, message));
                if let Some(how) = how {
                    self.notes
                        .push(Note::new(Kind::Differs, self.rule, path.span, how));
                }
            }
            Moved::None(_)
                if is_harmless && text.starts_with("$.detail") && !text.contains("Parameters.") => {
            }
            Moved::None(advice) => self.refuse(
                path.span,
                format!("the input path `{text}` has no twin in the direct event"),
                advice,
            ),
        }
    }
}

/// Whether a target starts ECS tasks.
pub(crate) fn is_task(target: &Node) -> bool {
    target.get("EcsParameters").is_some()
}
