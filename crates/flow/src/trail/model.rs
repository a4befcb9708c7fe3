//! What is stored of trails, of records that wait for their file, and of the event history. Never decides anything.

use landfall_core::api::generated::cloudtrail as api;
use landfall_core::clock::Timestamp;
use landfall_core::trail::name::arn_of;
use serde::{Deserialize, Serialize};

use crate::key::{self, Key};
use crate::route::StoredEvent;

/// A trail, as its owner made it. Only calls of its owner change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    /// Account.
    pub account: String,
    /// Region in which it was made.
    pub home: String,
    /// Name.
    pub name: String,
    /// Bucket of its log files.
    pub bucket: String,
    /// Prefix of their keys.
    pub prefix: Option<String>,
    /// Whether events of global services are taken.
    pub global: bool,
    /// Whether events of all regions are taken.
    pub multi_region: bool,
    /// Whether digest files are written.
    pub validation: bool,
    /// Basic selectors.
    pub selectors: Vec<api::EventSelector>,
    /// Advanced selectors, which exclude basic ones.
    pub advanced: Vec<api::AdvancedEventSelector>,
    /// Whether selectors were ever put.
    pub custom: bool,
    /// Whether it records.
    pub logging: bool,
    /// When recording was last started.
    pub started_at: Option<Timestamp>,
    /// When recording was last stopped.
    pub stopped_at: Option<Timestamp>,
    /// Whether it takes CloudTrail's own deliveries (`RecursiveLogging`).
    #[serde(default = "yes")]
    pub recursive: bool,
}
crate::record!(Trail in Control);

fn yes() -> bool {
    true
}

impl Trail {
    /// Its ARN.
    pub fn arn(&self) -> String {
        arn_of(&self.account, &self.home, &self.name)
    }

    /// What names it in the store.
    pub fn key(&self) -> TrailKey {
        TrailKey {
            account: self.account.clone(),
            home: self.home.clone(),
            name: self.name.clone(),
        }
    }
}

/// What names a trail.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrailKey {
    /// Account.
    pub account: String,
    /// Home region.
    pub home: String,
    /// Name.
    pub name: String,
}

impl TrailKey {
    /// Key of the trail.
    pub fn record(&self) -> Key {
        trails_key(&self.account).part(&self.home).part(&self.name)
    }

    /// Key of what became of its deliveries.
    pub fn status(&self) -> Key {
        self.under("trail-status")
    }

    /// Beginning of the keys of its records that wait for a file.
    pub fn pending(&self) -> Key {
        self.under("trail-pending")
    }

    /// Key of the trail, when it is deleted and has still files to deliver.
    pub fn departed(&self) -> Key {
        self.under("trail-departed")
    }

    /// Beginning of the keys of its chains of digest files.
    pub fn chains(&self) -> Key {
        self.under("trail-chain")
    }

    fn under(&self, kind: &str) -> Key {
        Key::new(kind)
            .part(&self.account)
            .part(&self.home)
            .part(&self.name)
    }
}

/// A trail that is deleted and has still files to deliver, apart from any that gets its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Departed {
    /// What it was.
    pub trail: Trail,
    /// Which of its name.
    pub number: u64,
}
crate::record!(Departed in Control);

impl Departed {
    /// What names it; no trail has such a name.
    pub fn key(&self) -> TrailKey {
        TrailKey {
            name: format!("{}/{}", self.trail.name, self.number),
            ..self.trail.key()
        }
    }
}

/// Beginning of the keys of an account's trails.
pub fn trails_key(account: &str) -> Key {
    Key::new("trail").part(account)
}

/// What became of a trail's deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrailStatus {
    /// Last log file.
    pub delivered_at: Option<Timestamp>,
    /// Last digest file.
    pub digested_at: Option<Timestamp>,
    /// Last attempt.
    pub attempted_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}
crate::record!(TrailStatus in Control);

/// A record that waits for a log file of one trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRecord {
    /// When the call was made.
    pub at: Timestamp,
    /// The record as JSON text.
    pub json: String,
}
crate::record!(PendingRecord in Streams);

/// The region in the key of a pending record, behind account, home region and name.
pub fn region_of_pending(key: &Key) -> Option<String> {
    let parts = key::parts(key.bytes());
    String::from_utf8(parts.into_iter().nth(3)?).ok()
}

/// The number of the store's sequence in the key of a pending record.
pub fn number_of_pending(key: &Key) -> Option<u64> {
    let parts = key::parts(key.bytes());
    parts.get(4).and_then(|part| key::number(part))
}

/// A log file that no digest file lists yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undigested {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// SHA-256 of its text before compression, in hex.
    pub hash: String,
    /// First and last event.
    pub events: (Timestamp, Timestamp),
}

/// The last digest file of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastDigest {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// SHA-256 of its text before compression, in hex.
    pub hash: String,
    /// Its signature, in hex.
    pub signature: String,
}

