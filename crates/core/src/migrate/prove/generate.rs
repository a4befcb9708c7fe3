//! Makes uploads from what two templates say: the keys, buckets and addresses of their patterns, and what lies a hair
//! beside them. The same seed makes the same uploads.
//!
//! Never looks at how an upload fares.

use std::collections::BTreeSet;

use serde_json::Value;

use super::side::Side;
use super::upload::{Operation, Upload};

/// What the patterns of both sides mention.
#[derive(Debug, Clone, Default)]
pub(super) struct Mentioned {
    pub(super) buckets: BTreeSet<String>,
    /// Those that patterns name.
    watched: BTreeSet<String>,
    keys: BTreeSet<String>,
    prefixes: BTreeSet<String>,
    suffixes: BTreeSet<String>,
    addresses: BTreeSet<String>,
    accounts: BTreeSet<String>,
    sizes: BTreeSet<u64>,
    /// The calls that patterns of the old road name.
    event_names: BTreeSet<String>,
}

impl Mentioned {
    /// Reads both sides.
    pub(super) fn of(sides: [&Side; 2]) -> Self {
        let mut mentioned = Self::default();
        for side in sides {
            mentioned.buckets.extend(side.buckets.keys().cloned());
            for rule in &side.rules {
                if let Ok(pattern) = serde_json::from_str::<Value>(rule.pattern.text()) {
                    mentioned.read(&pattern, "");
                }
            }
            for prefix in side.trails.iter().flat_map(super::trail::Trail::prefixes) {
                if let Some((bucket, key)) = prefix.split_once('/') {
                    mentioned.buckets.insert(bucket.to_owned());
                    mentioned.prefixes.insert(key.to_owned());
                }
            }
        }
        mentioned
    }

