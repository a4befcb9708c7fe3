//! The container's memory and processor limits, through whichever cgroup version the machine has.
//!
//! Never fails a start: what the machine does not allow becomes a note. Only asked-for limits make a group.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use super::Plan;

const ROOT: &str = "/sys/fs/cgroup";
/// All groups of Landfall are below this one.
const PARENT: &str = "landfall";

/// The groups of one container. Paths are opened below a directory descriptor's path, taken before the shim hides
/// the cgroup file systems from libcontainer.
pub(crate) struct Cgroup {
    version: Version,
    /// `ROOT` as it was at the start.
    root: fs::File,
    id: String,
    memory_bytes_max: Option<u64>,
    cpu_units: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Cgroup {
    /// The groups that the plan asks for; `None` when it asks for no limit or the machine has no cgroups.
    pub(crate) fn of(plan: &Plan) -> Option<Self> {
        if plan.memory_bytes_max.is_none() && plan.cpu_units.is_none() {
            return None;
        }
        Some(Self {
            version: version()?,
            root: fs::File::open(ROOT).ok()?,
            id: plan.id.clone(),
            memory_bytes_max: plan.memory_bytes_max,
            cpu_units: plan.cpu_units,
        })
    }

    /// Makes the groups and moves the calling process into them. Leaving again is what its end does; the move is
    /// made for its price: the kernel's first one waits for a grace period, and those soon after do not.
    pub(crate) fn make(&self) {
        for folder in self.folders() {
            let _ = self
                .make_one(&folder)
                .and_then(|()| join(&folder, rustix::process::getpid()));
        }
    }

    fn make_one(&self, folder: &Path) -> io::Result<()> {
        if self.version == Version::Two {
            let root = self.root_path();
            let _ = fs::create_dir(root.join(PARENT));
            for above in [root.clone(), root.join(PARENT)] {
                let _ = fs::write(above.join("cgroup.subtree_control"), "+memory +cpu");
            }
        }
        fs::create_dir_all(folder)?;
        for (file, value) in self.settings() {
            let path = folder.join(file);
            if path.exists() {
                let _ = fs::write(path, value);
            }
        }
        Ok(())
    }

    /// Files and values; a group has those of its own controllers only.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut out = Vec::new();
        if let Some(bytes) = self.memory_bytes_max {
            let bytes = bytes.to_string();
            out.push(("memory.limit_in_bytes", bytes.clone()));
            out.push(("memory.memsw.limit_in_bytes", bytes.clone()));
            out.push(("memory.max", bytes));
            out.push(("memory.swap.max", "0".to_owned()));
        }
        if let Some(units) = self.cpu_units {
            let shares = u64::from(units.clamp(2, 262_144));
            out.push(("cpu.shares", shares.to_string()));
            out.push((
                "cpu.weight",
                (1 + (shares - 2) * 9_999 / 262_142).to_string(),
            ));
        }
        out
    }

    /// Moves a process into the groups; returns what did not work.
    pub(crate) fn attach(&self, pid: Pid) -> Vec<String> {
        let mut notes = Vec::new();
        for folder in self.folders() {
            if let Err(e) = join(&folder, pid) {
                notes.push(format!(
                    "limits of {} are not in force: {e}",
                    shown(&folder)
                ));
            }
        }
        let limit = self.memory_folder().map(|f| {
            f.join(if self.version == Version::One {
                "memory.limit_in_bytes"
            } else {
                "memory.max"
            })
        });
        if self.memory_bytes_max.is_some() && limit.is_none_or(|file| !file.exists()) {
            notes.push("the machine has no memory controller: no memory limit".to_owned());
        }
        notes
    }

    /// Whether the kernel has killed a process of the group for want of memory, by the group's own counter.
    pub(crate) fn out_of_memory(&self) -> bool {
        let Some(folder) = self.memory_folder() else {
            return false;
        };
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.strip_prefix("oom_kill "))
            .any(|count| count.trim() != "0")
    }

    /// Removes the groups; one that is still in use stays.
    pub(crate) fn remove(&self) {
        for folder in self.folders() {
            let _ = fs::remove_dir(folder);
        }
    }

    fn memory_folder(&self) -> Option<PathBuf> {
        self.memory_bytes_max?;
        self.folders().into_iter().next()
    }

    /// The memory group first, when there is one.
    fn folders(&self) -> Vec<PathBuf> {
        let root = self.root_path();
        let below = |controller: &str| root.join(controller).join(PARENT).join(&self.id);
        if self.version == Version::Two {
            return vec![root.join(PARENT).join(&self.id)];
        }
        let memory = self.memory_bytes_max.map(|_| below("memory"));
        let cpu = self.cpu_units.map(|_| below("cpu"));
        memory.into_iter().chain(cpu).collect()
    }

    fn root_path(&self) -> PathBuf {
        use std::os::fd::AsRawFd;
        PathBuf::from(format!("/proc/self/fd/{}", self.root.as_raw_fd()))
    }
}

/// Which version is mounted where it belongs; `None` when neither is.
fn version() -> Option<Version> {
    if Path::new(ROOT).join("cgroup.controllers").exists() {
        return Some(Version::Two);
    }
    Path::new(ROOT)
        .join("memory/cgroup.procs")
        .exists()
        .then_some(Version::One)
}

/// What the machine can limit, for the log.
pub(crate) fn describe() -> String {
    let writable = |path: &str| {
        let path = Path::new(ROOT).join(path);
        rustix::fs::access(&path, rustix::fs::Access::WRITE_OK).is_ok()
    };
    match version() {
        Some(Version::One) if writable("memory") => "memory and cpu limits by cgroup v1".to_owned(),
        Some(Version::Two) if writable("cgroup.procs") => {
            "memory and cpu limits by cgroup v2".to_owned()
        }
        Some(_) => "no memory and cpu limits: the cgroups are not ours to write".to_owned(),
        None => "no memory and cpu limits: no cgroups".to_owned(),
    }
}

fn join(folder: &Path, pid: Pid) -> io::Result<()> {
    fs::write(
        folder.join("cgroup.procs"),
        pid.as_raw_nonzero().to_string(),
    )
}

/// The part of a group's path that means something to people.
fn shown(folder: &Path) -> String {
    let skipped: PathBuf = folder.components().skip(5).collect();
    skipped.display().to_string()
}
