//! The matcher of event patterns next to quamina: the same rules, the same events, one process for each engine and
//! each set, so that neither finds the other's memory or caches. Never compares what the two do not answer alike.

mod engine;
mod events;
mod hostile;
mod one;
mod sets;

use std::process::Command;

use anyhow::{Context, Result, ensure};

use engine::Engine;
use one::Figures;
use sets::{Set, Shape};

/// The n-th rule of the mixed set.
pub(super) fn mixed_rule(n: usize) -> String {
    Set::Mixed.rule(n)
}

/// What to measure, and how long.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Seconds of CPU time for each figure.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only sets whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Largest number of rules.
    #[arg(long, default_value_t = 100_000)]
    rules: usize,
    /// Leave the other engine out.
    #[arg(long)]
    alone: bool,
    /// Measure one engine on one set and print the figures for the process that asked.
    #[arg(long, hide = true, num_args = 3, value_names = ["ENGINE", "SET", "RULES"])]
    one: Vec<String>,
}

/// Measures and prints.
pub(super) fn run(args: &Args) -> Result<()> {
    if let [engine, set, rules] = args.one.as_slice() {
        let case = Case {
            set: Set::named(set)?,
            rules: rules.parse()?,
        };
        let figures = one::measure(Engine::named(engine)?, case.set, case.rules, args.seconds)?;
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    println!("{}", super::report::machine());
    println!(
        "\nevents per second of CPU time; memory is what the process grew by while it loaded the rules\n"
    );
    println!(
        "| set | rules | landfall | quamina | ratio | any names | memory (MB) | load (ms) | add, delete (µs) | matches per event |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut disagreements = 0;
    for case in cases(args) {
        disagreements += usize::from(!compare(args, &case)?);
    }
    if "hostile".contains(&args.only) {
        println!("\n{}", hostile::table()?);
    }
    ensure!(
        disagreements == 0,
        "{disagreements} sets are not answered alike"
    );
    Ok(())
}

/// One line of the table.
struct Case {
    set: Set,
    rules: usize,
}

fn cases(args: &Args) -> Vec<Case> {
    let sizes = |set: Set| -> &[usize] {
        match (set, set.shape()) {
            (Set::Mixed, _) => &[1, 10, 100, 1_000, 10_000, 100_000],
            (Set::Contains, _) => &[1_000, 10_000],
            (_, Shape::S3) => &[1_000, 10_000],
            (_, Shape::Geo) => &[1, 100],
        }
    };
    let is_asked = |case: &Case| case.set.name().contains(&args.only) && case.rules <= args.rules;
    let all = Set::ALL
        .into_iter()
        .flat_map(|set| sizes(set).iter().map(move |&rules| Case { set, rules }));
    all.filter(is_asked).collect()
}

/// Whether both engines, where both know the operators, find the same matches.
fn compare(args: &Args, case: &Case) -> Result<bool> {
    let ours = ask(args, Engine::Landfall, case)?;
    let any = ask(args, Engine::LandfallAny, case)?;
    let theirs = if args.alone || !case.set.is_known_to_quamina(case.rules) {
        None
    } else {
        Some(ask(args, Engine::Quamina, case)?)
    };
    println!("{}", row(case, &ours, &any, theirs.as_ref()));
    let mut others = theirs.iter().chain([&any]);
    let is_alike = others.all(|other| other.matches == ours.matches);
    if !is_alike {
        eprintln!(
            "{} with {} rules: the matches differ",
            case.set.name(),
            case.rules
        );
    }
    Ok(is_alike)
}

fn ask(args: &Args, engine: Engine, case: &Case) -> Result<Figures> {
    let seconds = args.seconds.to_string();
    let rules = case.rules.to_string();
    let output = Command::new(std::env::current_exe()?)
        .args(["bench", "matcher", "--seconds", &seconds, "--one"])
        .args([engine.name(), case.set.name(), &rules])
        .output()?;
    let problem = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} on {}: {problem}",
        engine.name(),
        case.set.name()
    );
    serde_json::from_slice(&output.stdout).context("a measurement cannot be read")
}

fn row(case: &Case, ours: &Figures, any: &Figures, theirs: Option<&Figures>) -> String {
    let both = |show: &dyn Fn(&Figures) -> String| {
        format!(
            "{} / {}",
            show(ours),
            theirs.map_or_else(|| "-".to_owned(), show)
        )
    };
    let rate = |figures: &Figures| format!("{:.0} k", figures.events_per_second / 1_000.0);
    let ratio = theirs.map_or_else(
        || "-".to_owned(),
        |theirs| format!("{:.1}", ours.events_per_second / theirs.events_per_second),
    );
    let theirs_rate = theirs.map_or_else(|| "-".to_owned(), rate);
    let memory = both(&|figures| format!("{:.1}", figures.memory_bytes as f64 / 1e6));
    let load = both(&|figures| format!("{:.1}", figures.load_millis));
    let matches = ours.matches as f64 / ours.events as f64;
    format!(
        "| {} | {} | {} | {theirs_rate} | {ratio} | {} | {memory} | {load} | {:.1}, {:.1} | {matches:.2} |",
        case.set.name(),
        case.rules,
        rate(ours),
        rate(any),
        ours.add_micros,
        ours.delete_micros,
    )
}
