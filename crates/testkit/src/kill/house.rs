//! A server, its directory and its clients, through starts and ends. Never decides when an end comes.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::book::Book;
use super::client::{Counts, Cycle, Uploader};
use super::judge::{Found, Judge, read_back};
use super::{runtime, wrong};
use crate::http::Client;
use crate::{Arrivals, Random, Server};

pub(super) struct House {
    binary: PathBuf,
    /// Records and the log, away from the disk that is tested.
    place: TempDir,
    data: PathBuf,
    listen: String,
    seed: u64,
    book: Book,
    uploaders: Vec<Uploader>,
    pub(super) runtime_kind: String,
}

impl House {
    pub(super) fn new(
        binary: &Path,
        place: TempDir,
        data: PathBuf,
        seed: u64,
        clients: u64,
    ) -> io::Result<Self> {
        let records = place.path().join("records");
        std::fs::create_dir(&records)?;
        let random = Random::new(seed);
        let uploader = |number| {
            let file = records.join(format!("client-{number}"));
            Uploader::new(number, random.next(), &file)
        };
        Ok(Self {
            binary: binary.to_owned(),
            listen: free_address(&random),
            uploaders: (0..clients.max(1))
                .map(uploader)
                .collect::<io::Result<_>>()?,
            place,
            data,
            seed,
            book: Book::default(),
            runtime_kind: "process".to_owned(),
        })
    }

    fn arguments(&self) -> io::Result<[&str; 6]> {
        let data = self
            .data
            .to_str()
            .ok_or_else(|| wrong("the path is not UTF-8"))?;
        let kind = &self.runtime_kind;
        Ok(["--data", data, "--runtime", kind, "--listen", &self.listen])
    }

    fn log(&self) -> PathBuf {
        self.place.path().join("log")
    }

    pub(super) fn start(&self) -> io::Result<Server> {
        Server::start(&self.binary, &self.arguments()?, &self.log())
    }

    /// Starts the server and waits until it says that it is well.
    pub(super) fn start_healthy(&self) -> io::Result<Server> {
        let server = self.start()?;
        runtime()?.block_on(async {
            let mut client = Client::connect(server.endpoint()).await?;
            let health = client.send("GET", "/_landfall/health", &[], b"").await?;
            health.success().map(drop)
        })?;
        Ok(server)
    }

    pub(super) fn start_and_kill(&self, after: Duration) -> io::Result<()> {
        Server::start_and_kill(&self.binary, &self.arguments()?, &self.log(), after)
    }

    /// Lets all clients work while `until` watches; they stop when it has returned.
    pub(super) fn siege<T>(
        &mut self,
        cycle: &Arc<Cycle>,
        until: impl FnOnce(&Cycle) -> io::Result<T>,
    ) -> io::Result<T> {
        let running: Vec<_> = self
            .uploaders
            .drain(..)
            .map(|uploader| {
                let cycle = Arc::clone(cycle);
                std::thread::spawn(move || uploader.work(&cycle))
            })
            .collect();
        let outcome = until(cycle);
        cycle.end();
        for thread in running {
            let ended = thread.join().map_err(|_| wrong("a client panicked"))?;
            self.uploaders.push(ended?);
        }
        outcome
    }

    pub(super) fn counts(&self) -> Counts {
        let all = self.uploaders.iter().map(|uploader| uploader.counts);
        all.fold(Counts::default(), |sum, one| Counts {
            puts: sum.puts + one.puts,
            deletes: sum.deletes + one.deletes,
            unanswered: sum.unanswered + one.unanswered,
        })
    }

    /// Looks at a sample of the acknowledged, and takes the news of the ledger.
    pub(super) fn look(&mut self, endpoint: &str, random: &Random) -> io::Result<()> {
        runtime()?.block_on(async {
            let mut client = Client::connect(endpoint).await?;
            for uploader in &self.uploaders {
                for (key, body) in uploader.sample(random) {
                    read_back(&mut client, key, body).await?;
                }
            }
            self.book.look(&mut client).await
        })
    }

    /// All runs, once each has ended.
    pub(super) fn settled_runs(&mut self, endpoint: &str) -> io::Result<Vec<Value>> {
        runtime()?.block_on(async {
            let mut client = Client::connect(endpoint).await?;
            self.book.settle(&mut client).await
        })?;
        Ok(self.book.runs().cloned().collect())
    }

    /// Judges all that was ever done, by the records alone.
    pub(super) fn judge(
        &mut self,
        endpoint: &str,
        arrivals: Option<&Arrivals>,
    ) -> io::Result<Found> {
        let judge = Judge::read(&self.place.path().join("records"))?;
        runtime()?.block_on(judge.all(endpoint, &mut self.book, arrivals))
    }

    /// The outcome; what is wrong keeps the directory and says where.
    pub(super) fn keep_if_wrong(self, outcome: io::Result<()>) -> io::Result<()> {
        outcome.map_err(|e| {
            let kept = self.place.keep();
            let (seed, kept) = (self.seed, kept.display());
            wrong(format_args!(
                "{e} (--seed {seed}; records and log are kept in {kept})"
            ))
        })
    }
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
