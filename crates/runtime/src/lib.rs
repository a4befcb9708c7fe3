//! Containers behind one trait: our own daemonless OCI runtime, a Docker or Podman socket, or plain processes.
//!
//! Never knows what a task, a rule or a bucket is; never starts the same id twice, whatever crashes in between.

#[cfg(feature = "backends")]
mod choose;
#[cfg(feature = "backends")]
mod docker;
#[cfg(feature = "backends")]
pub mod image;
#[cfg(feature = "backends")]
mod local;
#[cfg(feature = "backends")]
pub mod shim;
#[cfg(feature = "backends")]
mod sys;

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::sync::mpsc;

#[cfg(feature = "backends")]
pub use choose::{RuntimeKind, choose};
#[cfg(feature = "backends")]
pub use docker::DockerRuntime;
#[cfg(feature = "backends")]
pub use local::LocalRuntime;

/// What to run. `id` makes the start idempotent: a second start of the same id never starts a second process.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ContainerSpec {
    /// Unique and derived by the caller: `[A-Za-z0-9_-]{1,128}`.
    pub id: String,
    /// Image reference as the user wrote it: `name[:tag]`, `registry/name@sha256:…`.
    pub image: String,
    /// Replaces the image's entry point when given.
    pub entry_point: Option<Vec<String>>,
    /// Replaces the image's command when given.
    pub command: Option<Vec<String>>,
    /// Added to the image's environment; the same name replaces. Values are passed byte for byte.
    pub environment: Vec<(String, String)>,
    /// Replaces the image's working directory when given.
    pub working_directory: Option<String>,
    /// Replaces the image's user when given (`uid`, `uid:gid`, `name`).
    pub user: Option<String>,
    /// Hard limit in bytes, when given.
    pub memory_bytes_max: Option<u64>,
    /// CPU shares in ECS units (1024 = one core), when given.
    pub cpu_units: Option<u32>,
    /// Whether the root file system is read-only.
    pub read_only_root: bool,
    /// Seconds between SIGTERM and SIGKILL on stop.
    pub stop_timeout_seconds: u32,
    /// For people and for other tools: shown by `docker ps --filter label=…`, kept beside the state.
    pub labels: BTreeMap<String, String>,
}

/// Which of the two streams a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum OutputStream {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ExitStatus {
    /// Exit code; 128 + signal number when a signal ended it.
    pub code: i32,
    /// The kernel's memory controller counted a kill in this container's group.
    pub out_of_memory: bool,
    /// When it ended, milliseconds since the epoch.
    pub at_millis: i64,
}

/// What a watched container does, in order. `Exited` is the last one and comes after all output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerEvent {
    /// Its process runs.
    Started {
        /// Milliseconds since the epoch.
        at_millis: i64,
        /// Process id on the host, where known.
        pid: Option<u32>,
    },
    /// One line of output, without its line end; lines over the limit come in pieces.
    Output {
        /// Which stream.
        stream: OutputStream,
        /// When the line was complete, milliseconds since the epoch.
        at_millis: i64,
        /// The line's bytes.
        line: Vec<u8>,
        /// Position behind this line: passing it to `watch` again continues with the next line.
        position: u64,
    },
    /// It ended.
    Exited(ExitStatus),
    /// It could not be started, or it was lost; the text says why, without a trailing full stop.
    Failed(String),
}

/// An image that is there and can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `sha256:…` of the manifest, or of the config for docker archives.
    pub digest: String,
    /// Bytes on disk, unpacked.
    pub size_bytes: u64,
}

/// What `find` knows about an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing was ever started under this id: starting it is safe.
    Absent,
    /// It was started (or is being started) and has not ended.
    Alive,
    /// It ended like this.
    Exited(ExitStatus),
    /// It was started, it is gone, and nobody saw how it ended.
    Lost,
}

/// Why the runtime could not do its work. The text reaches the user as the task's stopped reason.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RuntimeError {
    /// The image is neither loaded nor could it be pulled. ECS says `CannotPullContainerError: …`.
    #[error("{0}")]
    CannotPull(String),
    /// The container could not be created. ECS says `CannotStartContainerError: …`.
    #[error("{0}")]
    CannotStart(String),
    /// The image archive is not one.
    #[error("{0}")]
    BadImage(String),
    /// Anything else of the runtime's own.
    #[error("{0}")]
    Other(String),
}

/// Runs containers.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// `oci`, `docker` or `process`, for the log and the ledger.
    fn name(&self) -> &'static str;

    /// Makes sure that the image is there: loaded before, or pulled now.
    async fn prepare(&self, image: &str) -> Result<Image, RuntimeError>;

    /// Starts the container unless its id was started before. Returns when it runs or has failed to start.
    async fn start(&self, spec: &ContainerSpec) -> Result<(), RuntimeError>;

    /// Follows a started container from `position` in its output (0: from the start): also one that a former
    /// server process started. The channel is bounded; a slow reader slows the reading, never the container.
    async fn watch(
        &self,
        id: &str,
        position: u64,
    ) -> Result<mpsc::Receiver<ContainerEvent>, RuntimeError>;

    /// What became of an id; the answer survives a crash of the server.
    async fn find(&self, id: &str) -> Result<Found, RuntimeError>;

    /// Every id that was started here, by this server or a former one on the same data, and not removed.
    async fn ids(&self) -> Result<Vec<String>, RuntimeError>;

    /// SIGTERM, then SIGKILL after the spec's stop timeout. Returns at once; the end comes through `watch`.
    async fn stop(&self, id: &str) -> Result<(), RuntimeError>;

    /// Forgets an ended container: its files, its root file system, its output.
    async fn remove(&self, id: &str) -> Result<(), RuntimeError>;

    /// Loads an image from an OCI or docker archive (a tar file); returns the names it goes by.
    async fn load(&self, archive: &std::path::Path) -> Result<Vec<(String, Image)>, RuntimeError>;

    /// The images that are loaded, by name.
    async fn images(&self) -> Result<Vec<(String, Image)>, RuntimeError>;
}
