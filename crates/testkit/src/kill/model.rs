//! What the records allow: for each key, what may be there. Never asks a server.

use std::collections::BTreeMap;

use super::record::{Body, Operation};

/// What may have become of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    /// What may be there now; `None` is nothing.
    pub(crate) allowed: Vec<Option<Body>>,
    /// Uploads that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Uploads that were never answered.
    pub(crate) unanswered: u64,
}

impl Fate {
    fn take(&mut self, operation: &Operation) {
        if operation.is_acknowledged {
            self.allowed.clear();
        } else if self.allowed.is_empty() {
            self.allowed.push(None);
        }
        self.allowed.push(operation.body);
        if operation.body.is_some() {
            self.acknowledged += u64::from(operation.is_acknowledged);
            self.unanswered += u64::from(!operation.is_acknowledged);
        }
    }
}

/// The fates of all keys. Operations on one key are those of one client, in its order.
pub(crate) fn fates<'a>(
    operations: impl IntoIterator<Item = &'a Operation>,
) -> BTreeMap<String, Fate> {
    let mut fates: BTreeMap<String, Fate> = BTreeMap::new();
    for operation in operations {
        fates
            .entry(operation.key.clone())
            .or_default()
            .take(operation);
    }
    fates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledged_operation_decides_and_unanswered_ones_after_it_may_have_happened() {
        let (one, two) = (Body::of(b"1"), Body::of(b"2"));
        let operation = |body, is_acknowledged| Operation {
            key: "k".to_owned(),
            body,
            is_acknowledged,
        };
        let allowed = |operations: &[Operation]| fates(operations)["k"].allowed.clone();
        let put = operation(Some(one), true);
        assert_eq!(allowed(std::slice::from_ref(&put)), [Some(one)]);
        assert_eq!(allowed(&[operation(Some(one), false)]), [None, Some(one)]);
        let open = operation(Some(two), false);
        assert_eq!(
            allowed(&[put.clone(), open.clone()]),
            [Some(one), Some(two)]
        );
        let gone = operation(None, false);
        assert_eq!(
            allowed(&[put.clone(), open.clone(), gone]),
            [Some(one), Some(two), None]
        );
        assert_eq!(allowed(&[open.clone(), operation(None, true)]), [None]);
        let fate = &fates(&[put.clone(), open, put])["k"];
        assert_eq!((fate.acknowledged, fate.unanswered), (2, 1));
    }
}
