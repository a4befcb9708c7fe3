//! Starts the container in namespaces of its own, on an overlay of its image, through libcontainer.
//!
//! All mounts are made in a mount namespace of the shim: they end with it, whatever happens. Never called in the
//! server: libcontainer forks.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::default::DefaultExecutor;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;

use super::Plan;
use super::run::Running;
use super::spec::{ROOT, runtime_spec};
use crate::image::make_directory_in;
use crate::local::Files;

/// Gives the shim a mount namespace of its own and, when it is not root, a user namespace in which it is.
pub(crate) fn enter_namespaces(plan: &Plan) -> io::Result<()> {
    let uid = rustix::process::geteuid();
    let gid = rustix::process::getegid();
    if uid.is_root() {
        crate::sys::unshare(UnshareFlags::NEWNS)?;
    } else {
        if plan.uid != 0 || plan.gid != 0 {
            let text = "without root, a container can only run as its own root user";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        crate::sys::unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {} 1", uid.as_raw()))?;
        fs::write("/proc/self/gid_map", format!("0 {} 1", gid.as_raw()))?;
    }
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    Ok(rustix::mount::mount_change("/", private)?)
}

/// Whether the shim is root in its user namespace only.
fn rootless() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().nth(1) != Some("0")
}

/// Creates the container, lets `mark` note that it starts, hands its id to `attach`, and lets it go.
pub(crate) fn start(
    files: &Files,
    plan: &Plan,
    mark: impl FnOnce() -> Result<(), String>,
    attach: impl FnOnce(Pid),
) -> Result<Running, String> {
    let rootless = rootless();
    let said = |what: &'static str| move |e: io::Error| format!("{what}: {e}");
    std::env::set_current_dir(files.directory()).map_err(said("cannot enter its directory"))?;
    prepare_root(plan).map_err(said("cannot mount the root file system"))?;
    let spec = runtime_spec(plan, rootless).map_err(|e| chain(&e))?;
    spec.save("config.json").map_err(|e| chain(&e))?;
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|e| format!("cannot make a pipe: {e}"));
    let (stdout, stdout_end) = pipe()?;
    let (stderr, stderr_end) = pipe()?;
    let (exec, exec_end) = pipe()?;
    let executor = Payload {
        failed: exec_end.as_raw_fd(),
    };
    let mut container =
        create(files, &plan.id, stdout_end, stderr_end, executor).map_err(|e| shorten(&e))?;
    let pid = container
        .pid()
        .map(libcontainer_pid)
        .ok_or("no process id")?;
    let pid = Pid::from_raw(pid).ok_or("no process id")?;
    mark()?;
    attach(pid);
    container.start().map_err(|e| shorten(&chain(&e)))?;
    drop(exec_end);
    await_exec(exec)?;
    Ok(Running {
        pid,
        stdout,
        stderr,
    })
}

/// Mounts what the container's processes will see, in the current directory.
pub(crate) fn prepare_root(plan: &Plan) -> io::Result<()> {
    mount_root(&plan.rootfs, rootless())?;
    furnish(plan)?;
    hide_cgroups()
}

fn libcontainer_pid(pid: impl Into<i32>) -> i32 {
    pid.into()
}

fn create(
    files: &Files,
    id: &str,
    stdout: OwnedFd,
    stderr: OwnedFd,
    executor: Payload,
) -> Result<Container, String> {
    let null = File::open("/dev/null").map_err(|e| format!("cannot open /dev/null: {e}"))?;
    let state = files.path("state");
    // What a shim that was killed before the mark has left.
    let _ = fs::remove_dir_all(&state);
    ContainerBuilder::new(id.to_owned(), SyscallType::default())
        .with_root_path(state)
        .map_err(|e| chain(&e))?
        .with_executor(executor)
        .with_stdin(null)
        .with_stdout(stdout)
        .with_stderr(stderr)
        .as_init(files.directory())
        .with_systemd(false)
        .with_detach(true)
        .build()
        .map_err(|e| chain(&e))
}

/// Stacks the container's own layer on the image, in the current directory. The image is named by a descriptor: the
/// mount's option text has no way to carry every path.
fn mount_root(image: &Path, rootless: bool) -> io::Result<()> {
    for folder in ["upper", "work", ROOT] {
        fs::create_dir_all(folder)?;
    }
    let lower = rustix::fs::open(
        image,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let extra = if rootless { ",userxattr" } else { "" };
    let options = format!(
        "lowerdir=/proc/self/fd/{},upperdir=upper,workdir=work{extra}\0",
        lower.as_raw_fd()
    );
    let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes())
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    Ok(rustix::mount::mount(
        "overlay",
        ROOT,
        "overlay",
        MountFlags::NODEV,
        options,
    )?)
}

/// Directories that images may leave out and programs expect.
fn furnish(plan: &Plan) -> io::Result<()> {
    let root = Path::new(ROOT);
    make_directory_in(root, Path::new(&plan.working_directory), 0o755)?;
    make_directory_in(root, Path::new("/tmp"), 0o1777)
}

/// Hides the cgroup file systems: the limits are ours (`cgroup.rs`), and libcontainer would join every controller
/// there is, waiting for the kernel each time, and fail where one is missing.
fn hide_cgroups() -> io::Result<()> {
    const CGROUPS: &str = "/sys/fs/cgroup";
    let hidden = rustix::mount::unmount(CGROUPS, UnmountFlags::DETACH);
    rustix::mount::mount("tmpfs", CGROUPS, "tmpfs", MountFlags::empty(), None)?;
    if hidden.is_ok() {
        return Ok(());
    }
    // In a user namespace, mounts of the host cannot be taken away; libcontainer finds these empty groups instead.
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    for line in mounts.lines().filter(|line| line.contains(" - cgroup ")) {
        let Some(point) = line.split(' ').nth(4) else {
            continue;
        };
        let group = Path::new(point).join("landfall");
        fs::create_dir_all(&group)?;
        for folder in [Path::new(point), &group] {
            for file in ["cgroup.procs", "cpuset.cpus", "cpuset.mems"] {
                fs::write(folder.join(file), "0")?;
            }
        }
    }
    Ok(())
}

/// Waits until the container's program runs: the pipe closes on `exec`, or says why there was none.
fn await_exec(pipe: OwnedFd) -> Result<(), String> {
    let mut why = String::new();
    match File::from(pipe).read_to_string(&mut why) {
        Ok(0) => Ok(()),
        Ok(_) => Err(why),
        Err(e) => Err(format!("cannot learn whether the program runs: {e}")),
    }
}

/// Runs in the container's first process, just before it becomes the container's program.
#[derive(Clone)]
struct Payload {
    /// Closed by `exec`; the number is the same in the fork.
    failed: i32,
}

impl Executor for Payload {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        crate::sys::default_signals();
        let result = DefaultExecutor {}.exec(spec);
        if let Err(e) = &result {
            crate::sys::write_to(self.failed, e.to_string().as_bytes());
        }
        result
    }

    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        // Before the wait for the start: a container never outlives its shim.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(|e| ExecutorValidationError::ArgValidationError(e.to_string()))?;
        DefaultExecutor {}.validate(spec)
    }
}

/// An error with its causes, outermost first.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// libcontainer's path through its processes says nothing to the user; the last part does.
fn shorten(text: &str) -> String {
    let last = text
        .rsplit("exec process failed with error")
        .next()
        .unwrap_or(text);
    last.trim_start_matches([':', ' ', '"'])
        .trim_end_matches('"')
        .to_owned()
}
