//! Takes out what stood only for the old road: trails, their log buckets and policies, and then every parameter,
//! mapping, condition, output and dependency that nothing else uses.
//!
//! Never takes out what was unused before: that is not this migration's business.

use std::collections::BTreeSet;

use super::edit::Draft;
use super::facts::{BUCKET_POLICY, Scope, Selects, TRAIL, bucket_named, of_type, selects};
use super::note::{Kind, Note};
use super::pattern::find;
use super::symbol::Symbol;
use crate::template::{Entry, Node, Resource, Target, Template, references_where};

/// What the rules have come to, as far as trails are concerned.
pub(super) struct Rules {
    /// Buckets that moved rules watch.
    pub(super) watched: Vec<Symbol>,
    /// Whether a moved rule watches whatever bucket the trail logs.
    pub(super) watches_any: bool,
    /// Why the trails have to stay, if they have to.
    pub(super) stay: Option<String>,
}

/// Takes out what the moved rules needed and nothing else needs.
pub(super) struct Cleaner<'a> {
    pub(super) template: &'a Template,
    pub(super) draft: Draft,
    pub(super) notes: Vec<Note>,
    resources: BTreeSet<String>,
}

impl<'a> Cleaner<'a> {
    pub(super) fn new(template: &'a Template) -> Self {
        Self {
            template,
            draft: Draft::default(),
            notes: Vec::new(),
            resources: BTreeSet::new(),
        }
    }

    /// Does all of it.
    pub(super) fn clean(&mut self, rules: &Rules) {
        let mut going: Vec<(&str, &Resource)> = Vec::new();
        for (id, trail) in of_type(self.template, TRAIL) {
            let found = selects(trail, self.template);
            if found.values.is_empty() {
                continue;
            }
            match self.why_stay(&found, rules) {
                Some(why) => self.stays(id, trail, &why),
                None => going.push((id, trail)),
            }
        }
        // Whoever refers to a trail that stays keeps what it refers to, so that one trail may hold another.
        let doomed = loop {
            let doomed = self.doomed(&going, rules);
            let held = going.iter().find_map(|(id, trail)| {
                let user = self.user_of(id, &doomed.ids)?;
                Some((*id, *trail, user))
            });
            let Some((id, trail, user)) = held else {
                break doomed;
            };
            self.stays(id, trail, &format!("{user} refers to it"));
            going.retain(|(other, _)| *other != id);
        };
        for (id, trail) in &going {
            self.remove_trail(id, trail);
        }
        if going.is_empty() {
            return;
        }
        self.log_buckets(&doomed);
        self.outputs();
        self.dependencies();
        while self.sweep() {}
    }

    fn stays(&mut self, id: &str, trail: &Resource, why: &str) {
        let message = format!("the trail stays: {why}");
        let note = Note::new(Kind::Left, id, trail.span, message);
        self.notes
            .push(note.advise("take it out when nothing needs it any more"));
    }

    fn why_stay(&self, found: &Selects<'_>, rules: &Rules) -> Option<String> {
        if let Some(why) = &rules.stay {
            return Some(why.clone());
        }
        if found.others {
            return Some("it logs other things than objects too".to_owned());
        }
        let is_watched = |scope: &Scope| match scope {
            Scope::All => true,
            Scope::Bucket(name, _) | Scope::NoSlash(name) => {
                rules.watches_any || rules.watched.contains(name)
            }
            Scope::Unknown => false,
        };
        if let Some(value) = found.values.iter().find(|it| !is_watched(&it.scope)) {
            let line = value.node.span.start.line;
            return Some(format!(
                "it logs objects (line {line}) that no rule of this template watches"
            ));
        }
        None
    }

