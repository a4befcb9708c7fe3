//! The step of the loop that gives waiting tasks a place: first come first served in the line of each rule, the lines in
//! turn, within what the host and the caps of rules and clusters allow. Never reads what waits behind the first few of a
//! line: a turn costs the same whatever the backlog.

use std::collections::{HashMap, VecDeque};

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::settings::{Launch, Settings};
use landfall_core::task::TaskStatus;
use landfall_core::task::lines::{Line, Lines};
use landfall_core::task::room::{Allowance, Caps, Lack, Room, Size, Wait};
use landfall_core::task::wishes;
use landfall_store::Direction;

use super::queue::{self, Placed, Waiting};
use super::task::{self, TaskRecord};
use super::{former, lack, life, report};
use crate::drive::Pending;
use crate::keep::tags;
use crate::tx::{Effect, Reader, Tx};

/// What is known of places between two turns; all of it can be counted again.
pub(crate) struct Launches {
    room: Room,
    lines: Lines,
    /// Room and lines are as the store says.
    is_counted: bool,
    /// Something has changed since nobody could be admitted.
    has_changed: bool,
    /// When somebody can be admitted though nothing changes.
    due_millis: Option<i64>,
    /// A version before this one may have left tasks waiting in its form.
    pub(super) has_former: bool,
}

impl Default for Launches {
    fn default() -> Self {
        Self {
            room: Room::new(allowance(&Launch::default())),
            lines: Lines::default(),
            is_counted: false,
            has_changed: true,
            due_millis: None,
            has_former: true,
        }
    }
}

/// What came of asking a line.
enum Asked {
    /// Its first task is on its way, or will never be: the next one is first.
    Left,
    /// Its first task must wait, whatever room there is.
    Waits(Wait),
    /// Its first task needs more than is left.
    TooLarge,
    /// There is nobody in it.
    Empty,
}

/// The first few of the lines that have been asked in this turn.
type Heads = HashMap<String, VecDeque<(u64, Waiting)>>;

/// One step of the loop.
pub(crate) fn turn(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    if tx.caches.launches.has_former && former::take_over(tx)? {
        return Ok(Pending {
            more: true,
            due_millis: None,
        });
    }
    let mut launches = std::mem::take(&mut tx.caches.launches);
    launches.has_former = false;
    let turned = launches.turn(tx);
    tx.caches.launches = launches;
    turned
}

/// A placed task has ended.
pub(super) fn release(tx: &mut Tx<'_>, record: &TaskRecord) -> Result<(), ApiError> {
    let key = queue::placed_key(record);
    if let Some(placed) = tx.get::<Placed>(&key)? {
        tx.delete::<Placed>(&key);
        let launches = &mut tx.caches.launches;
        launches.room.release(placed.size(), placed.holders());
        launches.has_changed = true;
    }
    Ok(())
}

/// What all tasks may take together.
pub(super) fn allowance(launch: &Launch) -> Allowance {
    Allowance {
        running: u64::try_from(launch.max_running).unwrap_or(u64::MAX),
        size: Size {
            cpu_units: launch.cpu_units.unwrap_or(u64::MAX),
            memory_mib: launch.memory_mib.unwrap_or(u64::MAX),
        },
        starts_per_second: launch.starts_per_second,
    }
}

/// Of what a task of this size wants more than there is at all.
pub(super) fn lacking(settings: &Settings, size: Size) -> Option<Lack> {
    Room::new(allowance(&settings.launch)).lack(size)
}

impl Launches {
    /// Somebody has joined a line.
    pub(super) fn join(&mut self, line: &str, number: u64) {
        self.lines.join(line, number);
        self.has_changed = true;
    }

    /// The tags of a resource may have changed.
    pub(crate) fn forget(&mut self, arn: &str) {
        if self.room.knows(arn) {
            self.room.forget(arn);
            self.has_changed = true;
        }
    }

    /// Nothing that is known is sure any more.
    pub(crate) fn doubt(&mut self) {
        self.is_counted = false;
        self.has_changed = true;
    }

