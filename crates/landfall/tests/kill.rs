//! `kill -9` at random moments under uploading clients: what was acknowledged is there, and each matching object
//! starts its container exactly once. The containers themselves report their starts to the test.
//!
//! `LANDFALL_KILL_CYCLES` (3), `LANDFALL_KILL_SEED` (from the clock; printed) and `LANDFALL_KILL_RUNTIME` (`process`,
//! or `oci`) change the run.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use common::{IMAGE, PATIENCE, Place, ended, image, text};
use landfall_core::ids::Ids;
use landfall_testkit::http::Client;
use landfall_testkit::{Arrivals, Road, SeededIds, Server};
use serde_json::Value;

const CLIENTS: u64 = 16;
const BUCKET: &str = "uploads";
const PREFIX: &str = "in/";
/// Matching uploads of one cycle: containers are slow next to uploads.
const MATCHING_PER_CYCLE: usize = 24;
/// Every so many uploads is a matching one, while there are some left.
const MATCHING_EVERY: u64 = 3;
const BODY_BYTES_MAX: u64 = 200 * 1024;
/// Up to here objects live beside their metadata.
const INLINE: u64 = landfall_core::limits::INLINE_OBJECT_BYTES_MAX;
const DELAY_MILLIS_MAX: u64 = 400;
/// Objects of earlier cycles that are looked at after a restart.
const SAMPLE: usize = 32;

/// Random numbers of a seed.
struct Random(SeededIds);

impl Random {
    fn new(seed: u64) -> Self {
        Self(SeededIds::new(seed))
    }

    fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }
}

/// An upload that was begun. Its bytes follow from it.
#[derive(Debug, Clone)]
struct Upload {
    key: String,
    size: u64,
    seed: u64,
}

impl Upload {
    /// Around the inline limit, small, or large.
    fn new(random: &Random, key: String) -> Self {
        let size = match random.below(4) {
            0 => random.below(1024),
            1 => INLINE - 2 + random.below(5),
            2 => random.below(2 * INLINE),
            _ => random.below(BODY_BYTES_MAX),
        };
        let seed = random.below(u64::MAX);
        Self { key, size, seed }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.size).unwrap()];
        SeededIds::new(self.seed).fill(&mut bytes);
        bytes
    }

    fn matches(&self) -> bool {
        self.key.starts_with(PREFIX)
    }
}

/// What the clients know when the server has died.
#[derive(Debug, Default)]
struct Uploads {
    acknowledged: Vec<Upload>,
    /// Begun, and never answered: each of them happened whole, or not at all.
    open: Vec<Upload>,
}

/// One client: uploads one after the other until the connection breaks.
async fn uploading(
    endpoint: String,
    random: Random,
    name: String,
    matching_left: Arc<AtomicUsize>,
    acknowledged: Arc<AtomicUsize>,
    is_killed: Arc<AtomicBool>,
) -> Uploads {
    let mut uploads = Uploads::default();
    let Ok(mut client) = Client::connect(&endpoint).await else {
        return uploads;
    };
    for number in 0.. {
        let take = |left: usize| left.checked_sub(1);
        let matching = random.below(MATCHING_EVERY) == 0
            && matching_left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok();
        let folder = if matching { PREFIX } else { "other/" };
        let upload = Upload::new(&random, format!("{folder}{name}-{number}"));
        match client
            .put_object(BUCKET, &upload.key, &upload.bytes())
            .await
        {
            Ok(answer) => {
                assert_eq!(answer.status, 200, "{upload:?}: {answer:?}");
                acknowledged.fetch_add(1, Ordering::SeqCst);
                uploads.acknowledged.push(upload);
            }
            Err(e) => {
                let expected = is_killed.load(Ordering::SeqCst);
                assert!(expected, "the server lived, and {upload:?} gave {e}");
                uploads.open.push(upload);
                break;
            }
        }
    }
    uploads
}

/// Lets the clients upload, and kills the server at a random moment.
async fn cycle(number: u64, server: Server, random: &Random) -> Uploads {
    let matching_left = Arc::new(AtomicUsize::new(MATCHING_PER_CYCLE));
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let is_killed = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            tokio::spawn(uploading(
                server.endpoint().to_owned(),
                Random::new(random.below(u64::MAX)),
                format!("{number}-{client}"),
                Arc::clone(&matching_left),
                Arc::clone(&acknowledged),
                Arc::clone(&is_killed),
            ))
        })
        .collect();
    let enough = usize::try_from(random.below(3 * CLIENTS)).unwrap();
    while acknowledged.load(Ordering::SeqCst) < enough {
        tokio::task::yield_now().await;
    }
    let delay = Duration::from_millis(random.below(DELAY_MILLIS_MAX));
    tokio::time::sleep(delay).await;
    is_killed.store(true, Ordering::SeqCst);
    server.kill().unwrap();
    let mut all = Uploads::default();
    for client in clients {
        let uploads = client.await.unwrap();
        all.acknowledged.extend(uploads.acknowledged);
        all.open.extend(uploads.open);
    }
    all
}

/// Reads acknowledged uploads back and compares every byte.
async fn read_back(endpoint: &str, uploads: impl IntoIterator<Item = &Upload>) {
    let mut client = Client::connect(endpoint).await.unwrap();
    for upload in uploads {
        let answer = client.get_object(BUCKET, &upload.key).await.unwrap();
        assert_eq!(
            answer.status, 200,
            "{upload:?} was acknowledged and is gone"
        );
        assert!(answer.body == upload.bytes(), "{upload:?} has other bytes");
    }
}