    /// A resource that stays and refers to this one.
    fn user_of(&self, id: &str, going: &BTreeSet<&str>) -> Option<&'a str> {
        let refers = |resource: &Resource| {
            let parts = resource.properties.iter().chain(&resource.metadata);
            parts
                .flat_map(|it| references_where(it, &|_| true))
                .any(|it| names(&it.target) == Some(id))
        };
        self.stayer(id, going, &refers)
    }

    /// A resource that stays and names this bucket outright.
    fn namer_of(&self, id: &str, name: &Symbol, going: &BTreeSet<&str>) -> Option<&'a str> {
        let name = name.literal().filter(|it| !it.is_empty())?;
        let arn = format!("arn:aws:s3:::{name}");
        let says = |text: &str| {
            let behind = text.strip_prefix(&arn);
            text == name || behind.is_some_and(|it| it.is_empty() || it.starts_with('/'))
        };
        self.stayer(id, going, &|resource| {
            resource.properties.iter().any(|it| has_text(it, &says))
        })
    }

    fn stayer(
        &self,
        id: &str,
        going: &BTreeSet<&str>,
        is_it: &dyn Fn(&Resource) -> bool,
    ) -> Option<&'a str> {
        let stays = |user: &str| user != id && !going.contains(user);
        let template = self.template;
        template
            .resources
            .iter()
            .filter(|(user, _)| stays(user))
            .find(|(_, resource)| is_it(resource))
            .map(|(user, _)| user.as_str())
    }

    /// What would go with some trails: their log buckets, unless somebody else needs them, and the policies of those.
    fn doomed(&self, trails: &[(&'a str, &'a Resource)], rules: &Rules) -> Doomed<'a> {
        let mut doomed = Doomed {
            ids: trails.iter().map(|(id, _)| *id).collect(),
            buckets: Vec::new(),
        };
        let log_bucket = |trail: &Resource| {
            let properties = trail.properties.as_ref();
            properties.and_then(|it| Symbol::of(it.get("S3BucketName")?, self.template))
        };
        let kept: Vec<Symbol> = of_type(self.template, TRAIL)
            .filter(|(id, _)| !doomed.ids.contains(id))
            .filter_map(|(_, trail)| log_bucket(trail))
            .collect();
        let mut names: Vec<Symbol> = Vec::new();
        for name in trails.iter().filter_map(|(_, trail)| log_bucket(trail)) {
            if !names.contains(&name) && !kept.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            self.doom(name, rules, &mut doomed);
        }
        doomed
    }

    fn doom(&self, name: Symbol, rules: &Rules, doomed: &mut Doomed<'a>) {
        let policies: Vec<(&'a str, &'a Resource)> = of_type(self.template, BUCKET_POLICY)
            .filter(|(_, it)| {
                let bucket = it.properties.as_ref().and_then(|it| it.get("Bucket"));
                bucket.and_then(|it| Symbol::of(it, self.template)).as_ref() == Some(&name)
            })
            .collect();
        let with_all: BTreeSet<&'a str> = doomed
            .ids
            .iter()
            .copied()
            .chain(policies.iter().map(|(id, _)| *id))
            .collect();
        let bucket = bucket_named(&name, self.template);
        let held = bucket.and_then(|id| {
            let is_watched = rules.watched.contains(&name);
            let user = self.user_of(id, &with_all);
            let user = user.or_else(|| self.namer_of(id, &name, &with_all));
            match (user, is_watched) {
                (Some(user), _) => Some(format!("{user} refers to it")),
                (None, true) => Some("a rule watches it".to_owned()),
                (None, false) => None,
            }
        });
        let goes = bucket.filter(|_| held.is_none());
        let policies: Vec<&'a str> = policies
            .into_iter()
            .filter(|(_, policy)| goes.is_some() || is_for_trails(policy))
            .map(|(id, _)| id)
            .collect();
        doomed.ids.extend(goes.iter().chain(&policies));
        doomed.buckets.push(LogBucket {
            id: bucket,
            held,
            policies,
        });
    }

    fn remove(&mut self, id: &str, resource: &Resource, message: &str) {
        let Some(entry) = section(self.template, "Resources").and_then(|it| find(it, id)) else {
            return;
        };
        self.draft.remove_entry(entry);
        self.resources.insert(id.to_owned());
        self.notes
            .push(Note::new(Kind::Removed, id, resource.span, message));
    }

    fn remove_trail(&mut self, id: &str, trail: &Resource) {
        self.remove(id, trail, "the trail: no rule needs it any more");
        self.lost_with(id, trail);
    }

    /// The log buckets of the trails that went, and their policies.
    fn log_buckets(&mut self, doomed: &Doomed<'a>) {
        for bucket in &doomed.buckets {
            if let Some((id, resource)) = bucket
                .id
                .and_then(|id| Some((id, self.template.resource(id)?)))
            {
                self.log_bucket(id, resource, bucket.held.as_deref());
            }
            let message = match (bucket.id, &bucket.held) {
                (Some(_), None) => "the policy of the log bucket",
                _ => "the policy that let CloudTrail write its logs",
            };
            for id in &bucket.policies {
                if let Some(policy) = self.template.resource(id) {
                    self.remove(id, policy, message);
                }
            }
        }
    }

    fn log_bucket(&mut self, id: &str, bucket: &Resource, held: Option<&str>) {
        if let Some(why) = held {
            let message = format!("the trail's log bucket stays: {why}");
            let note = Note::new(Kind::Left, id, bucket.span, message);
            return self.notes.push(note);
        }
        self.remove(id, bucket, "the bucket of the trail's log files");
        let note = Note::new(
            Kind::Left,
            id,
            bucket.span,
            "CloudFormation cannot delete the log bucket while log files are in it",
        );
        self.notes.push(note.advise(
            "empty it first, or deploy `DeletionPolicy: Retain` on it before this template",
        ));
    }

    /// Says what else the trail did.
    fn lost_with(&mut self, id: &str, trail: &Resource) {
        let properties = trail.properties.as_ref();
        let get = |name: &str| properties.and_then(|it| it.get(name));
        let selectors = get("EventSelectors")
            .and_then(Node::items)
            .unwrap_or_default();
        let excludes = |it: &Node| {
            it.get("IncludeManagementEvents")
                .and_then(Node::scalar_text)
                .as_deref()
                == Some("false")
        };
        if selectors.iter().any(|it| !excludes(it)) {
            self.notes.push(Note::new(
                Kind::Differs,
                id,
                trail.span,
                "the trail logged management events too; CloudTrail's own event history keeps those of 90 days",
            ));
        }
        for name in [
            "CloudWatchLogsLogGroupArn",
            "SnsTopicName",
            "InsightSelectors",
        ] {
            if let Some(node) = get(name) {
                let note = Note::new(
                    Kind::Left,
                    id,
                    node.span,
                    format!("the trail's {name} named something that stays"),
                );
                self.notes
                    .push(note.advise("take it out too if only the trail used it"));
            }
        }
    }

    fn outputs(&mut self) {
        let template = self.template;
        for entry in section(template, "Outputs")
            .and_then(Node::entries)
            .unwrap_or_default()
        {
            let mentioned = references_where(&entry.value, &|_| true);
            let gone = |it: Option<&str>| it.is_some_and(|id| self.resources.contains(id));
            if !mentioned.iter().any(|it| gone(names(&it.target))) {
                continue;
            }
            self.draft.remove_entry(entry);
            let is_exported = entry.value.get("Export").is_some();
            let note = Note::new(
                Kind::Removed,
                &entry.key,
                entry.key_span,
                "the output: what it shows is gone",
            );
            self.notes.push(if is_exported {
                note.advise("stacks that import it have to let go of it first")
            } else {
                note
            });
        }
    }

    fn dependencies(&mut self) {
        let template = self.template;
        for entry in section(template, "Resources")
            .and_then(Node::entries)
            .unwrap_or_default()
        {
            let Some(depends) = find(&entry.value, "DependsOn") else {
                continue;
            };
            let gone = |it: &Node| it.as_str().is_some_and(|id| self.resources.contains(id));
            if gone(&depends.value) {
                self.draft.remove_entry(depends);
                continue;
            }
            let items = depends.value.items().unwrap_or_default();
            let going: Vec<&Node> = items.iter().filter(|it| gone(it)).collect();
            if going.len() == items.len() {
                self.draft.remove_entry(depends);
            } else {
                for item in going {
                    self.draft.remove_item(item);
                }
            }
        }
    }

    /// One round over the sections that only hold things for others; whether something went.
    fn sweep(&mut self) -> bool {
        let before = self.draft.entries.len();
        let (then, now) = (self.uses(false), self.uses(true));
        for (name, what) in [("Parameters", "parameter"), ("Conditions", "condition")] {
            let (then, now) = match name {
                "Parameters" => (&then.names, &now.names),
                _ => (&then.conditions, &now.conditions),
            };
            for entry in section(self.template, name)
                .and_then(Node::entries)
                .unwrap_or_default()
            {
                if then.contains(&entry.key) && !now.contains(&entry.key) {
                    self.let_go(entry, &entry.key, what);
                }
            }
        }
        for entry in section(self.template, "Mappings")
            .and_then(Node::entries)
            .unwrap_or_default()
        {
            self.mapping(entry, &then.lookups, &now.lookups);
        }
        self.draft.entries.len() > before
    }

    fn let_go(&mut self, entry: &Entry, name: &str, what: &str) {
        if self.draft.entries.contains(&entry.key_span.start.byte) {
            return;
        }
        self.draft.remove_entry(entry);
        let message = format!("the {what}: nothing else uses it");
        self.notes
            .push(Note::new(Kind::Removed, name, entry.key_span, message));
        if what == "parameter" {
            self.interface(name);
        }
    }

    /// The list of parameters that the console shows.
    fn interface(&mut self, name: &str) {
        let template = self.template;
        let Some(interface) = template
            .metadata
            .as_ref()
            .and_then(|it| it.get("AWS::CloudFormation::Interface"))
        else {
            return;
        };
        let groups = interface.get("ParameterGroups").and_then(Node::items);
        for group in groups.unwrap_or_default() {
            let Some(parameters) = find(group, "Parameters") else {
                continue;
            };
            let items = parameters.value.items().unwrap_or_default();
            for item in items.iter().filter(|it| it.as_str() == Some(name)) {
                self.draft.remove_item(item);
            }
        }
        if let Some(label) = interface
            .get("ParameterLabels")
            .and_then(|it| find(it, name))
        {
            self.draft.remove_entry(label);
        }
    }

    /// A mapping goes whole, or those of its keys that only look-ups now gone named.
    fn mapping(&mut self, mapping: &Entry, then: &[Lookup], now: &[Lookup]) {
        let of = |all: &[Lookup]| -> Vec<Lookup> {
            all.iter()
                .filter(|it| it.map.as_deref().is_none_or(|map| map == mapping.key))
                .cloned()
                .collect()
        };
        let (then, now) = (of(then), of(now));
        if then.is_empty() {
            return;
        }
        if now.is_empty() {
            return self.let_go(mapping, &mapping.key, "mapping");
        }
        let is_lost = |key: &str, of: &dyn Fn(&Lookup) -> Option<String>| {
            let named = |all: &[Lookup]| all.iter().any(|it| of(it).is_none_or(|it| it == key));
            then.iter().any(|it| of(it).as_deref() == Some(key)) && !named(&now)
        };
        for top in mapping.value.entries().unwrap_or_default() {
            let name = format!("{}.{}", mapping.key, top.key);
            if is_lost(&top.key, &|it| it.top.clone()) {
                self.let_go(top, &name, "part of the mapping");
                continue;
            }
            for second in top.value.entries().unwrap_or_default() {
                if is_lost(&second.key, &|it| it.second.clone()) {
                    let name = format!("{name}.{}", second.key);
                    self.let_go(second, &name, "part of the mapping");
                }
            }
        }
    }

    /// What the template uses: all of it, or what stays of it.
    fn uses(&self, now: bool) -> Uses {
        let counts = |entry: &Entry| !now || !self.draft.entry_goes(entry);
        let mut uses = Uses::default();
        for entry in self.template.root.entries().unwrap_or_default() {
            if !counts(entry) {
                continue;
            }
            for reference in references_where(&entry.value, &counts) {
                match reference.target {
                    Target::Name(name) => uses.names.insert(name),
                    Target::Condition(name) => uses.conditions.insert(name),
                    Target::Attribute(..) | Target::Mapping(_) => false,
                };
            }
            lookups(&entry.value, &counts, &mut uses.lookups);
            if matches!(entry.key.as_str(), "Resources" | "Outputs") {
                let members = entry.value.entries().unwrap_or_default();
                let conditions = members
                    .iter()
                    .filter(|it| counts(it))
                    .filter_map(|it| it.value.get("Condition")?.as_str());
                uses.conditions.extend(conditions.map(str::to_owned));
            }
        }
        uses
    }
}

