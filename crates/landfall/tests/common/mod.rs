//! What the tests of the binary share: the binary, a directory for it, and a busybox image. Never starts anything by
//! itself.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use landfall_runtime::image::{ImageConfig, archive};
use landfall_testkit::Server;
use landfall_testkit::http::Client;
use landfall_testkit::kill::busybox;
use serde_json::Value;
use tempfile::TempDir;

/// Nothing stands still this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Name of the image that [`image`] writes.
pub const IMAGE: &str = "test/box:1";

/// A place for a server: its data and its log.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    /// A file or directory in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a server on the data directory, the same one every time.
    pub fn start(&self, arguments: &[&str]) -> Server {
        let data = self.path("data");
        let arguments = [&["--data", data.to_str().unwrap()], arguments].concat();
        Server::start(binary(), &arguments, &self.path("log")).unwrap()
    }

    /// All that the servers logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

/// The binary under test.
pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_landfall"))
}

/// Writes an image that holds busybox and its shell.
pub fn image(path: &Path) {
    let busybox =
        busybox().expect("the tests need a static busybox: apt-get install busybox-static");
    let root = tempfile::tempdir().unwrap();
    let bin = root.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::copy(busybox, bin.join("busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", bin.join("sh")).unwrap();
    let config = ImageConfig {
        cmd: vec!["sh".to_owned()],
        env: vec!["PATH=/bin".to_owned()],
        ..Default::default()
    };
    let file = std::fs::File::create(path).unwrap();
    archive::write_docker_archive(file, IMAGE, root.path(), &config).unwrap();
}

/// A text field of a line of the ledger.
pub fn text<'a>(run: &'a Value, name: &str) -> &'a str {
    run[name].as_str().unwrap_or_default()
}

/// Waits until `count` runs have ended, as long as runs still end; returns the whole ledger.
pub async fn ended(client: &mut Client, count: usize) -> Vec<Value> {
    let (mut before, mut since) = (0, Instant::now());
    loop {
        let runs = client.runs(10_000).await.unwrap();
        let open = ["matched", "queued", "starting", "running"];
        let done = runs
            .iter()
            .filter(|run| !open.contains(&text(run, "state")))
            .count();
        if done >= count && done == runs.len() {
            return runs;
        }
        if done > before {
            (before, since) = (done, Instant::now());
        }
        let waiting: Vec<_> = runs
            .iter()
            .filter(|run| open.contains(&text(run, "state")))
            .take(3)
            .collect();
        assert!(
            since.elapsed() < PATIENCE,
            "{done} of {count} ended, and then nothing: {waiting:#?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
