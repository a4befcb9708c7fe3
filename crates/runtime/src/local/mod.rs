//! Containers of our own, without a daemon: one shim each, and files that say everything.
//!
//! Both the OCI mode and the plain-process mode live here; they differ in what the shim does last. Never keeps state
//! in memory that a crash would lose.

mod files;
mod follow;
mod plan;
mod record;
mod users;
mod wakeups;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

pub(crate) use files::Files;
#[cfg(test)]
pub(crate) use record::Decoder;
pub(crate) use record::{Kind, encode};

use crate::image::{ImageStore, StoredImage};
use crate::shim::{Mode, PROBE, Plan, Probe, RUN, Report, VERB};
use crate::{ContainerEvent, ContainerSpec, Found, Image, Runtime, RuntimeError};
use landfall_core::limits::{CONTAINER_EVENTS_WAITING_MAX, CONTAINER_ID_CHARS_MAX};
use wakeups::Wakeups;

/// How often a start that another process makes is looked at.
const BUSY_LOOK: Duration = Duration::from_millis(5);

/// Runs containers by shims of our own binary.
pub struct LocalRuntime {
    mode: Mode,
    containers: PathBuf,
    images: ImageStore,
    shim: PathBuf,
    wakeups: Arc<Wakeups>,
}

impl LocalRuntime {
    /// Containers in namespaces of their own, under `data_dir`.
    pub fn oci(data_dir: &Path) -> Result<Self, RuntimeError> {
        Self::open(Mode::Oci, data_dir)
    }

    /// Containers as plain processes of the host: no isolation, no image root. The command is looked up in the
    /// image's files; every other path is the host's.
    pub fn process(data_dir: &Path) -> Result<Self, RuntimeError> {
        Self::open(Mode::Process, data_dir)
    }

    fn open(mode: Mode, data_dir: &Path) -> Result<Self, RuntimeError> {
        let containers = data_dir.join("containers");
        std::fs::create_dir_all(&containers).map_err(other)?;
        let containers = std::fs::canonicalize(&containers).map_err(other)?;
        let images = ImageStore::open(&data_dir.join("images"))?;
        let shim = PathBuf::from("/proc/self/exe");
        Ok(Self {
            mode,
            containers,
            images,
            shim,
            wakeups: Wakeups::new(),
        })
    }

    /// Uses another executable than our own as shim: one whose `main` calls [`crate::shim::main_if_shim`] first.
    #[must_use]
    pub fn with_shim(mut self, executable: impl Into<PathBuf>) -> Self {
        self.shim = executable.into();
        self
    }

    /// Whether containers in namespaces can run here; returns what they have to do without, or why they cannot.
    pub async fn probe(&self) -> Result<Vec<String>, String> {
        let scratch = self
            .containers
            .join(format!(".probe-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).map_err(|e| e.to_string())?;
        let output = self
            .shim_command(PROBE, &scratch)
            .stdin(Stdio::null())
            .output()
            .await;
        let _ = std::fs::remove_dir_all(&scratch);
        let output = output.map_err(|e| format!("cannot start the shim: {e}"))?;
        match serde_json::from_slice(&output.stdout) {
            Ok(Probe::Works { notes }) => Ok(notes),
            Ok(Probe::Fails(why)) => Err(why),
            Err(_) => Err(format!("the shim ended with {}", output.status)),
        }
    }

    fn files(&self, id: &str) -> Result<Files, RuntimeError> {
        let valid = (1..=CONTAINER_ID_CHARS_MAX).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if valid {
            Ok(Files::new(self.containers.join(id)))
        } else {
            Err(RuntimeError::Other(format!("{id:?} is not a container id")))
        }
    }

    /// A shim inherits nothing: what is in our environment is none of the container's business.
    fn shim_command(&self, what: &str, directory: &Path) -> Command {
        let mut command = Command::new(&self.shim);
        command.args([OsStr::new(VERB), OsStr::new(what), directory.as_os_str()]);
        command.env_clear().current_dir("/");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    async fn run_shim(&self, files: &Files, plan: &Plan) -> Result<Report, RuntimeError> {
        let cannot = |e: &dyn std::fmt::Display| cannot_start(format!("the shim failed: {e}"));
        let plan = serde_json::to_vec(plan).map_err(|e| cannot(&e))?;
        let mut child = self
            .shim_command(RUN, files.directory())
            .spawn()
            .map_err(|e| cannot(&e))?;
        let report = exchange(&mut child, &plan).await;
        // Reaps the shim whenever it ends, long after this call.
        tokio::spawn(async move { child.wait().await });
        let report = report.map_err(|e| cannot(&e))?;
        serde_json::from_slice(&report).map_err(|_| cannot(&"it ended without a report"))
    }

    /// Waits until the shim that owns the container has started it or has given up.
    async fn await_other_starter(&self, files: &Files) -> Result<(), RuntimeError> {
        loop {
            if files.output_begun() || files.exit().map_err(other)?.is_some() {
                return Ok(());
            }
            if !files.locked().map_err(other)? {
                return match files.failure().map_err(other)? {
                    Some(why) => Err(cannot_start(why)),
                    // Its shim has just ended, or was killed: `find` tells which.
                    None => Ok(()),
                };
            }
            tokio::time::sleep(BUSY_LOOK).await;
        }
    }
}

/// Gives the shim its plan and takes its one line.
async fn exchange(child: &mut Child, plan: &[u8]) -> std::io::Result<Vec<u8>> {
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(plan).await?;
        stdin.shutdown().await?;
    }
    let mut report = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut report).await?;
    }
    Ok(report)
}

