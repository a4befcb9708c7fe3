//! Mutation checks: the proofs must fail for a product that is broken on purpose. The sources are copied, a piece of text
//! is replaced, the copy is built in a directory of its own, and the proof runs there. Never touches the sources
//! themselves, and needs no hook in them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

/// Which to check.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only the mutations whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Where the copy and its builds are kept [default: `mutations` in the target directory].
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// A product that is broken on purpose.
struct Mutation {
    name: &'static str,
    /// File, text that is in it exactly once, and what stands there instead.
    replacements: &'static [(&'static str, &'static str, &'static str)],
    check: Check,
    /// What the failed check must say.
    expects: &'static str,
}

/// The proof that must fail.
#[derive(Clone, Copy)]
enum Check {
    /// The crash matrix over the stores.
    Matrix,
    /// Kills of the real server.
    Kill,
}

/// Each of them must be caught.
const MUTATIONS: [Mutation; 4] = [
    Mutation {
        name: "a commit is not synced",
        replacements: &[(
            "crates/store/src/fjall_state.rs",
            ".durability(Some(PersistMode::SyncData))",
            ".durability(Some(PersistMode::Buffer))",
        )],
        check: Check::Matrix,
        expects: "was acknowledged, and step",
    },
    Mutation {
        name: "the bytes of a content are not synced",
        replacements: &[(
            "crates/store/src/file_contents.rs",
            "        self.file.sync_data()\n",
            "        Ok(())\n",
        )],
        check: Check::Matrix,
        expects: "names",
    },
    Mutation {
        name: "the name of a content is not synced",
        replacements: &[(
            "crates/store/src/file_contents.rs",
            "            data_dir::sync_dir(&shard)?;\n            Ok(id)",
            "            Ok(id)",
        )],
        check: Check::Matrix,
        expects: "no such content",
    },
    Mutation {
        name: "the event is committed after its object",
        replacements: &[
            (
                "crates/flow/src/land/object.rs",
                "    event::emit(tx, caller, &bucket, &new.key, &record, Kind::Created)?;\n    Ok(record)\n}\n",
                "    if new.reason != CreatedReason::PutObject {\n        event::emit(tx, caller, &bucket, &new.key, \
                 &record, Kind::Created)?;\n    }\n    Ok(record)\n}\n\n\
                 /// Of a mutation.\npub fn emit_later(tx: &mut Tx<'_>, caller: &Caller, at: &(String, String), \
                 record: &VersionRecord) -> Result<(), ApiError> {\n    let bucket = bucket::bucket(tx, &at.0)?;\n    \
                 event::emit(tx, caller, &bucket, &at.1, record, Kind::Created)\n}\n",
            ),
            (
                "crates/wire/src/s3/put.rs",
                "    let caller = call.caller;\n    let made = received\n        .commit(&call.flow, move |tx, received| {\n            \
                 object::put_object(tx, &caller, new, received)\n        })\n        .await?;\n",
                "    let caller = call.caller;\n    let later = caller.clone();\n    \
                 let at = (new.bucket.clone(), new.key.clone());\n    let made = received\n        \
                 .commit(&call.flow, move |tx, received| {\n            object::put_object(tx, &caller, new, received)\n        \
                 })\n        .await?;\n    let record = made.clone();\n    \
                 call.flow.write(move |tx| object::emit_later(tx, &later, &at, &record)).await?;\n",
            ),
        ],
        check: Check::Kill,
        expects: "in the ledger: lost [\"",
    },
];

/// Applies each mutation and expects its check to fail.
pub fn run(args: &Args) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the package has no parent")?;
    let directory = match &args.directory {
        Some(directory) => directory.clone(),
        None => target(root).join("mutations"),
    };
    let copy = Copy {
        root: root.to_owned(),
        source: directory.join("source"),
        target: directory.join("target"),
    };
    copy.sources()?;
    let mut caught = 0;
    for mutation in MUTATIONS.iter().filter(|m| m.name.contains(&args.only)) {
        println!("{} ...", mutation.name);
        let outcome = mutation.apply(&copy).and_then(|()| mutation.check(&copy));
        copy.restore(mutation)?;
        outcome.with_context(|| mutation.name)?;
        caught += 1;
    }
    ensure!(caught > 0, "no mutation is called {:?}", args.only);
    Ok(format!("{caught} mutations, each caught by its proof"))
}

