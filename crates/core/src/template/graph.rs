//! The order in which resources are made and unmade.
//!
//! Stable: of two resources that do not need each other, the one written first comes first. Never builds anything.

use indexmap::{IndexMap, IndexSet};

use super::error::{Names, TemplateError};
use super::evaluate::Conditions;
use super::model::Template;
use super::references::{Target, references};

/// Which resource needs which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    needs: IndexMap<String, IndexSet<String>>,
}

impl Graph {
    /// The graph of the resources whose conditions hold.
    pub fn new(template: &Template, conditions: &Conditions) -> Self {
        let mut graph = Self::of_all(template);
        let active = |id: &str| template.resource(id).is_some_and(|it| conditions.holds(it));
        graph.needs.retain(|id, _| active(id));
        for needed in graph.needs.values_mut() {
            needed.retain(|id| active(id));
        }
        graph
    }

    /// The graph of every resource, whatever the conditions say.
    pub fn of_all(template: &Template) -> Self {
        let needs = template.resources.iter().map(|(id, resource)| {
            let mentioned = resource
                .properties
                .iter()
                .chain(&resource.metadata)
                .flat_map(references)
                .filter_map(|reference| match reference.target {
                    Target::Name(name) | Target::Attribute(name, _) => Some(name),
                    Target::Condition(_) | Target::Mapping(_) => None,
                });
            let named = resource
                .depends_on
                .iter()
                .map(|dependency| dependency.name.clone());
            let needed = named
                .chain(mentioned)
                .filter(|id| template.resources.contains_key(id));
            (id.clone(), needed.collect())
        });
        Self {
            needs: needs.collect(),
        }
    }

    /// What a resource needs before it can be made.
    pub fn needs(&self, logical_id: &str) -> impl Iterator<Item = &str> {
        self.needs
            .get(logical_id)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// Waves of logical ids: everything that a wave needs is in the waves before it. Deletion goes the other way round.
    ///
    /// # Errors
    /// `Circular dependency between resources: […]`, naming what is on or behind a circle. Cannot happen for a
    /// parsed template.
    pub fn waves(&self) -> Result<Vec<Vec<String>>, TemplateError> {
        let mut waves = Vec::new();
        let mut done: IndexSet<&str> = IndexSet::new();
        while done.len() < self.needs.len() {
            let ready: Vec<&str> = self
                .needs
                .iter()
                .filter(|(id, needed)| {
                    !done.contains(id.as_str())
                        && needed.iter().all(|id| done.contains(id.as_str()))
                })
                .map(|(id, _)| id.as_str())
                .collect();
            if ready.is_empty() {
                return Err(self.circle(&done));
            }
            done.extend(&ready);
            waves.push(ready.into_iter().map(str::to_owned).collect());
        }
        Ok(waves)
    }

    /// The logical ids one after the other, each behind what it needs.
    ///
    /// # Errors
    /// As [`Self::waves`].
    pub fn creation_order(&self) -> Result<Vec<String>, TemplateError> {
        Ok(self.waves()?.into_iter().flatten().collect())
    }

    // What is left without the ones that nothing left needs is the circle itself (or a path between two).
    fn circle(&self, done: &IndexSet<&str>) -> TemplateError {
        let mut left: Vec<&str> = self
            .needs
            .keys()
            .map(String::as_str)
            .filter(|id| !done.contains(id))
            .collect();
        loop {
            let needed = |id: &str| {
                left.iter()
                    .any(|other| self.needs(other).any(|it| it == id))
            };
            let kept: Vec<&str> = left.iter().copied().filter(|id| needed(id)).collect();
            if kept.len() == left.len() {
                break;
            }
            left = kept;
        }
        TemplateError::new(format!(
            "Circular dependency between resources: {}",
            Names(&left)
        ))
    }
}