    fn turn(&mut self, tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
        if !self.is_counted {
            self.count(tx)?;
        }
        let now = tx.now();
        if self.has_changed || self.due_millis.is_some_and(|due| due <= now.0) {
            (self.has_changed, self.due_millis) = (false, None);
            self.ask_all(tx)?;
        }
        Ok(Pending {
            more: self.has_changed,
            due_millis: self.due_millis,
        })
    }

    /// Asks one line after the other until nobody can be admitted, or enough have been in this turn.
    fn ask_all(&mut self, tx: &mut Tx<'_>) -> Result<(), ApiError> {
        let now = tx.now();
        let mut heads = Heads::new();
        let (mut in_vain, mut left) = (0, 0);
        while in_vain < self.lines.count() {
            if left == limits::TASKS_ADMITTED_PER_TURN_MAX {
                self.has_changed = true;
                break;
            }
            if let Some(wait) = self.room.is_shut(now) {
                self.wait(wait);
                break;
            }
            let Some(mut line) = self.lines.take() else {
                break;
            };
            match self.ask(tx, &mut line, &mut heads)? {
                Asked::Left => {
                    (in_vain, left) = (0, left + 1);
                    line.refused = 0;
                    self.lines.back(line);
                }
                Asked::Waits(wait) => {
                    in_vain += 1;
                    self.wait(wait);
                    self.lines.back(line);
                }
                Asked::TooLarge if line.refused >= limits::TASK_PASSED_OVER_MAX => {
                    // It has been passed over often enough: what ends now makes room for it alone.
                    self.lines.stay(line);
                    break;
                }
                Asked::TooLarge => {
                    in_vain += 1;
                    line.refused += 1;
                    self.lines.back(line);
                }
                Asked::Empty => self.lines.close(&line),
            }
        }
        Ok(())
    }

    fn wait(&mut self, wait: Wait) {
        if let Wait::Until(Timestamp(due)) = wait {
            self.due_millis = Some(self.due_millis.map_or(due, |other| other.min(due)));
        }
    }

    fn ask(
        &mut self,
        tx: &mut Tx<'_>,
        line: &mut Line,
        heads: &mut Heads,
    ) -> Result<Asked, ApiError> {
        let now = tx.now();
        if let Some(wait) = self.capped(tx, &line.name)? {
            return Ok(Asked::Waits(wait));
        }
        if !heads.contains_key(&line.name) {
            heads.insert(line.name.clone(), first_of(tx, line)?);
        }
        let head = heads.get_mut(&line.name);
        let Some((number, waiting)) = head.and_then(VecDeque::pop_front) else {
            return self.look_further(tx, line, heads);
        };
        let size = waiting.size();
        let refused = match self.capped(tx, &waiting.cluster_arn)? {
            Some(wait) => Some(Asked::Waits(wait)),
            None if self.room.lack(size).is_none() && !self.room.fits(size) => {
                Some(Asked::TooLarge)
            }
            None => None,
        };
        if let Some(refused) = refused {
            if let Some(head) = heads.get_mut(&line.name) {
                head.push_front((number, waiting));
            }
            return Ok(refused);
        }
        line.past = number;
        if let Some(placed) = admit(tx, &line.name, number, &waiting)? {
            self.room.admit(placed.size(), placed.holders(), now);
        }
        Ok(Asked::Left)
    }

    /// Those that were read have left: there may be more of them in the line.
    fn look_further(&self, tx: &Tx<'_>, line: &Line, heads: &mut Heads) -> Result<Asked, ApiError> {
        heads.remove(&line.name);
        let more = first_of(tx, line)?;
        if more.is_empty() {
            return Ok(Asked::Empty);
        }
        heads.insert(line.name.clone(), more);
        Ok(Asked::Left)
    }

    /// Whether a rule or cluster is at a cap of its own.
    fn capped(&mut self, tx: &Tx<'_>, holder: &str) -> Result<Option<Wait>, ApiError> {
        if !self.room.knows(holder) {
            self.room.learn(holder, caps(tx, holder)?);
        }
        Ok(self.room.is_capped(holder, tx.now()))
    }

