//! The way off the old road: a template whose rules wait for S3's calls as CloudTrail tells them becomes one whose
//! rules wait for the events that S3 sends itself.
//!
//! 1. [`migrate`] finds the rules, translates their patterns and inputs, switches the events on at their buckets and
//!    takes out what nothing else needs, all as edits of the text.
//! 2. [`prove`] holds two templates against the same uploads and compares the tasks that they start.
//! 3. [`terraform`] does the first for the JSON of a Terraform plan, where the text to edit is not at hand.
//!
//! Never reads a file, never deploys anything.

#[cfg(test)]
mod edge_tests;
mod edit;
mod embedded;
pub(crate) mod facts;
pub(crate) mod input;
mod names;
mod note;
pub(crate) mod pattern;
pub mod prove;
pub(crate) mod switch;
pub(crate) mod symbol;
pub(crate) mod table;
pub mod terraform;
#[cfg(test)]
mod tests;
mod unused;

pub use edit::Edit;
pub use note::{Kind, Note};

use edit::{Draft, Source, apply};
use facts::{RuleFacts, bucket_named, names_bucket, old_buckets};
use input::Inputs;
use pattern::{Road, Translator, item_holds};
use prove::trail::takes_name;
use symbol::Symbol;
use table::CALLS;
use unused::{Cleaner, Rules};

use crate::template::{Node, Template, TemplateError};

/// How to migrate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Start on every way to make an object, whatever calls the rules named.
    pub widen: bool,
    /// Leave trails and their log buckets in place.
    pub keep_trail: bool,
}

/// A migrated template and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The new text.
    pub text: String,
    /// How it came from the old one, in the order of the text.
    pub edits: Vec<Edit>,
    /// What was done and what was not, the worst first.
    pub notes: Vec<Note>,
    /// Logical ids of the rules that were moved.
    pub moved: Vec<String>,
    /// Logical ids of the rules that were refused.
    pub refused: Vec<String>,
}

/// Why a template cannot be migrated at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// The template cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The edits do not fit the way the template is written.
    #[error("the template is written in a way that cannot be edited in place: {0}")]
    Unwritable(TemplateError),
}

/// Moves every rule of a template that can be moved.
///
/// # Errors
/// [`MigrateError::Template`] with the place for a template that CloudFormation would refuse.
pub fn migrate(text: &str, options: Options) -> Result<Migration, MigrateError> {
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    };
    let template = Template::parse(text)?;
    let mut work = Work::new(text, &template, options);
    let rules = facts::rules(text, &template)?;
    for rule in rules.iter().filter(|it| it.road == Road::Old) {
        work.rule(rule);
    }
    if !work.moved.is_empty() {
        work.buckets();
        work.clean(&rules);
    }
    let edits = work.draft.settle(work.source, &template.root);
    let new = apply(text, &edits);
    if !edits.is_empty() {
        Template::parse(&new).map_err(MigrateError::Unwritable)?;
    }
    work.notes.sort_by_key(|note| (note.kind, note.span));
    work.notes.dedup();
    Ok(Migration {
        text: format!("{mark}{new}"),
        edits,
        notes: work.notes,
        moved: work.moved,
        refused: work.refused,
    })
}

struct Work<'a> {
    source: Source<'a>,
    template: &'a Template,
    options: Options,
    draft: Draft,
    notes: Vec<Note>,
    moved: Vec<String>,
    refused: Vec<String>,
    watched: Vec<Symbol>,
    watches_any: bool,
}

impl<'a> Work<'a> {
    fn new(text: &'a str, template: &'a Template, options: Options) -> Self {
        Self {
            source: Source { text },
            template,
            options,
            draft: Draft::default(),
            notes: Vec::new(),
            moved: Vec::new(),
            refused: Vec::new(),
            watched: Vec::new(),
            watches_any: false,
        }
    }

    /// Moves one rule, or leaves it as it is and says why.
    fn rule(&mut self, rule: &RuleFacts<'_>) {
        let (mut draft, mut notes) = self.pattern(rule);
        if let Some(targets) = rule.properties.get("Targets") {
            let mut inputs = Inputs {
                source: self.source,
                template: self.template,
                rule: rule.id,
                draft: Draft::default(),
                notes: Vec::new(),
            };
            inputs.targets(targets);
            draft.absorb(inputs.draft);
            notes.append(&mut inputs.notes);
        }
        notes.extend(self.narrower(rule));
        notes.extend(self.left_out(rule));
        if notes.iter().any(|it| it.kind == Kind::Refused) {
            notes.retain(|it| it.kind == Kind::Refused);
            self.refused.push(rule.id.to_owned());
            self.notes.append(&mut notes);
            return;
        }
        self.draft.absorb(draft);
        let differs = |message: &str| Note::new(Kind::Differs, rule.id, rule.written.span, message);
        if !facts::filters_failures(&rule.pattern) {
            notes.push(differs(
                "calls that failed (`errorCode`) fired the rule too; S3 sends events only for calls that succeed",
            ));
        }
        notes.push(differs(
            "events come within seconds instead of minutes, at least once and in no order, as before: one upload may \
             start two tasks. The key is the same text in both forms, never URL-encoded",
        ));
        self.notes.append(&mut notes);
        self.moved.push(rule.id.to_owned());
        let names = old_buckets(&rule.pattern);
        self.watches_any |= names.is_empty();
        for name in names {
            match names_bucket(name, self.template) {
                Some(symbol) => self.watched.push(symbol),
                None => self.watch_matched(rule, name),
            }
        }
    }

