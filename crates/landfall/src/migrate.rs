//! `landfall migrate`: a template in, the new one (or what changes) out, and a report of what was done and what was not.
//! Never writes over the template unless asked to.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use landfall_core::migrate::prove::Proof;
use landfall_core::migrate::terraform;
use landfall_core::migrate::{Kind, MigrateError, Note, Options, migrate};
use serde_json::json;

use crate::cli::{MigrateArgs, Output};
use crate::draw::{Remark, Tone, draw};
use crate::proof::{self, Sides};

/// Exit status when a rule was refused.
const REFUSED: u8 = 3;
/// Exit status when the proof does not hold.
const DIFFERS: u8 = 4;
/// Lines around a change in a diff.
const CONTEXT_LINES: usize = 3;

/// What migrating gave, for either kind of input.
struct Done {
    old: String,
    /// The new template, or the text to put into the configuration.
    new: String,
    is_plan: bool,
    notes: Vec<Note>,
    moved: Vec<String>,
    refused: Vec<String>,
    proof: Option<Proof>,
}

/// Runs the command.
pub fn run(args: &MigrateArgs) -> Result<ExitCode> {
    let old = read(&args.template)?;
    if let Some(other) = &args.proof.against {
        return compare(args, &old, &read(other)?);
    }
    let file = args.template.display().to_string();
    let done = if terraform::is_plan(&old) {
        plan(args, old)?
    } else {
        template(args, old, &file)?
    };
    if args.output == Output::Table {
        eprint!("{}", report(&done, &file));
    }
    write(args, &done, &file)?;
    Ok(status(&done.refused, done.proof.as_ref()))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn options(args: &MigrateArgs) -> Options {
    Options {
        widen: args.widen,
        keep_trail: args.keep_trail,
    }
}

fn status(refused: &[String], proof: Option<&Proof>) -> ExitCode {
    if !refused.is_empty() {
        ExitCode::from(REFUSED)
    } else if proof.is_some_and(|it| !proof::holds(it)) {
        ExitCode::from(DIFFERS)
    } else {
        ExitCode::SUCCESS
    }
}

/// Holds the template against another one instead of migrating it.
fn compare(args: &MigrateArgs, old: &str, new: &str) -> Result<ExitCode> {
    let proof = proof::run(&args.proof, Sides::Templates(old, new), args.widen)?;
    match args.output {
        Output::Table => print!("{}", proof::words(&proof)),
        Output::Json => println!("{}", serde_json::to_string_pretty(&proof::as_json(&proof))?),
    }
    Ok(status(&[], Some(&proof)))
}

fn template(args: &MigrateArgs, old: String, file: &str) -> Result<Done> {
    let migration = match migrate(&old, options(args)) {
        Ok(migration) => migration,
        Err(error) => bail!("{}", drawn(&error, file, &old)),
    };
    let mut proof = None;
    if args.prove && (!migration.moved.is_empty() || migration.refused.is_empty()) {
        let sides = Sides::Templates(&old, &migration.text);
        proof = Some(proof::run(&args.proof, sides, args.widen)?);
    }
    Ok(Done {
        old,
        new: migration.text,
        is_plan: false,
        notes: migration.notes,
        moved: migration.moved,
        refused: migration.refused,
        proof,
    })
}

fn plan(args: &MigrateArgs, old: String) -> Result<Done> {
    if args.diff || args.in_place {
        bail!(
            "a plan is not the source: what to write instead is printed, and nothing can be edited in place"
        );
    }
    let suggestion = terraform::suggest(&old, options(args))?;
    let mut proof = None;
    if args.prove {
        let sides = Sides::Ready(Box::new(suggestion.sides()?));
        proof = Some(proof::run(&args.proof, sides, args.widen)?);
    }
    Ok(Done {
        old,
        new: suggestion.text,
        is_plan: true,
        notes: suggestion.notes,
        moved: suggestion.moved,
        refused: suggestion.refused,
        proof,
    })
}

fn drawn(error: &MigrateError, file: &str, text: &str) -> String {
    let span = match error {
        MigrateError::Template(error) => error.span,
        MigrateError::Unwritable(_) => None,
    };
    let Some(span) = span else {
        return format!("{file}: {error}");
    };
    let message = error.to_string();
    let shown = draw(&Remark {
        tone: Tone::Error,
        code: "",
        message: &message,
        advice: None,
        file,
        text: without_mark(text),
        place: span.start.byte..span.end.byte,
    });
    format!("{file} is not a template\n{shown}")
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn write(args: &MigrateArgs, done: &Done, file: &str) -> Result<()> {
    let diff = || diff(done, file);
    if args.output == Output::Json {
        let document = json!({
            "template": (!done.is_plan).then_some(&done.new),
            "suggestion": done.is_plan.then_some(&done.new),
            "diff": (!done.is_plan).then(diff),
            "moved": done.moved,
            "refused": done.refused,
            "notes": done.notes,
            "proof": done.proof.as_ref().map(proof::as_json),
        });
        println!("{}", serde_json::to_string_pretty(&document)?);
    }
    let target = if args.in_place {
        Some(&args.template)
    } else {
        args.to.as_ref()
    };
    match target {
        Some(path) => std::fs::write(path, &done.new)
            .with_context(|| format!("cannot write {}", path.display()))?,
        None if args.output == Output::Json => {}
        None if args.diff => print!("{}", diff()),
        None => print!("{}", done.new),
    }
    Ok(())
}

fn diff(done: &Done, file: &str) -> String {
    let diff = similar::TextDiff::from_lines(&done.old, &done.new);
    let mut unified = diff.unified_diff();
    unified
        .context_radius(CONTEXT_LINES)
        .header(&format!("a/{file}"), &format!("b/{file}"))
        .to_string()
}

/// What there is to say, the worst first.
fn report(done: &Done, file: &str) -> String {
    let mut shown = String::new();
    for note in &done.notes {
        shown += &match (note.kind, note.span) {
            (Kind::Refused, Some(span)) => {
                refusal(note, span.start.byte..span.end.byte, file, &done.old)
            }
            _ => line(note, file),
        };
    }
    let count = |them: &[String]| match them.len() {
        1 => "1 rule".to_owned(),
        count => format!("{count} rules"),
    };
    shown += &match (done.moved.is_empty(), done.refused.is_empty()) {
        (true, true) => {
            "nothing to move: no rule waits for S3's calls as CloudTrail tells them\n".to_owned()
        }
        (_, true) => format!("moved {}\n", count(&done.moved)),
        (_, false) => format!(
            "moved {}, left {} as they were: {}\n",
            count(&done.moved),
            count(&done.refused),
            done.refused.join(", ")
        ),
    };
    if let Some(proof) = &done.proof {
        shown += &proof::words(proof);
    }
    shown
}

fn refusal(note: &Note, place: std::ops::Range<usize>, file: &str, text: &str) -> String {
    let message = format!("{} cannot be moved: {}", note.subject, note.message);
    let text = without_mark(text);
    let written = text.get(place.clone()).unwrap_or_default();
    let first = written.lines().next().unwrap_or_default().trim_end();
    let shown = draw(&Remark {
        tone: Tone::Error,
        code: "",
        message: &message,
        advice: note.advice.as_deref(),
        file,
        text,
        place: place.start..place.start + first.len(),
    });
    format!("{shown}\n\n")
}

fn line(note: &Note, file: &str) -> String {
    let kind = match note.kind {
        Kind::Refused => "refused",
        Kind::Left => "left",
        Kind::Differs => "differs",
        Kind::Changed => "changed",
        Kind::Removed => "removed",
    };
    let place = match note.span {
        Some(span) => format!("{file}:{}: ", span.start.line),
        None => String::new(),
    };
    let subject = match note.subject.as_str() {
        "" => String::new(),
        subject => format!("{subject}: "),
    };
    let advice = match &note.advice {
        Some(advice) => format!(" ({advice})"),
        None => String::new(),
    };
    format!("{kind:<8} {place}{subject}{}{advice}\n", note.message)
}
