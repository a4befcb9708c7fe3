//! Every stored record keeps its form: what a former version of Landfall wrote is read by all later ones.
//!
//! `tests/golden` holds, for each form that was ever written, the store at the end of one day (`v1.store`) and what the
//! read verbs answered about it (`v1.answers.json`). Files of a released form never change and are kept for ever.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use landfall_core::clock::{Clock as _, Timestamp};
use serde_json::{Value, json};
use stored::answers::answers;
use stored::dump::{self, Entry, RAW};
use stored::{going_on, scenario};

/// Who reads a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// A read verb: a record that cannot be decoded changes an answer.
    Verb,
    /// The loop or a change: `going_on` depends on it.
    GoingOn,
    /// Nobody: that it is there says it all.
    Presence,
}

use Read::{GoingOn, Presence, Verb};

/// Each stored type: source file, type, the kind that its keys begin with, and who reads it.
const RECORDS: &[(&str, &str, &str, Read)] = &[
    (
        "build/model.rs",
        "ChangeSetRecord",
        "stack-change-set",
        Verb,
    ),
    ("build/model.rs", "EventRecord", "stack-event", Verb),
    ("build/model.rs", "ExportRecord", "stack-export", Verb),
    ("build/model.rs", "NameRecord", "stack-name", Verb),
    ("build/model.rs", "Operation", "stack-operation", GoingOn),
    ("build/model.rs", "ResourceRecord", "stack-resource", Verb),
    ("build/model.rs", "StackRecord", "stack", Verb),
    ("build/model.rs", "TemplateRecord", "stack-template", Verb),
    ("count/record.rs", "Minute", "metric", Verb),
    ("deliver/record.rs", "Delivery", "delivery", Verb),
    ("deliver/record.rs", "Due", "due", GoingOn),
    ("drive/decider.rs", "Reserved", "sequence", GoingOn),
    ("keep/logs/event.rs", "LogEvent", "log-event", Verb),
    ("keep/logs/group.rs", "Group", "log-group", Verb),
    ("keep/logs/policy.rs", "Policy", "log-policy", Verb),
    ("keep/logs/stream.rs", "Stream", "log-stream", Verb),
    (
        "keep/networks/defaults.rs",
        "Stored",
        "ec2-defaults",
        Presence,
    ),
    ("keep/networks/gateway.rs", "Gateway", "ec2-igw", Verb),
    ("keep/networks/group.rs", "Group", "ec2-sg", Verb),
    (
        "keep/networks/route_table.rs",
        "RouteTable",
        "ec2-rtb",
        Verb,
    ),
    ("keep/networks/subnet.rs", "Subnet", "ec2-subnet", Verb),
    ("keep/networks/vpc.rs", "Vpc", "ec2-vpc", Verb),
    ("keep/parameters/mod.rs", "Parameter", "parameter", Verb),
    (
        "keep/parameters/mod.rs",
        "Parameter",
        "parameter-version",
        Verb,
    ),
    (
        "keep/queues/message.rs",
        "Content",
        "queue-content",
        GoingOn,
    ),
    ("keep/queues/message.rs", "Place", "queue-place", GoingOn),
    ("keep/queues/message.rs", "Status", "queue-index", Verb),
    ("keep/queues/mod.rs", "Queue", "queue", Verb),
    ("keep/roles/policy.rs", "Policy", "iam-policy", Verb),
    ("keep/roles/role.rs", "Role", "iam-role", Verb),
    ("keep/roles/token.rs", "SessionKey", "session-key", GoingOn),
    ("keep/tags.rs", "Tags", "tags", Verb),
    ("land/model.rs", "BucketRecord", "bucket", Verb),
    ("land/model.rs", "ConfigRecord", "bucket-config", Verb),
    ("land/model.rs", "ContentRecord", "content", Presence),
    ("land/model.rs", "PartRecord", "part", Verb),
    ("land/model.rs", "PartsRecord", "parts", Verb),
    ("land/model.rs", "UploadRecord", "upload", Verb),
    ("land/model.rs", "VersionRecord", "object", Verb),
    ("land/model.rs", "VersionRecord", "version", Verb),
    ("route/archive/record.rs", "Archive", "archive", Verb),
    (
        "route/archive/record.rs",
        "Departed",
        "archive-departed",
        GoingOn,
    ),
    ("route/archive/record.rs", "Tally", "archive-tally", Verb),
    ("route/bus.rs", "Bus", "bus", Verb),
    ("route/event.rs", "StoredEvent", "archived", GoingOn),
    ("route/event.rs", "StoredEvent", "event", GoingOn),
    ("route/replay/record.rs", "Active", "replay-active", GoingOn),
    ("route/replay/record.rs", "Replay", "replay", Verb),
    ("route/rules.rs", "Rule", "rule", Verb),
    ("run/cluster.rs", "ClusterRecord", "cluster", Verb),
    ("run/definition.rs", "Definition", "definition", Verb),
    ("run/definition.rs", "Family", "family", GoingOn),
    ("run/queue.rs", "Active", "active", Verb),
    ("run/queue.rs", "FormerWaiting", "waiting", Verb),
    ("run/queue.rs", "Placed", "active", Verb),
    ("run/queue.rs", "Waiting", "waiting", Verb),
    ("run/task.rs", "TaskRecord", "task", Verb),
    ("tell/ledger.rs", "Ended", "run-ended", GoingOn),
    ("tell/ledger.rs", "EndedTask", "task-ended", GoingOn),
    ("tell/ledger.rs", "Listed", "run-object", GoingOn),
    ("tell/ledger.rs", "Tally", "run-tally", GoingOn),
    ("trail/model.rs", "Chain", "trail-chain", GoingOn),
    ("trail/model.rs", "Delayed", "trail-delayed", GoingOn),
    ("trail/model.rs", "Departed", "trail-departed", GoingOn),
    ("trail/model.rs", "HistoryRecord", "call-history", Verb),
    ("trail/model.rs", "PendingRecord", "trail-pending", GoingOn),
    ("trail/model.rs", "SigningKey", "trail-key", Verb),
    ("trail/model.rs", "Trail", "trail", Verb),
    ("trail/model.rs", "TrailStatus", "trail-status", Verb),
];

