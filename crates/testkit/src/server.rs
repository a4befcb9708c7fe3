//! The real binary as a child process: started, watched, asked to stop, or killed. Never touches the containers that it
//! leaves behind.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const FIRST_LINE: &str = "landfall listening on ";
/// Between two looks at whether a server has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A running `landfall serve`; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    endpoint: String,
    // Closed pipes would break the server's later lines.
    _output: BufReader<ChildStdout>,
}

/// What the kernel counts of a process's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// Most that was ever resident.
    pub resident_max: u64,
}

impl Server {
    /// Starts `binary serve` with more arguments and returns when it listens: on a free port, unless they name one. Its
    /// log is appended to `log`.
    pub fn start(binary: &Path, arguments: &[&str], log: &Path) -> io::Result<Self> {
        let mut command = command(binary, log)?;
        command.arg("serve").args(arguments);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        match line.trim_end().strip_prefix(FIRST_LINE) {
            Some(endpoint) => Ok(Self {
                endpoint: endpoint.to_owned(),
                child,
                _output: output,
            }),
            None => {
                let _gone_already = child.kill();
                let status = child.wait()?;
                let log = std::fs::read_to_string(log)?;
                Err(io::Error::other(format!("{status}, {line:?}: {log}")))
            }
        }
    }

    /// Starts the same and kills it after a moment, wherever it may be by then.
    pub fn start_and_kill(
        binary: &Path,
        arguments: &[&str],
        log: &Path,
        after: Duration,
    ) -> io::Result<()> {
        let mut command = command(binary, log)?;
        let mut child = command.arg("serve").args(arguments).spawn()?;
        std::thread::sleep(after);
        child.kill()?;
        child.wait().map(drop)
    }

    /// URL of the server.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL to the server alone: nothing of its own runs any more when this returns.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// SIGTERM, without waiting.
    pub fn ask_to_stop(&self) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::NotFound)?;
        Ok(kill_process(pid, Signal::TERM)?)
    }

    /// Waits for the end.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Its exit status, if it ends within so much time.
    pub fn wait_at_most(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || begun.elapsed() > patience {
                return Ok(status);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// SIGTERM, and the exit status.
    pub fn stop(self) -> io::Result<ExitStatus> {
        self.ask_to_stop()?;
        self.wait()
    }

    /// Memory of the server's process.
    pub fn memory(&self) -> io::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name| {
            kibibytes(&status, name)
                .ok_or_else(|| io::Error::other(format!("no {name} in {status}")))
        };
        Ok(Memory {
            resident: field("VmRSS:")? * 1024,
            resident_max: field("VmHWM:")? * 1024,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _nothing_to_reap = self.child.wait();
    }
}

/// The binary with its output piped, its log in a file, and nothing of the tester's own settings.
fn command(binary: &Path, log: &Path) -> io::Result<Command> {
    let log: File = OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("LANDFALL_") || text.starts_with("AWS_") {
            command.env_remove(&name);
        }
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    Ok(command)
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figures_are_read() {
        let status = "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t    512 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(512));
        assert_eq!(kibibytes(status, "VmHWM:"), Some(2048));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
    }
}
