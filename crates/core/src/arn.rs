//! Amazon Resource Names: taking them apart and putting them together. Never checks that the resource exists.

use std::fmt;

/// `arn:partition:service:region:account:resource`, split at its first five colons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, …
    pub partition: &'a str,
    /// `events`, `s3`, …
    pub service: &'a str,
    /// Region, empty for global resources.
    pub region: &'a str,
    /// Account, empty for S3.
    pub account: &'a str,
    /// Everything behind the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes an ARN apart; `None` when the text is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let arn = Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        };
        (!arn.partition.is_empty() && !arn.service.is_empty() && !arn.resource.is_empty())
            .then_some(arn)
    }

    /// The part of the resource behind its first `/` or `:`, or the whole of it.
    pub fn resource_name(&self) -> &'a str {
        self.resource
            .split_once(['/', ':'])
            .map_or(self.resource, |(_, name)| name)
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// An ARN of the `aws` partition.
pub fn arn(service: &str, region: &str, account: &str, resource: impl fmt::Display) -> String {
    format!("arn:aws:{service}:{region}:{account}:{resource}")
}
