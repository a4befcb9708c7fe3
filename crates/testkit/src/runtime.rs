//! A [`Runtime`] whose containers do what the test says. Never starts a process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use landfall_runtime::{
    ContainerEvent, ContainerSpec, ExitStatus, Found, Image, OutputStream, Runtime, RuntimeError,
};
use tokio::sync::{Notify, mpsc};

use crate::lock;

/// Events that wait for a slow watcher.
const WATCH_EVENTS_MAX: usize = 16;

/// A scriptable [`Runtime`]. Clones share the containers: keep one across a "server crash".
///
/// Containers run until the test ends them with [`FakeRuntime::exit`]; [`FakeRuntime::exit_at_once`] makes later
/// ones end by themselves. `stop` only records the wish: SIGTERM does not end these containers.
#[derive(Debug, Clone, Default)]
pub struct FakeRuntime(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    containers: BTreeMap<String, Container>,
    starts: Vec<ContainerSpec>,
    stops: Vec<String>,
    removed: Vec<String>,
    unpullable: BTreeSet<String>,
    start_failures: BTreeMap<String, String>,
    exit_at_once: Option<i32>,
    silent: bool,
    questions: usize,
    now_millis: i64,
}

#[derive(Debug, Default)]
struct Container {
    output: Vec<(OutputStream, Vec<u8>)>,
    end: Option<ContainerEvent>,
}

impl FakeRuntime {
    /// A runtime that can pull every image and has no containers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The time that events carry from now on, milliseconds since the epoch.
    pub fn set_now_millis(&self, now: i64) {
        lock(&self.0.inner).now_millis = now;
    }

    /// Makes pulls of an image fail, with [`RuntimeError::CannotPull`].
    pub fn fail_pulls_of(&self, image: &str) {
        lock(&self.0.inner).unpullable.insert(image.to_owned());
    }

    /// Makes starts from an image fail, with [`RuntimeError::CannotStart`] and this text.
    pub fn fail_starts_of(&self, image: &str, why: &str) {
        lock(&self.0.inner)
            .start_failures
            .insert(image.to_owned(), why.to_owned());
    }

    /// Lets pulls of and starts from an image succeed again.
    pub fn heal(&self, image: &str) {
        let mut inner = lock(&self.0.inner);
        inner.unpullable.remove(image);
        inner.start_failures.remove(image);
    }

    /// Containers started from now on end with this code as soon as they run; `None`: they run on.
    pub fn exit_at_once(&self, code: Option<i32>) {
        lock(&self.0.inner).exit_at_once = code;
    }

    /// Whether it answers questions about containers with an error from now on, as a daemon that is being restarted.
    pub fn silence(&self, silent: bool) {
        lock(&self.0.inner).silent = silent;
    }

    /// Waits until so many questions have met with silence.
    pub async fn wait_for_questions(&self, count: usize) {
        loop {
            let changed = self.0.changed.notified();
            if lock(&self.0.inner).questions >= count {
                return;
            }
            changed.await;
        }
    }

    /// Each container that was really started, in order; a repeated start of an id is not in it.
    pub fn starts(&self) -> Vec<ContainerSpec> {
        lock(&self.0.inner).starts.clone()
    }

    /// The ids that were to be stopped, in order.
    pub fn stops(&self) -> Vec<String> {
        lock(&self.0.inner).stops.clone()
    }

    /// The ids that were removed, in order.
    pub fn removed(&self) -> Vec<String> {
        lock(&self.0.inner).removed.clone()
    }

    /// Waits until `count` containers were started, and answers all of them.
    pub async fn wait_for_starts(&self, count: usize) -> Vec<ContainerSpec> {
        loop {
            let changed = self.0.changed.notified();
            let starts = self.starts();
            if starts.len() >= count {
                return starts;
            }
            changed.await;
        }
    }

    /// Lets a running container write a line; answers whether it runs.
    pub fn print(&self, id: &str, stream: OutputStream, line: &str) -> bool {
        self.change(id, |container, _| {
            container.output.push((stream, line.as_bytes().to_vec()))
        })
    }

    /// Ends a running container; answers whether it ran.
    pub fn exit(&self, id: &str, code: i32) -> bool {
        self.change(id, |container, now| {
            container.end = Some(exited(code, false, now))
        })
    }

