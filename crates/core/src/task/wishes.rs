//! What a resource's tags ask of Landfall beyond AWS. Never looks at which resource carries them: where a wish has no
//! meaning it has no effect, so that a whole stack can be tagged.

use crate::limits::{EVENTS_RETRY_ATTEMPTS_MAX, RETRY_DELAY_MILLIS_MAX};

/// Beginning of the names of these tags.
const PREFIX: &str = "landfall:";
/// Of a cluster or a rule: tasks that run at once.
pub const MAX_RUNNING: &str = "landfall:max-running";
/// Of a cluster or a rule: tasks that start within a second.
pub const STARTS_PER_SECOND: &str = "landfall:starts-per-second";
/// Of a rule or a task definition: how often a run that failed is repeated. The rule's word counts first.
pub const RETRY_ON_EXIT: &str = "landfall:retry-on-exit";
/// Of a rule or a task definition: seconds before the first repetition, jitter aside; doubles with every further one.
pub const RETRY_ON_EXIT_SECONDS: &str = "landfall:retry-on-exit-seconds";

/// The tags that are known, each with the largest number that it takes.
const KNOWN: [(&str, u64); 4] = [
    (MAX_RUNNING, u64::MAX),
    (STARTS_PER_SECOND, u64::MAX),
    (RETRY_ON_EXIT, EVENTS_RETRY_ATTEMPTS_MAX as u64),
    (
        RETRY_ON_EXIT_SECONDS,
        RETRY_DELAY_MILLIS_MAX.unsigned_abs() / 1_000,
    ),
];

/// Refuses a tag that would be without effect, in one sentence.
///
/// # Errors
/// The sentence.
pub fn check(name: &str, value: &str) -> Result<(), String> {
    if !name.starts_with(PREFIX) {
        return Ok(());
    }
    let Some((_, most)) = KNOWN.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = KNOWN.iter().map(|(known, _)| *known).collect();
        let known = known.join(", ");
        return Err(format!(
            "Landfall does not know the tag {name}; it knows {known}."
        ));
    };
    match number(value) {
        Some(number) if number <= *most => Ok(()),
        _ if *most == u64::MAX => Err(format!(
            "The value of the tag {name} must be a whole number of at least 1."
        )),
        _ => Err(format!(
            "The value of the tag {name} must be a whole number from 1 to {most}."
        )),
    }
}

/// The number that a tag's value says; none when it is no whole number of at least 1.
pub fn number(value: &str) -> Option<u64> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| value.parse().ok()).flatten();
    number.filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_at_least_one_are_taken() {
        for value in ["1", "64", "007", "18446744073709551615"] {
            assert_eq!(check(MAX_RUNNING, value), Ok(()), "{value}");
        }
        for value in [
            "",
            "0",
            "-1",
            "+1",
            "1.0",
            "1e3",
            " 1",
            "one",
            "18446744073709551616",
        ] {
            let said = check(MAX_RUNNING, value).unwrap_err();
            let expected =
                "The value of the tag landfall:max-running must be a whole number of at least 1.";
            assert_eq!(said, expected, "{value:?}");
        }
    }

    #[test]
    fn repetitions_have_a_bound() {
        assert_eq!(check(RETRY_ON_EXIT, "185"), Ok(()));
        let said = check(RETRY_ON_EXIT, "186").unwrap_err();
        let expected =
            "The value of the tag landfall:retry-on-exit must be a whole number from 1 to 185.";
        assert_eq!(said, expected);
        assert_eq!(check(RETRY_ON_EXIT_SECONDS, "300"), Ok(()));
        assert!(check(RETRY_ON_EXIT_SECONDS, "301").is_err());
    }

    #[test]
    fn other_peoples_tags_are_not_ours_and_misspelt_ones_are_refused() {
        assert_eq!(check("max-running", "many"), Ok(()));
        assert_eq!(check("Landfall:max-running", "many"), Ok(()));
        let said = check("landfall:max-runing", "1").unwrap_err();
        assert!(said.starts_with("Landfall does not know the tag landfall:max-runing"));
    }
}
