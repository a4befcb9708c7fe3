//! Names of parameters: what they may look like, and how requests point at one. Never looks whether one exists.

use landfall_core::arn::Arn;
use landfall_core::error::ApiError;
use landfall_core::limits;

/// What a request points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selected {
    /// Account of an ARN.
    pub account: Option<String>,
    /// Region of an ARN.
    pub region: Option<String>,
    /// The name; two candidates for an ARN, which does not tell `/name` from `name`.
    pub names: Vec<String>,
    /// Which version.
    pub selector: Option<Selector>,
}

/// What stands behind the colon of `name:selector`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selector {
    Version(u64),
    Label(String),
}

impl Selector {
    /// As answers repeat it.
    pub fn text(&self) -> String {
        match self {
            Self::Version(version) => format!(":{version}"),
            Self::Label(label) => format!(":{label}"),
        }
    }
}

impl Selected {
    /// Reads a name or an ARN, each with or without a selector.
    pub fn parse(text: &str) -> Self {
        match Arn::parse(text).filter(|arn| arn.service == "ssm") {
            Some(arn) => {
                let path = arn
                    .resource
                    .strip_prefix("parameter")
                    .unwrap_or(arn.resource);
                let (path, selector) = split(path);
                let bare = path.trim_start_matches('/');
                Self {
                    account: Some(arn.account.to_owned()),
                    region: Some(arn.region.to_owned()),
                    names: vec![format!("/{bare}"), bare.to_owned()],
                    selector,
                }
            }
            None => {
                let (name, selector) = split(text);
                Self {
                    account: None,
                    region: None,
                    names: vec![name.to_owned()],
                    selector,
                }
            }
        }
    }
}

/// Refuses names that AWS refuses.
pub(super) fn check(name: &str) -> Result<(), ApiError> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-/".contains(&b);
    let lower = name.trim_start_matches('/').to_ascii_lowercase();
    if lower.starts_with("aws") && lower.split('/').next() == Some("aws") {
        let text = format!("No access to reserved parameter name: {name}.");
        return Err(ApiError::client("AccessDeniedException", text));
    }
    if !name.bytes().all(is_plain)
        || name.len() > limits::SSM_NAME_CHARS_MAX
        || lower.starts_with("ssm")
        || name.ends_with('/')
        || name.contains("//")
    {
        return Err(ApiError::validation(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of \
             sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the \
             following 3 symbols .-_",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(ApiError::validation(
            "Parameter name must be a fully qualified name.",
        ));
    }
    if name.matches('/').count() > limits::SSM_NAME_LEVELS_MAX {
        let text = format!(
            "The hierarchy of a parameter name can have at most {} levels.",
            limits::SSM_NAME_LEVELS_MAX
        );
        return Err(ApiError::client(
            "HierarchyLevelLimitExceededException",
            text,
        ));
    }
    Ok(())
}

fn split(text: &str) -> (&str, Option<Selector>) {
    let Some((name, selector)) = text.split_once(':') else {
        return (text, None);
    };
    let selector = match selector.parse() {
        Ok(version) => Selector::Version(version),
        Err(_) => Selector::Label(selector.to_owned()),
    };
    (name, Some(selector))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_with_selectors_are_read() {
        let plain = Selected::parse("/a/b:3");
        assert_eq!(plain.names, ["/a/b"]);
        assert_eq!(plain.selector, Some(Selector::Version(3)));
        let labelled = Selected::parse("a:prod");
        assert_eq!(labelled.selector, Some(Selector::Label("prod".to_owned())));
        let arn = Selected::parse("arn:aws:ssm:eu-west-1:123456789012:parameter/a/b:7");
        assert_eq!(arn.names, ["/a/b", "a/b"]);
        assert_eq!(arn.region.as_deref(), Some("eu-west-1"));
        assert_eq!(arn.selector, Some(Selector::Version(7)));
    }

    #[test]
    fn bad_names_are_refused_with_the_right_code() {
        let table = [
            ("plain", None),
            ("/cdk-bootstrap/hnb659fds/version", None),
            ("/awsome/x", None),
            ("/aws/x", Some("AccessDeniedException")),
            ("aws", Some("AccessDeniedException")),
            ("/ssm/x", Some("ValidationException")),
            ("a b", Some("ValidationException")),
            ("a/b", Some("ValidationException")),
            ("/a/", Some("ValidationException")),
            ("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15", None),
            (
                "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16",
                Some("HierarchyLevelLimitExceededException"),
            ),
        ];
        for (name, code) in table {
            let found = check(name).err().map(|e| e.code.into_owned());
            assert_eq!(found.as_deref(), code, "{name}");
        }
    }
}