    fn read(&mut self, node: &Value, path: &str) {
        match node {
            Value::Object(members) => {
                for (name, member) in members {
                    if name == "$or" {
                        let branches = member.as_array().into_iter().flatten();
                        branches.for_each(|branch| self.read(branch, path));
                    } else {
                        self.read(member, &format!("{path}.{name}"));
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.value(value, path)),
            _ => {}
        }
    }

    fn value(&mut self, value: &Value, path: &str) {
        match value {
            Value::String(text) => self.text(path, "", text),
            Value::Number(number) => self.sizes.extend(number.as_u64()),
            Value::Object(matcher) => matcher
                .iter()
                .for_each(|(name, it)| self.matcher(path, name, it)),
            _ => {}
        }
    }

    fn matcher(&mut self, path: &str, operator: &str, operand: &Value) {
        match operand {
            Value::String(text) => self.text(path, operator, text),
            Value::Number(number) => {
                let number = number.as_u64().unwrap_or(0);
                self.sizes
                    .extend([number.saturating_sub(1), number, number.saturating_add(1)]);
            }
            Value::Array(items) => items.iter().for_each(|it| self.matcher(path, operator, it)),
            // `prefix` within `anything-but`, `equals-ignore-case` within `prefix`: the inner one says where it stands.
            Value::Object(inner) => inner.iter().for_each(|(name, it)| {
                let name = if matches!(operator, "prefix" | "suffix") {
                    operator
                } else {
                    name
                };
                self.matcher(path, name, it);
            }),
            _ => {}
        }
    }

    fn text(&mut self, path: &str, operator: &str, text: &str) {
        let text = text.to_owned();
        match path {
            ".detail.requestParameters.bucketName" | ".detail.bucket.name" => {
                self.watched.insert(text.clone());
                self.buckets.insert(text);
            }
            ".detail.requestParameters.key" | ".detail.object.key" => match operator {
                "prefix" => drop(self.prefixes.insert(text)),
                "suffix" => drop(self.suffixes.insert(text)),
                "wildcard" => {
                    for filling in ["", "x", "a/b"] {
                        self.keys.insert(text.replace('*', filling));
                    }
                }
                _ => drop(self.keys.insert(text)),
            },
            ".detail.sourceIPAddress" | ".detail.source-ip-address" => {
                let address = text.split('/').next().unwrap_or_default();
                self.addresses.insert(address.to_owned());
            }
            ".detail.userIdentity.accountId" | ".detail.requester" => {
                self.accounts.insert(text);
            }
            ".detail.eventName" => {
                self.event_names.insert(text);
            }
            _ => {}
        }
    }

    /// Whether the old rules name this way to make an object; those that name none mean every one.
    pub(super) fn names(&self, operation: Operation) -> bool {
        if self.event_names.is_empty() {
            let single = [
                Operation::PutObject,
                Operation::PostObject,
                Operation::CopyObject,
            ];
            return single.contains(&operation);
        }
        operation == Operation::GetObject || self.event_names.contains(operation.event_name())
    }

    /// Keys that some pattern is likely to take.
    fn likely(&self) -> Vec<String> {
        let mut keys = self.keys.clone();
        for prefix in &self.prefixes {
            keys.extend([
                prefix.clone(),
                format!("{prefix}x"),
                format!("{prefix}/data.csv"),
            ]);
            keys.extend(
                self.suffixes
                    .iter()
                    .map(|suffix| format!("{prefix}x{suffix}")),
            );
        }
        for suffix in &self.suffixes {
            keys.extend([
                suffix.clone(),
                format!("a{suffix}"),
                format!("in/a{suffix}"),
            ]);
        }
        keys.insert("a".to_owned());
        keys.into_iter().filter(|key| !key.is_empty()).collect()
    }
}

/// What makes a key hard to carry, all of them legal.
const ODD: [&str; 18] = [
    "\"", "\\", "\n", "\t", " ", "+", "%2F", "%", "é", "e\u{301}", "日本", "😀", "<key>", "${key}",
    "'", "*", "\u{1}", "\u{7f}",
];

/// One legal change of a key that a pattern may or may not see.
fn neighbours(key: &str) -> Vec<String> {
    let mut all = vec![
        format!("/{key}"),
        format!("{key}/"),
        format!("{key}x"),
        format!("x{key}"),
        key.replace('/', "//"),
        key.to_uppercase(),
        key.replacen('/', "", 1),
    ];
    let mut chars = key.chars();
    chars.next();
    all.push(chars.as_str().to_owned());
    let mut chars = key.chars();
    chars.next_back();
    all.push(chars.as_str().to_owned());
    let mut swapped = key.chars();
    if let Some(last) = swapped.next_back() {
        let other: String = if last.is_uppercase() {
            last.to_lowercase().collect()
        } else {
            last.to_uppercase().collect()
        };
        all.push(format!("{}{other}", swapped.as_str()));
    }
    all.retain(|it| !it.is_empty());
    all
}

/// Numbers from a seed: SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.roll() % count).unwrap_or(0)
    }

    fn pick<'t, T>(&mut self, items: &'t [T]) -> Option<&'t T> {
        items.get(self.below(items.len()))
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// Uploads without end.
pub(super) struct Generator {
    dice: Dice,
    buckets: Vec<String>,
    /// Places in `buckets`.
    watched: Vec<usize>,
    keys: Vec<String>,
    near: Vec<String>,
    addresses: Vec<String>,
    accounts: Vec<String>,
    sizes: Vec<u64>,
    made: usize,
}

/// Bytes of a key.
const KEY_BYTES_MAX: usize = 1_024;

