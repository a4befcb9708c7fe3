//! Who calls, from where, and in which account and region. Never holds a secret.

use serde::{Deserialize, Serialize};

use crate::arn::{Arn, arn};
use crate::clock::Timestamp;

/// Who a caller is, as far as it is known. Landfall keeps no users: long-lived keys are those of the account's root.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Identity {
    /// The account's root user.
    #[default]
    Root,
    /// Somebody who has assumed a role.
    Role(RoleSession),
    /// A service of AWS, on its own behalf.
    Service,
}

/// A role that somebody has assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSession {
    /// ARN of the role.
    pub role_arn: String,
    /// Its unique id, `AROA…`.
    pub role_id: String,
    /// Name of the session.
    pub name: String,
    /// When it was assumed.
    pub created: Timestamp,
}

impl RoleSession {
    /// The role's name, without its path.
    pub fn role_name(&self) -> &str {
        let role = &self.role_arn;
        role.rsplit('/').next().unwrap_or(role)
    }

    /// Account of the role.
    pub fn account(&self) -> &str {
        Arn::parse(&self.role_arn).map_or("", |it| it.account)
    }

    /// ARN of the session.
    pub fn arn(&self) -> String {
        let session = format!("assumed-role/{}/{}", self.role_name(), self.name);
        arn("sts", "", self.account(), session)
    }

    /// What identifies the session as a principal.
    pub fn principal_id(&self) -> String {
        format!("{}:{}", self.role_id, self.name)
    }
}

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
    /// Who it is.
    pub identity: Identity,
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
            identity: Identity::Service,
        }
    }

    /// The service that calls on somebody's behalf, or on its own.
    pub fn invoked_by(&self) -> Option<&str> {
        Some(self.source_ip.as_str()).filter(|it| it.ends_with(".amazonaws.com"))
    }

    /// The ARN of who calls.
    pub fn arn(&self) -> String {
        match &self.identity {
            Identity::Root => arn("iam", "", &self.account, "root"),
            Identity::Role(session) => session.arn(),
            Identity::Service => String::new(),
        }
    }
}

/// What the access key ids of sessions begin with, as at AWS.
pub const SESSION_PREFIX: &str = "ASIA";
const ACCOUNT_DIGITS: usize = 12;

/// The access key id of a session: `ASIA`, the 12 digits of the account, and what was drawn.
pub fn session_key_id(account: &str, drawn: &str) -> String {
    format!("{SESSION_PREFIX}{account}{drawn}")
}

/// The account that an access key id stands for: the id itself when it is a 12-digit account number, the account in
/// the id of a session (see [`session_key_id`]), [`DEFAULT_ACCOUNT`] for every other.
pub fn account_of(access_key_id: &str) -> &str {
    let is_account = |text: &&str| {
        text.len() == ACCOUNT_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let in_session = access_key_id
        .strip_prefix(SESSION_PREFIX)
        .and_then(|rest| rest.get(..ACCOUNT_DIGITS));
    Some(access_key_id)
        .filter(is_account)
        .or(in_session.filter(is_account))
        .unwrap_or(DEFAULT_ACCOUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_after_its_role_without_the_path() {
        let session = RoleSession {
            role_arn: "arn:aws:iam::123456789012:role/batch/worker".to_owned(),
            role_id: "AROA1".to_owned(),
            name: "me".to_owned(),
            created: Timestamp(0),
        };
        let arn = "arn:aws:sts::123456789012:assumed-role/worker/me";
        assert_eq!(session.arn(), arn);
        assert_eq!(session.principal_id(), "AROA1:me");
    }

    #[test]
    fn an_access_key_id_tells_its_account() {
        let session = session_key_id("123456789012", "ABCD");
        assert_eq!(session.len(), 20);
        let cases = [
            ("123456789012", "123456789012"),
            (session.as_str(), "123456789012"),
            ("ASIAIOSFODNN7EXAMPLE", DEFAULT_ACCOUNT),
            ("ASIA12345", DEFAULT_ACCOUNT),
            ("1234567890123", DEFAULT_ACCOUNT),
            ("test", DEFAULT_ACCOUNT),
            ("", DEFAULT_ACCOUNT),
        ];
        for (key, account) in cases {
            assert_eq!(account_of(key), account, "{key}");
        }
    }
}
