//! Two templates against the same uploads: do both start the same tasks with the same overrides?
//!
//! Both are evaluated in memory, each upload is told to both as CloudTrail and as S3 tell it, patterns are matched and
//! inputs transformed by the code that the server runs. Never starts anything.

mod generate;
mod recorded;
mod shrink;
mod side;
pub(super) mod trail;
mod upload;

use std::collections::BTreeMap;
use std::fmt::Display;

use landfall_pattern::Event;

use crate::template::TemplateError;
use generate::{Generator, Mentioned};

pub use recorded::recorded;
pub use side::{Given, Side, Start};
pub use upload::{Operation, Place, Upload};

/// Why a proof cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// A template cannot be read or evaluated.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// EventBridge would refuse a rule.
    #[error("the rule {rule} would be refused: {why}")]
    Rule {
        /// Logical id.
        rule: String,
        /// EventBridge's words.
        why: String,
    },
    /// A file of recorded uploads is neither of the kinds that are read.
    #[error("{0}")]
    Recorded(String),
}

impl ProveError {
    fn rule(rule: &str, why: &impl Display) -> Self {
        Self::Rule {
            rule: rule.to_owned(),
            why: why.to_string(),
        }
    }
}

/// What to hold the templates against.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Uploads to generate.
    pub uploads: usize,
    /// What they are drawn from.
    pub seed: u64,
    /// Uploads that happened.
    pub recorded: Vec<Upload>,
    /// Where all of it happens.
    pub place: Place,
    /// Leave out the ways to make an object that the old rules do not name: they were widened on purpose.
    pub widened: bool,
    /// Count calls that fail too. Only the old road ever hears of them.
    pub strict: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// Uploads that were held against both.
    pub uploads: usize,
    /// How many of them were recorded ones.
    pub recorded: usize,
    /// How many of them start something.
    pub starting: usize,
    /// Calls that fail, held against both beside the uploads.
    pub failed_calls: usize,
    /// How many of those start something on the old side only.
    pub failed_calls_differ: usize,
    /// The smallest upload for which the sides differ, if they do.
    pub difference: Option<Difference>,
    /// Parameters that had no value, and the ones made up for them.
    pub made_up: BTreeMap<String, String>,
    /// Whether neither template declares a trail for objects, so that one elsewhere was taken to log all of them.
    pub logged_elsewhere: bool,
}

/// An upload for which two sides differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The upload.
    pub upload: Upload,
    /// What it starts on the old side.
    pub old: Vec<Start>,
    /// What it starts on the new side.
    pub new: Vec<Start>,
    /// How many of the uploads differ.
    pub count: usize,
}

/// A failed call is tried beside every so many uploads.
const UPLOADS_PER_FAILED_CALL: usize = 9;

/// Uploads drawn for each that is held against both: some may be left out.
const TRIES_PER_UPLOAD: usize = 20;

/// Holds two sides against the same uploads.
pub fn prove(old: &Side, new: &Side, trial: &Trial) -> Proof {
    let arena = Arena {
        old,
        new,
        place: &trial.place,
        logged_elsewhere: !old.logs_objects(),
    };
    let mentioned = Mentioned::of([old, new]);
    let mut generator = Generator::new(&mentioned, &trial.place.account, trial.seed);
    let mut proof = Proof {
        uploads: 0,
        recorded: 0,
        starting: 0,
        failed_calls: 0,
        failed_calls_differ: 0,
        difference: None,
        made_up: old
            .made_up
            .clone()
            .into_iter()
            .chain(new.made_up.clone())
            .collect(),
        logged_elsewhere: arena.logged_elsewhere && !new.logs_objects(),
    };
    let mut worst = Worst::default();
    for upload in &trial.recorded {
        proof.recorded += usize::from(!upload.fails);
        arena.hold(upload, trial.strict, &mut proof, &mut worst);
    }
    let mut tries = trial.uploads.saturating_mul(TRIES_PER_UPLOAD);
    let wanted = proof.uploads.saturating_add(trial.uploads);
    while proof.uploads < wanted && tries > 0 {
        tries -= 1;
        let upload = generator.next();
        if trial.widened && !mentioned.names(upload.operation) {
            continue;
        }
        if tries.is_multiple_of(UPLOADS_PER_FAILED_CALL) {
            let failed = Upload {
                fails: true,
                ..upload.clone()
            };
            arena.hold(&failed, trial.strict, &mut proof, &mut worst);
        }
        arena.hold(&upload, trial.strict, &mut proof, &mut worst);
    }
    proof.difference = worst.upload.map(|upload| {
        let buckets: Vec<String> = mentioned.buckets.iter().cloned().collect();
        let upload = arena.smallest(upload, &buckets, trial.strict);
        let (old, new) = arena.starts(&upload);
        Difference {
            old,
            new,
            upload,
            count: worst.count,
        }
    });
    proof
}

#[derive(Default)]
struct Worst {
    upload: Option<Upload>,
    count: usize,
}

struct Arena<'a> {
    old: &'a Side,
    new: &'a Side,
    place: &'a Place,
    logged_elsewhere: bool,
}

impl Arena<'_> {
    /// What an upload starts on the old side and on the new one. Each event is made once, for whoever hears of it.
    fn starts(&self, upload: &Upload) -> (Vec<Start>, Vec<Start>) {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        let mut meet = |text: &str, (by_old, by_new): (bool, bool)| {
            let Ok(event) = Event::parse(text) else {
                return;
            };
            if by_old {
                self.old.meet(text, &event, self.place, &mut old);
            }
            if by_new {
                self.new.meet(text, &event, self.place, &mut new);
            }
        };
        for call in upload.calls() {
            let hears = |side: &Side| self.logged_elsewhere || side.logs(&call, upload);
            let heard = (hears(self.old), hears(self.new));
            if heard.0 || heard.1 {
                meet(&upload.told(&call, self.place), heard);
            }
        }
        let heard = (
            self.old.sends(&upload.bucket),
            self.new.sends(&upload.bucket),
        );
        let direct = (heard.0 || heard.1).then(|| upload.direct(self.place));
        if let Some(text) = direct.flatten() {
            meet(&text, heard);
        }
        old.sort();
        new.sort();
        (old, new)
    }

    /// Holds one upload against both sides and keeps the smallest for which they differ.
    fn hold(&self, upload: &Upload, strict: bool, proof: &mut Proof, worst: &mut Worst) {
        let (old, new) = self.starts(upload);
        let differs = old != new;
        if upload.fails {
            proof.failed_calls += 1;
            proof.failed_calls_differ += usize::from(differs);
        } else {
            proof.uploads += 1;
            proof.starting += usize::from(!old.is_empty() || !new.is_empty());
        }
        if !differs || (upload.fails && !strict) {
            return;
        }
        worst.count += 1;
        let is_smaller = worst
            .upload
            .as_ref()
            .is_none_or(|it| shrink::measure(upload) < shrink::measure(it));
        if is_smaller {
            worst.upload = Some(upload.clone());
        }
    }

    fn smallest(&self, upload: Upload, buckets: &[String], strict: bool) -> Upload {
        let plain = Upload {
            bucket: String::new(),
            key: String::new(),
            operation: Operation::PutObject,
            size: 0,
            source_ip: "203.0.113.7".to_owned(),
            account: self.place.account.clone(),
            versioned: false,
            fails: false,
            record: None,
        };
        let differs = |it: &Upload| {
            let (old, new) = self.starts(it);
            (strict || !it.fails) && old != new
        };
        shrink::shrink(upload, &plain, buckets, differs)
    }
}