/// A trail's digest files of one region: each names the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Up to when log files are listed.
    pub listed_until: Timestamp,
    /// The last one; none before the first, and after validation was switched off.
    pub last: Option<LastDigest>,
    /// Log files for the next one.
    pub files: Vec<Undigested>,
}
crate::record!(Chain in Control);

/// An event of the bus that waits out the imitated delay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delayed {
    /// The event.
    pub event: StoredEvent,
}
crate::record!(Delayed in Road);

/// Key of a delayed event.
pub fn delayed_key(due: Timestamp, number: u64) -> Key {
    let due = u64::try_from(due.0).unwrap_or(0);
    Key::new("trail-delayed").number(due).number(number)
}

/// When a delayed event is due.
pub fn due_of_delayed(key: &Key) -> Option<Timestamp> {
    let parts = key::parts(key.bytes());
    let due = parts.first().and_then(|part| key::number(part))?;
    Some(Timestamp(i64::try_from(due).unwrap_or(i64::MAX)))
}

/// A management event in the event history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRecord {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// When the call was made.
    pub at: Timestamp,
    /// Id of the event.
    pub id: String,
    /// Operation.
    pub name: String,
    /// Service.
    pub source: String,
    /// Whether the call changes nothing.
    pub read_only: bool,
    /// Who called.
    pub user: String,
    /// Access key id.
    pub access_key: String,
    /// Types and names of resources.
    pub resources: Vec<(String, String)>,
    /// The record as JSON text.
    pub json: String,
}
crate::record!(HistoryRecord in Streams);

/// Key of an event in the history: one order for all accounts, so that the oldest goes first.
pub fn history_key(number: u64) -> Key {
    Key::new("call-history").number(number)
}

/// A key pair that signs the digest files of an account and region.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Private key, PKCS#8 in hex.
    pub private: String,
    /// Public key, PKCS#1 in hex.
    pub public: String,
    /// MD5 of the public key in hex: what digest files name it by.
    pub fingerprint: String,
    /// Since when it signs.
    pub from: Timestamp,
}
crate::record!(SigningKey in Control);

/// Key of a signing key.
pub fn signing_key(account: &str, region: &str) -> Key {
    Key::new("trail-key").part(account).part(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden<R: crate::record::Record + PartialEq + std::fmt::Debug>(record: &R, json: &str) {
        let bytes = record.encode().unwrap();
        let (version, text) = bytes.split_first().unwrap();
        assert_eq!((*version, std::str::from_utf8(text).unwrap()), (1, json));
        assert_eq!(&R::decode(&bytes).unwrap(), record);
    }

    #[test]
    fn stored_records_read_back() {
        let trail = Trail {
            account: "1".to_owned(),
            home: "r".to_owned(),
            name: "n".to_owned(),
            bucket: "b".to_owned(),
            prefix: None,
            global: true,
            multi_region: false,
            validation: true,
            selectors: vec![landfall_core::trail::standard()],
            advanced: Vec::new(),
            custom: false,
            logging: true,
            started_at: Some(Timestamp(5)),
            stopped_at: None,
            recursive: true,
        };
        golden(
            &trail,
            concat!(
                r#"{"account":"1","home":"r","name":"n","bucket":"b","prefix":null,"global":true,"#,
                r#""multi_region":false,"validation":true,"selectors":[{"ReadWriteType":"All","#,
                r#""IncludeManagementEvents":true,"DataResources":[],"ExcludeManagementEventSources":[]}],"#,
                r#""advanced":[],"custom":false,"logging":true,"started_at":5,"stopped_at":null,"recursive":true}"#
            ),
        );
        let before = serde_json::to_string(&trail).unwrap();
        let before = before.replace(",\"recursive\":true", "");
        assert_eq!(serde_json::from_str::<Trail>(&before).unwrap(), trail);
        let pending = PendingRecord {
            at: Timestamp(7),
            json: "{}".to_owned(),
        };
        golden(&pending, r#"{"at":7,"json":"{}"}"#);
        let chain = Chain {
            listed_until: Timestamp(9),
            last: None,
            files: vec![Undigested {
                bucket: "b".to_owned(),
                key: "k".to_owned(),
                hash: "h".to_owned(),
                events: (Timestamp(1), Timestamp(2)),
            }],
        };
        golden(
            &chain,
            r#"{"listed_until":9,"last":null,"files":[{"bucket":"b","key":"k","hash":"h","events":[1,2]}]}"#,
        );
    }

    #[test]
    fn keys_tell_what_they_hold() {
        let trail = TrailKey {
            account: "1".to_owned(),
            home: "r".to_owned(),
            name: "n".to_owned(),
        };
        let pending = trail.pending().part("us-east-1").number(7);
        assert_eq!(region_of_pending(&pending).as_deref(), Some("us-east-1"));
        assert_eq!(number_of_pending(&pending), Some(7));
        let delayed = delayed_key(Timestamp(12), 3);
        assert_eq!(due_of_delayed(&delayed), Some(Timestamp(12)));
    }
}