fn target(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => directory.into(),
        None => root.join("target"),
    }
}

/// The copied checkout.
struct Copy {
    root: PathBuf,
    source: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Copies what git knows of, and leaves alone what is the same: then cargo builds only what changed.
    fn sources(&self) -> Result<()> {
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&self.root)
            .output()?;
        ensure!(listed.status.success(), "git lists no files");
        let names = listed.stdout.split(|byte| *byte == 0);
        for name in names.filter(|name| !name.is_empty()) {
            let name = Path::new(std::str::from_utf8(name)?);
            self.one(name)
                .with_context(|| format!("cannot copy {}", name.display()))?;
        }
        Ok(())
    }

    fn one(&self, name: &Path) -> Result<()> {
        let (from, to) = (self.root.join(name), self.source.join(name));
        if !from.is_file() {
            return Ok(());
        }
        let bytes = std::fs::read(from)?;
        if std::fs::read(&to).ok().as_ref() != Some(&bytes) {
            std::fs::create_dir_all(to.parent().context("a file without a directory")?)?;
            std::fs::write(to, bytes)?;
        }
        Ok(())
    }

    fn restore(&self, mutation: &Mutation) -> Result<()> {
        let mut files = mutation.replacements.iter();
        files.try_for_each(|(file, ..)| self.one(Path::new(file)))
    }

    fn cargo(&self, arguments: &[&str]) -> Result<Output> {
        let output = Command::new("cargo")
            .args(arguments)
            .current_dir(&self.source)
            .env("CARGO_TARGET_DIR", &self.target)
            .output()?;
        Ok(output)
    }

    /// Builds; a mutation that does not compile proves nothing.
    fn build(&self, arguments: &[&str]) -> Result<()> {
        let output = self.cargo(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "the mutation does not build: {said}"
        );
        Ok(())
    }
}

impl Mutation {
    fn apply(&self, copy: &Copy) -> Result<()> {
        for (file, from, to) in self.replacements {
            let path = copy.source.join(file);
            let text = std::fs::read_to_string(&path)?;
            std::fs::write(path, replaced(file, &text, from, to)?)?;
        }
        Ok(())
    }

    /// Runs the proof, which must fail and say why.
    fn check(&self, copy: &Copy) -> Result<()> {
        let output = match self.check {
            Check::Matrix => matrix(copy)?,
            Check::Kill => kill(copy)?,
        };
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        ensure!(!output.status.success(), "it was not caught");
        ensure!(
            said.contains(self.expects),
            "it failed for another reason: {said}"
        );
        Ok(())
    }
}

fn matrix(copy: &Copy) -> Result<Output> {
    copy.build(&[
        "test",
        "--quiet",
        "--locked",
        "-p",
        "landfall-store",
        "--test",
        "matrix",
        "--no-run",
    ])?;
    let test = "whatever_a_crash_leaves_opens_with_the_acknowledged_prefix";
    copy.cargo(&[
        "test",
        "--quiet",
        "--locked",
        "-p",
        "landfall-store",
        "--test",
        "matrix",
        "--",
        test,
        "--exact",
    ])
}

fn kill(copy: &Copy) -> Result<Output> {
    copy.build(&["build", "--quiet", "--locked", "-p", "landfall"])?;
    let own = std::env::current_exe()?;
    let server = copy.target.join("debug/landfall");
    let server: &OsStr = server.as_ref();
    let arguments = [
        "prove",
        "kill",
        "--cycles",
        "30",
        "--answers",
        "300",
        "--bin",
    ];
    Ok(Command::new(own).args(arguments).arg(server).output()?)
}

/// The text with the replacement; stale when there is not exactly one place for it.
fn replaced(file: &str, text: &str, from: &str, to: &str) -> Result<String> {
    match text.matches(from).count() {
        1 => Ok(text.replacen(from, to, 1)),
        count => bail!("stale: {file} holds {count} times: {from}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mutation_is_stale() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for mutation in &MUTATIONS {
            for (file, from, to) in mutation.replacements {
                let text = std::fs::read_to_string(root.join(file)).unwrap();
                let mutated = replaced(file, &text, from, to);
                assert_ne!(mutated.expect(mutation.name), text);
            }
        }
    }
}
