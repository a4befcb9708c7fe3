//! `GET /_landfall/metrics`: Landfall's own numbers as Prometheus reads them. Takes no lock that the pipeline waits for, and
//! never measures anything: it only writes down what is counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use landfall_core::error::ApiError;
use landfall_core::metrics::{Metric, Unit};
use landfall_flow::Flow;
use landfall_flow::count::{Series, gauges};

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The whole page.
pub(super) fn page(flow: &Flow) -> Result<String, ApiError> {
    let mut page = Page::default();
    build(&mut page, flow);
    events(&mut page, flow);
    pipeline(&mut page, flow)?;
    process(&mut page);
    Ok(page.text())
}

/// One family of samples.
#[derive(Default)]
struct Family {
    kind: &'static str,
    help: String,
    lines: Vec<String>,
}

/// Families by name, so that the samples of each stand together.
#[derive(Default)]
struct Page(BTreeMap<String, Family>);

impl Page {
    fn add(
        &mut self,
        name: &str,
        (kind, help): (&'static str, &str),
        suffix: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let family = self.0.entry(name.to_owned()).or_insert_with(|| Family {
            kind,
            help: help.to_owned(),
            lines: Vec::new(),
        });
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        family.lines.push(format!("{name}{suffix}{labels} {value}"));
    }

    fn text(self) -> String {
        let mut text = String::new();
        for (name, family) in self.0 {
            let Family { kind, help, lines } = family;
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for line in lines {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }
}

/// A value of a label; in it only these three mean something.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn build(page: &mut Page, flow: &Flow) {
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("runtime", flow.runtime().name()),
    ];
    let about = ("gauge", "What serves; always 1.");
    page.add("landfall_build_info", about, "", &labels, 1.0);
}

/// `InvocationsSentToDlq` becomes `invocations_sent_to_dlq`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for (index, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// What EventBridge counts, as totals since the start.
fn events(page: &mut Page, flow: &Flow) {
    for (series, totals) in flow.totals().all() {
        for metric in Metric::ALL {
            let (count, sum) = totals.get(metric);
            if count > 0 {
                event(page, &series, metric, count, sum);
            }
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn event(page: &mut Page, series: &Series, metric: Metric, count: u64, sum: u64) {
    let mut labels = vec![
        ("account", series.account.as_str()),
        ("region", series.region.as_str()),
    ];
    if !series.bus.is_empty() {
        labels.extend([("bus", series.bus.as_str()), ("rule", series.rule.as_str())]);
    }
    let (count, sum) = (count as f64, sum as f64);
    let told = snake(metric.name());
    let of = format!(
        "{} of CloudWatch's AWS/Events, since the start.",
        metric.name()
    );
    match metric.unit() {
        Unit::Count if metric == Metric::MatchedEventsOfBus => {
            let name = "landfall_events_matched_first_total";
            let help = "Events by the first rule that they matched, since the start: their sum is MatchedEvents of a bus.";
            page.add(name, ("counter", help), "", &labels, sum);
        }
        Unit::Count => {
            let name = format!("landfall_events_{}_total", told.trim_end_matches("_count"));
            page.add(&name, ("counter", &of), "", &labels, sum);
        }
        Unit::Milliseconds => {
            let name = format!("landfall_events_{told}_seconds");
            page.add(&name, ("summary", &of), "_sum", &labels, sum / 1_000.0);
            page.add(&name, ("summary", &of), "_count", &labels, count);
        }
        Unit::Bytes => {
            let name = format!("landfall_events_{told}_bytes");
            page.add(&name, ("summary", &of), "_sum", &labels, sum);
            page.add(&name, ("summary", &of), "_count", &labels, count);
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn pipeline(page: &mut Page, flow: &Flow) -> Result<(), ApiError> {
    let totals = flow.totals();
    let counters = [
        (
            "landfall_objects_put_total",
            "Objects that PutObject made, since the start.",
            totals.puts(),
        ),
        (
            "landfall_commits_total",
            "Commits of the store, since the start.",
            totals.commits(),
        ),
        (
            "landfall_commit_failures_total",
            "Commits that failed; the server stops after the first.",
            totals.failed_commits(),
        ),
    ];
    for (name, help, value) in counters {
        page.add(name, ("counter", help), "", &[], value as f64);
    }
    let now = gauges::gauges(&flow.view(), flow.clock().now())?;
    let tasks = ("gauge", "Tasks that have not stopped.");
    for (state, count) in [("waiting", now.tasks_waiting), ("placed", now.tasks_placed)] {
        page.add(
            "landfall_tasks",
            tasks,
            "",
            &[("state", state)],
            count as f64,
        );
    }
    let due = (
        "gauge",
        "Deliveries that are due, now or at their next retry.",
    );
    page.add(
        "landfall_deliveries_due",
        due,
        "",
        &[],
        now.deliveries_due as f64,
    );
    let messages = ("gauge", "Messages in a queue.");
    for queue in now.queues {
        let states = [
            ("visible", queue.visible),
            ("in_flight", queue.in_flight),
            ("delayed", queue.delayed),
        ];
        for (state, count) in states {
            let labels = [
                ("account", queue.account.as_str()),
                ("region", queue.region.as_str()),
                ("queue", queue.name.as_str()),
                ("state", state),
            ];
            page.add(
                "landfall_queue_messages",
                messages,
                "",
                &labels,
                count as f64,
            );
        }
    }
    Ok(())
}

/// What the system says of the process; where it says nothing, nothing is told.
fn process(page: &mut Page) {
    let memory = proc_number("/proc/self/status", "VmRSS:").map(|kib| kib * 1_024.0);
    let most = proc_number("/proc/self/limits", "Max open files");
    #[allow(clippy::cast_precision_loss)]
    let open = std::fs::read_dir("/proc/self/fd").map(|all| all.count().saturating_sub(1) as f64);
    let found = [
        ("process_resident_memory_bytes", "Resident memory.", memory),
        ("process_open_fds", "Open descriptors.", open.ok()),
        ("process_max_fds", "Descriptors that may be open.", most),
    ];
    for (name, help, value) in found {
        if let Some(value) = value {
            page.add(name, ("gauge", help), "", &[], value);
        }
    }
}

/// The first number behind a word that begins a line.
fn proc_number(file: &str, word: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_prometheus_s() {
        assert_eq!(snake("InvocationsSentToDlq"), "invocations_sent_to_dlq");
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }

    #[test]
    fn families_stand_together_under_their_type() {
        let mut page = Page::default();
        page.add("b", ("summary", "B."), "_sum", &[("x", "1")], 1.5);
        page.add("a_total", ("counter", "A."), "", &[], 7.0);
        page.add("b", ("summary", "B."), "_count", &[("x", "1")], 3.0);
        let expected = "# HELP a_total A.\n# TYPE a_total counter\na_total 7\n\
                        # HELP b B.\n# TYPE b summary\nb_sum{x=\"1\"} 1.5\nb_count{x=\"1\"} 3\n";
        assert_eq!(page.text(), expected);
    }

    #[test]
    fn the_system_tells_of_this_process() {
        assert!(proc_number("/proc/self/status", "VmRSS:").is_some_and(|kib| kib > 100.0));
        assert_eq!(proc_number("/proc/self/none", "x"), None);
    }
}
