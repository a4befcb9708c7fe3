//! When a failed delivery is tried again, when it is given up, and what the dead letter says about it.
//! Never waits, never sends; randomness and time come in as arguments.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::ApiError;
use crate::limits::{
    EVENTS_RETRY_AGE_SECONDS_MAX, EVENTS_RETRY_ATTEMPTS_MAX, RETRY_DELAY_MILLIS_FIRST,
    RETRY_DELAY_MILLIS_MAX,
};
use crate::transform::TransformError;

/// A target's `RetryPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Retries behind the first attempt.
    pub attempts_max: u32,
    /// Age of the event in seconds, since it was taken in, after which no retry is made.
    pub age_seconds_max: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: EVENTS_RETRY_ATTEMPTS_MAX,
            age_seconds_max: EVENTS_RETRY_AGE_SECONDS_MAX,
        }
    }
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Throttling, time-outs, faults of the target's side.
    Retriable,
    /// No permission, no target, bad parameters, an input that cannot be made.
    Permanent,
}

/// Why no further attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExhaustedCondition {
    /// The error is permanent: nothing was exhausted.
    NotRetriable,
    /// All retries are used up.
    MaximumRetryAttempts,
    /// The event is too old.
    MaximumEventAgeInSeconds,
}

impl ExhaustedCondition {
    /// AWS's name for it; `None` when nothing was exhausted.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::NotRetriable => None,
            Self::MaximumRetryAttempts => Some("MaximumRetryAttempts"),
            Self::MaximumEventAgeInSeconds => Some("MaximumEventAgeInSeconds"),
        }
    }
}

/// What becomes of a delivery after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again then.
    RetryAt(Timestamp),
    /// Send it to the dead-letter queue, or drop it.
    GiveUp(ExhaustedCondition),
}

/// Decides after a failed attempt.
///
/// `attempts_made` counts the failed one too, so it is at least 1; `jitter` is any random number.
/// The wait doubles from [`RETRY_DELAY_MILLIS_FIRST`] to [`RETRY_DELAY_MILLIS_MAX`]; its second half is random.
/// The last retry is not put behind the age limit but on it.
pub fn decide(
    policy: RetryPolicy,
    attempts_made: u32,
    ingested_at: Timestamp,
    now: Timestamp,
    error_kind: ErrorKind,
    jitter: u64,
) -> Next {
    let expires_at = ingested_at.plus_millis(i64::from(policy.age_seconds_max) * 1_000);
    if error_kind == ErrorKind::Permanent {
        Next::GiveUp(ExhaustedCondition::NotRetriable)
    } else if attempts_made > policy.attempts_max {
        Next::GiveUp(ExhaustedCondition::MaximumRetryAttempts)
    } else if now >= expires_at {
        Next::GiveUp(ExhaustedCondition::MaximumEventAgeInSeconds)
    } else {
        Next::RetryAt(
            now.plus_millis(delay_millis(
                RETRY_DELAY_MILLIS_FIRST,
                attempts_made,
                jitter,
            ))
            .min(expires_at),
        )
    }
}

/// The wait behind the `attempts_made`-th attempt when the first one is `first_millis`: it doubles with every further
/// one up to [`RETRY_DELAY_MILLIS_MAX`], and its second half is random.
pub fn delay_millis(first_millis: i64, attempts_made: u32, jitter: u64) -> i64 {
    let doublings = attempts_made.saturating_sub(1);
    let full = 1_i64
        .checked_shl(doublings)
        .and_then(|factor| factor.checked_mul(first_millis))
        .filter(|delay| (1..RETRY_DELAY_MILLIS_MAX).contains(delay))
        .unwrap_or(RETRY_DELAY_MILLIS_MAX);
    let half = full / 2;
    let random = jitter % (half.unsigned_abs() + 1);
    half.saturating_add_unsigned(random)
}

/// The `ERROR_CODE` of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorCode {
    /// The target refuses the rule.
    NoPermissions,
    /// The target does not exist.
    NoResource,
    /// What the target should make exists already.
    ResourceAlreadyExists,
    /// The target has too much to do.
    Throttling,
    /// The target did not answer in time.
    Timeout,
    /// The target refuses the parameters.
    InvalidParameter,
    /// The request for the target could not be made.
    SdkClientError,
    /// The input is not the JSON that the template promised or the target takes.
    InvalidJson,
    /// A quota of the target is used up.
    ResourceLimitExceeded,
    /// Somebody else is changing the target.
    ResourceModificationCollision,
    /// The target failed.
    InternalError,
    /// The task that the target made could not be started. Landfall's own word: AWS counts such a delivery a success.
    TaskFailedToStart,
}

