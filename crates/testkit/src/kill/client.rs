//! One client: uploads, overwrites, deletes, copies, one after the other, until the connection breaks. Its keys are its
//! own. Never tries anything a second time.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landfall_core::limits::INLINE_OBJECT_BYTES_MAX;

use super::record::{Body, Record};
use super::{BUCKET, PATIENCE, STARTING, TOLD, runtime, wrong};
use crate::Random;
use crate::http::{Answer, Client, object_path};

/// Keys that a client writes over and deletes.
const SLOTS: u64 = 40;
/// Acknowledged uploads that a client remembers, to copy and to look at.
const REMEMBERED: usize = 64;
/// Of those, how many are looked at after a cycle.
const SAMPLE: usize = 6;
/// Between two looks at how it goes.
const LOOK: Duration = Duration::from_micros(200);
const SMALL_BYTES: u64 = 512;
const LARGE_BYTES: u64 = 96 * 1024;

/// What the clients of one cycle share, and how it goes.
pub(super) struct Cycle {
    endpoint: String,
    /// Whether the server may refuse, and may go away by itself.
    pub(super) is_troubled: bool,
    /// Uploads that may still start a container.
    starting_left: AtomicI64,
    answers: AtomicU64,
    refusals: AtomicU64,
    failures: AtomicU64,
    end_is_expected: AtomicBool,
    is_over: AtomicBool,
}

