//! Cuts the container's two streams into lines and writes them as records. Never drops a byte but the line ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use landfall_core::limits::OUTPUT_LINE_BYTES_MAX;

use crate::OutputStream;
use crate::local::{Kind, encode};
use crate::sys::now_millis;

/// One of the two pipes out of the container.
pub(crate) struct Stream {
    pipe: File,
    kind: Kind,
    pending: Vec<u8>,
}

impl Stream {
    /// Reads from `pipe`, which is made non-blocking.
    pub(crate) fn new(pipe: OwnedFd, stream: OutputStream) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&pipe)?;
        rustix::fs::fcntl_setfl(&pipe, flags | rustix::fs::OFlags::NONBLOCK)?;
        Ok(Self {
            pipe: File::from(pipe),
            kind: Kind::Line(stream),
            pending: Vec::new(),
        })
    }

    /// For waiting until there is something to read.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Moves what is there into `output`; says whether the stream goes on.
    pub(crate) fn pump(&mut self, output: &mut File) -> io::Result<bool> {
        let mut buffer = [0; 64 * 1024];
        let n = match self.pipe.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(e) => return Err(e),
        };
        let mut records = Vec::new();
        if n == 0 {
            self.flush(&mut records);
        } else {
            self.pending
                .extend_from_slice(buffer.get(..n).unwrap_or_default());
            cut_lines(&mut self.pending, self.kind, now_millis(), &mut records);
        }
        output.write_all(&records)?;
        Ok(n != 0)
    }

    /// A last line without a line end.
    fn flush(&mut self, records: &mut Vec<u8>) {
        if !self.pending.is_empty() {
            encode(
                self.kind,
                now_millis(),
                &std::mem::take(&mut self.pending),
                records,
            );
        }
    }
}

/// Moves whole lines, and pieces of the largest size, from `pending` to `records`.
fn cut_lines(pending: &mut Vec<u8>, kind: Kind, at_millis: i64, records: &mut Vec<u8>) {
    let mut rest = pending.as_slice();
    loop {
        let within = rest.get(..=OUTPUT_LINE_BYTES_MAX).unwrap_or(rest);
        if let Some(end) = within.iter().position(|b| *b == b'\n') {
            let (line, after) = rest.split_at(end);
            encode(kind, at_millis, line, records);
            rest = after.get(1..).unwrap_or_default();
        } else if rest.len() > OUTPUT_LINE_BYTES_MAX {
            let (piece, after) = rest.split_at(OUTPUT_LINE_BYTES_MAX);
            encode(kind, at_millis, piece, records);
            rest = after;
        } else {
            break;
        }
    }
    *pending = rest.to_vec();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Decoder;

    fn lines(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let (mut pending, mut records) = (Vec::new(), Vec::new());
        for chunk in chunks {
            pending.extend_from_slice(chunk);
            cut_lines(
                &mut pending,
                Kind::Line(OutputStream::Stdout),
                1,
                &mut records,
            );
        }
        let mut decoder = Decoder::at(0);
        decoder.push(&records);
        (
            std::iter::from_fn(|| decoder.next())
                .map(|(r, _)| r.bytes)
                .collect(),
            pending,
        )
    }

    #[test]
    fn lines_are_cut_at_line_ends_only() {
        type Pieces = &'static [&'static [u8]];
        let cases: &[(Pieces, Pieces, &[u8])] = &[
            (&[b"a\nb\n"], &[b"a", b"b"], b""),
            (&[b"a", b"b\n", b"\n", b"c"], &[b"ab", b""], b"c"),
            (&[b"\r\n"], &[b"\r"], b""),
        ];
        for (chunks, expected, rest) in cases {
            let (found, pending) = lines(chunks);
            assert_eq!(found, *expected);
            assert_eq!(pending, *rest);
        }
    }

    #[test]
    fn a_line_of_the_largest_size_is_whole_and_a_longer_one_comes_in_pieces() {
        let exact = vec![b'x'; OUTPUT_LINE_BYTES_MAX];
        let mut ended = exact.clone();
        ended.push(b'\n');
        assert_eq!(lines(&[&ended]).0, vec![exact.clone()]);
        let mut longer = exact.clone();
        longer.extend_from_slice(b"yz\n");
        assert_eq!(lines(&[&longer]).0, [exact, b"yz".to_vec()]);
    }
}
