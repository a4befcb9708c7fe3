//! The store as text that people can read and compare: for each entry a line with its space and key, and one with its
//! version and JSON. Knows the bytes of keys on its own account, so that the encoder cannot change unseen.

use std::fmt::Write as _;
use std::ops::Bound;

use landfall_store::{Batch, Direction, Space, State as _};
use landfall_testkit::MemoryState;

/// Kinds whose values are plain bytes without a version.
pub const RAW: [&str; 1] = ["body"];

/// An entry of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub space: Space,
    /// The parts of its key, the kind first.
    pub parts: Vec<Vec<u8>>,
    pub value: Vec<u8>,
}

impl Entry {
    /// The first part of its key.
    pub fn kind(&self) -> &str {
        std::str::from_utf8(&self.parts[0]).expect("a kind is a word")
    }

    /// The version of its record; none when its bytes have none.
    pub fn version(&self) -> Option<u8> {
        (!RAW.contains(&self.kind())).then(|| self.value[0])
    }

    fn text(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(|part| part_text(part)).collect();
        let value = match self.version() {
            Some(version) => {
                let json = std::str::from_utf8(&self.value[1..]).expect("a record is text");
                assert!(!json.contains('\n'), "a record is one line");
                format!("v{version} {json}")
            }
            None => format!("bytes {}", escaped(&self.value, b"\\")),
        };
        format!("{} {}\n    {value}\n", self.space.name(), parts.join("|"))
    }

    fn parse(head: &str, value: &str) -> Self {
        let (space, key) = head.split_once(' ').expect("space and key");
        let named = |it: &Space| it.name() == space;
        let (form, rest) = value
            .trim_start()
            .split_once(' ')
            .unwrap_or((value.trim_start(), ""));
        let value = match form.strip_prefix('v') {
            Some(version) => {
                let version = version.parse().expect("a version");
                [&[version], rest.as_bytes()].concat()
            }
            None => unescaped(rest),
        };
        Self {
            space: Space::ALL.into_iter().find(named).expect("a known space"),
            parts: key.split('|').map(part_bytes).collect(),
            value,
        }
    }
}

/// Everything in a store, in the order of spaces and keys.
pub fn entries(state: &MemoryState) -> Vec<Entry> {
    let all = Space::ALL.into_iter().flat_map(|space| {
        let (from, to) = (Bound::Unbounded, Bound::Unbounded);
        let found = state.scan(space, from, to, Direction::Forward);
        found.map(move |entry| (space, entry.expect("readable")))
    });
    all.map(|(space, (key, value))| Entry {
        space,
        parts: decoded(&key),
        value: value.to_vec(),
    })
    .collect()
}

/// The text of a store.
pub fn text(entries: &[Entry]) -> String {
    entries.iter().map(Entry::text).collect()
}

/// The entries of a text.
pub fn parse(text: &str) -> Vec<Entry> {
    let lines: Vec<&str> = text.lines().collect();
    let pair = |pair: &[&str]| Entry::parse(pair[0], pair[1]);
    lines.chunks(2).map(pair).collect()
}

/// A store that holds these entries.
pub fn load(entries: &[Entry]) -> MemoryState {
    let state = MemoryState::new();
    let write = |entry: &Entry| {
        (
            entry.space,
            encoded(&entry.parts),
            Some(entry.value.clone().into()),
        )
    };
    let writes = entries.iter().map(write).collect();
    state.commit(Batch { writes }).expect("committed");
    state
}

/// Each part with `00` written as `00 FF`, and `00 01` behind it.
fn encoded(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut key = Vec::new();
    for part in parts {
        for byte in part {
            key.push(*byte);
            key.extend((*byte == 0).then_some(0xff));
        }
        key.extend([0, 1]);
    }
    key
}

fn decoded(key: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut bytes = key.iter();
    while let Some(byte) = bytes.next() {
        if *byte != 0 {
            part.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(0xff) => part.push(0),
            Some(1) => parts.push(std::mem::take(&mut part)),
            other => panic!("{key:?} has {other:?} behind a zero"),
        }
    }
    assert_eq!(encoded(&parts), key, "a key ends with its last part");
    parts
}

/// Numbers as numbers, all else as text.
fn part_text(part: &[u8]) -> String {
    match <[u8; 8]>::try_from(part) {
        Ok(number) if !part[0].is_ascii_graphic() => format!("#{}", u64::from_be_bytes(number)),
        _ => escaped(part, b"\\|# "),
    }
}

fn part_bytes(text: &str) -> Vec<u8> {
    match text.strip_prefix('#') {
        Some(number) => number
            .parse::<u64>()
            .expect("a number")
            .to_be_bytes()
            .into(),
        None => unescaped(text),
    }
}

fn escaped(bytes: &[u8], special: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        match byte {
            b' '..=b'~' if !special.contains(byte) => text.push(char::from(*byte)),
            _ => write!(text, "\\x{byte:02x}").expect("written"),
        }
        text
    })
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once("\\x") {
        bytes.extend(plain.as_bytes());
        let (digits, behind) = escape.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two hex digits"));
        rest = behind;
    }
    bytes.extend(rest.as_bytes());
    bytes
}
