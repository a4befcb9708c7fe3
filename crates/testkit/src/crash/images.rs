//! Which images a recorded disk yields: after every step, what the crash may have made of the unconfirmed changes.
//! Never opens one.

use super::check::Expected;
use crate::Random;
use crate::disk::{Change, Durable, Fate, Step, Tear, Tree};

/// Unconfirmed changes that are lost singly, the newest first.
const SINGLY_MAX: usize = 12;
/// Writes above this size can be torn.
const TORN_BYTES_MIN: usize = 512;

/// What becomes of the unconfirmed changes, from the oldest to the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fates {
    /// All are there.
    AllKept,
    /// None is there.
    AllLost,
    /// One is not there.
    OneLost(usize),
    /// Only the newest is there.
    OnlyNewest,
    /// The newest is torn, the others are there or not.
    NewestTorn(Tear, bool),
    /// Each is lost, kept or torn, by this seed.
    Any(u64),
}

impl Fates {
    fn of(self, number: usize, count: usize) -> Fate {
        let kept = |is_kept| if is_kept { Fate::Kept } else { Fate::Lost };
        match self {
            Self::AllKept => Fate::Kept,
            Self::AllLost => Fate::Lost,
            Self::OneLost(lost) => kept(number != lost),
            Self::OnlyNewest => kept(number + 1 == count),
            Self::NewestTorn(tear, _) if number + 1 == count => Fate::Torn(tear),
            Self::NewestTorn(_, others) => kept(others),
            Self::Any(seed) => {
                let coin = Random::new(seed ^ number as u64);
                match coin.below(4) {
                    0 => Fate::Lost,
                    1 => Fate::Torn(Tear::Some(coin.next())),
                    _ => Fate::Kept,
                }
            }
        }
    }
}

/// What a crash has left.
pub struct Image {
    /// The disk.
    pub tree: Tree,
    /// What must be on it.
    pub expected: Expected,
    /// Where the crash was, and what it did.
    pub name: String,
}

/// The images of a recorded disk, one after the other.
pub(super) struct Images<'a> {
    steps: std::iter::Enumerate<std::slice::Iter<'a, Step>>,
    durable: Durable,
    expected: Expected,
    begun: u64,
    random: Random,
    /// Of so many images ...
    total: u64,
    /// ... so many are taken.
    wanted: u64,
    waiting: Vec<Image>,
    /// Steps of the disk.
    pub(super) points: u64,
}

/// Chooses up to `wanted` images of a workload that began so many steps.
pub(super) fn choose(steps: &[Step], begun: u64, seed: u64, wanted: u64) -> Images<'_> {
    let start = Durable::default();
    let expected = Expected {
        acknowledged: 0,
        begun: begun.min(1),
    };
    images(steps, start, expected, begun, seed, wanted)
}

/// Chooses up to `wanted` images of a recovery that began on `tree`.
pub(super) fn choose_during_recovery<'a>(
    tree: &Tree,
    steps: &'a [Step],
    expected: Expected,
    seed: u64,
    wanted: u64,
) -> Images<'a> {
    let start = Durable::new(tree.clone());
    images(steps, start, expected, expected.begun, seed, wanted)
}

fn images(
    steps: &[Step],
    durable: Durable,
    expected: Expected,
    begun: u64,
    seed: u64,
    wanted: u64,
) -> Images<'_> {
    let mut counting = durable.clone();
    let random = Random::new(seed);
    let count = |step: &Step| {
        counting.step(step);
        fates(step, counting.unconfirmed(), &random).len() as u64
    };
    Images {
        total: steps.iter().map(count).sum(),
        steps: steps.iter().enumerate(),
        durable,
        expected,
        begun,
        random: Random::new(seed),
        wanted,
        waiting: Vec::new(),
        points: steps.len() as u64,
    }
}

impl Iterator for Images<'_> {
    type Item = Image;

    fn next(&mut self) -> Option<Image> {
        while self.waiting.is_empty() {
            let (number, step) = self.steps.next()?;
            self.durable.step(step);
            if let Step::Note(acknowledged) = step {
                self.expected.acknowledged = *acknowledged;
                self.expected.begun = (acknowledged + 1).min(self.begun);
            }
            self.stop_at(number, step);
        }
        self.waiting.pop()
    }
}

impl Images<'_> {
    fn stop_at(&mut self, number: usize, step: &Step) {
        let unconfirmed = self.durable.unconfirmed();
        for fates in fates(step, unconfirmed, &self.random) {
            if self.random.below(self.total) >= self.wanted {
                continue;
            }
            let count = unconfirmed.len();
            self.waiting.push(Image {
                tree: self.durable.image(|number| fates.of(number, count)),
                expected: self.expected,
                name: format!("step {number} of the disk, {fates:?} of {count}"),
            });
        }
    }
}

/// What may have become of the unconfirmed changes, so far as it was not said of an earlier step.
fn fates(step: &Step, unconfirmed: &[Change], random: &Random) -> Vec<Fates> {
    match step {
        Step::Change(change) => after_change(change, unconfirmed.len(), random),
        Step::Sync(_) if unconfirmed.is_empty() => Vec::new(),
        Step::Sync(_) => vec![Fates::AllLost, Fates::Any(random.next())],
        Step::Note(_) if unconfirmed.is_empty() => vec![Fates::AllLost],
        Step::Note(_) => vec![Fates::AllLost, Fates::Any(random.next())],
    }
}

fn after_change(newest: &Change, count: usize, random: &Random) -> Vec<Fates> {
    let mut all = vec![Fates::AllKept];
    if count > 1 {
        all.push(Fates::OnlyNewest);
    }
    if count > 2 {
        let others = 0..count - 1;
        all.extend(others.rev().take(SINGLY_MAX).map(Fates::OneLost));
        all.extend([Fates::Any(random.next()), Fates::Any(random.next())]);
    }
    if let Change::Write { bytes, .. } = newest
        && bytes.len() > TORN_BYTES_MIN
    {
        let share = u8::try_from(random.below(256)).unwrap_or(0);
        let tears = [
            Tear::Head(share),
            Tear::Tail(share),
            Tear::Some(random.next()),
            Tear::Zeros,
        ];
        all.extend(tears.map(|tear| Fates::NewestTorn(tear, true)));
        if count > 1 {
            all.push(Fates::NewestTorn(Tear::Some(random.next()), false));
        }
    }
    all
}
