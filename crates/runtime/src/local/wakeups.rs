//! Tells followers that a container's directory has changed: one inotify instance for all of them.
//!
//! Never carries what has changed: a follower looks at the files again. Without inotify, followers look by the clock.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::sync::Notify;

/// How often to look where the kernel cannot tell.
const LOOK: Duration = Duration::from_millis(20);

/// All directories that are followed.
pub(crate) struct Wakeups {
    inotify: Option<Arc<OwnedFd>>,
    watched: Mutex<HashMap<i32, Watched>>,
    reader: std::sync::Once,
}

struct Watched {
    notify: Arc<Notify>,
    followers: usize,
}

impl Wakeups {
    pub(crate) fn new() -> Arc<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        if let Err(e) = &inotify {
            tracing::warn!("no inotify ({e}): containers are looked at by the clock");
        }
        Arc::new(Self {
            inotify: inotify.ok().map(Arc::new),
            watched: Mutex::default(),
            reader: std::sync::Once::new(),
        })
    }

    /// Wakes up whenever a file in the directory is written, closed or renamed into place.
    pub(crate) fn subscribe(self: &Arc<Self>, directory: &Path) -> Wakeup {
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::CLOSE_WRITE;
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = self.inotify.as_ref().and_then(|fd| {
            inotify::add_watch(fd, directory, flags)
                .inspect_err(|e| tracing::warn!("inotify: {e}: looking by the clock"))
                .ok()
        });
        let Some(watch) = watch else {
            return Wakeup { source: None };
        };
        let entry = watched.entry(watch).or_insert_with(|| Watched {
            notify: Arc::new(Notify::new()),
            followers: 0,
        });
        entry.followers += 1;
        let notify = Arc::clone(&entry.notify);
        self.reader.call_once(|| {
            tokio::spawn(read(Arc::clone(self)));
        });
        Wakeup {
            source: Some((Arc::clone(self), watch, notify)),
        }
    }

    fn wake(&self, watch: i32) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = watched.get(&watch) {
            entry.notify.notify_waiters();
            // For a single follower that is just about to wait.
            entry.notify.notify_one();
        }
    }

    fn unsubscribe(&self, watch: i32) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = watched.get_mut(&watch) else {
            return;
        };
        entry.followers -= 1;
        if entry.followers == 0 {
            watched.remove(&watch);
            if let Some(fd) = &self.inotify {
                let _ = inotify::remove_watch(fd, watch);
            }
        }
    }
}

/// Reads the kernel's events for as long as tokio runs.
async fn read(wakeups: Arc<Wakeups>) {
    let Some(fd) = &wakeups.inotify else { return };
    let Ok(fd) = crate::sys::async_fd(Arc::clone(fd)) else {
        return;
    };
    let mut buffer = [const { MaybeUninit::uninit() }; 4096];
    while let Ok(mut guard) = fd.readable().await {
        let mut reader = inotify::Reader::new(fd.get_ref(), &mut buffer);
        while let Ok(event) = reader.next() {
            wakeups.wake(event.wd());
        }
        guard.clear_ready();
    }
}

/// One follower's view of one directory.
pub(crate) struct Wakeup {
    source: Option<(Arc<Wakeups>, i32, Arc<Notify>)>,
}

impl Wakeup {
    /// Returns when something may have changed since the last call.
    pub(crate) async fn changed(&self) {
        match &self.source {
            Some((_, _, notify)) => notify.notified().await,
            None => tokio::time::sleep(LOOK).await,
        }
    }
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        if let Some((wakeups, watch, _)) = &self.source {
            wakeups.unsubscribe(*watch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Files;

    #[tokio::test]
    async fn looking_at_a_container_wakes_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().to_owned());
        drop(files.take_lock().unwrap());
        let wakeups = Wakeups::new();
        let wakeup = wakeups.subscribe(folder.path());
        files.found().unwrap();
        files.failure().unwrap();
        assert!(!files.output_begun() && !files.stop_requested());
        let silence = Duration::from_millis(100);
        assert!(
            tokio::time::timeout(silence, wakeup.changed())
                .await
                .is_err()
        );
        std::fs::write(files.output(), "x").unwrap();
        let patience = Duration::from_secs(10);
        tokio::time::timeout(patience, wakeup.changed())
            .await
            .expect("a change wakes");
    }
}
