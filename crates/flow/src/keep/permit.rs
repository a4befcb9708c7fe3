//! Whether a queue or the log groups of an account let EventBridge write to them for a rule: only their policies say so,
//! as on AWS. Never asks an identity policy.

use landfall_core::error::ApiError;
use landfall_core::policy::{PolicyRequest, Principal, allow};
use serde_json::json;

/// The rule that EventBridge writes something for.
#[derive(Debug, Clone, Copy)]
pub struct ForRule<'a> {
    /// ARN of the rule.
    pub arn: &'a str,
    /// Account of the rule.
    pub account: &'a str,
}

/// The one who writes.
pub(super) const SERVICE: &str = "events.amazonaws.com";

impl ForRule<'_> {
    /// Whether the policies together allow one of these services an action on a resource for the rule.
    pub(super) fn may(
        self,
        services: &[&str],
        action: &str,
        resource: &str,
        policies: &[&str],
    ) -> bool {
        let allowed = |service: &&str| {
            let request = PolicyRequest {
                principal: Principal::Service(service),
                action,
                resource,
                context: vec![
                    ("aws:SourceArn", self.arn),
                    ("aws:SourceAccount", self.account),
                    ("aws:SecureTransport", "true"),
                    ("aws:PrincipalIsAWSService", "true"),
                ],
            };
            allow(policies, &request)
        };
        services.iter().any(allowed)
    }

    /// What is answered where the policies do not allow it: what to add to them.
    pub(super) fn refusal(self, whose: &str, actions: &[&str], resource: &str) -> ApiError {
        let rule = self.arn;
        let statement = json!({
            "Effect": "Allow",
            "Principal": {"Service": SERVICE},
            "Action": actions,
            "Resource": resource,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        });
        let message = format!(
            "{whose} does not allow {SERVICE} {} for the rule {rule}; add this statement to it: {statement}",
            actions.join(" and ")
        );
        ApiError::with_status("AccessDenied", 403, message)
    }
}
