//! The few calls that the compiler cannot check, each behind a safe function that says why it is sound.
//!
//! Nothing outside of this module is `unsafe`. The functions that fork or unshare are for the single-threaded shim only.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;
use tokio::io::unix::AsyncFd;

/// Milliseconds since the epoch.
pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Moves this process into namespaces of its own. For the single-threaded shim only.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: the file descriptor table is not unshared (no caller passes FILES), so no descriptor that another
    // part of the program holds changes its meaning.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Runs `work` in a forked copy of this process, which ends with its result as exit code.
/// For the single-threaded shim only.
pub(crate) fn fork_run(work: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: the shim has one thread, so the copy has no lock that a missing thread holds; the copy runs `work`
    // and leaves through `_exit`, so no destructor or exit handler of the original runs twice.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = work();
            // SAFETY: `_exit` has no preconditions.
            unsafe { libc::_exit(code) }
        }
        _ => Pid::from_raw(pid).ok_or_else(io::Error::last_os_error),
    }
}

/// Gives a process that is about to become the container's own the signals it expects: Rust's runtime ignores
/// SIGPIPE, and ignored signals stay ignored across `exec`.
pub(crate) fn default_signals() {
    // SAFETY: setting a signal to its default action has no preconditions.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// Writes to a descriptor that is known by its number only; what cannot be written is lost.
pub(crate) fn write_to(descriptor: i32, bytes: &[u8]) {
    // SAFETY: the descriptor is only written to, not closed; if the number were no open descriptor, the write would
    // fail and change nothing.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    let _ = rustix::io::write(descriptor, bytes);
}

/// Lets tokio wait for a descriptor.
pub(crate) fn async_fd(descriptor: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: the registration owns a share of the descriptor, which cannot be closed or replaced before it ends.
    unsafe { AsyncFd::register(descriptor) }.map_err(Into::into)
}

/// Makes a command lead a session of its own, die with the process that started it, and never gain privileges.
pub(crate) fn contain(command: &mut Command) {
    let before_exec = || {
        rustix::process::setsid()?;
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        rustix::thread::set_no_new_privs(true)?;
        Ok(())
    };
    // SAFETY: the closure makes only system calls; it neither allocates nor takes locks.
    unsafe {
        command.pre_exec(before_exec);
    }
}
