//! Who signed a request, and whether the signature is right: AWS Signature Version 4 in the header and presigned, and
//! what can be read of version 2; and how our own commands sign. Never reads a body: its hash comes in.

use std::collections::HashMap;

use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, DATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use landfall_core::clock::Timestamp;
use landfall_core::limits::{PRESIGNED_SECONDS_MAX, SIGNATURE_SKEW_SECONDS_MAX};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest, Sha256};
use time::PrimitiveDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// The hash of a body that is not signed, because it is streamed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
const BASIC_DATE: &[FormatItem<'static>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");
/// Everything but the characters that AWS leaves as they are.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Access keys and their secrets. Without any, every signature is accepted.
#[derive(Clone, Default)]
pub struct Credentials(HashMap<String, String>);

impl Credentials {
    /// Pairs of access key id and secret.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// Whether signatures are checked at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The secret of an access key.
    pub fn secret(&self, access_key_id: &str) -> Option<&str> {
        self.0.get(access_key_id).map(String::as_str)
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({} keys)", self.0.len())
    }
}

/// Why a request is not believed. How it is worded depends on the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No signature at all.
    #[error("Missing Authentication Token")]
    Missing,
    /// A signature that cannot be read.
    #[error("{0}")]
    Incomplete(&'static str),
    /// No such access key.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// A session whose time is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// Signed too long ago or too far ahead.
    #[error("Signature expired: {signed} is not within 15 minutes of {now}")]
    Expired {
        /// When it was signed, as the request says it.
        signed: String,
        /// When it arrived.
        now: String,
    },
    /// A presigned request whose time is over.
    #[error("Request has expired")]
    PresignedExpired,
    /// The signature is another.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

/// What a request claims about its signer, unverified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claim {
    /// Access key id; empty when the request is not signed.
    pub access_key_id: String,
    /// Region of the credential scope.
    pub region: Option<String>,
    /// Service of the credential scope, such as `s3`.
    pub service: Option<String>,
    /// Whether the signature stands in the query.
    pub presigned: bool,
}

impl Claim {
    /// Reads the claim of a request: `Authorization`, `X-Amz-Credential` or version 2's `AWSAccessKeyId`.
    pub fn of(headers: &HeaderMap, query: &str) -> Self {
        if let Some(header) = text(headers, &AUTHORIZATION) {
            if let Some(rest) = header.strip_prefix("AWS ") {
                let key = rest.split(':').next().unwrap_or_default().trim();
                return Self {
                    access_key_id: key.to_owned(),
                    ..Self::default()
                };
            }
            let credential = header_field(header, "Credential").unwrap_or_default();
            return Self::from_scope(credential, false);
        }
        if let Some(scope) = query_value(query, "X-Amz-Credential") {
            return Self::from_scope(&scope, true);
        }
        match query_value(query, "AWSAccessKeyId") {
            Some(access_key_id) => Self {
                access_key_id,
                presigned: true,
                ..Self::default()
            },
            None => Self::default(),
        }
    }

    /// `key/20261112/us-east-1/s3/aws4_request`; version 4a has no region.
    fn from_scope(scope: &str, presigned: bool) -> Self {
        let mut parts = scope.rsplit('/');
        let _terminator = parts.next();
        let service = parts.next().map(str::to_owned);
        let region = parts
            .next()
            .filter(|part| !is_date(part))
            .map(str::to_owned);
        let access_key_id = scope.split('/').next().unwrap_or_default().to_owned();
        Self {
            access_key_id,
            region,
            service,
            presigned,
        }
    }
}

fn is_date(part: &str) -> bool {
    part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit())
}

/// Everything of a request that is signed, and the signature.
struct Signed<'a> {
    access_key_id: String,
    scope: String,
    date: String,
    region: String,
    service: String,
    headers: Vec<String>,
    signature: String,
    /// As the request spells it, for the string to sign.
    signed_at: String,
    query: &'a str,
    /// Seconds that a presigned request lives.
    expires: Option<i64>,
}

