//! Rewrites the event pattern of one rule from the record's fields to those of the direct event.
//!
//! Renames and removes in place. Never guesses: a filter that the direct event cannot answer refuses the rule.

use landfall_pattern::{Event, Pattern};
use serde_json::json;

use super::edit::{Draft, Source};
use super::note::{Kind, Note};
use super::symbol::Symbol;
use super::table::{OLD_DETAIL_TYPE, Twin, twin};
use crate::template::{Entry, Node, Span, Template};

/// What a pattern is to the old road.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    /// It waits for S3's calls as CloudTrail tells them.
    Old,
    /// It waits for calls of other services as CloudTrail tells them.
    OtherCalls,
    /// Anything else.
    Elsewhere,
}

/// Which road a pattern is on.
pub(crate) fn road(pattern: &Node) -> Road {
    let allows = |name: &str, value: &str| pattern.get(name).map(|it| holds(it, &json!(value)));
    let detail = |name: &str| pattern.get("detail").and_then(|it| it.get(name));
    let is_told = match allows("detail-type", OLD_DETAIL_TYPE) {
        Some(told) => told,
        None => detail("eventName").is_some() || detail("eventSource").is_some(),
    };
    if !is_told {
        return Road::Elsewhere;
    }
    let by_source = detail("eventSource").map(|it| holds(it, &json!("s3.amazonaws.com")));
    match (allows("source", "aws.s3"), by_source) {
        (Some(true), None | Some(true)) | (None, Some(true)) => Road::Old,
        _ => Road::OtherCalls,
    }
}

/// Whether a list of values of a pattern takes a value.
pub(crate) fn holds(values: &Node, value: &serde_json::Value) -> bool {
    takes(values, &json!({"field": value}))
}

/// Whether a list of values of a pattern takes a field that is not there.
pub(crate) fn holds_absent(values: &Node) -> bool {
    takes(values, &json!({"other": 0}))
}

/// Whether one value of a pattern, literal or a matcher, takes a value.
pub(crate) fn item_holds(item: &Node, value: &str) -> bool {
    let pattern = json!({"field": [plain(item)]}).to_string();
    let event = json!({"field": value}).to_string();
    match (Pattern::parse(&pattern), Event::parse(&event)) {
        (Ok(pattern), Ok(event)) => pattern.matches(&event),
        _ => false,
    }
}

fn takes(values: &Node, event: &serde_json::Value) -> bool {
    let pattern = json!({"field": plain(values)}).to_string();
    let event = event.to_string();
    match (Pattern::parse(&pattern), Event::parse(&event)) {
        (Ok(pattern), Ok(event)) => pattern.matches(&event),
        _ => false,
    }
}

/// A node as JSON with a text in the place of each call: what it stands for if that is plain, else one that nothing is.
fn plain(node: &Node) -> serde_json::Value {
    const UNKNOWN: &str = "\u{0}";
    if let Some((name, argument)) = node.function() {
        let text = argument
            .as_str()
            .filter(|it| name == "Fn::Sub" && !it.contains("${"));
        return json!(text.unwrap_or(UNKNOWN));
    }
    match node.items() {
        Some(items) => items.iter().map(plain).collect(),
        None => node.to_json(),
    }
}

/// How to translate.
pub(super) struct Translator<'a> {
    pub(super) source: Source<'a>,
    pub(super) template: Option<&'a Template>,
    /// Logical id of the rule.
    pub(super) rule: &'a str,
    /// Whether the names of calls are dropped instead of becoming reasons.
    pub(super) widen: bool,
    pub(super) draft: Draft,
    pub(super) notes: Vec<Note>,
}

