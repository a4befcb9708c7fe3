//! Takes the `aws-chunked` coding off a body: chunk headers go, trailers are kept for whoever checks them. Chunk
//! signatures are not verified here: this is the road of servers without credentials.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use landfall_core::error::ApiError;
use landfall_core::limits;

/// Trailing headers by lower-case name, filled when the body has ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Trailers(Arc<Mutex<Vec<(String, String)>>>);

impl Trailers {
    /// The trailer of that name.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let trailers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trailers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.clone())
    }

    fn push(&self, line: &str) {
        if let Some((name, value)) = line.split_once(':') {
            let mut trailers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

enum Phase {
    Header,
    Data(u64),
    DataEnd,
    Trailer,
    Done,
}

/// A decoder of one body.
pub(super) struct Decoder {
    buffer: BytesMut,
    phase: Phase,
    trailers: Trailers,
}

impl Decoder {
    /// A fresh one that leaves the trailers there.
    pub(super) fn new(trailers: Trailers) -> Self {
        Self {
            buffer: BytesMut::new(),
            phase: Phase::Header,
            trailers,
        }
    }

    /// Takes bytes in.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next run of object bytes; `None` when more input is needed or the body has ended.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            match self.phase {
                Phase::Done => return Ok(None),
                Phase::Data(left) => return Ok(self.data(left)),
                Phase::Header | Phase::DataEnd | Phase::Trailer => {
                    let Some(line) = self.line()? else {
                        return Ok(None);
                    };
                    self.take_line(&line)?;
                }
            }
        }
    }

    /// Whether the last chunk and its trailers have been seen.
    pub(super) fn is_done(&self) -> bool {
        match self.phase {
            Phase::Done => true,
            Phase::Trailer => self.buffer.is_empty(),
            _ => false,
        }
    }

    fn take_line(&mut self, line: &str) -> Result<(), ApiError> {
        self.phase = match self.phase {
            Phase::Header => match chunk_size(line)? {
                0 => Phase::Trailer,
                size => Phase::Data(size),
            },
            Phase::DataEnd if line.is_empty() => Phase::Header,
            Phase::DataEnd => return Err(malformed()),
            _ if line.is_empty() => Phase::Done,
            _ => {
                self.trailers.push(line);
                Phase::Trailer
            }
        };
        Ok(())
    }

    fn data(&mut self, left: u64) -> Option<Bytes> {
        if self.buffer.is_empty() {
            return None;
        }
        let count = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(self.buffer.len());
        let bytes = self.buffer.split_to(count).freeze();
        self.phase = match left - count as u64 {
            0 => Phase::DataEnd,
            left => Phase::Data(left),
        };
        Some(bytes)
    }

    fn line(&mut self) -> Result<Option<String>, ApiError> {
        let Some(end) = memchr::memchr(b'\n', &self.buffer) else {
            return match self.buffer.len() > limits::S3_CHUNK_LINE_BYTES_MAX {
                true => Err(malformed()),
                false => Ok(None),
            };
        };
        let line = self.buffer.split_to(end);
        self.buffer.advance(1);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let line = std::str::from_utf8(line).map_err(|_| malformed())?;
        Ok(Some(line.to_owned()))
    }
}

fn chunk_size(line: &str) -> Result<u64, ApiError> {
    let size = line.split_once(';').map_or(line, |(size, _)| size);
    u64::from_str_radix(size.trim(), 16).map_err(|_| malformed())
}

fn malformed() -> ApiError {
    ApiError::client("IncompleteBody", "The request body terminated unexpectedly")
}

/// The object bytes of an `aws-chunked` body.
pub(super) fn decode<S, E>(
    body: S,
    trailers: Trailers,
) -> impl Stream<Item = Result<Bytes, ApiError>> + Send
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    E: std::fmt::Display,
{
    let state = (body, Decoder::new(trailers));
    futures::stream::try_unfold(state, |(mut body, mut decoder)| async move {
        loop {
            if let Some(bytes) = decoder.next()? {
                return Ok(Some((bytes, (body, decoder))));
            }
            match body.next().await {
                Some(Ok(bytes)) => decoder.push(&bytes),
                Some(Err(e)) => return Err(ApiError::client("IncompleteBody", e.to_string())),
                None if decoder.is_done() => return Ok(None),
                None => return Err(malformed()),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(pieces: &[&[u8]]) -> (Result<Vec<u8>, ApiError>, Trailers) {
        let trailers = Trailers::default();
        let mut decoder = Decoder::new(trailers.clone());
        let mut out = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            loop {
                match decoder.next() {
                    Ok(Some(bytes)) => out.extend_from_slice(&bytes),
                    Ok(None) => break,
                    Err(e) => return (Err(e), trailers),
                }
            }
        }
        match decoder.is_done() {
            true => (Ok(out), trailers),
            false => (Err(malformed()), trailers),
        }
    }

    const SIGNED: &[u8] = b"5;chunk-signature=ab\r\nhello\r\n1;chunk-signature=cd\r\n!\r\n0;chunk-signature=ef\r\n\r\n";
    const TRAILED: &[u8] = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";

    #[test]
    fn signed_and_trailed() {
        assert_eq!(run(&[SIGNED]).0.unwrap(), b"hello!");
        let (bytes, trailers) = run(&[TRAILED]);
        assert_eq!(bytes.unwrap(), b"hello");
        assert_eq!(
            trailers.get("x-amz-checksum-crc32").as_deref(),
            Some("NhCmhg==")
        );
    }

    #[test]
    fn what_is_cut_or_crooked_is_refused() {
        for bad in [
            &b"5\r\nhel"[..],
            b"5\r\nhello",
            b"zz\r\n",
            b"1\r\nab\r\n0\r\n\r\n",
            b"",
        ] {
            assert!(run(&[bad]).0.is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn however_it_is_cut(cut in prop::collection::vec(1_usize..9, 1..40)) {
            let mut pieces = Vec::new();
            let mut rest = TRAILED;
            for size in cut {
                let (piece, tail) = rest.split_at(size.min(rest.len()));
                pieces.push(piece);
                rest = tail;
            }
            pieces.push(rest);
            prop_assert_eq!(run(&pieces).0.unwrap(), b"hello");
        }
    }
}
