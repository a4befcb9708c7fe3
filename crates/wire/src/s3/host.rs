//! Finds the bucket in the `Host` header: `bucket.localhost`, `bucket.s3.<anything>`, `bucket.s3-region.amazonaws.com`
//! and their like. Every other host is path style. Never refuses a host.

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// The rule by which hosts name buckets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hosts;

/// The bucket that a host names, if it names one.
pub(super) fn bucket_of(host: &str) -> Option<&str> {
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    if name.parse::<std::net::IpAddr>().is_ok() || name.starts_with('[') {
        return None;
    }
    let service = name
        .match_indices(".s3")
        .find(|(at, _)| matches!(name.as_bytes().get(at + 3), Some(b'.' | b'-')));
    let bucket = match service {
        Some((at, _)) => name.get(..at),
        None => name.strip_suffix(".localhost"),
    };
    bucket.filter(|b| !b.is_empty() && *b != "s3" && !b.starts_with("s3."))
}

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let plain = VirtualHost::new(host);
        Ok(match bucket_of(host) {
            Some(bucket) => plain.with_bucket(bucket),
            None => plain,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::bucket_of;

    #[test]
    fn hosts() {
        for (host, bucket) in [
            ("127.0.0.1:4566", None),
            ("[::1]:4566", None),
            ("localhost:4566", None),
            ("s3.localhost:4566", None),
            ("s3.amazonaws.com", None),
            ("s3.eu-west-1.amazonaws.com", None),
            ("landfall:4566", None),
            ("host.docker.internal:4566", None),
            ("b.localhost:4566", Some("b")),
            ("my.bucket.localhost", Some("my.bucket")),
            ("b.s3.localhost:4566", Some("b")),
            ("b.s3.localhost.localstack.cloud:4566", Some("b")),
            ("b.s3.amazonaws.com", Some("b")),
            ("b.s3.eu-west-1.amazonaws.com", Some("b")),
            ("b.s3-eu-west-1.amazonaws.com", Some("b")),
            ("a.s3x.s3.us-east-1.amazonaws.com", Some("a.s3x")),
        ] {
            assert_eq!(bucket_of(host), bucket, "{host}");
        }
    }
}