#[async_trait]
impl Runtime for LocalRuntime {
    fn name(&self) -> &'static str {
        match self.mode {
            Mode::Oci => "oci",
            Mode::Process => "process",
        }
    }

    async fn prepare(&self, image: &str) -> Result<Image, RuntimeError> {
        Ok(self.images.find_or_pull(image).await?.image)
    }

    async fn start(&self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let files = self.files(&spec.id)?;
        if files.started() {
            return self.await_other_starter(&files).await;
        }
        let image: StoredImage = self.images.find_or_pull(&spec.image).await?;
        let plan = plan::plan(self.mode, spec, &image)?;
        std::fs::create_dir_all(files.directory()).map_err(other)?;
        files.make_control().map_err(other)?;
        match self.run_shim(&files, &plan).await? {
            Report::Started { notes } => {
                for note in notes {
                    tracing::warn!(container = spec.id, "{note}");
                }
                Ok(())
            }
            Report::Failed(why) => Err(cannot_start(why)),
            Report::Busy => self.await_other_starter(&files).await,
        }
    }

    async fn watch(
        &self,
        id: &str,
        position: u64,
    ) -> Result<mpsc::Receiver<ContainerEvent>, RuntimeError> {
        let files = self.files(id)?;
        if !files.directory().exists() {
            return Err(RuntimeError::Other(format!("no container {id}")));
        }
        let wakeup = self.wakeups.subscribe(files.directory());
        let (sender, receiver) = mpsc::channel(CONTAINER_EVENTS_WAITING_MAX);
        tokio::spawn(follow::follow(files, position, wakeup, sender));
        Ok(receiver)
    }

    async fn find(&self, id: &str) -> Result<Found, RuntimeError> {
        self.files(id)?.found().map_err(other)
    }

    async fn ids(&self) -> Result<Vec<String>, RuntimeError> {
        let mut ids = Vec::new();
        let mut entries = tokio::fs::read_dir(&self.containers).await.map_err(other)?;
        while let Some(entry) = entries.next_entry().await.map_err(other)? {
            let name = entry.file_name().into_string().unwrap_or_default();
            if self.files(&name).is_ok() {
                ids.push(name);
            }
        }
        Ok(ids)
    }

    async fn stop(&self, id: &str) -> Result<(), RuntimeError> {
        let files = self.files(id)?;
        match files.found().map_err(other)? {
            Found::Alive => files.request_stop().map_err(other),
            Found::Absent | Found::Exited(_) | Found::Lost => Ok(()),
        }
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let files = self.files(id)?;
        if files.found().map_err(other)? == Found::Alive {
            return Err(RuntimeError::Other(format!(
                "container {id} is still running"
            )));
        }
        match tokio::fs::remove_dir_all(files.directory()).await {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(other(e)),
            _ => Ok(()),
        }
    }

    async fn load(&self, archive: &Path) -> Result<Vec<(String, Image)>, RuntimeError> {
        let (images, archive) = (self.images.clone(), archive.to_owned());
        let loaded = tokio::task::spawn_blocking(move || images.load(&archive)).await;
        loaded.map_err(|e| RuntimeError::Other(e.to_string()))?
    }

    async fn images(&self) -> Result<Vec<(String, Image)>, RuntimeError> {
        self.images.list()
    }
}

fn cannot_start(why: impl Into<String>) -> RuntimeError {
    RuntimeError::CannotStart(why.into())
}

fn other(error: std::io::Error) -> RuntimeError {
    RuntimeError::Other(format!("container files: {error}"))
}