impl ErrorCode {
    /// AWS's spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoPermissions => "NO_PERMISSIONS",
            Self::NoResource => "NO_RESOURCE",
            Self::ResourceAlreadyExists => "RESOURCE_ALREADY_EXISTS",
            Self::Throttling => "THROTTLING",
            Self::Timeout => "TIMEOUT",
            Self::InvalidParameter => "INVALID_PARAMETER",
            Self::SdkClientError => "SDK_CLIENT_ERROR",
            Self::InvalidJson => "INVALID_JSON",
            Self::ResourceLimitExceeded => "RESOURCE_LIMIT_EXCEEDED",
            Self::ResourceModificationCollision => "RESOURCE_MODIFICATION_COLLISION",
            Self::InternalError => "INTERNAL_ERROR",
            Self::TaskFailedToStart => "TASK_FAILED_TO_START",
        }
    }

    /// Whether trying again can help.
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::Throttling
            | Self::Timeout
            | Self::ResourceLimitExceeded
            | Self::ResourceModificationCollision
            | Self::InternalError
            | Self::TaskFailedToStart => ErrorKind::Retriable,
            _ => ErrorKind::Permanent,
        }
    }

    /// What it means that a target's input could not be made.
    pub fn of_input(error: &TransformError) -> Self {
        match error {
            TransformError::Path { .. }
            | TransformError::Nothing { .. }
            | TransformError::UnknownPlaceholder(_) => Self::InvalidParameter,
            _ => Self::InvalidJson,
        }
    }

    /// What a target's answer means.
    pub fn of(error: &ApiError) -> Self {
        let code = error.code.as_ref();
        let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
        if has(&["Throttl", "SlowDown", "TooManyRequests"]) {
            Self::Throttling
        } else if has(&["LimitExceeded"]) {
            Self::ResourceLimitExceeded
        } else if has(&["OperationAborted", "ConcurrentModification"]) {
            Self::ResourceModificationCollision
        } else if has(&["Timeout", "TimedOut"]) {
            Self::Timeout
        } else if error.status >= 500 && error.status != 501 {
            Self::InternalError
        } else if has(&["AccessDenied", "NotAuthorized", "Unauthorized"]) {
            Self::NoPermissions
        } else if has(&["NotFound", "NonExistent", "DoesNotExist", "NoSuch"])
            || is_unknown_definition(error)
        {
            Self::NoResource
        } else if has(&["AlreadyExists"]) {
            Self::ResourceAlreadyExists
        } else {
            Self::InvalidParameter
        }
    }
}

/// ECS has one code for all that it does not know; the cluster alone has a code of its own.
fn is_unknown_definition(error: &ApiError) -> bool {
    error.code == "ClientException" && error.message == "TaskDefinition not found."
}

/// What is known about a delivery that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// The rule whose target it was for.
    pub rule_arn: &'a str,
    /// The target.
    pub target_arn: &'a str,
    /// The last error.
    pub error_code: ErrorCode,
    /// The last error's text.
    pub error_message: &'a str,
    /// Why it was given up.
    pub condition: ExhaustedCondition,
    /// All attempts, the first included; 0 when the input could not even be made.
    pub attempts_made: u32,
}

