//! Evidence that a container really ran, outside of Landfall's own bookkeeping: the container itself connects to this
//! listener and says a line. Never answers.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::lock;

/// A container that connects and then says nothing must not hold up the others for ever.
const LINE_PATIENCE: Duration = Duration::from_secs(10);

/// Counts who came. Listens until the process ends.
#[derive(Debug, Clone)]
pub struct Arrivals {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Vec<Arrival>>,
    more: Condvar,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// When it was accepted.
    pub at: Instant,
    /// What it said, without the line end.
    pub line: String,
}

impl Arrivals {
    /// Listens on a free port of the loopback.
    pub fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let noted = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                noted.note(Instant::now(), stream);
            }
        });
        Ok(Self { address, shared })
    }

    /// Port to connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many came.
    pub fn count(&self) -> usize {
        lock(&self.shared.seen).len()
    }

    /// How often each line was said.
    pub fn by_line(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for arrival in lock(&self.shared.seen).iter() {
            *counts.entry(arrival.line.clone()).or_default() += 1;
        }
        counts
    }

    /// The arrival number `index` (from 0), if it comes within `patience`.
    pub fn nth(&self, index: usize, patience: Duration) -> Option<Arrival> {
        let seen = lock(&self.shared.seen);
        let (seen, _) = self
            .shared
            .more
            .wait_timeout_while(seen, patience, |seen| seen.len() <= index)
            .unwrap_or_else(PoisonError::into_inner);
        seen.get(index).cloned()
    }
}

impl Shared {
    fn note(&self, at: Instant, mut stream: TcpStream) {
        let mut said = Vec::new();
        let heard = stream
            .set_read_timeout(Some(LINE_PATIENCE))
            .and_then(|()| stream.read_to_end(&mut said));
        let line = match heard {
            Ok(_) => String::from_utf8_lossy(&said).trim_end().to_owned(),
            Err(e) => format!("(unreadable: {e})"),
        };
        lock(&self.seen).push(Arrival { at, line });
        self.more.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn every_arrival_counts_with_its_line() {
        let arrivals = Arrivals::listen().unwrap();
        for line in ["a\n", "b\n", "a\n"] {
            let mut stream = TcpStream::connect(arrivals.address).unwrap();
            stream.write_all(line.as_bytes()).unwrap();
        }
        let patience = Duration::from_secs(10);
        assert_eq!(arrivals.nth(2, patience).unwrap().line, "a");
        let expected = [("a".to_owned(), 2), ("b".to_owned(), 1)];
        assert_eq!(arrivals.by_line(), BTreeMap::from(expected));
        assert_eq!(arrivals.nth(3, Duration::ZERO), None);
        assert_eq!(arrivals.count(), 3);
    }
}