    /// Counts what is taken and finds the lines, without reading what waits in them.
    fn count(&mut self, tx: &Tx<'_>) -> Result<(), ApiError> {
        self.room = Room::new(allowance(&tx.settings().launch));
        self.lines = Lines::default();
        for entry in tx.list::<Placed>(&queue::all_placed(), Direction::Forward) {
            let (_, placed) = entry?;
            self.room.hold(placed.size(), placed.holders());
        }
        let (mut from, to) = queue::all_lines().range();
        while let Some(entry) = tx
            .list_between::<Waiting>(from.clone(), to.clone(), Direction::Forward)
            .next()
        {
            let (name, number) = queue::place_in_line(&entry?.0)?;
            self.lines.join(&name, number);
            from = queue::line_prefix(&name).past();
        }
        self.is_counted = true;
        Ok(())
    }
}

fn caps(tx: &Tx<'_>, holder: &str) -> Result<Caps, ApiError> {
    let tags = tags::of(tx, holder)?;
    let number = |name| tags.0.get(name).and_then(|value| wishes::number(value));
    let is_rule = !holder.contains(":cluster/");
    let for_all = tx.settings().launch.rule_max_running.filter(|_| is_rule);
    let for_all = for_all.and_then(|most| u64::try_from(most).ok());
    Ok(Caps {
        running: number(wishes::MAX_RUNNING).into_iter().chain(for_all).min(),
        starts_per_second: number(wishes::STARTS_PER_SECOND),
    })
}

fn first_of(tx: &Tx<'_>, line: &Line) -> Result<VecDeque<(u64, Waiting)>, ApiError> {
    let from = queue::waiting_key(&line.name, line.past);
    let from = std::ops::Bound::Excluded(from.bytes().to_vec());
    let (_, to) = queue::line_prefix(&line.name).range();
    let first = tx.list_between::<Waiting>(from, to, Direction::Forward);
    first
        .take(limits::TASKS_ADMITTED_PER_TURN_MAX)
        .map(|entry| {
            let (key, waiting) = entry?;
            Ok((queue::place_in_line(&key)?.1, waiting))
        })
        .collect()
}

/// Gives a waiting task its place; none when it takes none.
fn admit(
    tx: &mut Tx<'_>,
    line: &str,
    number: u64,
    waiting: &Waiting,
) -> Result<Option<Placed>, ApiError> {
    tx.delete::<Waiting>(&queue::waiting_key(line, number));
    let found = task::by_arn(tx, &waiting.task_arn)?;
    let Some(mut record) = found.filter(|it| it.status() == TaskStatus::Provisioning) else {
        return Ok(None);
    };
    record.number = None;
    // What there is may have become less since the task was taken in.
    if let Some(lacking) = lacking(tx.settings(), waiting.size()) {
        let why = lack::told(tx.settings(), waiting.size(), lacking);
        report::cannot_fit(tx, &mut record, &why)?;
        return Ok(None);
    }
    life::advance(tx, &mut record, TaskStatus::Pending)?;
    task::save(tx, &record)?;
    let placed = queue::placed(&record);
    tx.put(&queue::placed_key(&record), &placed)?;
    tx.effect(Effect::StartTask(waiting.task_arn.clone()));
    Ok(Some(placed))
}

/// The first step after a start: tasks that had a place are looked up in the runtime again.
pub(crate) fn recover(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    let marks: Vec<_> = tx
        .list::<Placed>(&queue::all_placed(), Direction::Forward)
        .collect::<Result<_, _>>()?;
    for (mark, placed) in marks {
        let Some(record) = task::of_mark(tx, &mark)? else {
            tx.delete::<Placed>(&mark);
            continue;
        };
        if !former::is_placed(tx, &mark, &placed, &record)? {
            continue;
        }
        tx.effect(Effect::StartTask(record.arn().to_owned()));
        if record.is_unwanted() {
            tx.effect(Effect::StopTask(record.arn().to_owned()));
        }
    }
    tx.effect(Effect::SweepContainers);
    Ok(Pending::default())
}
