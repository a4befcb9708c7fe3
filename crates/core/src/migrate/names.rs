//! What becomes of `eventName`: the calls that a rule names give the `detail-type` and the `reason` of the direct event.
//!
//! Matchers are held against every call that writes objects. Never guesses: a rule that takes a call for which S3 sends
//! no event is refused.

use super::pattern::{Translator, find, item_holds};
use super::table::{CALLS, CALLS_WITHOUT_EVENT, Call, OLD_DETAIL_TYPE, call_named};
use crate::template::{Entry, Node, Span};

/// One list of names in a pattern, and the calls that it takes.
pub(super) struct Named<'n> {
    entry: &'n Entry,
    calls: Vec<Call>,
}

impl Translator<'_> {
    /// Every list of names in a pattern. A rule that leaves them open is refused, unless it is to be widened.
    pub(super) fn named<'n>(&mut self, pattern: &'n Node) -> Vec<Named<'n>> {
        let mut named = Vec::new();
        if !self.gather(pattern, &mut named) {
            self.unnamed(pattern.span);
        }
        named
    }

    /// Gathers the names of one level: the pattern, its detail, or an alternative. Whether all that it takes is named.
    fn gather<'n>(&mut self, level: &'n Node, named: &mut Vec<Named<'n>>) -> bool {
        let mut is_named = false;
        if let Some(entry) = find(level, "eventName") {
            let calls = self.calls(&entry.value);
            named.push(Named { entry, calls });
            is_named = true;
        }
        if let Some(detail) = level.get("detail") {
            is_named |= self.gather(detail, named);
        }
        let branches = level.get("$or").and_then(Node::items).unwrap_or_default();
        let mut are_named = !branches.is_empty();
        for branch in branches {
            are_named &= self.gather(branch, named);
        }
        is_named || are_named
    }

    /// The calls that a list of names takes.
    fn calls(&mut self, names: &Node) -> Vec<Call> {
        let Some(items) = names.items() else {
            self.not_literal(names.span);
            return Vec::new();
        };
        let mut calls = Vec::new();
        for item in items {
            match item.as_str() {
                _ if item.function().is_some() => self.not_literal(item.span),
                Some(text) => match call_named(text) {
                    Some(call) => calls.push(call),
                    None => self.refuse(
                        item.span,
                        format!("S3 sends no event of its own for `{text}`"),
                        "take the name out of the list, or keep the trail for this rule",
                    ),
                },
                None => calls.extend(self.matched(item)),
            }
        }
        calls
    }

    /// The calls that a matcher takes.
    fn matched(&mut self, item: &Node) -> Vec<Call> {
        let takes = |name: &&str| item_holds(item, name);
        let lost: Vec<&str> = CALLS_WITHOUT_EVENT.into_iter().filter(takes).collect();
        if !lost.is_empty() {
            self.refuse(
                item.span,
                format!(
                    "`eventName` takes calls for which S3 sends no event of its own: {}",
                    lost.join(", ")
                ),
                "list the names that are meant, then migrate",
            );
            return Vec::new();
        }
        let calls = taken(item);
        if calls.is_empty() {
            self.refuse(
                item.span,
                "`eventName` takes no call that writes an object".to_owned(),
                "list the names that are meant, then migrate",
            );
        }
        calls
    }

    fn not_literal(&mut self, span: Span) {
        self.refuse(
            span,
            "`eventName` is not a list of literal names".to_owned(),
            "list the names, then migrate",
        );
    }

    fn unnamed(&mut self, span: Span) {
        if self.widen {
            return self.differs(
                span,
                "the rule did not name its calls and fired on every one that the trail logs, each part of a multipart \
                 upload included; now on `Object Created` only",
            );
        }
        self.refuse(
            span,
            "the rule has no `eventName`: it fires on every call that the trail logs".to_owned(),
            "name the calls that are meant, or migrate with --widen, which takes every `Object Created`",
        );
    }

    /// `detail-type`, and with it what becomes of `eventName`.
    pub(super) fn detail_type(&mut self, pattern: &Node, named: &[Named<'_>]) {
        let calls: Vec<&Call> = named.iter().flat_map(|it| &it.calls).collect();
        let mut types: Vec<&str> = Vec::new();
        for call in &calls {
            if !types.contains(&call.detail_type) {
                types.push(call.detail_type);
            }
        }
        if types.is_empty() {
            types.push("Object Created");
        }
        let without = calls.iter().filter(|it| it.reason.is_none()).count();
        if without > 0 && without < calls.len() {
            return self.refuse(
                pattern.span,
                "the rule mixes calls whose events have a `reason` with calls whose events have none".to_owned(),
                "make a rule of each kind, then migrate",
            );
        }
        // Without a reason only the type tells events apart, and all alternatives share the types.
        if without > 0 && named.len() > 1 && types.len() > 1 {
            return self.refuse(
                pattern.span,
                "the alternatives of the rule wait for different events".to_owned(),
                "make a rule of each alternative, then migrate",
            );
        }
        match pattern.get("detail-type") {
            Some(list) => self.write_types(list, &types),
            None => {
                let first = pattern.entries().and_then(<[Entry]>::first);
                if let Some(first) = first {
                    self.add_before(pattern, first, "detail-type", &types);
                }
            }
        }
        for it in named {
            self.reasons(it);
        }
    }

    fn write_types(&mut self, list: &Node, types: &[&str]) {
        let Some(item) = list.items().and_then(<[Node]>::first) else {
            return;
        };
        let (first, more) = types.split_first().unwrap_or((&"Object Created", &[]));
        self.draft.rewrite(self.source, item.span, first);
        self.changed(
            item.span,
            format!(
                "waits for {} instead of \"{OLD_DETAIL_TYPE}\"",
                quoted(types)
            ),
        );
        let end = self.source.content_end(item);
        for name in more {
            let separator = self.separator(list, item);
            self.draft.insert(end, format!("{separator}\"{name}\""));
        }
    }

    /// What stands between two items of a list.
    fn separator(&self, list: &Node, item: &Node) -> String {
        if self.source.is_flow(list) {
            return ", ".to_owned();
        }
        let indent = self.source.indent(item.span.start.byte);
        format!("{}{indent}- ", self.source.newline())
    }

    fn reasons(&mut self, named: &Named<'_>) {
        let (entry, calls) = (named.entry, &named.calls);
        if self.widen || calls.iter().all(|it| it.reason.is_none()) {
            self.draft.remove_entry(entry);
            if self.widen {
                self.differs(
                    entry.key_span,
                    "starts on every way to make an object, copies and multipart uploads included, as --widen asks",
                );
            }
            return;
        }
        self.draft.rewrite(self.source, entry.key_span, "reason");
        self.changed(entry.key_span, "`eventName` became `reason`");
        let mut seen = Vec::new();
        for item in entry.value.items().unwrap_or_default() {
            self.reason(&entry.value, item, &mut seen);
        }
        let says = |name: &str| calls.iter().any(|it| it.event_name == name);
        if says("PutObject") && !says("CompleteMultipartUpload") {
            self.differs(
                entry.value.span,
                "still misses large files: clients upload them in parts, which is `CompleteMultipartUpload`; \
                 --widen takes every way to make an object",
            );
        }
        if says("DeleteObjects") {
            self.differs(
                entry.value.span,
                "a `DeleteObjects` call was one event without a key; now each object that it deletes is one event",
            );
        }
    }

    /// Puts the reasons of one item in its place, those that the list has not said yet.
    fn reason(&mut self, list: &Node, item: &Node, seen: &mut Vec<&'static str>) {
        let calls = match item.as_str() {
            Some(text) => call_named(text).into_iter().collect(),
            None => taken(item),
        };
        let mut new: Vec<&'static str> = Vec::new();
        for reason in calls.iter().filter_map(|it| it.reason) {
            if !seen.contains(&reason) && !new.contains(&reason) {
                new.push(reason);
            }
        }
        seen.extend(&new);
        let (start, end) = (item.span.start.byte, self.source.content_end(item));
        match (new.split_first(), item.as_str()) {
            (None, _) => self.draft.remove_item(item),
            (Some((reason, _)), Some(text)) if text == *reason => {}
            (Some((reason, _)), Some(_)) => self.draft.rewrite(self.source, item.span, reason),
            (Some((first, more)), None) => {
                let separator = self.separator(list, item);
                let more = more.iter().map(|it| format!("{separator}\"{it}\""));
                let text = format!("\"{first}\"{}", more.collect::<String>());
                self.draft.replace(start, end, text);
            }
        }
    }
}

/// The calls with an event of their own that a matcher takes.
fn taken(item: &Node) -> Vec<Call> {
    let takes = |call: &Call| item_holds(item, call.event_name);
    CALLS.into_iter().filter(takes).collect()
}

fn quoted(types: &[&str]) -> String {
    let quoted: Vec<String> = types.iter().map(|it| format!("\"{it}\"")).collect();
    quoted.join(" and ")
}
