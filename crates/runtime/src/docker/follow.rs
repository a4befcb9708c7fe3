//! Follows one container of the daemon by its log. Never slows the container: the daemon keeps the log.

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::query_parameters::{LogsOptionsBuilder, WaitContainerOptions};
use futures::StreamExt;
use tokio::sync::mpsc::Sender;

use super::{found, millis, name, state};
use crate::{ContainerEvent, Found, OutputStream};
use landfall_core::limits::OUTPUT_LINE_BYTES_MAX;

/// Sends the container's events behind `position` until it ends or nobody listens.
pub(super) async fn follow(
    docker: Docker,
    id: String,
    position: u64,
    sender: Sender<ContainerEvent>,
) {
    let mut lines = Lines {
        sender,
        seen: 0,
        position,
        pending: [Vec::new(), Vec::new()],
    };
    let last = match lines.run(&docker, &id).await {
        Ok(true) => end(&docker, &id).await,
        Ok(false) => return,
        Err(e) => ContainerEvent::Failed(format!("cannot follow the container: {e}")),
    };
    let _ = lines.sender.send(last).await;
}

/// Waits for the end and tells it.
async fn end(docker: &Docker, id: &str) -> ContainerEvent {
    let mut wait = docker.wait_container(&name(id), None::<WaitContainerOptions>);
    // A non-zero exit comes as an error; the state knows better either way.
    while wait.next().await.is_some() {}
    match state(docker, id).await {
        Ok(Some(state)) => match found(&state) {
            Found::Exited(status) => ContainerEvent::Exited(status),
            Found::Absent | Found::Alive | Found::Lost => {
                ContainerEvent::Failed(state.error.filter(|e| !e.is_empty()).unwrap_or_else(lost))
            }
        },
        Ok(None) => ContainerEvent::Failed(lost()),
        Err(e) => ContainerEvent::Failed(e.to_string()),
    }
}

fn lost() -> String {
    "the container was lost: the daemon does not know its end".to_owned()
}

/// The daemon's log, cut into lines.
struct Lines {
    sender: Sender<ContainerEvent>,
    /// Lines so far.
    seen: u64,
    /// Lines to leave out.
    position: u64,
    pending: [Vec<u8>; 2],
}

impl Lines {
    /// Sends the log to its end; says whether anybody listens.
    async fn run(&mut self, docker: &Docker, id: &str) -> Result<bool, bollard::errors::Error> {
        let state = state(docker, id).await?;
        if let Some(state) = state.filter(|s| !matches!(found(s), Found::Absent)) {
            let pid = state
                .pid
                .and_then(|pid| u32::try_from(pid).ok())
                .filter(|pid| *pid != 0);
            let at_millis = millis(state.started_at.as_deref());
            let _ = self
                .sender
                .send(ContainerEvent::Started { at_millis, pid })
                .await;
        }
        let options = LogsOptionsBuilder::default()
            .follow(true)
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .build();
        let mut log = docker.logs(&name(id), Some(options));
        while let Some(frame) = log.next().await {
            let (stream, bytes) = match frame? {
                LogOutput::StdErr { message } => (OutputStream::Stderr, message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    (OutputStream::Stdout, message)
                }
                LogOutput::StdIn { .. } => continue,
            };
            if !self.frame(stream, &bytes).await {
                return Ok(false);
            }
        }
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let rest = std::mem::take(self.pending_of(stream));
            if !rest.is_empty() && !self.line(stream, crate::sys::now_millis(), rest).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A frame is a time, a space and a line, or a piece of one that lacks its line end.
    async fn frame(&mut self, stream: OutputStream, bytes: &[u8]) -> bool {
        let space = bytes.iter().position(|b| *b == b' ').unwrap_or(bytes.len());
        let (time, text) = bytes.split_at(space);
        let text = text.get(1..).unwrap_or_default();
        let at_millis = millis(std::str::from_utf8(time).ok());
        let whole = text.strip_suffix(b"\n");
        let pending = self.pending_of(stream);
        pending.extend_from_slice(whole.unwrap_or(text));
        while self.pending_of(stream).len() > OUTPUT_LINE_BYTES_MAX {
            let rest = self.pending_of(stream).split_off(OUTPUT_LINE_BYTES_MAX);
            let piece = std::mem::replace(self.pending_of(stream), rest);
            if !self.line(stream, at_millis, piece).await {
                return false;
            }
        }
        if whole.is_none() {
            return true;
        }
        let line = std::mem::take(self.pending_of(stream));
        self.line(stream, at_millis, line).await
    }

    async fn line(&mut self, stream: OutputStream, at_millis: i64, line: Vec<u8>) -> bool {
        self.seen += 1;
        if self.seen <= self.position {
            return true;
        }
        let position = self.seen;
        let event = ContainerEvent::Output {
            stream,
            at_millis,
            line,
            position,
        };
        self.sender.send(event).await.is_ok()
    }

    fn pending_of(&mut self, stream: OutputStream) -> &mut Vec<u8> {
        let [out, err] = &mut self.pending;
        match stream {
            OutputStream::Stdout => out,
            OutputStream::Stderr => err,
        }
    }
}