impl Generator {
    pub(super) fn new(mentioned: &Mentioned, account: &str, seed: u64) -> Self {
        let keys = mentioned.likely();
        let near = keys.iter().flat_map(|it| neighbours(it)).collect();
        let mut buckets: Vec<String> = mentioned.buckets.iter().cloned().collect();
        buckets.push("another-bucket".to_owned());
        let watched = buckets.iter().enumerate();
        let watched = watched
            .filter(|(_, name)| mentioned.watched.contains(*name))
            .map(|(at, _)| at)
            .collect();
        let with = |mentioned: &BTreeSet<String>, more: &[&str]| {
            let more = more.iter().map(|it| (*it).to_owned());
            more.chain(mentioned.iter().cloned()).collect()
        };
        Self {
            dice: Dice(seed),
            buckets,
            watched,
            keys,
            near,
            addresses: with(&mentioned.addresses, &["203.0.113.7", "10.0.0.1"]),
            accounts: with(&mentioned.accounts, &[account, "999999999999"]),
            sizes: [0, 5, 9_000_000]
                .into_iter()
                .chain(mentioned.sizes.iter().copied())
                .collect(),
            made: 0,
        }
    }

    /// The first uploads walk through keys, buckets and operations in turn; the others are drawn.
    pub(super) fn next(&mut self) -> Upload {
        let turn = self.made;
        self.made += 1;
        let systematic = self.keys.len() + self.near.len();
        let rounds = systematic * self.buckets.len() * Operation::ALL.len();
        if turn < rounds.min(SYSTEMATIC_MAX) {
            return self.in_turn(turn);
        }
        let key = self.key();
        let operation = match self.dice.below(10) {
            0..=6 => self.dice.below(4),
            _ => self.dice.below(Operation::ALL.len()),
        };
        let bucket = match self.dice.pick(&self.watched) {
            Some(watched) if !self.dice.one_in(3) => *watched,
            _ => self.dice.below(self.buckets.len()),
        };
        self.upload(key, operation, bucket)
    }

    fn in_turn(&mut self, turn: usize) -> Upload {
        let (operation, rest) = (turn % Operation::ALL.len(), turn / Operation::ALL.len());
        let (bucket, rest) = (rest % self.buckets.len(), rest / self.buckets.len());
        let near = rest.checked_sub(self.keys.len());
        let key = match near {
            None => self.keys.get(rest),
            Some(near) => self.near.get(near),
        };
        let key = key.cloned().unwrap_or_else(|| "a".to_owned());
        self.upload(key, operation, bucket)
    }

    fn upload(&mut self, key: String, operation: usize, bucket: usize) -> Upload {
        let pick =
            |items: &[String], dice: &mut Dice| dice.pick(items).cloned().unwrap_or_default();
        Upload {
            bucket: self.buckets.get(bucket).cloned().unwrap_or_default(),
            key: cut(key),
            operation: Operation::ALL
                .get(operation)
                .copied()
                .unwrap_or(Operation::PutObject),
            size: self.dice.pick(&self.sizes).copied().unwrap_or(0),
            source_ip: pick(&self.addresses, &mut self.dice),
            account: pick(&self.accounts, &mut self.dice),
            versioned: self.dice.one_in(4),
            fails: false,
            record: None,
        }
    }

    fn key(&mut self) -> String {
        let pool = if self.dice.one_in(3) {
            &self.near
        } else {
            &self.keys
        };
        let mut key = self
            .dice
            .pick(pool)
            .cloned()
            .unwrap_or_else(|| "a".to_owned());
        for _ in 0..self.dice.below(4) {
            let places: Vec<usize> = key
                .char_indices()
                .map(|(at, _)| at)
                .chain([key.len()])
                .collect();
            let at = if self.dice.one_in(2) {
                key.len()
            } else {
                self.dice.pick(&places).copied().unwrap_or(0)
            };
            let odd = self.dice.pick(&ODD).copied().unwrap_or("x");
            key.insert_str(at, odd);
        }
        if self.dice.one_in(200) {
            key.push_str(&"k".repeat(KEY_BYTES_MAX));
        }
        key
    }
}

/// Uploads of the first kind, at most: the drawn ones have to have their share.
const SYSTEMATIC_MAX: usize = 5_000;

fn cut(mut key: String) -> String {
    let mut end = key.len().min(KEY_BYTES_MAX);
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    key.truncate(end);
    key
}
