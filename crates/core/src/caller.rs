//! Who calls, from where, and in which account and region. Never holds a secret.

/// The caller of one API operation, as the wire found it or as an internal actor states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// 12-digit account id.
    pub account: String,
    /// Region, such as `us-east-1`.
    pub region: String,
    /// The id the answer carries (`x-amz-request-id`, `x-amzn-RequestId`).
    pub request_id: String,
    /// Access key id of the signature; empty when the request was not signed.
    pub access_key_id: String,
    /// The caller's address as text, or a service name for internal callers.
    pub source_ip: String,
    /// The `User-Agent` header, or the service name for internal callers.
    pub user_agent: String,
}

/// Account used when the access key id is not a 12-digit account number.
pub const DEFAULT_ACCOUNT: &str = "000000000000";
/// Region used when no credential scope names one.
pub const DEFAULT_REGION: &str = "us-east-1";

impl Caller {
    /// An internal caller: `service` is a service principal such as `events.amazonaws.com`.
    pub fn service(service: &str, account: &str, region: &str, request_id: String) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            request_id,
            access_key_id: String::new(),
            source_ip: service.to_owned(),
            user_agent: service.to_owned(),
        }
    }
}