/// What goes with trails.
struct Doomed<'a> {
    /// Logical ids, the trails' own among them.
    ids: BTreeSet<&'a str>,
    buckets: Vec<LogBucket<'a>>,
}

/// A log bucket that no trail needs any more.
struct LogBucket<'a> {
    /// Logical id, if the template declares it.
    id: Option<&'a str>,
    /// Why it stays.
    held: Option<String>,
    /// Its policies that go.
    policies: Vec<&'a str>,
}

/// Whether a bucket policy says nothing but what CloudTrail may do.
fn is_for_trails(policy: &Resource) -> bool {
    let document = policy
        .properties
        .as_ref()
        .and_then(|it| it.get("PolicyDocument")?.get("Statement"));
    let Some(document) = document else {
        return false;
    };
    let is_for_trails = |statement: &Node| {
        let service = statement.get("Principal").and_then(|it| it.get("Service"));
        let service = service.and_then(|it| match it.items() {
            Some([one]) => Some(one),
            Some(_) => None,
            None => Some(it),
        });
        service.and_then(Node::as_str) == Some("cloudtrail.amazonaws.com")
    };
    match document.items() {
        Some(statements) => !statements.is_empty() && statements.iter().all(is_for_trails),
        None => is_for_trails(document),
    }
}

/// Whether a text stands anywhere in a node.
fn has_text(node: &Node, says: &dyn Fn(&str) -> bool) -> bool {
    let items = node.items().unwrap_or_default();
    let entries = node.entries().unwrap_or_default();
    node.as_str().is_some_and(says)
        || items.iter().any(|it| has_text(it, says))
        || entries.iter().any(|it| has_text(&it.value, says))
        || node
            .function()
            .is_some_and(|(_, argument)| has_text(argument, says))
}

