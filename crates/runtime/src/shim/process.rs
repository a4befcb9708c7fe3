//! Starts the container's command as a plain process of the host: no namespaces, no image root.
//!
//! The program is looked up in the image's files, and the working directory is in there too; every other absolute
//! path that the program opens is the host's. For machines where nothing better works.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::Plan;
use super::run::Running;
use crate::image::resolve_in;

/// Starts the process after `mark` has noted that it starts, and hands its id to `attach`.
pub(crate) fn start(
    plan: &Plan,
    mark: impl FnOnce() -> Result<(), String>,
    attach: impl FnOnce(Pid),
) -> Result<Running, String> {
    let name = plan
        .arguments
        .first()
        .ok_or("the container has no command")?;
    let program = find_program(plan, name)
        .ok_or_else(|| format!("exec: {name:?}: executable file not found in the image"))?;
    let directory = resolve_in(&plan.rootfs, Path::new(&plan.working_directory))
        .map_err(|e| format!("working directory {:?}: {e}", plan.working_directory))?;
    let mut command = Command::new(program);
    // Programs with many names, such as busybox, look at the one they were called by.
    command
        .arg0(name)
        .args(plan.arguments.iter().skip(1))
        .env_clear()
        .envs(plan.environment.iter().map(|(k, v)| (k, v)))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if rustix::process::geteuid().is_root() {
        command.uid(plan.uid).gid(plan.gid);
    }
    crate::sys::contain(&mut command);
    mark()?;
    let mut child = command
        .spawn()
        .map_err(|e| format!("exec: {name:?}: {e}"))?;
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or("no process id")?;
    attach(pid);
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    Ok(Running {
        pid,
        stdout: OwnedFd::from(stdout),
        stderr: OwnedFd::from(stderr),
    })
}

/// As `execvp` would find it if the image were the root: a name with a slash is a path, any other is on PATH.
fn find_program(plan: &Plan, name: &str) -> Option<PathBuf> {
    let within = |path: PathBuf| resolve_in(&plan.rootfs, &path).ok().filter(|p| p.is_file());
    if name.contains('/') {
        return within(Path::new(&plan.working_directory).join(name));
    }
    let path = plan
        .environment
        .iter()
        .find(|(k, _)| k == "PATH")
        .map(|(_, v)| v.as_str());
    path?
        .split(':')
        .find_map(|folder| within(Path::new(folder).join(name)))
}