    /// Watches the buckets of the template that a matcher takes.
    fn watch_matched(&mut self, rule: &RuleFacts<'_>, matcher: &Node) {
        let mut is_known = true;
        for (id, _) in facts::of_type(self.template, facts::BUCKET) {
            let symbol = Symbol::of_bucket(id, self.template);
            match symbol.literal() {
                Some(name) if item_holds(matcher, name) => self.watched.push(symbol),
                Some(_) => {}
                None => is_known = false,
            }
        }
        let which = if is_known {
            "outside this template"
        } else {
            "whose names are not written out"
        };
        let message =
            format!("the rule takes every bucket that its matcher takes, also buckets {which}");
        let note = Note::new(Kind::Left, rule.id, rule.place(matcher.span), message);
        self.notes.push(note.advise(
            "switch EventBridge on at each of them: `NotificationConfiguration: {EventBridgeConfiguration: \
             {EventBridgeEnabled: true}}`",
        ));
    }

    /// Refuses a rule that takes calls or objects which the trails of the template leave out by other means than
    /// prefixes of keys.
    fn left_out(&self, rule: &RuleFacts<'_>) -> Option<Note> {
        let trails: Vec<_> = facts::of_type(self.template, facts::TRAIL)
            .map(|(_, it)| facts::selects(it, self.template))
            .filter(|it| !it.values.is_empty())
            .collect();
        if trails.is_empty() {
            return None;
        }
        let refuse = |message: String, advice: &str| {
            let span = rule.place(rule.pattern.span);
            Some(Note::new(Kind::Refused, rule.id, span, message).advise(advice))
        };
        if trails.iter().all(|it| it.narrowed.is_some()) {
            return refuse(
                "it may take objects that the trail leaves out (`resources.ARN` with other operators than `StartsWith` \
                 and `Equals`)"
                    .to_owned(),
                "filter in the rule as the trail does, then migrate",
            );
        }
        let names = old_buckets(&rule.pattern);
        let is_open = names.is_empty()
            || names
                .iter()
                .any(|it| names_bucket(it, self.template).is_none());
        let is_all = |it: &facts::DataValue<'_>| {
            matches!(it.scope, facts::Scope::All | facts::Scope::Unknown)
        };
        if is_open && !trails.iter().flat_map(|it| &it.values).any(is_all) {
            return refuse(
                "it may take buckets that no trail of this template logs".to_owned(),
                "name the buckets in the rule, then migrate",
            );
        }
        if self.options.widen {
            return None;
        }
        let selectors = || trails.iter().flat_map(|it| &it.selectors);
        let is_logged = |name: &str| selectors().any(|it| takes_name(it, name));
        let takes = |name: &str| {
            facts::old_names(&rule.pattern)
                .is_none_or(|names| names.iter().any(|it| item_holds(it, name)))
        };
        let lost: Vec<&str> = CALLS
            .iter()
            .map(|it| it.event_name)
            .filter(|name| takes(name) && !is_logged(name))
            .collect();
        if lost.is_empty() {
            return None;
        }
        refuse(
            format!(
                "the trail logs only some calls (`eventName`), and the rule takes others too: {}",
                lost.join(", ")
            ),
            "name in the rule only what the trail logs, then migrate",
        )
    }

    /// Refuses a rule that takes keys which no trail of the template logs: without the trail they would start it.
    fn narrower(&self, rule: &RuleFacts<'_>) -> Option<Note> {
        let trails = facts::of_type(self.template, facts::TRAIL);
        let trails: Vec<_> = trails
            .map(|(_, it)| facts::selects(it, self.template))
            .collect();
        let buckets: Vec<Symbol> = old_buckets(&rule.pattern)
            .into_iter()
            .filter_map(|it| names_bucket(it, self.template))
            .collect();
        let mut prefixes = Vec::new();
        for value in trails.iter().flat_map(|it| &it.values) {
            match &value.scope {
                facts::Scope::Bucket(name, prefix)
                    if buckets.is_empty() || buckets.contains(name) =>
                {
                    prefixes.push(prefix.clone());
                }
                facts::Scope::Bucket(..) | facts::Scope::NoSlash(_) => {}
                facts::Scope::All | facts::Scope::Unknown => return None,
            }
        }
        if prefixes.is_empty() || prefixes.iter().any(Symbol::is_empty) {
            return None;
        }
        let keys = facts::old_keys(&rule.pattern);
        let is_logged = |key: &Symbol| prefixes.iter().any(|it| key.may_start_with(it));
        let starts: Option<Vec<Symbol>> =
            keys.iter().map(|it| key_start(it, self.template)).collect();
        if starts.is_some_and(|it| !it.is_empty() && it.iter().all(is_logged)) {
            return None;
        }
        let named: Vec<String> = prefixes
            .iter()
            .map(|it| format!("`{}`", it.shown()))
            .collect();
        let message = format!(
            "it may take keys that no trail of this template logs: only those that begin with {} reach it",
            named.join(" or ")
        );
        let note = Note::new(
            Kind::Refused,
            rule.id,
            rule.place(rule.pattern.span),
            message,
        );
        Some(note.advise("filter on the key's prefix in the rule itself, then migrate"))
    }

    fn pattern(&self, rule: &RuleFacts<'_>) -> (Draft, Vec<Note>) {
        let translate = |source| {
            let mut translator = Translator {
                source,
                template: Some(self.template),
                rule: rule.id,
                widen: self.options.widen,
                draft: Draft::default(),
                notes: Vec::new(),
            };
            translator.pattern(&rule.pattern);
            translator
        };
        let Some(text) = &rule.escaped else {
            let done = translate(self.source);
            // A document within a scalar is no part of the template's tree: removals are worked out here.
            let edits = done.draft.settle(self.source, &rule.pattern);
            let draft = Draft {
                edits,
                ..Draft::default()
            };
            return (draft, done.notes);
        };
        let inner = Source { text };
        let mut done = translate(inner);
        for note in &mut done.notes {
            note.span = Some(rule.written.span);
        }
        let new = apply(text, &done.draft.settle(inner, &rule.pattern));
        let scalar = match rule.written.function() {
            Some((_, argument)) => argument,
            None => rule.written,
        };
        let mut draft = Draft::default();
        draft.rewrite(self.source, scalar.span, &new);
        (draft, done.notes)
    }

    /// Switches S3's events on at the buckets of the moved rules.
    fn buckets(&mut self) {
        let mut ids: Vec<&str> = Vec::new();
        for name in &self.watched {
            match bucket_named(name, self.template) {
                Some(id) if !ids.contains(&id) => ids.push(id),
                Some(_) => {}
                None => self.notes.push(elsewhere(name)),
            }
        }
        if self.watches_any {
            ids.extend(
                self.logged()
                    .into_iter()
                    .filter(|it| !ids.contains(it))
                    .collect::<Vec<_>>(),
            );
        }
        for id in ids {
            let Some(resource) = self
                .template
                .root
                .get("Resources")
                .and_then(|it| it.get(id))
            else {
                continue;
            };
            let note = switch::turn_on(&mut self.draft, self.source, self.template, id, resource);
            self.notes.extend(note);
        }
    }

    /// The buckets of the template that its trails log.
    fn logged(&self) -> Vec<&'a str> {
        let mut ids = Vec::new();
        for (_, trail) in facts::of_type(self.template, facts::TRAIL) {
            let logs = trail
                .properties
                .as_ref()
                .and_then(|it| Symbol::of(it.get("S3BucketName")?, self.template));
            for value in facts::selects(trail, self.template).values {
                match &value.scope {
                    facts::Scope::Bucket(name, _) => ids.extend(bucket_named(name, self.template)),
                    facts::Scope::All => {
                        let all = facts::of_type(self.template, facts::BUCKET).map(|(id, _)| id);
                        ids.extend(
                            all.filter(|id| Some(Symbol::of_bucket(id, self.template)) != logs),
                        );
                    }
                    _ => {}
                }
            }
        }
        ids
    }

    fn clean(&mut self, rules: &[RuleFacts<'_>]) {
        let needs = rules
            .iter()
            .find(|it| it.road == Road::OtherCalls)
            .map(|it| format!("the rule {} waits for calls that it logs", it.id));
        let stay = if self.options.keep_trail {
            Some("--keep-trail asks for it".to_owned())
        } else if let Some(id) = self.refused.first() {
            Some(format!("the rule {id} still needs it"))
        } else {
            needs
        };
        let mut cleaner = Cleaner::new(self.template);
        cleaner.clean(&Rules {
            watched: std::mem::take(&mut self.watched),
            watches_any: self.watches_any,
            stay,
        });
        self.draft.absorb(cleaner.draft);
        self.notes.append(&mut cleaner.notes);
    }
}

/// How the keys begin that a value of a pattern takes; `None` if any beginning will do.
fn key_start(value: &Node, template: &Template) -> Option<Symbol> {
    if let Some(prefix) = value.get("prefix") {
        return Symbol::of(prefix, template);
    }
    if let Some(wildcard) = value.get("wildcard") {
        let symbol = Symbol::of(wildcard, template)?;
        return symbol.before_star();
    }
    Symbol::of(value, template)
}

fn elsewhere(name: &Symbol) -> Note {
    let name = name.literal().map_or_else(
        || "a bucket that the rules name".to_owned(),
        |name| format!("the bucket {name}"),
    );
    Note::new(
        Kind::Left,
        "",
        None,
        format!("{name} is not in this template"),
    )
    .advise(
        "switch EventBridge on where it is: `NotificationConfiguration: {EventBridgeConfiguration: \
         {EventBridgeEnabled: true}}`",
    )
}