#[derive(Default)]
struct Uses {
    names: BTreeSet<String>,
    conditions: BTreeSet<String>,
    lookups: Vec<Lookup>,
}

/// One `Fn::FindInMap`; `None` for what is not literal.
#[derive(Clone, PartialEq, Eq)]
struct Lookup {
    map: Option<String>,
    top: Option<String>,
    second: Option<String>,
}

fn lookups(node: &Node, counts: &dyn Fn(&Entry) -> bool, found: &mut Vec<Lookup>) {
    if let Some(("Fn::FindInMap", argument)) = node.function()
        && let Some([map, top, second, ..]) = argument.items()
    {
        let literal = |it: &Node| it.as_str().map(str::to_owned);
        found.push(Lookup {
            map: literal(map),
            top: literal(top),
            second: literal(second),
        });
    }
    let items = node.items().unwrap_or_default();
    items.iter().for_each(|item| lookups(item, counts, found));
    for entry in node.entries().unwrap_or_default() {
        if counts(entry) {
            lookups(&entry.value, counts, found);
        }
    }
}

fn names(target: &Target) -> Option<&str> {
    match target {
        Target::Name(id) | Target::Attribute(id, _) => Some(id),
        Target::Condition(_) | Target::Mapping(_) => None,
    }
}

fn section<'a>(template: &'a Template, name: &str) -> Option<&'a Node> {
    template.root.get(name)
}