    /// Ends a running container as the kernel's memory controller does; answers whether it ran.
    pub fn run_out_of_memory(&self, id: &str) -> bool {
        self.change(id, |container, now| {
            container.end = Some(exited(137, true, now))
        })
    }

    /// Loses a running container: nobody will know how it ended. Answers whether it ran.
    pub fn lose(&self, id: &str) -> bool {
        let why = "the container was lost".to_owned();
        self.change(id, |container, _| {
            container.end = Some(ContainerEvent::Failed(why))
        })
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Container, i64)) -> bool {
        let mut inner = lock(&self.0.inner);
        let now = inner.now_millis;
        let running = inner
            .containers
            .get_mut(id)
            .filter(|container| container.end.is_none());
        let is_running = running.is_some();
        if let Some(container) = running {
            change(container, now);
        }
        drop(inner);
        self.0.changed.notify_waiters();
        is_running
    }
}

fn exited(code: i32, out_of_memory: bool, at_millis: i64) -> ContainerEvent {
    ContainerEvent::Exited(ExitStatus {
        code,
        out_of_memory,
        at_millis,
    })
}

impl Inner {
    fn pull(&self, image: &str) -> Result<Image, RuntimeError> {
        if self.unpullable.contains(image) {
            return Err(RuntimeError::CannotPull(format!(
                "pull image manifest of {image}: not found"
            )));
        }
        let digest = format!("sha256:{}", "07".repeat(32));
        Ok(Image {
            digest,
            size_bytes: 1,
        })
    }

    fn start(&mut self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        if self.containers.contains_key(&spec.id) {
            return Ok(());
        }
        self.pull(&spec.image)?;
        if let Some(why) = self.start_failures.get(&spec.image) {
            return Err(RuntimeError::CannotStart(why.clone()));
        }
        let end = self
            .exit_at_once
            .map(|code| exited(code, false, self.now_millis));
        self.containers.insert(
            spec.id.clone(),
            Container {
                output: Vec::new(),
                end,
            },
        );
        self.starts.push(spec.clone());
        Ok(())
    }

    /// What a watcher that has seen `position` lines gets next; `None` while there is nothing.
    fn next_event(&self, id: &str, position: u64) -> Option<ContainerEvent> {
        let lost = || ContainerEvent::Failed("the container was removed".to_owned());
        let Some(container) = self.containers.get(id) else {
            return Some(lost());
        };
        let seen = usize::try_from(position).unwrap_or(usize::MAX);
        match container.output.get(seen) {
            Some((stream, line)) => Some(ContainerEvent::Output {
                stream: *stream,
                at_millis: self.now_millis,
                line: line.clone(),
                position: position + 1,
            }),
            None => container.end.clone(),
        }
    }
}

impl Shared {
    async fn next_event(&self, id: &str, position: u64) -> ContainerEvent {
        loop {
            let changed = self.changed.notified();
            if let Some(event) = lock(&self.inner).next_event(id, position) {
                return event;
            }
            changed.await;
        }
    }

