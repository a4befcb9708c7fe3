//! The records of a container's output file: a length, a kind, a time, the bytes. Never reads or writes a file.

use crate::OutputStream;

const HEADER: usize = 4 + 1 + 8;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The process runs; the bytes are its id in decimal. Always the first record.
    Started,
    /// A line of output.
    Line(OutputStream),
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) at_millis: i64,
    pub(crate) bytes: Vec<u8>,
}

/// Appends a record to `out`.
pub(crate) fn encode(kind: Kind, at_millis: i64, bytes: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.push(match kind {
        Kind::Started => 0,
        Kind::Line(OutputStream::Stdout) => 1,
        Kind::Line(OutputStream::Stderr) => 2,
    });
    out.extend_from_slice(&at_millis.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Cuts records out of a growing file; a record that is not whole yet waits for the rest.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: Vec<u8>,
    taken: usize,
    position: u64,
}

impl Decoder {
    /// The first byte pushed will be the file's byte at `position`, the beginning of a record.
    pub(crate) fn at(position: u64) -> Self {
        Self {
            buffer: Vec::new(),
            taken: 0,
            position,
        }
    }

    /// Adds the file's next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole record and the position behind it.
    pub(crate) fn next(&mut self) -> Option<(Record, u64)> {
        let rest = self.buffer.get(self.taken..)?;
        let (header, body) = rest.split_at_checked(HEADER)?;
        let (length, header) = header.split_first_chunk::<4>()?;
        let (kind, header) = header.split_first_chunk::<1>()?;
        let (at, _) = header.split_first_chunk::<8>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let bytes = body.get(..length)?.to_vec();
        let kind = match kind {
            [0] => Kind::Started,
            [1] => Kind::Line(OutputStream::Stdout),
            _ => Kind::Line(OutputStream::Stderr),
        };
        self.taken += HEADER + length;
        self.position += (HEADER + length) as u64;
        Some((
            Record {
                kind,
                at_millis: i64::from_le_bytes(*at),
                bytes,
            },
            self.position,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_any_cut_of_the_stream() {
        let mut file = Vec::new();
        encode(Kind::Started, 7, b"123", &mut file);
        encode(Kind::Line(OutputStream::Stdout), 8, b"", &mut file);
        encode(Kind::Line(OutputStream::Stderr), -9, b"a\nb\0", &mut file);
        for size in 1..file.len() {
            let mut decoder = Decoder::at(0);
            let mut seen = Vec::new();
            for chunk in file.chunks(size) {
                decoder.push(chunk);
                seen.extend(std::iter::from_fn(|| decoder.next()));
            }
            let bytes: Vec<_> = seen.iter().map(|(r, _)| r.bytes.clone()).collect();
            assert_eq!(
                bytes,
                [b"123".to_vec(), b"".to_vec(), b"a\nb\0".to_vec()],
                "cut {size}"
            );
            assert_eq!(seen.last().unwrap().1, file.len() as u64);
            assert_eq!(seen.last().unwrap().0.at_millis, -9);
        }
    }

    #[test]
    fn a_position_behind_a_record_continues_with_the_next() {
        let mut file = Vec::new();
        encode(Kind::Line(OutputStream::Stdout), 1, b"one", &mut file);
        encode(Kind::Line(OutputStream::Stdout), 2, b"two", &mut file);
        let mut decoder = Decoder::at(0);
        decoder.push(&file);
        let (_, position) = decoder.next().unwrap();
        let mut resumed = Decoder::at(position);
        resumed.push(&file[usize::try_from(position).unwrap()..]);
        assert_eq!(resumed.next().unwrap().0.bytes, b"two");
        assert_eq!(resumed.next(), None);
    }
}