/// Of the uploads that nobody answered, those that happened; they too are whole.
async fn happened<'a>(endpoint: &str, open: &'a [Upload]) -> Vec<&'a Upload> {
    let mut client = Client::connect(endpoint).await.unwrap();
    let mut found = Vec::new();
    for upload in open {
        let answer = client.get_object(BUCKET, &upload.key).await.unwrap();
        assert!(matches!(answer.status, 200 | 404), "{upload:?}: {answer:?}");
        if answer.status == 200 {
            assert!(answer.body == upload.bytes(), "{upload:?} is torn");
            found.push(upload);
        }
    }
    found
}

/// Every object that is there and matches has exactly one run, which succeeded; nothing else has one.
fn check_ledger(runs: &[Value], expected: &BTreeSet<&str>) {
    let mut by_key: BTreeMap<&str, usize> = BTreeMap::new();
    for run in runs {
        assert_eq!(text(run, "state"), "succeeded", "{run:#}");
        assert_eq!(run["exit_codes"], serde_json::json!([0]), "{run:#}");
        *by_key.entry(text(run, "key")).or_default() += 1;
    }
    let once: BTreeMap<&str, usize> = expected.iter().map(|key| (*key, 1)).collect();
    assert_eq!(by_key, once, "the ledger does not have each key once");
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => default,
    }
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    setting("LANDFALL_KILL_SEED", u64::from(now.unwrap().subsec_nanos()))
}

/// The same for every start, as a user's is; outside of the range from which the kernel gives ports to clients.
fn free_address(random: &Random) -> String {
    loop {
        let address = format!("127.0.0.1:{}", 20_000 + random.below(12_000));
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

async fn furnish(place: &Place, server: &Server, arrivals: &Arrivals) {
    let archive = place.path("image.tar");
    image(&archive);
    let report = format!(
        "echo \"$OBJECT_KEY\" | busybox nc 127.0.0.1 {}",
        arrivals.port()
    );
    let road = Road {
        bucket: BUCKET.to_owned(),
        prefix: PREFIX.to_owned(),
        image: IMAGE.to_owned(),
        command: ["sh", "-c", &report].map(str::to_owned).to_vec(),
    };
    let mut client = Client::connect(server.endpoint()).await.unwrap();
    road.furnish(&mut client, &archive).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_any_kill_and_starts_its_container_once() {
    let (cycles, seed) = (setting("LANDFALL_KILL_CYCLES", 3), seed());
    let kind = std::env::var("LANDFALL_KILL_RUNTIME").unwrap_or_else(|_| "process".to_owned());
    println!("{cycles} cycles, LANDFALL_KILL_RUNTIME={kind} LANDFALL_KILL_SEED={seed}");
    let random = Random::new(seed);
    let (place, arrivals) = (Place::new(), Arrivals::listen().unwrap());
    let listen = free_address(&random);
    let arguments = ["--runtime", &kind, "--listen", &listen];
    let mut server = place.start(&arguments);
    furnish(&place, &server, &arrivals).await;
    let mut all = Uploads::default();
    for number in 0..cycles {
        let uploads = cycle(number, server, &random).await;
        server = place.start(&arguments);
        let older = (0..SAMPLE.min(all.acknowledged.len()))
            .map(|_| usize::try_from(random.below(all.acknowledged.len() as u64)).unwrap());
        let sample: Vec<&Upload> = older.map(|n| &all.acknowledged[n]).collect();
        read_back(server.endpoint(), uploads.acknowledged.iter().chain(sample)).await;
        all.acknowledged.extend(uploads.acknowledged);
        all.open.extend(uploads.open);
    }
    check(&server, &arrivals, &all).await;
    assert!(server.stop().unwrap().success(), "{}", place.log());
}

async fn check(server: &Server, arrivals: &Arrivals, all: &Uploads) {
    read_back(server.endpoint(), &all.acknowledged).await;
    let unanswered = happened(server.endpoint(), &all.open).await;
    let there = all.acknowledged.iter().chain(unanswered.iter().copied());
    let expected: BTreeSet<&str> = there
        .filter(|upload| upload.matches())
        .map(|upload| upload.key.as_str())
        .collect();
    assert!(
        !expected.is_empty(),
        "no container was asked for: nothing was tested"
    );
    let mut client = Client::connect(server.endpoint()).await.unwrap();
    let runs = ended(&mut client, expected.len()).await;
    check_ledger(&runs, &expected);
    // A run that has ended has reported before; the listener may still be reading.
    let last = arrivals.nth(expected.len() - 1, PATIENCE);
    assert!(
        last.is_some(),
        "{} of {} containers reported",
        arrivals.count(),
        expected.len()
    );
    let once: BTreeMap<String, usize> = expected.iter().map(|key| ((*key).to_owned(), 1)).collect();
    assert_eq!(
        arrivals.by_line(),
        once,
        "the containers that really started"
    );
    println!(
        "{} uploads acknowledged, {} unanswered of which {} happened, {} containers, each once",
        all.acknowledged.len(),
        all.open.len(),
        unanswered.len(),
        expected.len()
    );
}
