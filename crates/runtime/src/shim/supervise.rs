//! Waits for output, for the end and for the wish to end, all at once. Never polls.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, pidfd_send_signal,
    waitpid,
};

use super::output::Stream;
use crate::local::Files;

/// How long output is waited for after the end: only a process that left the container's session can hold it up.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

/// Watches one container process.
pub(crate) struct Supervisor<'a> {
    files: &'a Files,
    pid: Pid,
    pidfd: OwnedFd,
    control: File,
    streams: [Option<Stream>; 2],
    output: File,
    stop_signal: Signal,
    patience: Duration,
    stopping: bool,
    kill_at: Option<Instant>,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(
        files: &'a Files,
        pid: Pid,
        streams: [Option<Stream>; 2],
        output: File,
        stop_signal: Signal,
        patience: Duration,
    ) -> io::Result<Self> {
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let control = files.open_control()?;
        let (stopping, kill_at) = (false, None);
        Ok(Self {
            files,
            pid,
            pidfd,
            control,
            streams,
            output,
            stop_signal,
            patience,
            stopping,
            kill_at,
        })
    }

    /// Moves output until the process has ended; returns its exit code.
    pub(crate) fn until_exit(&mut self) -> io::Result<i32> {
        // The wish may be older than the pipe's reader.
        if self.files.stop_requested() {
            self.ask_to_end();
        }
        loop {
            let timeout = self
                .kill_at
                .map(|at| at.saturating_duration_since(Instant::now()));
            let ready = self.wait(timeout)?;
            self.pump(ready.streams)?;
            if ready.control {
                let mut buffer = [0; 16];
                let _ = (&self.control).read(&mut buffer);
                self.ask_to_end();
            }
            if self.kill_at.is_some_and(|at| at <= Instant::now()) {
                let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
                self.kill_at = None;
            }
            if ready.ended
                && let Some(code) = self.reap()?
            {
                return Ok(code);
            }
        }
    }

    /// Moves what is left in the pipes and flushes the output to stable storage.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        let until = Instant::now() + DRAIN_PATIENCE;
        while self.streams.iter().any(Option::is_some) {
            let left = until.saturating_duration_since(Instant::now());
            let ready = self.wait_streams(left)?;
            if ready == [false, false] && left.is_zero() {
                break;
            }
            self.pump(ready)?;
        }
        self.output.sync_data()
    }

    fn ask_to_end(&mut self) {
        if !self.stopping {
            self.stopping = true;
            self.kill_at = Some(Instant::now() + self.patience);
            let _ = pidfd_send_signal(&self.pidfd, self.stop_signal);
        }
    }

    fn reap(&self) -> io::Result<Option<i32>> {
        // Processes that the container leaves behind; in a pid namespace the kernel has ended them already. The
        // ended leader still keeps the group's number from being given to anybody else.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let Some((_, status)) = waitpid(Some(self.pid), WaitOptions::NOHANG)? else {
            return Ok(None);
        };
        let signalled = status.terminating_signal().map(|signal| 128 + signal);
        Ok(status.exit_status().or(signalled))
    }

    fn pump(&mut self, ready: [bool; 2]) -> io::Result<()> {
        for (stream, ready) in self.streams.iter_mut().zip(ready) {
            if let Some(open) = stream
                && ready
                && !open.pump(&mut self.output)?
            {
                *stream = None;
            }
        }
        Ok(())
    }

    fn wait(&self, timeout: Option<Duration>) -> io::Result<Ready> {
        let watched = [Some(self.pidfd.as_fd()), Some(self.control.as_fd())];
        let streams = self.streams.each_ref().map(|s| s.as_ref().map(Stream::fd));
        let [ended, control, out, err] = ready([watched, streams].concat(), timeout)?;
        Ok(Ready {
            ended,
            control,
            streams: [out, err],
        })
    }

    fn wait_streams(&self, timeout: Duration) -> io::Result<[bool; 2]> {
        let streams = self.streams.each_ref().map(|s| s.as_ref().map(Stream::fd));
        let [out, err, ..] = ready(streams.to_vec(), Some(timeout))?;
        Ok([out, err])
    }
}

struct Ready {
    ended: bool,
    control: bool,
    streams: [bool; 2],
}

/// Waits until one of the descriptors has something; says which have, in their order.
fn ready(fds: Vec<Option<BorrowedFd<'_>>>, timeout: Option<Duration>) -> io::Result<[bool; 4]> {
    let timeout = timeout.and_then(|t| Timespec::try_from(t).ok());
    let mut polled: Vec<_> = fds
        .iter()
        .flatten()
        .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
        .collect();
    match poll(&mut polled, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    let mut answers = polled.iter().map(|p| !p.revents().is_empty());
    let mut out = [false; 4];
    for (slot, fd) in out.iter_mut().zip(&fds) {
        *slot = fd.is_some() && answers.next().unwrap_or(false);
    }
    Ok(out)
}
