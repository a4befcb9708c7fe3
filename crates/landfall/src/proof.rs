//! The proof of `landfall migrate`: reads recorded uploads, has two templates compared, and words what came of it.
//! Never migrates.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use landfall_core::limits;
use landfall_core::migrate::prove::{
    Difference, Given, Place, Proof, Side, Start, Trial, Upload, prove, recorded,
};
use serde_json::{Value, json};

use crate::cli::ProofArgs;
use crate::deploy;

/// What is to be held against what.
pub enum Sides<'a> {
    /// Two templates' texts.
    Templates(&'a str, &'a str),
    /// Two sides that are ready.
    Ready(Box<(Side, Side)>),
}

/// Makes the proof.
pub fn run(args: &ProofArgs, sides: Sides<'_>, widened: bool) -> Result<Proof> {
    ensure!(
        args.count <= limits::PROVE_RECORDED_MAX,
        "at most {} uploads are generated",
        limits::PROVE_RECORDED_MAX
    );
    let place = Place {
        account: args.account.clone(),
        region: args.region.clone(),
    };
    let given = Given {
        parameters: deploy::parse(&args.parameters)?.into_iter().collect(),
        place: place.clone(),
    };
    let (old, new) = match sides {
        Sides::Ready(sides) => *sides,
        Sides::Templates(old, new) => (
            Side::of_template(old, &given).context("the old template cannot be evaluated")?,
            Side::of_template(new, &given).context("the new template cannot be evaluated")?,
        ),
    };
    let mut uploads = Vec::new();
    for file in &args.recorded {
        let text = read(file).with_context(|| format!("cannot read {}", file.display()))?;
        uploads.extend(recorded(&text, &place).with_context(|| file.display().to_string())?);
    }
    let trial = Trial {
        uploads: args.count,
        seed: args.seed,
        recorded: uploads,
        place,
        widened,
        strict: args.strict,
    };
    Ok(prove(&old, &new, &trial))
}

/// A text file, gzipped or not.
fn read(file: &Path) -> Result<String> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    let bytes = std::fs::read(file)?;
    let mut text = String::new();
    if bytes.starts_with(&GZIP) {
        let unpacked = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        let mut bounded = unpacked.take(limits::PROVE_FILE_BYTES_MAX + 1);
        bounded.read_to_string(&mut text)?;
    } else {
        text = String::from_utf8(bytes)?;
    }
    let max = limits::PROVE_FILE_BYTES_MAX;
    ensure!(text.len() as u64 <= max, "it is larger than {max} bytes");
    Ok(text)
}

/// Whether the proof holds: nothing differs, and something was started.
pub fn holds(proof: &Proof) -> bool {
    proof.difference.is_none() && proof.starting > 0
}

/// The proof in words.
pub fn words(proof: &Proof) -> String {
    let mut words = match &proof.difference {
        Some(difference) => differ(proof, difference),
        None if proof.starting == 0 => format!(
            "proves nothing: neither template starts anything for any of {} uploads\n",
            proof.uploads
        ),
        None => {
            let recorded = match proof.recorded {
                0 => String::new(),
                count => format!(", {count} of them recorded"),
            };
            format!(
                "proven: both templates start the same tasks with the same overrides for {} uploads \
                 ({} of them start something{recorded})\n",
                proof.uploads, proof.starting
            )
        }
    };
    if proof.failed_calls_differ > 0 {
        let _ = writeln!(
            words,
            "  beside them, {} of {} calls that fail start something by CloudTrail's events and nothing by S3's own",
            proof.failed_calls_differ, proof.failed_calls
        );
    }
    if proof.logged_elsewhere {
        words += "  taken for granted: a trail outside these templates logs every object\n";
    }
    if !proof.made_up.is_empty() {
        let pairs: Vec<String> = proof
            .made_up
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let _ = writeln!(
            words,
            "  made up (--parameter gives others): {}",
            pairs.join(" ")
        );
    }
    words
}

fn differ(proof: &Proof, difference: &Difference) -> String {
    let upload = &difference.upload;
    let but_for_settings = |starts: &[Start]| -> Vec<(String, String)> {
        let pair = |it: &Start| (it.target.clone(), it.input.clone());
        starts.iter().map(pair).collect()
    };
    let with_settings = but_for_settings(&difference.old) == but_for_settings(&difference.new);
    format!(
        "the templates differ for {} uploads of {} that were tried; the smallest:\n  {}\n  old: {}\n  new: {}\n",
        difference.count,
        proof.uploads,
        named(upload),
        started(&difference.old, with_settings),
        started(&difference.new, with_settings)
    )
}

fn named(upload: &Upload) -> String {
    let mut name = format!(
        "{} of {} to the bucket {}, {} bytes, from {} by {}",
        upload.operation.event_name(),
        json!(upload.key),
        upload.bucket,
        upload.size,
        upload.source_ip,
        upload.account
    );
    if upload.versioned {
        name += ", versioned";
    }
    if upload.fails {
        name += ", refused by S3";
    }
    name
}

/// `with_settings`: the tasks differ in nothing else.
fn started(starts: &[Start], with_settings: bool) -> String {
    if starts.is_empty() {
        return "starts nothing".to_owned();
    }
    let one = |it: &Start| match it.settings.as_str() {
        "" => format!("sends {} to {}", it.input, it.target),
        settings if with_settings => {
            format!(
                "starts a task on {} with {} and {settings}",
                it.target, it.input
            )
        }
        _ => format!("starts a task on {} with {}", it.target, it.input),
    };
    starts.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The proof for programs.
pub fn as_json(proof: &Proof) -> Value {
    let difference = proof.difference.as_ref().map(|it| {
        let upload = &it.upload;
        json!({
            "count": it.count,
            "upload": {
                "operation": upload.operation.event_name(),
                "bucket": upload.bucket,
                "key": upload.key,
                "size": upload.size,
                "source_ip": upload.source_ip,
                "account": upload.account,
                "versioned": upload.versioned,
                "fails": upload.fails,
            },
            "old": it.old,
            "new": it.new,
        })
    });
    json!({
        "holds": holds(proof),
        "uploads": proof.uploads,
        "recorded": proof.recorded,
        "starting": proof.starting,
        "failed_calls": proof.failed_calls,
        "failed_calls_differ": proof.failed_calls_differ,
        "difference": difference,
        "made_up": proof.made_up,
        "logged_elsewhere": proof.logged_elsewhere,
    })
}
