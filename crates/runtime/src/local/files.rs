//! The files of one container: the only thing that the server, the shim and a later server have in common.
//!
//! `spec.json` what runs · `lock` held by the shim for its life · `started` it may have run · `output` what it said
//! and when it started · `exit.json` how it ended · `failed` why it never ran · `stop`, `control` the wish that it
//! end. Never blocks and never waits.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::process::{Flock, FlockType, fcntl_getlk};

use crate::image::{read_if_there, sync_directory, write_synced};
use crate::{ExitStatus, Found};

/// The directory of one container.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.path("output")
    }

    /// Takes the container for this process, until it ends; `None` when another process has it. A POSIX record
    /// lock: forked children do not share it, and asking who holds it does not take it.
    pub(crate) fn take_lock(&self) -> io::Result<Option<File>> {
        let path = self.path("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Whether a living shim has the container. Opened for reading only: followers wake up when a file is closed
    /// that was open for writing.
    pub(crate) fn locked(&self) -> io::Result<bool> {
        let file = match File::open(self.path("lock")) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        let question = Flock::from(FlockType::WriteLock);
        Ok(fcntl_getlk(&file, &question)?.is_some())
    }

    /// Notes durably that from now on the container may have run.
    pub(crate) fn mark_started(&self) -> io::Result<()> {
        File::create(self.path("started"))?;
        sync_directory(&self.directory)?;
        sync_directory(self.directory.parent().unwrap_or(Path::new("/")))
    }

    /// Takes the mark back: the container has not run and will not.
    pub(crate) fn mark_failed(&self, why: &str) -> io::Result<()> {
        fs::write(self.path("failed"), why)?;
        match fs::remove_file(self.path("started")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    pub(crate) fn started(&self) -> bool {
        self.path("started").exists()
    }

    /// Whether the process has run: its output begins with that.
    pub(crate) fn output_begun(&self) -> bool {
        fs::metadata(self.output()).is_ok_and(|m| m.len() > 0)
    }

    /// Why it never ran, when it failed to start.
    pub(crate) fn failure(&self) -> io::Result<Option<String>> {
        let text = read_if_there(&self.path("failed"))?;
        Ok(text.map(|t| String::from_utf8_lossy(&t).into_owned()))
    }

    /// Notes the end durably, whole or not at all.
    pub(crate) fn write_exit(&self, status: &ExitStatus) -> io::Result<()> {
        let work = self.path("exit.json.new");
        write_synced(&work, &serde_json::to_vec(status)?)?;
        fs::rename(work, self.path("exit.json"))?;
        sync_directory(&self.directory)
    }

    pub(crate) fn exit(&self) -> io::Result<Option<ExitStatus>> {
        match read_if_there(&self.path("exit.json"))? {
            Some(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            None => Ok(None),
        }
    }

    /// What the files and the lock say. The end is looked for again after the lock: it is written under it.
    pub(crate) fn found(&self) -> io::Result<Found> {
        if let Some(status) = self.exit()? {
            return Ok(Found::Exited(status));
        }
        if self.locked()? {
            return Ok(Found::Alive);
        }
        if let Some(status) = self.exit()? {
            return Ok(Found::Exited(status));
        }
        Ok(if self.started() {
            Found::Lost
        } else {
            Found::Absent
        })
    }

    /// Makes the pipe through which a stop wakes the shim.
    pub(crate) fn make_control(&self) -> io::Result<()> {
        let mode = Mode::from_raw_mode(0o600);
        let path = self.path("control");
        match rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, mode, 0) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// The shim's end of that pipe; it also holds the other end, so that it never reads an end of file.
    pub(crate) fn open_control(&self) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::open(
            self.path("control"),
            flags,
            Mode::empty(),
        )?))
    }

    /// Asks for the container's end: the file says it to a shim that is about to look, the pipe to one that waits.
    pub(crate) fn request_stop(&self) -> io::Result<()> {
        File::create(self.path("stop"))?;
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(self.path("control"), flags, Mode::empty()) {
            Ok(pipe) => match File::from(pipe).write_all(b"s") {
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
                _ => Ok(()),
            },
            Err(rustix::io::Errno::NXIO | rustix::io::Errno::NOENT) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    pub(crate) fn stop_requested(&self) -> bool {
        self.path("stop").exists()
    }
}
