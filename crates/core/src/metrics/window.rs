//! The time that a question to CloudWatch is about, cut into periods. Never looks at a metric.

use crate::clock::Timestamp;

const MINUTE_SECONDS: i64 = 60;
/// Periods shorter than a minute that CloudWatch knows.
const SHORT_PERIODS: [i32; 5] = [1, 5, 10, 20, 30];

/// A span of time, cut into periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Where it begins, a whole minute; seconds since the epoch.
    start: i64,
    /// Where it ends; a point that begins here is outside.
    end: i64,
    period_seconds: i64,
}

/// Why a span cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It ends before it begins, or with its beginning.
    #[error("The parameter StartTime must be less than the parameter EndTime.")]
    Empty,
    /// The period is none of CloudWatch's.
    #[error(
        "The parameter Period must be a value in the set [1, 5, 10, 20, 30] or a multiple of 60."
    )]
    Period,
}

impl Window {
    /// The span between two moments. Its beginning is rounded down to a whole minute, as CloudWatch does.
    pub fn of(start: Timestamp, end: Timestamp, period_seconds: i32) -> Result<Self, WindowError> {
        if start >= end {
            return Err(WindowError::Empty);
        }
        let period = i64::from(period_seconds);
        if period < 1 || (period % MINUTE_SECONDS != 0 && !SHORT_PERIODS.contains(&period_seconds))
        {
            return Err(WindowError::Period);
        }
        let start = start.0.div_euclid(1_000);
        Ok(Self {
            start: start - start.rem_euclid(MINUTE_SECONDS),
            end: end.0.div_euclid(1_000) + i64::from(end.0.rem_euclid(1_000) > 0),
            period_seconds: period,
        })
    }

    /// The first minute that lies in it, and the first behind it; minutes since the epoch.
    pub fn minutes(self) -> (i64, i64) {
        let up = |seconds: i64| {
            seconds.div_euclid(MINUTE_SECONDS) + i64::from(seconds.rem_euclid(MINUTE_SECONDS) > 0)
        };
        (self.start.div_euclid(MINUTE_SECONDS), up(self.end))
    }

    /// Points that an answer can hold at most.
    pub fn points(self) -> i64 {
        let seconds = self.end.saturating_sub(self.start);
        seconds.div_euclid(self.period_seconds)
            + i64::from(seconds.rem_euclid(self.period_seconds) > 0)
    }

    /// The beginning of the period that a minute lies in; seconds since the epoch.
    pub fn period_of(self, minute: i64) -> i64 {
        let at = minute.saturating_mul(MINUTE_SECONDS);
        at - (at - self.start).rem_euclid(self.period_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: i64, end: i64, period: i32) -> Result<Window, WindowError> {
        Window::of(Timestamp(start * 1_000), Timestamp(end * 1_000), period)
    }

    #[test]
    fn bounds_and_periods() {
        let table = [
            (0, 60, 60, None),
            (0, 1, 1, None),
            (60, 60, 60, Some(WindowError::Empty)),
            (61, 60, 60, Some(WindowError::Empty)),
            (0, 60, 0, Some(WindowError::Period)),
            (0, 60, -60, Some(WindowError::Period)),
            (0, 60, 45, Some(WindowError::Period)),
            (0, 60, 90, Some(WindowError::Period)),
            (0, 60, 30, None),
            (0, 60, 86_400, None),
        ];
        for (start, end, period, error) in table {
            assert_eq!(
                window(start, end, period).err(),
                error,
                "{start} {end} {period}"
            );
        }
    }

    #[test]
    fn a_beginning_is_rounded_down_and_an_end_is_outside() {
        let seen = window(125, 301, 120).unwrap();
        assert_eq!(seen.minutes(), (2, 6));
        assert_eq!(seen.points(), 2);
        let periods: Vec<i64> = (2..6).map(|minute| seen.period_of(minute)).collect();
        assert_eq!(periods, [120, 120, 240, 240]);
        assert_eq!(window(120, 300, 60).unwrap().minutes(), (2, 5));
        assert_eq!(window(0, 86_400, 60).unwrap().points(), 1_440);
    }
}