impl Translator<'_> {
    /// Translates a whole pattern. What cannot be translated is noted as [`Kind::Refused`].
    pub(super) fn pattern(&mut self, pattern: &Node) {
        let entries = pattern.entries().unwrap_or_default();
        for entry in entries {
            match entry.key.as_str() {
                "source" => self.only(entry, "aws.s3"),
                "detail-type" => self.only(entry, OLD_DETAIL_TYPE),
                "resources" => self.refuse(
                    entry.key_span,
                    "the rule filters on `resources`, which is empty in CloudTrail's events: it never matches"
                        .to_owned(),
                    "take the filter out, or name the bucket in `detail`",
                ),
                "$or" => self.top(entry),
                _ => {}
            }
        }
        if !self.details(pattern) {
            return;
        }
        let named = self.named(pattern);
        self.detail_type(pattern, &named);
        self.hollow(pattern);
        if pattern.get("source").is_none()
            && let Some(first) = entries.first()
        {
            self.add_source(pattern, first);
        }
    }

    /// `$or` at the top: each alternative may only say something about `detail`.
    fn top(&mut self, entry: &Entry) {
        for branch in entry.value.items().unwrap_or_default() {
            let entries = branch.entries().unwrap_or_default();
            let is_detail = |it: &Entry| it.key == "detail";
            if entries.is_empty() || !entries.iter().all(is_detail) {
                self.refuse(
                    branch.span,
                    "an alternative at the top of the pattern is about more than `detail`"
                        .to_owned(),
                    "make a rule of each alternative, then migrate",
                );
            }
        }
    }

    /// Translates `detail`, and that of each alternative at the top; whether they are written out.
    fn details(&mut self, pattern: &Node) -> bool {
        let branches = pattern.get("$or").and_then(Node::items).unwrap_or_default();
        let levels = [pattern].into_iter().chain(branches);
        for detail in levels.filter_map(|it| it.get("detail")) {
            if detail.entries().is_none() || detail.function().is_some() {
                self.refuse(
                    detail.span,
                    "the rule's `detail` is not written out".to_owned(),
                    "write it out, then migrate",
                );
                return false;
            }
            self.detail(detail);
        }
        true
    }

    /// Refuses alternatives of which nothing would be left: they would take everything.
    fn hollow(&mut self, level: &Node) {
        for entry in level.entries().unwrap_or_default() {
            if entry.key != "$or" {
                self.hollow(&entry.value);
                continue;
            }
            for branch in entry.value.items().unwrap_or_default() {
                let entries = branch.entries().unwrap_or_default();
                if entries.iter().all(|it| self.draft.entry_goes(it)) {
                    self.refuse(
                        branch.span,
                        "a branch of `$or` would be left without any filter".to_owned(),
                        "take the `$or` apart by hand",
                    );
                }
                self.hollow(branch);
            }
        }
    }

    pub(super) fn refuse(&mut self, span: Span, message: String, advice: &str) {
        let note = Note::new(Kind::Refused, self.rule, span, message);
        self.notes.push(note.advise(advice));
    }

    pub(super) fn differs(&mut self, span: Span, message: impl Into<String>) {
        self.notes
            .push(Note::new(Kind::Differs, self.rule, span, message));
    }

    pub(super) fn changed(&mut self, span: Span, message: impl Into<String>) {
        self.notes
            .push(Note::new(Kind::Changed, self.rule, span, message));
    }

    /// Refuses a list with anything beside the one value.
    fn only(&mut self, entry: &Entry, value: &str) {
        let items = entry.value.items().unwrap_or_default();
        if items.iter().any(|item| item.as_str() != Some(value)) {
            self.refuse(
                entry.value.span,
                format!(
                    "the rule's `{}` lists more than \"{value}\", or not literally",
                    entry.key
                ),
                "make a rule of its own for it, then migrate",
            );
        }
    }

    fn add_source(&mut self, pattern: &Node, first: &Entry) {
        self.add_before(pattern, first, "source", &["aws.s3"]);
        self.changed(
            first.key_span,
            "names `aws.s3` as source, which the record's `eventSource` did",
        );
    }

    pub(super) fn add_before(&mut self, map: &Node, first: &Entry, name: &str, values: &[&str]) {
        let start = first.key_span.start.byte;
        let list = serde_json::Value::from(values).to_string();
        let text = if self.source.is_flow(map) {
            format!("\"{name}\": {list}, ")
        } else {
            let line = self.source.slice(self.source.line_start(start), start);
            let indent = " ".repeat(line.len());
            format!("{name}: {list}{}{indent}", self.source.newline())
        };
        self.draft.insert(start, text);
    }

    /// One level of `detail`: the detail itself or a branch of a `$or` in it.
    fn detail(&mut self, level: &Node) {
        for entry in level.entries().unwrap_or_default() {
            match entry.key.as_str() {
                "eventName" => {}
                "requestParameters" => self.request(level, entry),
                "resources" => self.resources(level, entry),
                "userIdentity" | "additionalEventData" => self.inner(level, entry),
                "$or" => self.branches(entry),
                name => self.field(entry, name),
            }
        }
    }

    fn branches(&mut self, entry: &Entry) {
        for branch in entry.value.items().unwrap_or_default() {
            self.detail(branch);
        }
    }

    /// A field directly below `detail`.
    fn field(&mut self, entry: &Entry, path: &str) {
        match twin(path) {
            Twin::At(to) | Twin::Nearly(to, _)
                if to
                    .strip_prefix("detail.")
                    .is_some_and(|it| !it.contains('.')) =>
            {
                let name = to.trim_start_matches("detail.");
                self.draft.rewrite(self.source, entry.key_span, name);
                self.changed(entry.key_span, format!("`{path}` became `{name}`"));
                if let Twin::Nearly(_, how) = twin(path) {
                    self.differs(entry.key_span, how);
                }
            }
            Twin::Always(value) => {
                let value = serde_json::from_str(value).unwrap_or_default();
                if holds(&entry.value, &value) {
                    self.draft.remove_entry(entry);
                } else {
                    self.refuse(
                        entry.key_span,
                        format!("the filter on `{path}` never takes an upload"),
                        "take it out, or the rule",
                    );
                }
            }
            Twin::OnlyOfFailures if holds_absent(&entry.value) => {
                self.draft.remove_entry(entry);
                self.changed(
                    entry.key_span,
                    format!("`{path}` went: S3 sends events only for calls that succeed"),
                );
            }
            Twin::OnlyOfFailures => self.refuse(
                entry.key_span,
                format!(
                    "the rule waits for calls that fail (`{path}`), for which S3 sends no event"
                ),
                "keep the trail for this rule",
            ),
            Twin::At(to) if self.is_own(entry, to) => self.draft.remove_entry(entry),
            Twin::At(to) | Twin::Nearly(to, _) => self.refuse(
                entry.key_span,
                format!("`{path}` is not in the detail of the direct event"),
                &format!("filter on `{to}` of the event itself, then migrate"),
            ),
            Twin::None(advice) => self.refuse(
                entry.key_span,
                format!("the filter on `{path}` has no twin in the direct event"),
                advice,
            ),
        }
    }

    // The bus carries the events of its own account and region only.
    fn is_own(&self, entry: &Entry, to: &str) -> bool {
        let own = match to {
            "region" => "AWS::Region",
            "account" => "AWS::AccountId",
            _ => return false,
        };
        let items = entry.value.items().unwrap_or_default();
        let is_own = |item: &Node| {
            item.function()
                .is_some_and(|(name, of)| name == "Ref" && of.as_str() == Some(own))
        };
        items.iter().any(is_own)
    }

    /// `userIdentity` and `additionalEventData`, of which one member each has a twin.
    fn inner(&mut self, level: &Node, outer: &Entry) {
        let Some([entry]) = outer.value.entries() else {
            for entry in outer.value.entries().unwrap_or_default() {
                self.no_twin(entry, &format!("{}.{}", outer.key, entry.key));
            }
            return;
        };
        let path = format!("{}.{}", outer.key, entry.key);
        match path.as_str() {
            "userIdentity.accountId" => self.collapse(outer, entry, "requester"),
            "additionalEventData.bytesTransferredIn" => {
                self.size(level, outer, entry);
                self.changed(outer.key_span, format!("`{path}` became `object.size`"));
                if let Twin::Nearly(_, how) = twin(&path) {
                    self.differs(entry.key_span, how);
                }
            }
            _ => self.no_twin(entry, &path),
        }
    }

    /// The size goes into `object`: into the one that the filter on the key becomes, if there is one.
    fn size(&mut self, level: &Node, outer: &Entry, entry: &Entry) {
        if !filters_key(level) {
            self.draft.rewrite(self.source, outer.key_span, "object");
            self.draft.rewrite(self.source, entry.key_span, "size");
            return;
        }
        let request = level.get("requestParameters");
        let key = request.and_then(|it| Some((it, find(it, "key")?)));
        let sizes = entry.value.to_json();
        let is_literal = entry
            .value
            .items()
            .is_some_and(|items| items.iter().all(|it| it.function().is_none()));
        let (Some((request, key)), true) = (key, is_literal) else {
            return self.refuse(
                entry.key_span,
                "the filter on the size cannot be set beside the one on the key".to_owned(),
                "write both without alternatives and calls, then migrate",
            );
        };
        let source = self.source;
        self.draft.remove_entry(outer);
        let end = source.content_end(&key.value);
        if !source.is_flow(request) {
            let start = key.key_span.start.byte;
            let column = " ".repeat(start - source.line_start(start));
            let text = format!("{}{column}size: {sizes}", source.newline());
            return self.draft.insert(source.line_text_end(end), text);
        }
        let is_quoted = source.slice(key.key_span.start.byte, end).starts_with('"');
        let quote = if is_quoted { "\"" } else { "" };
        self.draft
            .insert(end, format!(", {quote}size{quote}: {sizes}"));
    }

    fn no_twin(&mut self, entry: &Entry, path: &str) {
        let advice = match twin(path) {
            Twin::None(advice) => advice,
            _ => "make it the only filter of its kind, then migrate",
        };
        self.refuse(
            entry.key_span,
            format!("the filter on `{path}` has no twin in the direct event"),
            advice,
        );
    }

    /// Makes one name of two within one another.
    fn collapse(&mut self, outer: &Entry, inner: &Entry, name: &str) {
        let source = self.source;
        let (from, to) = (outer.key_span.start.byte, inner.key_span.end.byte);
        let quote = if source.slice(from, to).starts_with('"') {
            "\""
        } else {
            ""
        };
        self.draft
            .replace(from, to, format!("{quote}{name}{quote}"));
        if source.is_flow(&outer.value) {
            let end = source.content_end(&inner.value);
            self.draft
                .replace(end, source.content_end(&outer.value), "");
        }
        self.changed(
            outer.key_span,
            format!("`{}.{}` became `{name}`", outer.key, inner.key),
        );
    }

    /// `requestParameters`: bucket and key part ways.
    fn request(&mut self, level: &Node, entry: &Entry) {
        let mut names = Vec::new();
        leaf_names(&entry.value, &mut names);
        if let Some(strange) = names.iter().find(|it| !is_known(&it.key)) {
            let path = format!("requestParameters.{}", strange.key);
            return self.no_twin(strange, &path);
        }
        let has = |name: &str| names.iter().any(|it| it.key == name);
        let outer = match (has("bucketName"), has("key")) {
            (true, true) => return self.part(level, entry),
            (true, false) => "bucket",
            (false, true) => "object",
            (false, false) => {
                return self.refuse(
                    entry.key_span,
                    "`requestParameters` is not written out".to_owned(),
                    "write it out, then migrate",
                );
            }
        };
        self.draft.rewrite(self.source, entry.key_span, outer);
        for name in names.iter().filter(|it| it.key == "bucketName") {
            self.draft.rewrite(self.source, name.key_span, "name");
        }
        self.changed(
            entry.key_span,
            format!("`requestParameters` became `{outer}`"),
        );
    }

    fn part(&mut self, level: &Node, entry: &Entry) {
        let Some([first, second]) = entry.value.entries() else {
            return self.refuse(
                entry.key_span,
                "`requestParameters` has alternatives that mix bucket and key".to_owned(),
                "make a rule of each alternative, then migrate",
            );
        };
        if first.key == "$or" || second.key == "$or" {
            return self.refuse(
                entry.key_span,
                "`requestParameters` has alternatives beside its bucket or key".to_owned(),
                "make a rule of each alternative, then migrate",
            );
        }
        let (outer, next) = match first.key.as_str() {
            "bucketName" => ("bucket", "object"),
            _ => ("object", "bucket"),
        };
        self.draft.rewrite(self.source, entry.key_span, outer);
        for it in [first, second]
            .into_iter()
            .filter(|it| it.key == "bucketName")
        {
            self.draft.rewrite(self.source, it.key_span, "name");
        }
        self.open_next(level, entry, [first, second], next);
        self.changed(
            entry.key_span,
            "`requestParameters.bucketName` and `.key` became `bucket.name` and `object.key`",
        );
    }

    /// Closes the first map behind its entry and opens the next one in front of the second entry.
    fn open_next(&mut self, level: &Node, entry: &Entry, [first, second]: [&Entry; 2], name: &str) {
        let source = self.source;
        let outer = entry.key_span.start.byte;
        let column = " ".repeat(outer - source.line_start(outer));
        let newline = source.newline();
        if !source.is_flow(&entry.value) {
            let at = super::edit::with_comments_above(source, second.key_span.start.byte);
            self.draft.insert(at, format!("{column}{name}:{newline}"));
            return;
        }
        let end = source.content_end(&first.value);
        let start = second.key_span.start.byte;
        let between = source.slice(end, start);
        let comma = end + between.find(',').unwrap_or(0);
        let quote = if source.slice(outer, end).starts_with('"') {
            "\""
        } else {
            ""
        };
        let opening = format!("{quote}{name}{quote}: {{");
        let indent = source.indent(outer);
        match (source.is_flow(level), between.contains('\n')) {
            (false, _) => {
                let text = format!("}}{newline}{column}{opening}");
                self.draft.replace(comma, start, text);
            }
            (true, true) => {
                let text = format!("{newline}{indent}}},{newline}{indent}{opening}");
                self.draft.replace(comma, comma + 1, text);
            }
            (true, false) => self.draft.replace(comma, start, format!("}}, {opening}")),
        }
    }

    /// `resources.ARN`, which CDK writes: the ARNs of the bucket and of the object.
    fn resources(&mut self, level: &Node, outer: &Entry) {
        let arns = match outer.value.entries() {
            Some([arn]) if arn.key == "ARN" => arn,
            _ => return self.no_twin(outer, "resources"),
        };
        let symbols: Option<Vec<Symbol>> = self.template.and_then(|template| {
            let items = arns.value.items()?.iter();
            items
                .map(|it| Symbol::of(it, template)?.behind_bucket_arn())
                .collect()
        });
        let Some(symbols) = symbols.filter(|it| !it.is_empty()) else {
            return self.no_twin(arns, "resources.ARN");
        };
        if self.is_said_by_request(level, &symbols) {
            self.draft.remove_entry(outer);
            return;
        }
        let are_buckets = symbols.iter().all(|it| it.at_slash().is_none());
        if level.get("requestParameters").is_none()
            && are_buckets
            && arns
                .value
                .items()
                .is_some_and(|it| it.iter().all(|it| is_arn_of(it).is_some()))
        {
            return self.bucket_of_arns(outer, arns);
        }
        self.no_twin(arns, "resources.ARN");
    }

    fn is_said_by_request(&self, level: &Node, arns: &[Symbol]) -> bool {
        let Some(template) = self.template else {
            return false;
        };
        let request = |name: &str| {
            let list = level.get("requestParameters")?.get(name)?.items()?.iter();
            list.map(|it| Symbol::of(it, template))
                .collect::<Option<Vec<_>>>()
        };
        let Some(buckets) = request("bucketName") else {
            return false;
        };
        let keys = request("key");
        let mut said = Vec::new();
        for arn in arns {
            match (arn.at_slash(), &keys) {
                (None, _) => said.push((arn.clone(), None)),
                (Some((bucket, key)), Some(_)) => said.push((bucket, Some(key))),
                (Some((bucket, key)), None) if key.is_empty() => said.push((bucket, None)),
                _ => return false,
            }
        }
        let is_said = |bucket: &Symbol, key: Option<&Symbol>| {
            said.iter()
                .any(|(b, k)| b == bucket && (k.is_none() || k.as_ref() == key))
        };
        buckets.iter().all(|bucket| match &keys {
            None => is_said(bucket, None),
            Some(keys) => keys.iter().all(|key| is_said(bucket, Some(key))),
        })
    }

    fn bucket_of_arns(&mut self, outer: &Entry, arns: &Entry) {
        self.draft.rewrite(self.source, outer.key_span, "bucket");
        self.draft.rewrite(self.source, arns.key_span, "name");
        for item in arns.value.items().unwrap_or_default() {
            let text = match is_arn_of(item) {
                Some(Arn::Literal(name)) => serde_json::Value::from(name).to_string(),
                Some(Arn::Of(id)) if item.short_form => format!("!Ref {id}"),
                Some(Arn::Of(id)) => format!("{{\"Ref\": \"{id}\"}}"),
                None => continue,
            };
            let (start, end) = (item.span.start.byte, self.source.content_end(item));
            self.draft.replace(start, end, text);
        }
        self.changed(outer.key_span, "`resources.ARN` became `bucket.name`");
    }
}

