//! The shim: a copy of our own binary that owns one container, outlives the server and remembers the end.
//!
//! It is single-threaded, because it forks; it never talks to the server after its one report, only to the files of
//! its container. The host binary calls [`main_if_shim`] before it starts any thread.

mod cgroup;
mod oci;
mod output;
mod probe;
mod process;
mod run;
mod spec;
mod supervise;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// First argument of a shim; no command of the host binary may be called this.
pub const VERB: &str = "__landfall-shim";
/// Second argument: run the container whose directory is the third.
pub(crate) const RUN: &str = "run";
/// Second argument: find out whether containers can run with the third as scratch directory.
pub(crate) const PROBE: &str = "probe";

/// Becomes the shim, and does not return, when this process was started as one. Call it first in `main`, before any
/// thread is started.
pub fn main_if_shim() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(VERB)) {
        return;
    }
    let what = arguments.next().unwrap_or_default();
    let directory = PathBuf::from(arguments.next().unwrap_or_default());
    std::process::exit(dispatch(&what, &directory));
}

fn dispatch(what: &OsStr, directory: &Path) -> i32 {
    match what.to_str() {
        Some(RUN) => run::run(directory),
        Some(PROBE) => probe::run(directory),
        _ => 64,
    }
}

/// How the container's process is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    /// In namespaces of its own, on an overlay of the image.
    Oci,
    /// As a plain process of the host.
    Process,
}

/// Everything the shim needs to know: the container's spec with the image's part merged in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    pub(crate) id: String,
    /// The image's unpacked files.
    pub(crate) rootfs: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Absolute, within the container.
    pub(crate) working_directory: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) memory_bytes_max: Option<u64>,
    pub(crate) cpu_units: Option<u32>,
    pub(crate) read_only_root: bool,
    pub(crate) stop_timeout_seconds: u32,
    pub(crate) stop_signal: i32,
    pub(crate) labels: BTreeMap<String, String>,
}

/// The one line that the shim writes to its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The container's process runs.
    Started {
        /// What the machine did not allow and the container has to do without.
        notes: Vec<String>,
    },
    /// It could not be started; nothing of it ever ran.
    Failed(String),
    /// Another shim owns this container, or it was started before.
    Busy,
}

/// What a probe finds out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Probe {
    /// Containers can run; the notes say what they have to do without.
    Works {
        /// For the log.
        notes: Vec<String>,
    },
    /// They cannot, for this reason.
    Fails(String),
}
