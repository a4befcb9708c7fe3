//! Finds out whether containers can run here, by making one's namespaces and mounts. Never leaves anything behind.

use std::io::Write;
use std::path::Path;

use rustix::thread::UnshareFlags;

use super::{Mode, Plan, Probe, cgroup, oci};

/// Probes with `directory` as scratch; writes one [`Probe`] line.
pub(crate) fn run(directory: &Path) -> i32 {
    let notes = vec![cgroup::describe()];
    let answer = match attempt(directory) {
        Ok(()) => Probe::Works { notes },
        Err(why) => Probe::Fails(why),
    };
    let Ok(line) = serde_json::to_vec(&answer) else {
        return 1;
    };
    i32::from(std::io::stdout().write_all(&line).is_err())
}

fn attempt(directory: &Path) -> Result<(), String> {
    let plan = Plan {
        mode: Mode::Oci,
        id: "probe".to_owned(),
        rootfs: directory.join("lower"),
        arguments: Vec::new(),
        environment: Vec::new(),
        working_directory: "/".to_owned(),
        uid: 0,
        gid: 0,
        groups: Vec::new(),
        memory_bytes_max: None,
        cpu_units: None,
        read_only_root: false,
        stop_timeout_seconds: 0,
        stop_signal: 15,
        labels: std::collections::BTreeMap::new(),
    };
    let said = |what: &'static str| move |e: std::io::Error| format!("{what}: {e}");
    std::fs::create_dir_all(&plan.rootfs).map_err(said("scratch directory"))?;
    std::env::set_current_dir(directory).map_err(said("scratch directory"))?;
    oci::enter_namespaces(&plan).map_err(said("user and mount namespaces"))?;
    oci::prepare_root(&plan).map_err(said("overlay mount"))?;
    let rest = UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    crate::sys::unshare(rest).map_err(said("pid, ipc and uts namespaces"))
}
