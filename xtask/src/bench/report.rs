//! Medians, and the table that is printed. Never measures anything.

use std::fmt::Write as _;

/// One line of the table.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) measured: String,
    pub(super) beside: String,
    pub(super) goal: String,
    pub(super) is_met: bool,
}

/// Many measurements of one thing.
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn new(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self(samples)
    }

    /// The middle one; of two, the lower. Zero when there is none.
    pub(super) fn median(&self) -> f64 {
        let middle = self.0.len().saturating_sub(1) / 2;
        self.0.get(middle).copied().unwrap_or_default()
    }

    /// Median, lowest and highest, with `digits` behind the point.
    pub(super) fn show(&self, digits: usize, unit: &str) -> String {
        let low = self.0.first().copied().unwrap_or_default();
        let high = self.0.last().copied().unwrap_or_default();
        format!(
            "{:.digits$}{unit} ({low:.digits$} to {high:.digits$})",
            self.median()
        )
    }
}

/// What the figures depend on most.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{cores} cores, Linux {}, load before the run {load}",
        kernel.trim()
    )
}

/// The rows as Markdown.
pub(super) fn table(rows: &[Row]) -> String {
    let mut out =
        "| what | measured | beside it | goal | met |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let met = if row.is_met { "yes" } else { "**no**" };
        let _infallible = writeln!(
            out,
            "| {} | {} | {} | {} | {met} |",
            row.what, row.measured, row.beside, row.goal
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_one_of_the_samples() {
        for (samples, median) in [
            (vec![], 0.0),
            (vec![4.0], 4.0),
            (vec![9.0, 1.0], 1.0),
            (vec![9.0, 1.0, 5.0], 5.0),
        ] {
            assert_eq!(
                Samples::new(samples.clone()).median(),
                median,
                "{samples:?}"
            );
        }
        let shown = Samples::new(vec![3.0, 1.26, 2.0]).show(1, " ms");
        assert_eq!(shown, "2.0 ms (1.3 to 3.0)");
    }
}