    async fn follow(&self, id: &str, mut position: u64, events: mpsc::Sender<ContainerEvent>) {
        let at_millis = lock(&self.inner).now_millis;
        let mut event = ContainerEvent::Started {
            at_millis,
            pid: None,
        };
        loop {
            let is_last = matches!(event, ContainerEvent::Exited(_) | ContainerEvent::Failed(_));
            if events.send(event).await.is_err() || is_last {
                return;
            }
            event = tokio::select! {
                next = self.next_event(id, position) => next,
                () = events.closed() => return,
            };
            if let ContainerEvent::Output {
                position: behind, ..
            } = &event
            {
                position = *behind;
            }
        }
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn prepare(&self, image: &str) -> Result<Image, RuntimeError> {
        lock(&self.0.inner).pull(image)
    }

    async fn start(&self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let started = lock(&self.0.inner).start(spec);
        self.0.changed.notify_waiters();
        started
    }

    async fn watch(
        &self,
        id: &str,
        position: u64,
    ) -> Result<mpsc::Receiver<ContainerEvent>, RuntimeError> {
        if !lock(&self.0.inner).containers.contains_key(id) {
            return Err(RuntimeError::Other(format!(
                "container {id} was never started"
            )));
        }
        let (events, receiver) = mpsc::channel(WATCH_EVENTS_MAX);
        let (shared, id) = (Arc::clone(&self.0), id.to_owned());
        tokio::spawn(async move { shared.follow(&id, position, events).await });
        Ok(receiver)
    }

    async fn find(&self, id: &str) -> Result<Found, RuntimeError> {
        let mut inner = lock(&self.0.inner);
        if inner.silent {
            inner.questions += 1;
            self.0.changed.notify_waiters();
            return Err(RuntimeError::Other("no answer".to_owned()));
        }
        let Some(container) = inner.containers.get(id) else {
            return Ok(Found::Absent);
        };
        Ok(match &container.end {
            None => Found::Alive,
            Some(ContainerEvent::Exited(status)) => Found::Exited(status.clone()),
            Some(_) => Found::Lost,
        })
    }

    async fn ids(&self) -> Result<Vec<String>, RuntimeError> {
        Ok(lock(&self.0.inner).containers.keys().cloned().collect())
    }

    async fn stop(&self, id: &str) -> Result<(), RuntimeError> {
        lock(&self.0.inner).stops.push(id.to_owned());
        self.0.changed.notify_waiters();
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let mut inner = lock(&self.0.inner);
        inner.containers.remove(id);
        inner.removed.push(id.to_owned());
        drop(inner);
        self.0.changed.notify_waiters();
        Ok(())
    }

    async fn load(&self, archive: &Path) -> Result<Vec<(String, Image)>, RuntimeError> {
        Err(RuntimeError::BadImage(format!(
            "{} is not an image archive",
            archive.display()
        )))
    }

    async fn images(&self) -> Result<Vec<(String, Image)>, RuntimeError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(id: &str) -> ContainerSpec {
        ContainerSpec {
            id: id.to_owned(),
            image: "batch:1".to_owned(),
            entry_point: None,
            command: None,
            environment: Vec::new(),
            working_directory: None,
            user: None,
            memory_bytes_max: None,
            cpu_units: None,
            read_only_root: false,
            stop_timeout_seconds: 1,
            labels: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn a_container_starts_once_and_is_watched_to_its_end() {
        let runtime = FakeRuntime::new();
        runtime.start(&spec("a")).await.unwrap();
        let after_crash = runtime.clone();
        after_crash.start(&spec("a")).await.unwrap();
        assert_eq!(after_crash.wait_for_starts(1).await.len(), 1);
        let mut events = after_crash.watch("a", 0).await.unwrap();
        assert!(matches!(
            events.recv().await.unwrap(),
            ContainerEvent::Started { .. }
        ));
        assert!(runtime.print("a", OutputStream::Stdout, "hello"));
        let said = events.recv().await.unwrap();
        assert!(
            matches!(said, ContainerEvent::Output { position: 1, line, .. } if line == b"hello")
        );
        assert!(runtime.exit("a", 3));
        assert!(!runtime.exit("a", 4));
        let ended = ExitStatus {
            code: 3,
            out_of_memory: false,
            at_millis: 0,
        };
        assert_eq!(
            events.recv().await.unwrap(),
            ContainerEvent::Exited(ended.clone())
        );
        assert_eq!(events.recv().await, None);
        assert_eq!(after_crash.find("a").await.unwrap(), Found::Exited(ended));
        let mut again = runtime.watch("a", 1).await.unwrap();
        assert!(matches!(
            again.recv().await.unwrap(),
            ContainerEvent::Started { .. }
        ));
        assert!(matches!(
            again.recv().await.unwrap(),
            ContainerEvent::Exited(_)
        ));
    }

    #[tokio::test]
    async fn failures_come_when_told_and_leave_nothing_started() {
        let runtime = FakeRuntime::new();
        runtime.fail_pulls_of("batch:1");
        assert!(matches!(
            runtime.prepare("batch:1").await,
            Err(RuntimeError::CannotPull(_))
        ));
        runtime.heal("batch:1");
        runtime.fail_starts_of("batch:1", "no such command");
        assert!(matches!(
            runtime.start(&spec("a")).await,
            Err(RuntimeError::CannotStart(_))
        ));
        assert_eq!(runtime.find("a").await.unwrap(), Found::Absent);
        runtime.heal("batch:1");
        runtime.start(&spec("a")).await.unwrap();
        assert!(runtime.lose("a"));
        assert_eq!(runtime.find("a").await.unwrap(), Found::Lost);
    }
}