impl Cycle {
    pub(super) fn new(endpoint: &str, starting: i64) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            is_troubled: false,
            starting_left: AtomicI64::new(starting),
            answers: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            end_is_expected: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        }
    }

    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::SeqCst)
    }

    pub(super) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::SeqCst)
    }

    /// Broken connections are no failure from now on.
    pub(super) fn expect_the_end(&self) {
        self.end_is_expected.store(true, Ordering::SeqCst);
    }

    /// Nothing new is begun from now on.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Waits until it holds, or a client has failed.
    pub(super) fn wait_for(&self, mut holds: impl FnMut(&Self) -> bool) -> io::Result<()> {
        let begun = Instant::now();
        while !holds(self) && self.failures.load(Ordering::SeqCst) == 0 {
            if begun.elapsed() > PATIENCE {
                return Err(wrong("the server does not get on with the uploads"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// What a client counts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) puts: u64,
    pub(super) deletes: u64,
    pub(super) unanswered: u64,
}

/// A client between two cycles.
pub(super) struct Uploader {
    number: u64,
    random: Random,
    record: Record,
    next: u64,
    /// Uploads of keys that are never touched again.
    remembered: Vec<(String, Body)>,
    pub(super) counts: Counts,
}

/// What to do next.
enum Step {
    Put(String),
    Delete(String),
    Copy(String),
    Multipart(String),
}

impl Uploader {
    pub(super) fn new(number: u64, seed: u64, file: &Path) -> io::Result<Self> {
        Ok(Self {
            number,
            random: Random::new(seed),
            record: Record::create(file)?,
            next: 0,
            remembered: Vec::new(),
            counts: Counts::default(),
        })
    }

    /// Some acknowledged uploads.
    pub(super) fn sample(&self, random: &Random) -> impl Iterator<Item = (&str, Body)> {
        let chosen = (0..SAMPLE).filter_map(|_| {
            let chosen = random.index(self.remembered.len());
            self.remembered.get(chosen)
        });
        let chosen: Vec<_> = chosen.map(|(key, body)| (key.as_str(), *body)).collect();
        chosen.into_iter()
    }

    /// Works until the server is killed.
    pub(super) fn work(mut self, cycle: &Cycle) -> io::Result<Self> {
        let ended = runtime()?.block_on(self.until_killed(cycle));
        if ended.is_err() {
            cycle.failures.fetch_add(1, Ordering::SeqCst);
        }
        ended.map(|()| self)
    }

    async fn until_killed(&mut self, cycle: &Cycle) -> io::Result<()> {
        let broken = |e: io::Error| {
            let expected = cycle.is_troubled || cycle.end_is_expected.load(Ordering::SeqCst);
            match expected {
                true => Ok(()),
                false => Err(wrong(format_args!(
                    "the server lived, and an upload gave {e}"
                ))),
            }
        };
        let mut client = match Client::connect(&cycle.endpoint).await {
            Ok(client) => client,
            Err(e) => return broken(e),
        };
        while !cycle.is_over.load(Ordering::SeqCst) {
            let step = self.choose(cycle);
            let answer = match self.take(&mut client, step).await? {
                Ok(answer) => answer,
                Err(e) => return broken(e),
            };
            let count = match (answer.status, cycle.is_troubled) {
                (200..300, _) => &cycle.answers,
                (500.., true) => &cycle.refusals,
                _ => return Err(wrong(format_args!("refused: {answer:?}"))),
            };
            count.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn choose(&mut self, cycle: &Cycle) -> Step {
        self.next += 1;
        let own = format!("{}-{}", self.number, self.next);
        let slot = format!("slots/{}-{}", self.number, self.random.below(SLOTS));
        let wants_start = self.random.below(12) == 0;
        let key = if wants_start && cycle.starting_left.fetch_sub(1, Ordering::SeqCst) > 0 {
            format!("{STARTING}{own}")
        } else if self.random.below(12) == 0 {
            format!("{TOLD}{own}")
        } else {
            format!("other/{own}")
        };
        match self.random.below(200) {
            0..20 => Step::Put(slot),
            20..28 => Step::Delete(slot),
            28..32 if !self.remembered.is_empty() => Step::Copy(key),
            32 => Step::Multipart(key),
            _ => Step::Put(key),
        }
    }

    /// The outer error is ours, the inner one the connection's.
    async fn take(&mut self, client: &mut Client, step: Step) -> io::Result<io::Result<Answer>> {
        match step {
            Step::Put(key) => {
                let bytes = self.bytes();
                let body = Body::of(&bytes);
                self.record.begin(&key, Some(body))?;
                let answer = client.put_object(BUCKET, &key, &bytes).await;
                self.uploaded(key, body, answer)
            }
            Step::Delete(key) => {
                self.record.begin(&key, None)?;
                let path = object_path(BUCKET, &key);
                let answer = client.send("DELETE", &path, &[], b"").await;
                self.answered(&answer, false)?;
                Ok(answer)
            }
            Step::Copy(key) => {
                let chosen = self.random.index(self.remembered.len());
                let Some((source, body)) = self.remembered.get(chosen).cloned() else {
                    return Err(wrong("nothing to copy"));
                };
                self.record.begin(&key, Some(body))?;
                let source = object_path(BUCKET, &source);
                let headers = [("x-amz-copy-source", source.as_str())];
                let path = object_path(BUCKET, &key);
                let answer = client.send("PUT", &path, &headers, b"").await;
                self.uploaded(key, body, answer)
            }
            Step::Multipart(key) => {
                let bytes = self.bytes();
                let path = object_path(BUCKET, &key);
                let (path, xml) = match part(client, &path, &bytes).await {
                    Ok(Ok(completion)) => completion,
                    Ok(Err(refused)) => return Ok(Ok(refused)),
                    Err(e) => return Ok(Err(e)),
                };
                let body = Body::of(&bytes);
                self.record.begin(&key, Some(body))?;
                let answer = client.send("POST", &path, &[], xml.as_bytes()).await;
                self.uploaded(key, body, answer)
            }
        }
    }

    fn uploaded(
        &mut self,
        key: String,
        body: Body,
        answer: io::Result<Answer>,
    ) -> io::Result<io::Result<Answer>> {
        let is_done = self.answered(&answer, true)?;
        if is_done && !key.starts_with("slots/") {
            if self.remembered.len() >= REMEMBERED {
                self.remembered.swap_remove(self.random.index(REMEMBERED));
            }
            self.remembered.push((key, body));
        }
        Ok(answer)
    }

    /// Notes the answer; only what is on stable storage counts.
    fn answered(&mut self, answer: &io::Result<Answer>, is_put: bool) -> io::Result<bool> {
        let is_done = answer
            .as_ref()
            .is_ok_and(|a| (200..300).contains(&a.status));
        if is_done {
            self.record.acknowledge()?;
        }
        match (is_done, is_put) {
            (true, true) => self.counts.puts += 1,
            (true, false) => self.counts.deletes += 1,
            (false, _) => self.counts.unanswered += 1,
        }
        Ok(is_done)
    }

    /// Small, around the inline limit, or above.
    fn bytes(&self) -> Vec<u8> {
        let length = match self.random.below(64) {
            0 => INLINE_OBJECT_BYTES_MAX - 2 + self.random.below(5),
            1 | 2 => INLINE_OBJECT_BYTES_MAX + self.random.below(LARGE_BYTES),
            _ => self.random.below(SMALL_BYTES),
        };
        self.random.bytes(length)
    }
}

/// How to complete a multipart upload, or the answer that it came to before.
type Part = Result<(String, String), Answer>;

/// Uploads the only part of a multipart upload.
async fn part(client: &mut Client, path: &str, bytes: &[u8]) -> io::Result<Part> {
    let begun = client
        .send("POST", &format!("{path}?uploads"), &[], b"")
        .await?;
    let Some(id) = element(&begun, "UploadId") else {
        return Ok(Err(begun));
    };
    let part = format!("{path}?partNumber=1&uploadId={id}");
    let stored = client.send("PUT", &part, &[], bytes).await?;
    if stored.status != 200 {
        return Ok(Err(stored));
    }
    let upload = format!("{path}?uploadId={id}");
    let parts = client.send("GET", &upload, &[], b"").await?;
    let Some(etag) = element(&parts, "ETag") else {
        return Ok(Err(parts));
    };
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    let xml = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
    Ok(Ok((upload, xml)))
}

/// The text of the first element of that name in a good answer.
fn element(answer: &Answer, name: &str) -> Option<String> {
    let answer = answer.clone().success().ok()?;
    let text = String::from_utf8_lossy(&answer.body);
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.to_owned())
}