/// The files of one form.
struct Golden {
    name: String,
    text: String,
    now: Timestamp,
    answers: Value,
}

impl Golden {
    fn entries(&self) -> Vec<Entry> {
        dump::parse(&self.text)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every form that was ever written, oldest first.
fn all_golden() -> Vec<Golden> {
    let mut all: BTreeMap<u32, Golden> = BTreeMap::new();
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "store") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let number = name.strip_prefix('v').unwrap().parse().unwrap();
        let told = fs::read_to_string(path.with_extension("answers.json")).unwrap();
        let mut told: Value = serde_json::from_str(&told).unwrap();
        let golden = Golden {
            name,
            text: fs::read_to_string(&path).unwrap(),
            now: Timestamp(told["now"].as_i64().unwrap()),
            answers: told["answers"].take(),
        };
        all.insert(number, golden);
    }
    let numbers: Vec<u32> = all.keys().copied().collect();
    let expected: Vec<u32> = (1..).take(numbers.len()).collect();
    assert!(!numbers.is_empty() && numbers == expected, "{numbers:?}");
    all.into_values().collect()
}

/// Writes what a test found where a person can compare it and take it over.
fn leave(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The first line that differs, on both sides.
fn first_difference(expected: &str, found: &str) -> Option<String> {
    let mut lines = expected.lines().zip(found.lines()).enumerate();
    let differing = lines.find(|(_, (a, b))| a != b);
    if let Some((index, (expected, found))) = differing {
        return Some(format!(
            "line {}\n  was {expected}\n  is  {found}",
            index + 1
        ));
    }
    let (expected, found) = (expected.lines().count(), found.lines().count());
    (expected != found).then(|| format!("{expected} lines were, {found} are"))
}

#[tokio::test]
async fn what_is_written_has_the_form_of_the_newest_golden_file() {
    let house = scenario::play().await;
    let entries = dump::entries(&house.state);
    let found = dump::text(&entries);
    assert_eq!(dump::parse(&found), entries, "the text loses nothing");
    let now = house.clock.now();
    let told = json!({"now": now.0, "answers": answers(&dump::load(&entries), now)});
    let told = serde_json::to_string_pretty(&told).unwrap() + "\n";
    let store = leave("found.store", &found);
    let answers = leave("found.answers.json", &told);
    let newest = all_golden().pop().expect("a golden file");
    let Some(difference) = first_difference(&newest.text, &found) else {
        return;
    };
    panic!(
        "the stored form differs from tests/golden/{0}.store:\n{difference}\n\n\
         If nothing was released since {0} was made, take the files below over as {0}.\n\
         If {0} was released, it stays as it is and they become the next golden file. A record whose form changed \
         needs a new version then: keep the old type and let the new one name it as its `Previous`.\n  \
         {store}\n  {answers}",
        newest.name
    );
}

#[test]
fn every_form_ever_written_answers_as_it_did() {
    for golden in all_golden() {
        let entries = golden.entries();
        assert_eq!(
            dump::text(&entries),
            golden.text,
            "{} is whole",
            golden.name
        );
        let found = answers(&dump::load(&entries), golden.now);
        let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
        if let Some(difference) = first_difference(&pretty(&golden.answers), &pretty(&found)) {
            let told = json!({"now": golden.now.0, "answers": found});
            let path = leave(
                &format!("{}.answers.json", golden.name),
                &(pretty(&told) + "\n"),
            );
            panic!(
                "{} answers differently: {difference}\nall of it: {path}",
                golden.name
            );
        }
    }
}

#[tokio::test]
async fn every_form_ever_written_is_taken_up_where_it_stopped() {
    for golden in all_golden() {
        going_on::see_through(dump::load(&golden.entries()), golden.now).await;
    }
}

/// Proves that the answers depend on each record: one that cannot be decoded does not pass unseen.
#[test]
fn a_record_of_an_unknown_version_changes_an_answer() {
    let golden = all_golden().pop().expect("a golden file");
    for (_, name, kind, read) in RECORDS {
        let mut entries = golden.entries();
        for entry in entries.iter_mut().filter(|entry| entry.kind() == *kind) {
            entry.value[0] = u8::MAX;
        }
        let is_seen = answers(&dump::load(&entries), golden.now) != golden.answers;
        assert_eq!(is_seen, *read == Verb, "{name} under {kind}: {read:?}");
    }
}

/// The stored types that a source file declares: by the macro, or by hand for later versions.
fn declared(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim_start);
    lines.filter_map(declared_in_line).collect()
}

