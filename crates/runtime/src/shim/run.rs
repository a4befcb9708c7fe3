//! The life of a shim: take the container, start it once, report, watch it to its end. Never starts what was started.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use landfall_core::limits;
use rustix::process::{Pid, Signal};

use super::cgroup::Cgroup;
use super::output::Stream;
use super::supervise::Supervisor;
use super::{Mode, Plan, Report, oci, process};
use crate::OutputStream;
use crate::local::{Files, Kind, encode};
use crate::sys::now_millis;

/// A process that runs as the container, and what comes out of it.
pub(crate) struct Running {
    pub(crate) pid: Pid,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// Runs the container of a directory whose plan comes through standard input; returns the shim's exit code.
pub(crate) fn run(directory: &Path) -> i32 {
    // A shim that already leads a session has nothing to leave.
    let _ = rustix::process::setsid();
    // A flood of tasks must not keep the server from answering.
    let _ = rustix::process::nice(limits::TASK_NICENESS);
    let files = Files::new(directory.to_owned());
    match take(&files) {
        Ok(Some((lock, plan))) => start_and_watch(&files, &plan, lock),
        Ok(None) => {
            report(&Report::Busy);
            0
        }
        Err(e) => {
            report(&Report::Failed(format!(
                "cannot prepare the container: {e}"
            )));
            1
        }
    }
}

/// Reads the plan and takes the lock; `None` when the container is not this shim's to start.
fn take(files: &Files) -> io::Result<Option<(File, Plan)>> {
    let mut plan = Vec::new();
    io::stdin().read_to_end(&mut plan)?;
    let plan: Plan = serde_json::from_slice(&plan)?;
    let Some(lock) = files.take_lock()? else {
        return Ok(None);
    };
    if files.started() || files.exit()?.is_some() {
        return Ok(None);
    }
    let _ = std::fs::remove_file(files.path("failed"));
    std::fs::write(files.path("spec.json"), serde_json::to_vec(&plan)?)?;
    Ok(Some((lock, plan)))
}

fn start_and_watch(files: &Files, plan: &Plan, lock: File) -> i32 {
    let cgroup = Cgroup::of(plan);
    let mut notes = Vec::new();
    match start(files, plan, cgroup.as_ref(), &mut notes) {
        Ok((running, output)) => {
            let watched = watch(files, plan, running, output, cgroup.as_ref(), notes);
            i32::from(watched.is_err())
        }
        Err(why) => {
            if let Some(cgroup) = &cgroup {
                cgroup.remove();
            }
            let _ = files.mark_failed(&why);
            // Whoever reads the report may start the id again at once.
            drop(lock);
            report(&Report::Failed(why));
            1
        }
    }
}

/// Starts the process. The durable mark and the cgroup are made by a copy of the shim meanwhile: both wait for the
/// disk or the kernel, and neither needs the other's work until the process is let go.
fn start(
    files: &Files,
    plan: &Plan,
    cgroup: Option<&Cgroup>,
    notes: &mut Vec<String>,
) -> Result<(Running, File), String> {
    if plan.mode == Mode::Oci {
        oci::enter_namespaces(plan).map_err(|e| format!("cannot enter namespaces: {e}"))?;
    }
    let output = OpenOptions::new()
        .append(true)
        .create(true)
        .open(files.output());
    let output = output.map_err(|e| format!("cannot write the output file: {e}"))?;
    let mark = crate::sys::fork_run(|| {
        if let Some(cgroup) = cgroup {
            cgroup.make();
        }
        i32::from(files.mark_started().is_err())
    })
    .map_err(|e| format!("cannot fork: {e}"))?;
    let attach = |pid: Pid| notes.extend(cgroup.map(|c| c.attach(pid)).unwrap_or_default());
    let running = match plan.mode {
        Mode::Oci => oci::start(files, plan, || join(mark), attach),
        Mode::Process => process::start(plan, || join(mark), attach),
    };
    if running.is_err() {
        // The mark must not appear after it has been taken back.
        let _ = join(mark);
    }
    Ok((running?, output))
}

/// Waits for the copy that makes the mark.
fn join(mark: Pid) -> Result<(), String> {
    let options = rustix::process::WaitOptions::empty();
    match rustix::process::waitpid(Some(mark), options) {
        Ok(Some((_, status))) if status.exit_status() == Some(0) => Ok(()),
        _ => Err("cannot note durably that the container starts".to_owned()),
    }
}

fn watch(
    files: &Files,
    plan: &Plan,
    running: Running,
    mut output: File,
    cgroup: Option<&Cgroup>,
    notes: Vec<String>,
) -> io::Result<()> {
    let mut first = Vec::new();
    let pid = running.pid.as_raw_nonzero().to_string();
    encode(Kind::Started, now_millis(), pid.as_bytes(), &mut first);
    output.write_all(&first)?;
    report(&Report::Started { notes });
    let streams = [
        Some(Stream::new(running.stdout, OutputStream::Stdout)?),
        Some(Stream::new(running.stderr, OutputStream::Stderr)?),
    ];
    let signal = Signal::from_named_raw(plan.stop_signal).unwrap_or(Signal::TERM);
    let patience = std::time::Duration::from_secs(u64::from(plan.stop_timeout_seconds));
    let mut supervisor = Supervisor::new(files, running.pid, streams, output, signal, patience)?;
    let code = supervisor.until_exit()?;
    let out_of_memory = cgroup.is_some_and(Cgroup::out_of_memory);
    supervisor.drain()?;
    files.write_exit(&crate::ExitStatus {
        code,
        out_of_memory,
        at_millis: now_millis(),
    })?;
    if let Some(cgroup) = cgroup {
        cgroup.remove();
    }
    Ok(())
}

/// Writes the one line the server waits for and lets go of the pipe; a server that is gone does not matter.
fn report(report: &Report) {
    let Ok(mut line) = serde_json::to_vec(report) else {
        return;
    };
    line.push(b'\n');
    let _ = io::stdout()
        .write_all(&line)
        .and_then(|()| io::stdout().flush());
    let null = OpenOptions::new().read(true).write(true).open("/dev/null");
    if let Ok(null) = null {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}
