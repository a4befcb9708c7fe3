//! The rules of the house that no compiler checks: who may depend on whom, sizes, text, licences.
//!
//! Never repairs anything: it names file, line and rule, and fails. Each rule lives in one module below, as a pure
//! function with tests that break it.

mod deps;
mod shape;
mod text;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The tidy command takes no options.
#[derive(clap::Args)]
pub struct Args {}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// File (or package) at fault, from the root of the checkout.
    pub place: String,
    /// Line, or 0 where the whole is meant.
    pub line: usize,
    /// What the rule says.
    pub rule: String,
}

impl Problem {
    fn new(place: impl Into<String>, line: usize, rule: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            line,
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.place, self.rule),
            line => write!(f, "{}:{line}: {}", self.place, self.rule),
        }
    }
}

/// Checks the whole checkout.
pub fn run(_args: &Args) -> Result<()> {
    let root = root()?;
    let files = committed_files(&root)?;
    let mut problems = deps::check(&root)?;
    for name in &files {
        let Ok(bytes) = std::fs::read(root.join(name)) else {
            continue;
        };
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        problems.extend(text::check(name, &text));
        if name.ends_with(".rs") {
            problems.extend(shape::check(name, &text));
        }
    }
    problems.sort();
    for problem in &problems {
        eprintln!("{problem}");
    }
    if !problems.is_empty() {
        bail!("{} rules are broken", problems.len());
    }
    println!("tidy: {} files, all in order", files.len());
    Ok(())
}

fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map(Path::to_path_buf)
        .context("xtask has no parent directory")
}

/// What is committed, or will be when everything is added: build output and other ignored files are left out.
fn committed_files(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("cannot run git")?;
    ensure!(
        output.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    Ok(names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}