/// Message attributes (all of type String) of a dead letter; its body is the original event.
/// Empty ones are left out, as SQS refuses them.
pub fn dead_letter_attributes(letter: &DeadLetter<'_>) -> Vec<(&'static str, String)> {
    let attributes = [
        ("RULE_ARN", letter.rule_arn.to_owned()),
        ("TARGET_ARN", letter.target_arn.to_owned()),
        ("ERROR_CODE", letter.error_code.name().to_owned()),
        ("ERROR_MESSAGE", plain(letter.error_message)),
        (
            "EXHAUSTED_RETRY_CONDITION",
            letter.condition.name().unwrap_or_default().to_owned(),
        ),
        (
            "RETRY_ATTEMPTS",
            letter.attempts_made.saturating_sub(1).to_string(),
        ),
    ];
    attributes
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// A text without the characters that SQS refuses in attributes: no dead letter is lost because of its reason.
fn plain(text: &str) -> String {
    let is_refused = |c: char| !matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.replace(is_refused, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    fn after(
        attempts: u32,
        millis: i64,
        policy: RetryPolicy,
        kind: ErrorKind,
        jitter: u64,
    ) -> Next {
        decide(
            policy,
            attempts,
            START,
            START.plus_millis(millis),
            kind,
            jitter,
        )
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let table = [
            (1, 500, 1_000),
            (2, 1_000, 2_000),
            (3, 2_000, 4_000),
            (9, 128_000, 256_000),
        ];
        let capped = [10, 11, 63, 64, 65, 185].map(|n| (n, 150_000, 300_000));
        for (attempts, shortest, longest) in table.into_iter().chain(capped) {
            let at = |jitter| after(attempts, 0, policy, ErrorKind::Retriable, jitter);
            let span = i64::unsigned_abs(longest - shortest);
            assert_eq!(
                at(0),
                Next::RetryAt(START.plus_millis(shortest)),
                "{attempts}"
            );
            assert_eq!(
                at(span),
                Next::RetryAt(START.plus_millis(longest)),
                "{attempts}"
            );
            assert_eq!(
                at(span + 1),
                Next::RetryAt(START.plus_millis(shortest)),
                "{attempts}"
            );
        }
    }

    #[test]
    fn a_longer_first_wait_stays_and_doubles() {
        let table = [
            (60_000, 1, 60_000),
            (60_000, 3, 240_000),
            (60_000, 4, 300_000),
            (300_000, 1, 300_000),
            (300_000, 185, 300_000),
        ];
        for (first, attempts, longest) in table {
            let span = i64::unsigned_abs(longest / 2);
            let found = (
                delay_millis(first, attempts, 0),
                delay_millis(first, attempts, span),
            );
            assert_eq!(found, (longest / 2, longest), "{first} {attempts}");
        }
    }

    #[test]
    fn giving_up() {
        use ErrorKind::{Permanent, Retriable};
        use ExhaustedCondition::{MaximumEventAgeInSeconds, MaximumRetryAttempts, NotRetriable};
        let policy = |attempts_max, age_seconds_max| RetryPolicy {
            attempts_max,
            age_seconds_max,
        };
        let table = [
            (policy(185, 86_400), 1, 0, Permanent, Some(NotRetriable)),
            (
                policy(0, 86_400),
                1,
                0,
                Retriable,
                Some(MaximumRetryAttempts),
            ),
            (policy(1, 86_400), 1, 0, Retriable, None),
            (
                policy(1, 86_400),
                2,
                0,
                Retriable,
                Some(MaximumRetryAttempts),
            ),
            (policy(185, 86_400), 185, 0, Retriable, None),
            (
                policy(185, 86_400),
                186,
                0,
                Retriable,
                Some(MaximumRetryAttempts),
            ),
            (policy(185, 60), 5, 59_999, Retriable, None),
            (
                policy(185, 60),
                5,
                60_000,
                Retriable,
                Some(MaximumEventAgeInSeconds),
            ),
        ];
        for (policy, attempts, millis, kind, expected) in table {
            let found = match after(attempts, millis, policy, kind, 7) {
                Next::GiveUp(condition) => Some(condition),
                Next::RetryAt(_) => None,
            };
            assert_eq!(found, expected, "{policy:?} {attempts} {millis}");
        }
    }

    #[test]
    fn answers_become_codes() {
        let table = [
            (
                "ThrottlingException",
                400,
                "THROTTLING",
                ErrorKind::Retriable,
            ),
            ("SlowDown", 503, "THROTTLING", ErrorKind::Retriable),
            (
                "InternalFailure",
                500,
                "INTERNAL_ERROR",
                ErrorKind::Retriable,
            ),
            ("RequestTimeout", 400, "TIMEOUT", ErrorKind::Retriable),
            (
                "AccessDeniedException",
                400,
                "NO_PERMISSIONS",
                ErrorKind::Permanent,
            ),
            (
                "ClusterNotFoundException",
                400,
                "NO_RESOURCE",
                ErrorKind::Permanent,
            ),
            (
                "LimitExceededException",
                400,
                "RESOURCE_LIMIT_EXCEEDED",
                ErrorKind::Retriable,
            ),
            (
                "OperationAbortedException",
                400,
                "RESOURCE_MODIFICATION_COLLISION",
                ErrorKind::Retriable,
            ),
            (
                "ServerException",
                500,
                "INTERNAL_ERROR",
                ErrorKind::Retriable,
            ),
            ("AccessDenied", 403, "NO_PERMISSIONS", ErrorKind::Permanent),
            (
                "ResourceNotFoundException",
                400,
                "NO_RESOURCE",
                ErrorKind::Permanent,
            ),
            (
                "QueueDoesNotExist",
                400,
                "NO_RESOURCE",
                ErrorKind::Permanent,
            ),
            (
                "ClientException",
                400,
                "INVALID_PARAMETER",
                ErrorKind::Permanent,
            ),
            (
                "AWS.SimpleQueueService.NonExistentQueue",
                400,
                "NO_RESOURCE",
                ErrorKind::Permanent,
            ),
            (
                "ResourceAlreadyExistsException",
                400,
                "RESOURCE_ALREADY_EXISTS",
                ErrorKind::Permanent,
            ),
            (
                "InvalidParameterException",
                400,
                "INVALID_PARAMETER",
                ErrorKind::Permanent,
            ),
            (
                "NotImplemented",
                501,
                "INVALID_PARAMETER",
                ErrorKind::Permanent,
            ),
        ];
        for (code, status, name, kind) in table {
            let found = ErrorCode::of(&ApiError::with_status(code, status, "x"));
            assert_eq!((found.name(), found.kind()), (name, kind), "{code}");
        }
    }

    #[test]
    fn a_task_definition_that_is_gone_is_told_by_its_message_alone() {
        let code = |text| ErrorCode::of(&ApiError::client("ClientException", text));
        assert_eq!(code("TaskDefinition not found."), ErrorCode::NoResource);
        assert_eq!(
            code("TaskDefinition is inactive"),
            ErrorCode::InvalidParameter
        );
    }

    #[test]
    fn inputs_that_cannot_be_made_become_codes() {
        let text = String::new;
        let table = [
            (TransformError::Event(text()), "INVALID_JSON"),
            (TransformError::NotJson(text()), "INVALID_JSON"),
            (TransformError::NotQuoted { line: 1 }, "INVALID_JSON"),
            (
                TransformError::InsideEscape {
                    placeholder: text(),
                },
                "INVALID_JSON",
            ),
            (
                TransformError::Nothing { path: text() },
                "INVALID_PARAMETER",
            ),
            (
                TransformError::UnknownPlaceholder(text()),
                "INVALID_PARAMETER",
            ),
        ];
        for (error, name) in table {
            let code = ErrorCode::of_input(&error);
            assert_eq!((code.name(), code.kind()), (name, ErrorKind::Permanent));
        }
    }

    #[test]
    fn a_reason_that_sqs_would_refuse_is_made_plain() {
        assert_eq!(plain("a\u{1}\tb\u{ffff}é"), "a\u{fffd}\tb\u{fffd}é");
    }

    #[test]
    fn dead_letters_say_why() {
        let letter = DeadLetter {
            rule_arn: "r",
            target_arn: "t",
            error_code: ErrorCode::Throttling,
            error_message: "slow",
            condition: ExhaustedCondition::MaximumRetryAttempts,
            attempts_made: 3,
        };
        let expected = [
            ("RULE_ARN", "r"),
            ("TARGET_ARN", "t"),
            ("ERROR_CODE", "THROTTLING"),
            ("ERROR_MESSAGE", "slow"),
            ("EXHAUSTED_RETRY_CONDITION", "MaximumRetryAttempts"),
            ("RETRY_ATTEMPTS", "2"),
        ];
        assert_eq!(
            dead_letter_attributes(&letter),
            expected.map(|(n, v)| (n, v.to_owned()))
        );
        let permanent = DeadLetter {
            condition: ExhaustedCondition::NotRetriable,
            error_message: "",
            ..letter
        };
        let names: Vec<_> = dead_letter_attributes(&permanent)
            .into_iter()
            .map(|(n, _)| n)
            .collect();
        assert_eq!(
            names,
            ["RULE_ARN", "TARGET_ARN", "ERROR_CODE", "RETRY_ATTEMPTS"]
        );
    }

    proptest! {
        #[test]
        fn a_retry_is_later_and_never_behind_the_age_limit(
            attempts in 1..400_u32, millis in 0..100_000_000_i64, age in 60..=86_400_u32, jitter in any::<u64>(),
        ) {
            let policy = RetryPolicy { attempts_max: 185, age_seconds_max: age };
            let now = START.plus_millis(millis);
            let limit = START.plus_millis(i64::from(age) * 1_000);
            match decide(policy, attempts, START, now, ErrorKind::Retriable, jitter) {
                Next::RetryAt(at) => prop_assert!(at > now && at <= limit && attempts <= 185),
                Next::GiveUp(_) => prop_assert!(attempts > 185 || now >= limit),
            }
        }
    }
}
