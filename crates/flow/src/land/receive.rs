//! Takes the bytes of an object or part in: hashed as they pass, small ones kept for the commit, large ones written
//! to a content that is durable before the commit names it. Never holds more than the inline limit in memory.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::{ContentId, ContentWriter};
use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::checksum::{Algorithm, Checksum, Hasher};
use super::error;
use super::model::{ContentRecord, Stored, body_key, content_key};
use crate::drive::Flow;
use crate::tx::Tx;

/// What the client claims about the bytes, to be held against them.
#[derive(Default)]
pub struct Claims {
    /// Number of bytes.
    pub length: Option<u64>,
    /// `Content-MD5`, base64.
    pub md5: Option<String>,
    /// SHA-256 of the signed payload, hex.
    pub sha256: Option<String>,
    /// The algorithm of the client's checksum.
    pub algorithm: Option<Algorithm>,
    /// Its value, base64, when it came before the bytes.
    pub checksum: Option<String>,
    /// Where to find the value after the bytes, when it comes in a trailer.
    pub trailer: Option<Trailer>,
    /// The algorithm that the checksum is to be kept in; the client's when none.
    pub keep: Option<Algorithm>,
    /// The most bytes there may be.
    pub max: Option<u64>,
}

/// Looks a trailing header up after the last byte.
pub type Trailer = Box<dyn FnOnce(&str) -> Option<String> + Send>;

/// Bytes that have been taken in and checked.
#[derive(Debug)]
pub struct Received {
    /// Bytes.
    pub size: u64,
    /// MD5 in hex: the ETag.
    pub md5: String,
    /// The checksum to keep.
    pub checksum: Checksum,
    /// The bytes.
    pub bytes: ReceivedBytes,
}

/// Where received bytes wait for their commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceivedBytes {
    /// In memory.
    Inline(Bytes),
    /// In a durable content that no commit names yet.
    Content(ContentId),
}

impl Received {
    /// Writes the bytes, or the claim on them, into the commit.
    pub(super) fn store(&self, tx: &mut Tx<'_>) -> Result<Stored, ApiError> {
        match &self.bytes {
            ReceivedBytes::Inline(bytes) if bytes.is_empty() => Ok(Stored::Empty),
            ReceivedBytes::Inline(bytes) => {
                let number = tx.next_sequence();
                tx.put_raw(
                    landfall_store::Space::Objects,
                    &body_key(number),
                    bytes.clone(),
                );
                Ok(Stored::Inline(number))
            }
            ReceivedBytes::Content(id) => {
                tx.put(&content_key(&id.0), &ContentRecord {})?;
                Ok(Stored::Content(id.0.clone()))
            }
        }
    }

    /// Hands the received bytes to a commit; when it refuses them, a content is removed again.
    pub async fn commit<T: Send + 'static>(
        self,
        flow: &Flow,
        decide: impl FnOnce(&mut Tx<'_>, &Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let content = match &self.bytes {
            ReceivedBytes::Content(id) => Some(id.clone()),
            ReceivedBytes::Inline(_) => None,
        };
        let decided = flow.write(move |tx| decide(tx, &self)).await;
        if let (Err(e), Some(id)) = (&decided, content)
            && e.status < 500
        {
            flow.contents().remove(&id).await?;
        }
        decided
    }
}

struct Hashes {
    md5: Md5,
    sha256: Option<Sha256>,
    claimed: Option<Hasher>,
    kept: Option<Hasher>,
}

