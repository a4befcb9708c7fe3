//! Follows one container through its files, from any position and in any server process. Never slows the container.

use std::io;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::mpsc::Sender;

use super::files::Files;
use super::record::{Decoder, Kind, Record};
use super::wakeups::Wakeup;
use crate::{ContainerEvent, Found};

/// How long to trust the kernel's wake-ups: the death of a shim itself makes none.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);

/// Sends the container's events from `position` on until it ends or nobody listens.
pub(crate) async fn follow(
    files: Files,
    position: u64,
    wakeup: Wakeup,
    sender: Sender<ContainerEvent>,
) {
    let mut follower = Follower {
        files,
        wakeup,
        sender,
        decoder: Decoder::at(position),
    };
    match follower.run(position).await {
        Ok(Some(last)) => {
            let _ = follower.sender.send(last).await;
        }
        Ok(None) => {}
        Err(e) => {
            let text = format!("cannot follow the container: {e}");
            let _ = follower.sender.send(ContainerEvent::Failed(text)).await;
        }
    }
}

struct Follower {
    files: Files,
    wakeup: Wakeup,
    sender: Sender<ContainerEvent>,
    decoder: Decoder,
}

impl Follower {
    /// Returns the last event; `None` when nobody listens any more.
    async fn run(&mut self, position: u64) -> io::Result<Option<ContainerEvent>> {
        let mut output = None;
        let mut found = Found::Alive;
        loop {
            if output.is_none() {
                output = self.open(position).await?;
            }
            if let Some(file) = &mut output
                && !self.drain(file).await?
            {
                return Ok(None);
            }
            // The end was seen before the output was read to its end: there can be no more.
            if found != Found::Alive {
                return self.end(found).map(Some);
            }
            found = self.files.found()?;
            if found == Found::Alive && !self.sleep().await {
                return Ok(None);
            }
        }
    }

    fn end(&self, found: Found) -> io::Result<ContainerEvent> {
        if let Found::Exited(status) = found {
            return Ok(ContainerEvent::Exited(status));
        }
        let lost = "the container was lost: its shim ended without a trace";
        Ok(ContainerEvent::Failed(
            self.files.failure()?.unwrap_or_else(|| lost.to_owned()),
        ))
    }

    /// Opens the output; tells first when the container started, from whatever position it is followed.
    async fn open(&mut self, position: u64) -> io::Result<Option<File>> {
        let mut file = match File::open(self.files.output()).await {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        if position == 0 {
            return Ok(Some(file));
        }
        let mut head = vec![0; 64];
        let n = file.read(&mut head).await?;
        let mut decoder = Decoder::at(0);
        decoder.push(head.get(..n).unwrap_or_default());
        if let Some((record, _)) = decoder.next() {
            let _ = self.sender.send(event(record, position)).await;
        }
        file.seek(io::SeekFrom::Start(position)).await?;
        Ok(Some(file))
    }

    /// Sends every whole record that is there; says whether anybody listens.
    async fn drain(&mut self, file: &mut File) -> io::Result<bool> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = file.read(&mut buffer).await?;
            if n == 0 {
                return Ok(true);
            }
            self.decoder.push(buffer.get(..n).unwrap_or_default());
            while let Some((record, position)) = self.decoder.next() {
                if self.sender.send(event(record, position)).await.is_err() {
                    return Ok(false);
                }
            }
        }
    }

    /// Waits for a change; says whether anybody listens.
    async fn sleep(&self) -> bool {
        tokio::select! {
            () = self.wakeup.changed() => true,
            () = tokio::time::sleep(LOOK_ANYWAY) => true,
            () = self.sender.closed() => false,
        }
    }
}

fn event(record: Record, position: u64) -> ContainerEvent {
    let at_millis = record.at_millis;
    match record.kind {
        Kind::Started => {
            let pid = std::str::from_utf8(&record.bytes)
                .ok()
                .and_then(|t| t.parse().ok());
            ContainerEvent::Started { at_millis, pid }
        }
        Kind::Line(stream) => ContainerEvent::Output {
            stream,
            at_millis,
            line: record.bytes,
            position,
        },
    }
}