/// How the ARN of a bucket is written.
enum Arn {
    Literal(String),
    Of(String),
}

fn is_arn_of(node: &Node) -> Option<Arn> {
    match node.function() {
        None => {
            let name = node.as_str()?.strip_prefix("arn:aws:s3:::")?;
            Some(Arn::Literal(name.to_owned()))
        }
        Some(("Fn::GetAtt", argument)) => {
            let (id, attribute) = crate::template::attribute_of(argument)?;
            (attribute == "Arn").then_some(Arn::Of(id))
        }
        Some(_) => None,
    }
}

fn filters_key(level: &Node) -> bool {
    let mut names = Vec::new();
    if let Some(request) = level.get("requestParameters") {
        leaf_names(request, &mut names);
    }
    names.iter().any(|it| it.key == "key")
}

fn is_known(name: &str) -> bool {
    matches!(name, "bucketName" | "key")
}

/// The names that a map filters on, those in the branches of `$or` included.
fn leaf_names<'n>(map: &'n Node, names: &mut Vec<&'n Entry>) {
    for entry in map.entries().unwrap_or_default() {
        if entry.key == "$or" {
            let branches = entry.value.items().unwrap_or_default();
            branches.iter().for_each(|branch| leaf_names(branch, names));
        } else {
            names.push(entry);
        }
    }
}

pub(crate) fn find<'n>(map: &'n Node, key: &str) -> Option<&'n Entry> {
    map.entries()?.iter().find(|entry| entry.key == key)
}