fn declared_in_line(line: &str) -> Option<&str> {
    if line.starts_with("//") {
        return None;
    }
    if let Some((_, inside)) = line.split_once("record!(") {
        let declared = inside.split_once(" in ").map(|it| it.0);
        return Some(declared.unwrap_or_else(|| panic!("cannot read the declaration {line}")));
    }
    let (before, behind) = line.split_once("Record for ")?;
    let is_record = before.starts_with("impl") && before.ends_with([' ', ':']);
    is_record.then(|| behind.trim_end_matches(" {"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        match path.is_dir() {
            true => all.extend(sources(&path)),
            false => all.push(path),
        }
    }
    all
}

#[test]
fn every_stored_type_is_in_the_newest_golden_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    for path in sources(&root) {
        let file = path
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if file == "record.rs" {
            continue;
        }
        for name in declared(&fs::read_to_string(&path).unwrap()) {
            found.insert((file.clone(), name.to_owned()));
        }
    }
    let listed = RECORDS
        .iter()
        .map(|(file, name, ..)| ((*file).to_owned(), (*name).to_owned()));
    let listed: BTreeSet<_> = listed.collect();
    let unlisted: Vec<_> = found.difference(&listed).collect();
    let missing: Vec<_> = listed.difference(&found).collect();
    assert!(
        unlisted.is_empty() && missing.is_empty(),
        "stored types that RECORDS does not list: {unlisted:?}; listed types that are gone: {missing:?}.\n\
         A new stored type needs a line in RECORDS and a step in the scenario that stores one."
    );

    let all: Vec<Vec<Entry>> = all_golden().iter().map(Golden::entries).collect();
    let newest = all.last().expect("a golden file");
    let stored: BTreeSet<&str> = newest.iter().map(Entry::kind).collect();
    let kinds = RECORDS.iter().map(|(_, _, kind, _)| *kind);
    let kinds: BTreeSet<&str> = kinds.chain(RAW).collect();
    assert_eq!(
        stored, kinds,
        "the kinds of the newest golden file are those of RECORDS"
    );
    for kind in kinds {
        let types = RECORDS.iter().filter(|(_, _, of, _)| *of == kind).count();
        let of_kind = all.iter().flatten().filter(|entry| entry.kind() == kind);
        let versions: BTreeSet<u8> = of_kind.filter_map(Entry::version).collect();
        assert_eq!(
            versions.len(),
            types,
            "each version of {kind} is in a golden file"
        );
    }
}