impl Hashes {
    fn new(claims: &Claims) -> Self {
        let keep = claims
            .keep
            .or(claims.algorithm)
            .unwrap_or(Algorithm::Crc64Nvme);
        let same = claims.algorithm == Some(keep);
        Self {
            md5: Md5::new(),
            sha256: claims.sha256.is_some().then(Sha256::new),
            claimed: claims.algorithm.map(Hasher::new),
            kept: (!same).then(|| Hasher::new(keep)),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        for hasher in [&mut self.claimed, &mut self.kept].into_iter().flatten() {
            hasher.update(bytes);
        }
    }

    /// Holds the claims against the bytes; the MD5 in hex and the checksum to keep.
    fn finish(self, claims: Claims) -> Result<(String, Checksum), ApiError> {
        let md5 = self.md5.finalize();
        if let Some(expected) = &claims.md5
            && *expected != STANDARD.encode(md5)
        {
            return Err(error::bad_md5(expected, &STANDARD.encode(md5)));
        }
        if let (Some(expected), Some(sha256)) = (&claims.sha256, self.sha256) {
            let computed = hex::encode(sha256.finalize());
            if !expected.eq_ignore_ascii_case(&computed) {
                return Err(error::bad_sha256(expected, &computed));
            }
        }
        let claimed = self.claimed.map(Hasher::finish);
        if let Some(checksum) = &claimed {
            hold_checksum(checksum, claims.checksum, claims.trailer)?;
        }
        let kept = self.kept.map(Hasher::finish).or(claimed);
        let kept = kept.unwrap_or_else(|| Hasher::new(Algorithm::Crc64Nvme).finish());
        Ok((hex::encode(md5), kept))
    }
}

fn hold_checksum(
    computed: &Checksum,
    header: Option<String>,
    trailer: Option<Trailer>,
) -> Result<(), ApiError> {
    let name = computed.algorithm.header();
    let Some(value) = header.or_else(|| trailer.and_then(|look_up| look_up(name))) else {
        return Ok(());
    };
    if !computed.algorithm.accepts(&value) {
        return Err(error::invalid_checksum(name));
    }
    if value != computed.value {
        return Err(error::bad_checksum(computed.algorithm.name()));
    }
    Ok(())
}

/// Refuses claims that no bytes could fulfil.
fn check_claims(claims: &Claims) -> Result<(), ApiError> {
    if let Some(md5) = &claims.md5
        && !STANDARD.decode(md5).is_ok_and(|bytes| bytes.len() == 16)
    {
        return Err(error::invalid_md5(md5));
    }
    if let (Some(algorithm), Some(value)) = (claims.algorithm, &claims.checksum)
        && !algorithm.accepts(value)
    {
        return Err(error::invalid_checksum(algorithm.header()));
    }
    let max = claims.max.unwrap_or(limits::S3_PUT_BYTES_MAX);
    match claims.length {
        Some(length) if length > max => Err(error::entity_too_large(length, max)),
        _ => Ok(()),
    }
}

/// Takes a body in and holds the client's claims against it.
pub async fn receive(
    flow: &Flow,
    body: impl Stream<Item = Result<Bytes, ApiError>> + Send,
    claims: Claims,
) -> Result<Received, ApiError> {
    check_claims(&claims)?;
    let max = claims.max.unwrap_or(limits::S3_PUT_BYTES_MAX);
    let mut body = std::pin::pin!(body);
    let mut hashes = Hashes::new(&claims);
    let mut sink = Sink::default();
    let mut size = 0_u64;
    while let Some(bytes) = body.next().await.transpose()? {
        size = size.saturating_add(bytes.len() as u64);
        if size > max {
            return Err(error::entity_too_large(size, max));
        }
        hashes.update(&bytes);
        sink.write(flow, bytes).await?;
    }
    if claims.length.is_some_and(|length| length != size) {
        return Err(error::incomplete_body());
    }
    let (md5, checksum) = hashes.finish(claims)?;
    let bytes = sink.finish().await?;
    Ok(Received {
        size,
        md5,
        checksum,
        bytes,
    })
}

/// Bytes in memory up to the inline limit, in a content beyond.
#[derive(Default)]
struct Sink {
    chunks: Vec<Bytes>,
    held: usize,
    writer: Option<Box<dyn ContentWriter>>,
}

impl Sink {
    async fn write(&mut self, flow: &Flow, bytes: Bytes) -> Result<(), ApiError> {
        if let Some(writer) = &mut self.writer {
            return Ok(writer.write(bytes).await?);
        }
        self.held += bytes.len();
        self.chunks.push(bytes);
        if self.held as u64 > limits::INLINE_OBJECT_BYTES_MAX {
            let mut writer = flow.contents().create().await?;
            for chunk in self.chunks.drain(..) {
                writer.write(chunk).await?;
            }
            self.writer = Some(writer);
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<ReceivedBytes, ApiError> {
        if let Some(writer) = self.writer {
            return Ok(ReceivedBytes::Content(writer.finish().await?));
        }
        if self.chunks.len() == 1 {
            return Ok(ReceivedBytes::Inline(self.chunks.pop().unwrap_or_default()));
        }
        let mut whole = BytesMut::with_capacity(self.held);
        for chunk in &self.chunks {
            whole.extend_from_slice(chunk);
        }
        Ok(ReceivedBytes::Inline(whole.freeze()))
    }
}
