//! Filters and pages of the Describe operations: every given filter must hold, and one of its values suffices. Never
//! swallows a filter that it does not know.

use landfall_core::api::generated::ec2 as api;
use landfall_core::error::ApiError;
use landfall_core::policy::glob;

use super::resource::invalid;
use crate::page::page;

const RESULTS_MAX: usize = 1_000;

/// What filters can ask of an answer.
pub(super) struct Facets<T: 'static> {
    /// Its tags, for `tag:name` and `tag-key`.
    pub(super) tags: fn(&T) -> Option<&Vec<api::Tag>>,
    /// The other filters.
    pub(super) named: &'static [Named<T>],
}

/// A filter and the values that an answer has under it.
type Named<T> = (&'static str, fn(&T) -> Vec<String>);

/// The page of the answers that all filters let through, and the token of the next one.
pub(super) fn select<T>(
    mut answers: Vec<T>,
    facets: &Facets<T>,
    filters: Option<Vec<api::Filter>>,
    (token, max_results): (Option<String>, Option<i32>),
) -> Result<(Vec<T>, Option<String>), ApiError> {
    for filter in filters.into_iter().flatten() {
        let name = filter.name.unwrap_or_default();
        let wanted = filter.values.unwrap_or_default();
        let values = values_of(facets, &name)?;
        answers.retain(|answer| {
            let has = values(answer);
            wanted
                .iter()
                .any(|w| has.iter().any(|h| glob::matches(w, h)))
        });
    }
    page(answers, token.as_deref(), max_results, RESULTS_MAX)
        .map_err(|_| invalid("The token 'nextToken' is invalid."))
}

type Values<'a, T> = Box<dyn Fn(&T) -> Vec<String> + 'a>;

fn values_of<'a, T>(facets: &'a Facets<T>, name: &str) -> Result<Values<'a, T>, ApiError> {
    if let Some(key) = name.strip_prefix("tag:").map(str::to_owned) {
        let has = move |tag: &&api::Tag| tag.key.as_ref() == Some(&key);
        return Ok(Box::new(move |answer| {
            let tags = (facets.tags)(answer).into_iter().flatten();
            tags.filter(&has).filter_map(|t| t.value.clone()).collect()
        }));
    }
    if name == "tag-key" {
        return Ok(Box::new(|answer| {
            let tags = (facets.tags)(answer).into_iter().flatten();
            tags.filter_map(|t| t.key.clone()).collect()
        }));
    }
    let named = facets.named.iter().find(|(known, _)| *known == name);
    named
        .map(|(_, values)| Box::new(*values) as Values<'a, T>)
        .ok_or_else(|| invalid(format!("The filter '{name}' is invalid")))
}

/// One value, if there is one.
pub(super) fn one<V: ToString>(value: Option<&V>) -> Vec<String> {
    value.map(ToString::to_string).into_iter().collect()
}

/// The values of all items that have one.
pub(super) fn each<I, V: ToString>(
    items: Option<&Vec<I>>,
    value: impl Fn(&I) -> Option<&V>,
) -> Vec<String> {
    let items = items.into_iter().flatten();
    items
        .filter_map(|i| value(i).map(ToString::to_string))
        .collect()
}
