//! Digest files: what was delivered, hashed, signed, and chained to the digest file before. Never looks into a log file
//! again.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::macros::format_description;

use super::keys;
use super::model::{Chain, LastDigest, SigningKey, Trail};
use super::policy::root;
use crate::drive::Flow;

const STAMP: &[time::format_description::FormatItem<'static>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");
const DAY: &[time::format_description::FormatItem<'static>] =
    format_description!("[year]/[month]/[day]");
const ALGORITHM: &str = "SHA256withRSA";

/// A digest file that is ready to be delivered.
pub(super) struct Digest {
    /// Key.
    pub(super) key: String,
    /// Its text.
    pub(super) text: String,
    /// Metadata of the object.
    pub(super) metadata: [(&'static str, String); 2],
    /// Up to when it lists log files.
    pub(super) until: Timestamp,
    /// What the next one names.
    pub(super) last: LastDigest,
}

/// The day of a key.
pub(super) fn day(at: Timestamp) -> String {
    at.calendar().format(DAY).unwrap_or_default()
}

/// Writes and signs the next digest file of a chain.
pub(super) async fn next(
    flow: &Flow,
    trail: &Trail,
    region: &str,
    chain: &Chain,
) -> Result<Digest, ApiError> {
    let signer = keys::key(flow, &trail.account, &trail.home).await?;
    let until = end(flow.clock().now(), chain.listed_until);
    let key = key_of(trail, region, until);
    let text = text(trail, &key, until, chain, &signer).to_string();
    let hash = hex::encode(Sha256::digest(&text));
    let before = chain.last.as_ref().map_or("null", |last| &last.signature);
    let signed = format!(
        "{}\n{}/{key}\n{hash}\n{before}",
        until.rfc3339_seconds(),
        trail.bucket
    );
    let signature = keys::sign(flow, &signer, signed).await?;
    Ok(Digest {
        metadata: [
            ("signature", signature.clone()),
            ("signature-algorithm", ALGORITHM.to_owned()),
        ],
        last: LastDigest {
            bucket: trail.bucket.clone(),
            key: key.clone(),
            hash,
            signature,
        },
        key,
        text,
        until,
    })
}

/// Names of digest files tell seconds, so two of a chain never end in the same one.
fn end(now: Timestamp, before: Timestamp) -> Timestamp {
    let second = |at: Timestamp| at.0.div_euclid(1_000);
    Timestamp(second(now).max(second(before) + 1) * 1_000)
}

fn key_of(trail: &Trail, region: &str, until: Timestamp) -> String {
    let (account, name, home) = (&trail.account, &trail.name, &trail.home);
    let stamp = until.calendar().format(STAMP).unwrap_or_default();
    format!(
        "{}/CloudTrail-Digest/{region}/{}/{account}_CloudTrail-Digest_{region}_{name}_{home}_{stamp}.json.gz",
        root(trail.prefix.as_deref(), account),
        day(until),
    )
}

fn text(trail: &Trail, key: &str, until: Timestamp, chain: &Chain, signer: &SigningKey) -> Value {
    let last = chain.last.as_ref();
    let seconds = Timestamp::rfc3339_seconds;
    let oldest = chain.files.iter().map(|file| file.events.0).min();
    let newest = chain.files.iter().map(|file| file.events.1).max();
    let files = chain.files.iter().map(|file| {
        json!({
            "s3Bucket": file.bucket,
            "s3Object": file.key,
            "hashValue": file.hash,
            "hashAlgorithm": "SHA-256",
            "newestEventTime": seconds(file.events.1),
            "oldestEventTime": seconds(file.events.0),
        })
    });
    json!({
        "awsAccountId": trail.account,
        "digestStartTime": seconds(chain.listed_until),
        "digestEndTime": seconds(until),
        "digestS3Bucket": trail.bucket,
        "digestS3Object": key,
        "digestPublicKeyFingerprint": signer.fingerprint,
        "digestSignatureAlgorithm": ALGORITHM,
        "newestEventTime": newest.map(seconds),
        "oldestEventTime": oldest.map(seconds),
        "previousDigestS3Bucket": last.map(|last| &last.bucket),
        "previousDigestS3Object": last.map(|last| &last.key),
        "previousDigestHashValue": last.map(|last| &last.hash),
        "previousDigestHashAlgorithm": last.map(|_| "SHA-256"),
        "previousDigestSignature": last.map(|last| &last.signature),
        "logFiles": files.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_ends_after_the_one_before() {
        for (now, before, expected) in [
            (5_700, 3_000, 5_000),
            (5_700, 5_000, 6_000),
            (0, 9_999, 10_000),
        ] {
            assert_eq!(end(Timestamp(now), Timestamp(before)), Timestamp(expected));
        }
    }
}
