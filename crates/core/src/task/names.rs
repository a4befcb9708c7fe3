//! Names that are derived, not drawn: the same input gives the same name after any crash.

use sha2::{Digest, Sha256};

/// Hex digits of every derived id.
const ID_DIGITS: usize = 32;

/// Id of a delivery: 32 hex digits, also the client token of the task that the delivery starts.
pub fn delivery_id(event_id: &str, rule_arn: &str, target_id: &str) -> String {
    derive(&["delivery", event_id, rule_arn, target_id])
}

/// Id of a delivery that repeats another one; `token` sets it apart from all other repetitions.
pub fn repeated_id(delivery_id: &str, token: &str) -> String {
    derive(&["again", delivery_id, token])
}

/// Client token of the `start`-th start (from 0) that a delivery makes: the first one's is the delivery's id.
pub fn start_token(delivery_id: &str, start: u32) -> String {
    match start {
        0 => delivery_id.to_owned(),
        _ => derive(&["start", delivery_id, &start.to_string()]),
    }
}

/// Id of the `index`-th task (from 0) that one client token starts in a cluster: 32 hex digits, as ECS ids are.
pub fn task_id(cluster_arn: &str, client_token: &str, index: u32) -> String {
    derive(&["task", cluster_arn, client_token, &index.to_string()])
}

/// `startedBy` of a task that a rule starts.
pub fn started_by_rule(rule_name: &str) -> String {
    format!("events-rule/{rule_name}")
}

/// `group` of a task whose caller names none.
pub fn group_of_family(family: &str) -> String {
    format!("family:{family}")
}

/// Hashes the parts with their lengths, so that moving a character from one part to the next changes the result.
fn derive(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut digits = hex::encode(hasher.finalize());
    digits.truncate(ID_DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_change() {
        // Pinned: stored deliveries and running containers carry these.
        let delivery = delivery_id("17793124", "arn:aws:events:us-east-1:1:rule/r", "T");
        assert_eq!(delivery, "e37a6889bf9b5185dd43715432542819");
        let task = task_id("arn:aws:ecs:us-east-1:1:cluster/c", &delivery, 0);
        assert_eq!(task, "8cf73741cac2966db8387202dd26d523");
        assert_eq!(start_token(&delivery, 0), delivery);
        assert_eq!(
            start_token(&delivery, 1),
            "b1ab6311849f2cdb96e1326a264c3ec5"
        );
        assert_eq!(
            repeated_id(&delivery, "1"),
            "d70db26ad6726f1c3163febb9b84c844"
        );
    }

    #[test]
    fn every_part_counts() {
        let mut ids = vec![
            delivery_id("a", "b", "c"),
            delivery_id("ab", "", "c"),
            delivery_id("", "ab", "c"),
            delivery_id("a", "bc", ""),
            task_id("a", "b", 0),
            task_id("a", "b", 1),
            task_id("ab", "", 1),
            start_token("a", 1),
            start_token("a", 2),
            start_token("a1", 1),
            repeated_id("a", "1"),
            repeated_id("a", "2"),
            repeated_id("a1", ""),
        ];
        for id in &ids {
            assert!(
                id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
                "{id}"
            );
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 13);
    }

    #[test]
    fn names() {
        assert_eq!(started_by_rule("r-1"), "events-rule/r-1");
        assert_eq!(group_of_family("batch"), "family:batch");
    }
}
