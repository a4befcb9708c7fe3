//! The metrics that EventBridge sends to CloudWatch: names, units, dimensions, and how samples become statistics. Never
//! counts anything itself, and never knows a store.

mod window;

use serde::{Deserialize, Serialize};

pub use window::{Window, WindowError};

/// The namespace of EventBridge's metrics.
pub const NAMESPACE: &str = "AWS/Events";

/// What is counted, or measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Metric {
    FailedInvocations,
    IngestionToInvocationCompleteLatency,
    IngestionToInvocationStartLatency,
    IngestionToInvocationSuccessLatency,
    InvocationAttempts,
    Invocations,
    InvocationsCreated,
    InvocationsFailedToBeSentToDlq,
    InvocationsSentToDlq,
    /// `MatchedEvents` of a rule.
    MatchedEvents,
    /// `MatchedEvents` of a bus: events that any rule matched, each counted with the first rule that did.
    MatchedEventsOfBus,
    PutEventsApproximateCallCount,
    PutEventsApproximateSuccessCount,
    PutEventsEntriesCount,
    PutEventsFailedEntriesCount,
    PutEventsRequestSize,
    RetryInvocationAttempts,
    SuccessfulInvocationAttempts,
    TriggeredRules,
}

/// By which dimensions a metric is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// None: the whole account and Region.
    Account,
    /// `EventBusName`.
    Bus,
    /// `RuleName`, with `EventBusName` unless the bus is the default one.
    Rule,
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Unit {
    Count,
    Milliseconds,
    Bytes,
}

impl Unit {
    /// CloudWatch's spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Bytes => "Bytes",
        }
    }
}

const ALL_SCOPES: &[Scope] = &[Scope::Account, Scope::Bus, Scope::Rule];
const RULE: &[Scope] = &[Scope::Rule];
const ACCOUNT: &[Scope] = &[Scope::Account];

impl Metric {
    /// Every metric that Landfall counts. `ThrottledRules` and `DeadLetterInvocations` never happen here.
    pub const ALL: [Self; 19] = [
        Self::FailedInvocations,
        Self::IngestionToInvocationCompleteLatency,
        Self::IngestionToInvocationStartLatency,
        Self::IngestionToInvocationSuccessLatency,
        Self::InvocationAttempts,
        Self::Invocations,
        Self::InvocationsCreated,
        Self::InvocationsFailedToBeSentToDlq,
        Self::InvocationsSentToDlq,
        Self::MatchedEvents,
        Self::MatchedEventsOfBus,
        Self::PutEventsApproximateCallCount,
        Self::PutEventsApproximateSuccessCount,
        Self::PutEventsEntriesCount,
        Self::PutEventsFailedEntriesCount,
        Self::PutEventsRequestSize,
        Self::RetryInvocationAttempts,
        Self::SuccessfulInvocationAttempts,
        Self::TriggeredRules,
    ];

    /// The metric of a name within a scope.
    pub fn find(name: &str, scope: Scope) -> Option<Self> {
        let fits = |metric: &Self| metric.name() == name && metric.scopes().contains(&scope);
        Self::ALL.into_iter().find(fits)
    }

    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::FailedInvocations => "FailedInvocations",
            Self::IngestionToInvocationCompleteLatency => "IngestionToInvocationCompleteLatency",
            Self::IngestionToInvocationStartLatency => "IngestionToInvocationStartLatency",
            Self::IngestionToInvocationSuccessLatency => "IngestionToInvocationSuccessLatency",
            Self::InvocationAttempts => "InvocationAttempts",
            Self::Invocations => "Invocations",
            Self::InvocationsCreated => "InvocationsCreated",
            Self::InvocationsFailedToBeSentToDlq => "InvocationsFailedToBeSentToDlq",
            Self::InvocationsSentToDlq => "InvocationsSentToDlq",
            Self::MatchedEvents | Self::MatchedEventsOfBus => "MatchedEvents",
            Self::PutEventsApproximateCallCount => "PutEventsApproximateCallCount",
            Self::PutEventsApproximateSuccessCount => "PutEventsApproximateSuccessCount",
            Self::PutEventsEntriesCount => "PutEventsEntriesCount",
            Self::PutEventsFailedEntriesCount => "PutEventsFailedEntriesCount",
            Self::PutEventsRequestSize => "PutEventsRequestSize",
            Self::RetryInvocationAttempts => "RetryInvocationAttempts",
            Self::SuccessfulInvocationAttempts => "SuccessfulInvocationAttempts",
            Self::TriggeredRules => "TriggeredRules",
        }
    }

    /// Its unit.
    pub fn unit(self) -> Unit {
        match self {
            Self::IngestionToInvocationCompleteLatency
            | Self::IngestionToInvocationStartLatency
            | Self::IngestionToInvocationSuccessLatency => Unit::Milliseconds,
            Self::PutEventsRequestSize => Unit::Bytes,
            _ => Unit::Count,
        }
    }

    /// The dimensions by which AWS's documentation tells it.
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Self::FailedInvocations
            | Self::InvocationsFailedToBeSentToDlq
            | Self::InvocationsSentToDlq
            | Self::MatchedEvents => RULE,
            Self::MatchedEventsOfBus => &[Scope::Bus],
            Self::Invocations => &[Scope::Account, Scope::Rule],
            Self::InvocationsCreated
            | Self::PutEventsApproximateCallCount
            | Self::PutEventsApproximateSuccessCount
            | Self::PutEventsEntriesCount
            | Self::PutEventsFailedEntriesCount
            | Self::PutEventsRequestSize => ACCOUNT,
            Self::IngestionToInvocationCompleteLatency
            | Self::IngestionToInvocationStartLatency
            | Self::IngestionToInvocationSuccessLatency
            | Self::InvocationAttempts
            | Self::RetryInvocationAttempts
            | Self::SuccessfulInvocationAttempts
            | Self::TriggeredRules => ALL_SCOPES,
        }
    }
}

