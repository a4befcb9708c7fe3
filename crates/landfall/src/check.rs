//! `landfall check`: the faults of templates, drawn, as JSON or as SARIF. Never changes a template.

use std::process::ExitCode;

use anyhow::{Context, Result};
use landfall_core::check::{FAULTS, Finding, Severity, UNREADABLE, check};
use serde_json::{Value, json};

use crate::cli::{CheckArgs, CheckOutput};
use crate::draw::{Remark, Tone, draw};

/// Exit status when errors were found.
const FOUND: u8 = 3;

/// One file and what is wrong in it.
struct Checked {
    file: String,
    text: String,
    findings: Vec<Finding>,
}

/// Runs the command.
pub fn run(args: &CheckArgs) -> Result<ExitCode> {
    let mut files = Vec::new();
    for path in &args.templates {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
        files.push(Checked {
            file: path.display().to_string(),
            findings: check(&text),
            text,
        });
    }
    match args.output {
        CheckOutput::Text => print!("{}", text(&files)),
        CheckOutput::Json => println!("{}", serde_json::to_string_pretty(&as_json(&files))?),
        CheckOutput::Sarif => println!("{}", serde_json::to_string_pretty(&sarif(&files))?),
    }
    Ok(if errors(&files) > 0 {
        ExitCode::from(FOUND)
    } else {
        ExitCode::SUCCESS
    })
}

fn errors(files: &[Checked]) -> usize {
    let findings = files.iter().flat_map(|it| &it.findings);
    findings.filter(|it| it.severity == Severity::Error).count()
}

fn text(files: &[Checked]) -> String {
    let mut shown = String::new();
    let mut count = 0;
    for file in files {
        for finding in &file.findings {
            count += 1;
            let tone = match finding.severity {
                Severity::Error => Tone::Error,
                Severity::Warning => Tone::Warning,
            };
            shown += &draw(&Remark {
                tone,
                code: finding.code,
                message: &finding.message,
                advice: Some(&finding.advice),
                file: &file.file,
                text: &file.text,
                place: finding.span.start..finding.span.end,
            });
            shown += "\n\n";
        }
    }
    let errors = errors(files);
    let warnings = count - errors;
    shown
        + &format!(
            "{} checked: {errors} errors, {warnings} warnings\n",
            files.len()
        )
}

fn as_json(files: &[Checked]) -> Value {
    let all = files.iter().flat_map(|file| {
        file.findings.iter().map(|finding| {
            let mut value = serde_json::to_value(finding).unwrap_or_default();
            if let Some(members) = value.as_object_mut() {
                members.insert("file".to_owned(), json!(file.file));
            }
            value
        })
    });
    all.collect()
}

fn sarif(files: &[Checked]) -> Value {
    let rules = FAULTS
        .iter()
        .map(|it| (it.code, it.title))
        .chain([(UNREADABLE, "template that cannot be read")])
        .map(|(code, title)| json!({"id": code, "shortDescription": {"text": title}}));
    let results = files.iter().flat_map(|file| {
        file.findings.iter().map(|finding| {
            let place = finding.span;
            json!({
                "ruleId": finding.code,
                "level": finding.severity,
                "message": {"text": format!("{}. {}.", finding.message, finding.advice)},
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": {"uri": file.file},
                        "region": {
                            "startLine": place.line,
                            "startColumn": place.column,
                            "endLine": place.end_line,
                            "endColumn": place.end_column,
                        },
                    },
                }],
            })
        })
    });
    json!({
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "landfall",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}