/// Checks a version 4 signature. `payload_sha256` is the lower-case hash of the body, or what `x-amz-content-sha256`
/// says when the body is checked elsewhere.
pub fn verify(
    parts: &Parts,
    payload_sha256: &str,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<(), Error> {
    if credentials.is_empty() {
        return Ok(());
    }
    let signed = Signed::of(parts)?;
    let secret = credentials
        .secret(&signed.access_key_id)
        .ok_or(Error::UnknownKey)?;
    signed.fresh(now)?;
    let asked = (&parts.method, &parts.uri, &parts.headers);
    let to_sign = signed.to_sign(asked, payload_sha256)?;
    let key = signing_key(secret, &signed.date, &signed.region, &signed.service);
    let given = hex::decode(&signed.signature).map_err(|_| Error::Mismatch)?;
    mac(&key)
        .chain_update(to_sign)
        .verify_slice(&given)
        .map_err(|_| Error::Mismatch)
}

impl<'a> Signed<'a> {
    fn of(parts: &'a Parts) -> Result<Self, Error> {
        let query = parts.uri.query().unwrap_or_default();
        if let Some(header) = text(&parts.headers, &AUTHORIZATION) {
            let Some(fields) = header.strip_prefix(ALGORITHM) else {
                return Err(Error::Incomplete("Unsupported signing algorithm"));
            };
            let at = text(&parts.headers, &AMZ_DATE)
                .or_else(|| text(&parts.headers, &DATE))
                .ok_or(Error::Incomplete(
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
                ))?;
            let field =
                |name, missing| header_field(fields, name).ok_or(Error::Incomplete(missing));
            return Self::new(
                field(
                    "Credential",
                    "Authorization header requires 'Credential' parameter.",
                )?,
                field(
                    "SignedHeaders",
                    "Authorization header requires 'SignedHeaders' parameter.",
                )?,
                field(
                    "Signature",
                    "Authorization header requires 'Signature' parameter.",
                )?,
                at,
                query,
                None,
            );
        }
        let value = |name| query_value(query, name);
        if value("X-Amz-Algorithm").is_none() {
            return Err(match value("AWSAccessKeyId") {
                Some(_) => Error::Incomplete("Unsupported signing algorithm"),
                None => Error::Missing,
            });
        }
        let expires = value("X-Amz-Expires").and_then(|text| text.parse().ok());
        let expires = expires.filter(|seconds| (0..=PRESIGNED_SECONDS_MAX).contains(seconds));
        let all = (
            value("X-Amz-Credential"),
            value("X-Amz-SignedHeaders"),
            value("X-Amz-Signature"),
        );
        match (all, value("X-Amz-Date"), expires) {
            ((Some(scope), Some(headers), Some(signature)), Some(at), Some(expires)) => {
                Self::new(&scope, &headers, &signature, &at, query, Some(expires))
            }
            _ => Err(Error::Incomplete(
                "Query-string authentication parameters are incomplete",
            )),
        }
    }

    fn new(
        credential: &str,
        headers: &str,
        signature: &str,
        at: &str,
        query: &'a str,
        expires: Option<i64>,
    ) -> Result<Self, Error> {
        let refused = Error::Incomplete(
            "Credential must have five parts: key/date/region/service/aws4_request",
        );
        // Access key ids hold no slash, so five parts are five.
        let parts: Vec<&str> = credential.split('/').collect();
        let [key, date, region, service, "aws4_request"] = parts.as_slice() else {
            return Err(refused);
        };
        Ok(Self {
            access_key_id: (*key).to_owned(),
            scope: format!("{date}/{region}/{service}/aws4_request"),
            date: (*date).to_owned(),
            region: (*region).to_owned(),
            service: (*service).to_owned(),
            headers: headers.split(';').map(str::to_ascii_lowercase).collect(),
            signature: signature.to_owned(),
            signed_at: at.to_owned(),
            query,
            expires,
        })
    }

    fn fresh(&self, now: Timestamp) -> Result<(), Error> {
        let at = PrimitiveDateTime::parse(&self.signed_at, BASIC_DATE)
            .map_err(|_| Error::Incomplete("Date must be in ISO-8601 'basic format'"))?;
        if !self.signed_at.starts_with(&self.date) {
            return Err(Error::Incomplete(
                "Date in Credential scope does not match the request's",
            ));
        }
        let age = now.0.div_euclid(1000) - at.assume_utc().unix_timestamp();
        let skewed = || Error::Expired {
            signed: self.signed_at.clone(),
            now: now.calendar().format(BASIC_DATE).unwrap_or_default(),
        };
        match self.expires {
            _ if age < -SIGNATURE_SKEW_SECONDS_MAX => Err(skewed()),
            Some(expires) if age > expires => Err(Error::PresignedExpired),
            None if age > SIGNATURE_SKEW_SECONDS_MAX => Err(skewed()),
            _ => Ok(()),
        }
    }

    fn to_sign(
        &self,
        (method, uri, all): (&Method, &Uri, &HeaderMap),
        payload_sha256: &str,
    ) -> Result<String, Error> {
        if !self.headers.iter().any(|name| name == "host") {
            return Err(Error::Incomplete("'Host' must be a signed header"));
        }
        let mut headers = String::new();
        for name in &self.headers {
            let values: Vec<String> = all
                .get_all(name)
                .iter()
                .map(|v| collapse(v.as_bytes()))
                .collect();
            headers.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        let canonical = format!(
            "{method}\n{}\n{}\n{headers}\n{}\n{payload_sha256}",
            self.path(uri.path()),
            canonical_query(self.query),
            self.headers.join(";"),
        );
        Ok(format!(
            "{ALGORITHM}\n{}\n{}\n{}",
            self.signed_at,
            self.scope,
            hex::encode(Sha256::digest(canonical))
        ))
    }

    /// S3 signs the path as it is sent, everyone else encodes it once more.
    fn path(&self, sent: &str) -> String {
        let path = if self.service == "s3" {
            percent_decode_str(sent).collect::<Vec<u8>>()
        } else {
            sent.as_bytes().to_vec()
        };
        let segment = |bytes: &[u8]| percent_encode(bytes, ESCAPED).to_string();
        path.split(|b| *b == b'/')
            .map(segment)
            .collect::<Vec<_>>()
            .join("/")
    }
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| {
        let bytes: Vec<u8> = percent_decode_str(text).collect();
        percent_encode(&bytes, ESCAPED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(name), encode(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    pairs
        .iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect::<Vec<_>>()
        .join("&")
}

fn collapse(value: &[u8]) -> String {
    String::from_utf8_lossy(value)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    // An HMAC key may have any length; the empty one stands in for a case that does not exist.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> Vec<u8> {
    let first = format!("AWS4{secret}").into_bytes();
    [date, region, service, "aws4_request"]
        .iter()
        .fold(first, |key, part| {
            mac(&key)
                .chain_update(part.as_bytes())
                .finalize()
                .into_bytes()
                .to_vec()
        })
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `Name=value` out of a comma-separated header.
fn header_field<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    header
        .split([',', ' '])
        .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
}

/// A decoded value out of a query; `None` as well when it is not UTF-8.
pub(crate) fn query_value(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode_str(key).decode_utf8().ok()? == name).then_some(value)
    })?;
    percent_decode_str(&value.replace('+', " "))
        .decode_utf8()
        .ok()
        .map(|v| v.into_owned())
}

/// Signs a request with the pair of access key id and secret, for a scope of region and service: sets `x-amz-date` and
/// `Authorization`. Every header that it has by then is signed; it must have `host`.
pub fn sign<B>(
    request: &mut http::Request<B>,
    payload_sha256: &str,
    key: (&str, &str),
    scope: (&str, &str),
    now: Timestamp,
) -> Result<(), Error> {
    let unreadable = |_| Error::Incomplete("a header cannot be written");
    let at = now.calendar().format(BASIC_DATE).unwrap_or_default();
    let (date, _) = at.split_once('T').unwrap_or_default();
    let value = HeaderValue::from_str(&at).map_err(unreadable)?;
    request.headers_mut().insert(AMZ_DATE, value);
    let credential = format!("{}/{date}/{}/{}/aws4_request", key.0, scope.0, scope.1);
    let mut names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let names = names.join(";");
    let query = request.uri().query().unwrap_or_default();
    let signed = Signed::new(&credential, &names, "", &at, query, None)?;
    let asked = (request.method(), request.uri(), request.headers());
    let to_sign = signed.to_sign(asked, payload_sha256)?;
    let keyed = mac(&signing_key(key.1, date, scope.0, scope.1));
    let signature = keyed.chain_update(to_sign).finalize().into_bytes();
    let header = format!(
        "{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={}",
        hex::encode(signature)
    );
    let header = HeaderValue::from_str(&header).map_err(unreadable)?;
    request.headers_mut().insert(AUTHORIZATION, header);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const KEY: &str = "AKIDEXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn credentials() -> Credentials {
        Credentials::new([(KEY.to_owned(), SECRET.to_owned())])
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// The first case of AWS's published test suite of Signature Version 4 (`get-vanilla`).
    #[test]
    fn the_published_vanilla_case_verifies() {
        let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={KEY}/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        let headers = [
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
            ("authorization", authorization.as_str()),
        ];
        let now = at("2015-08-30T12:40:00Z");
        assert_eq!(
            verify(&parts("/", &headers), EMPTY, &credentials(), now),
            Ok(())
        );
        let other = verify(&parts("/?a=b", &headers), EMPTY, &credentials(), now);
        assert_eq!(other, Err(Error::Mismatch));
        let late = at("2015-08-30T12:52:00Z");
        assert!(matches!(
            verify(&parts("/", &headers), EMPTY, &credentials(), late),
            Err(Error::Expired { .. })
        ));
        let early = at("2015-08-30T12:20:00Z");
        assert!(verify(&parts("/", &headers), EMPTY, &credentials(), early).is_err());
        let strangers = Credentials::new([("other".to_owned(), SECRET.to_owned())]);
        let unknown = verify(&parts("/", &headers), EMPTY, &strangers, now);
        assert_eq!(unknown, Err(Error::UnknownKey));
        assert_eq!(
            verify(&parts("/", &[]), EMPTY, &Credentials::default(), now),
            Ok(())
        );
        assert_eq!(
            verify(&parts("/", &[]), EMPTY, &credentials(), now),
            Err(Error::Missing)
        );
    }

    /// The presigned example of the S3 documentation.
    #[test]
    fn the_published_presigned_case_verifies() {
        let uri = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
                   &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
                   &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        let known = Credentials::new([(
            "AKIAIOSFODNN7EXAMPLE".to_owned(),
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        )]);
        let parts = parts(uri, &[("host", "examplebucket.s3.amazonaws.com")]);
        let check = |now| verify(&parts, "UNSIGNED-PAYLOAD", &known, at(now));
        assert_eq!(check("2013-05-24T23:59:59Z"), Ok(()));
        assert_eq!(check("2013-05-25T00:00:01Z"), Err(Error::PresignedExpired));
        let claim = Claim::of(&parts.headers, parts.uri.query().unwrap());
        assert_eq!(claim.access_key_id, "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(
            (claim.service.as_deref(), claim.presigned),
            (Some("s3"), true)
        );
    }

    #[test]
    fn claims_are_read_from_every_spelling() {
        let claim = |authorization: &str, query: &str| {
            let mut headers = HeaderMap::new();
            if !authorization.is_empty() {
                headers.insert(AUTHORIZATION, authorization.parse().unwrap());
            }
            let claim = Claim::of(&headers, query);
            (
                claim.access_key_id,
                claim.region.unwrap_or_default(),
                claim.service.unwrap_or_default(),
            )
        };
        let of = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        let v4 = "AWS4-HMAC-SHA256 Credential=123456789012/20261112/eu-west-1/events/aws4_request,SignedHeaders=host,Signature=0";
        assert_eq!(claim(v4, ""), of("123456789012", "eu-west-1", "events"));
        let v4a = "AWS4-ECDSA-P256-SHA256 Credential=k/20261112/s3/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(claim(v4a, ""), of("k", "", "s3"));
        assert_eq!(claim("AWS key:c2ln", ""), of("key", "", ""));
        assert_eq!(
            claim("", "AWSAccessKeyId=key&Signature=s&Expires=1"),
            of("key", "", "")
        );
        assert_eq!(claim("", ""), of("", "", ""));
        for junk in [
            "Bearer x",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=",
            "AWS4-HMAC-SHA256 Credential=////////",
        ] {
            claim(junk, "X-Amz-Credential=%ff");
        }
    }

    #[test]
    fn an_unreadable_signature_is_incomplete() {
        let check = |uri: &str, authorization: Option<&str>, date: &str| {
            let mut headers = vec![("host", "h"), ("x-amz-date", date)];
            headers.extend(authorization.map(|value| ("authorization", value)));
            verify(
                &parts(uri, &headers),
                EMPTY,
                &credentials(),
                at("2026-11-12T00:00:00Z"),
            )
        };
        let good = format!(
            "AWS4-HMAC-SHA256 Credential={KEY}/20261112/r/s/aws4_request, SignedHeaders=host, Signature=zz"
        );
        assert_eq!(
            check("/", Some(&good), "20261112T000000Z"),
            Err(Error::Mismatch)
        );
        assert!(matches!(
            check("/", Some(&good), "yesterday"),
            Err(Error::Incomplete(_))
        ));
        assert!(matches!(
            check("/", Some(&good), "20261111T235900Z"),
            Err(Error::Incomplete(_))
        ));
        let hostless = good.replace("=host", "=x-amz-date");
        assert!(matches!(
            check("/", Some(&hostless), "20261112T000000Z"),
            Err(Error::Incomplete(_))
        ));
        assert!(matches!(
            check("/", Some("AWS k:s"), "20261112T000000Z"),
            Err(Error::Incomplete(_))
        ));
        let half = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=9999999999";
        assert!(matches!(
            check(half, None, "20261112T000000Z"),
            Err(Error::Incomplete(_))
        ));
    }

    #[test]
    fn what_we_sign_we_believe() {
        let mut request = http::Request::get("/a%20b/c?z=1&a=%2F&flag")
            .header("host", "127.0.0.1:4566")
            .body(())
            .unwrap();
        let now = at("2026-11-12T00:00:00Z");
        let scope = ("us-east-1", "events");
        sign(&mut request, EMPTY, (KEY, SECRET), scope, now).unwrap();
        let parts = request.into_parts().0;
        let now = at("2026-11-12T00:00:01Z");
        assert_eq!(verify(&parts, EMPTY, &credentials(), now), Ok(()));
        let other = hex::encode(Sha256::digest(b"x"));
        assert_eq!(
            verify(&parts, &other, &credentials(), now),
            Err(Error::Mismatch)
        );
    }
}