/// What CloudWatch keeps of the samples of a metric in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

/// A statistic of CloudWatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
}

impl Statistic {
    /// The statistic of a name; percentiles and trimmed means are none of those that are kept.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => return None,
        })
    }
}

impl Samples {
    /// One sample.
    pub fn one(value: f64) -> Self {
        Self {
            count: 1,
            sum: value,
            min: value,
            max: value,
        }
    }

    /// With others of the same metric.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            sum: self.sum + other.sum,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    /// One statistic of them.
    #[allow(clippy::cast_precision_loss)]
    pub fn statistic(self, statistic: Statistic) -> f64 {
        match statistic {
            Statistic::SampleCount => self.count as f64,
            Statistic::Average => self.sum / self.count.max(1) as f64,
            Statistic::Sum => self.sum,
            Statistic::Minimum => self.min,
            Statistic::Maximum => self.max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_by_the_dimensions_of_aws_s_documentation() {
        use Scope::{Account, Bus, Rule};
        let table: [(&str, &[Scope]); 9] = [
            ("MatchedEvents", &[Bus, Rule]),
            ("TriggeredRules", &[Account, Bus, Rule]),
            ("Invocations", &[Account, Rule]),
            ("FailedInvocations", &[Rule]),
            ("InvocationsSentToDlq", &[Rule]),
            ("InvocationAttempts", &[Account, Bus, Rule]),
            ("IngestionToInvocationStartLatency", &[Account, Bus, Rule]),
            ("PutEventsEntriesCount", &[Account]),
            ("ThrottledRules", &[]),
        ];
        for (name, scopes) in table {
            for scope in [Account, Bus, Rule] {
                let found = Metric::find(name, scope);
                assert_eq!(found.is_some(), scopes.contains(&scope), "{name} {scope:?}");
                assert!(found.is_none_or(|metric| metric.name() == name));
            }
        }
    }

    #[test]
    fn a_stored_name_is_aws_s_but_for_the_one_that_has_two_meanings() {
        for metric in Metric::ALL {
            let stored = serde_json::to_value(metric).unwrap();
            let told = metric.name();
            let is_second = metric == Metric::MatchedEventsOfBus;
            assert_eq!(stored == told, !is_second, "{stored} {told}");
        }
    }

    #[test]
    fn samples_add_up() {
        let all = [3.0, 1.0, 5.0].map(Samples::one);
        let whole = all.into_iter().reduce(Samples::and).unwrap();
        let table = [
            ("SampleCount", 3.0),
            ("Average", 3.0),
            ("Sum", 9.0),
            ("Minimum", 1.0),
            ("Maximum", 5.0),
        ];
        for (name, value) in table {
            let statistic = Statistic::of(name).unwrap();
            assert!((whole.statistic(statistic) - value).abs() < 1e-9, "{name}");
        }
        assert_eq!(Statistic::of("p99"), None);
    }
}
