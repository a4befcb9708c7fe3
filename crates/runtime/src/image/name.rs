//! Image references: one spelling for every way to write the same image. Never looks anything up.

use std::fmt;

/// A reference taken apart, with the defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// Registry host, with its port when given.
    pub registry: String,
    /// Path within the registry.
    pub repository: String,
    /// Tag; present unless a digest is.
    pub tag: Option<String>,
    /// `sha256:…`, when given.
    pub digest: Option<String>,
}

const DEFAULT_REGISTRY: &str = "docker.io";

impl ImageName {
    /// Takes a reference apart; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return None,
            None => (text, None),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        let (registry, repository) = split_registry(path);
        let valid = is_registry(&registry) && is_repository(&repository) && tag.is_none_or(is_tag);
        let tag = match (&digest, tag) {
            (Some(_), _) => None,
            (None, tag) => Some(tag.unwrap_or("latest").to_owned()),
        };
        valid.then_some(Self {
            registry,
            repository,
            tag,
            digest,
        })
    }

    /// The spelling people use: without Docker Hub's registry and its `library/`.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let short = full.strip_prefix("docker.io/").unwrap_or(&full);
        short.strip_prefix("library/").unwrap_or(short).to_owned()
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn split_registry(path: &str) -> (String, String) {
    let (registry, repository) = match path.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (DEFAULT_REGISTRY, path),
    };
    let registry = if registry == "index.docker.io" {
        DEFAULT_REGISTRY
    } else {
        registry
    };
    if registry == DEFAULT_REGISTRY && !repository.contains('/') {
        return (registry.to_owned(), format!("library/{repository}"));
    }
    (registry.to_owned(), repository.to_owned())
}

/// Whether a text is `sha256:` and 64 lower-case hex digits.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn is_registry(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-'))
}

fn is_repository(text: &str) -> bool {
    !text.is_empty()
        && text.split('/').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
                && part.starts_with(|c: char| c.is_ascii_alphanumeric())
        })
}

fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && !text.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_image_has_one_name() {
        let cases = [
            ("app", "docker.io/library/app:latest"),
            ("app:latest", "docker.io/library/app:latest"),
            ("library/app", "docker.io/library/app:latest"),
            (
                "docker.io/library/app:latest",
                "docker.io/library/app:latest",
            ),
            ("index.docker.io/app", "docker.io/library/app:latest"),
            ("team/app:1.2", "docker.io/team/app:1.2"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app", "localhost:5000/app:latest"),
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:v1",
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:v1",
            ),
        ];
        for (text, name) in cases {
            assert_eq!(ImageName::parse(text).unwrap().to_string(), name, "{text}");
        }
        let digest = format!("sha256:{}", "ab".repeat(32));
        let pinned = ImageName::parse(&format!("app:1@{digest}")).unwrap();
        assert_eq!(
            pinned.to_string(),
            format!("docker.io/library/app@{digest}")
        );
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "App",
            "app:",
            "a//b",
            "app@sha256:12",
            "app:-x",
            "../app",
            "/app",
            "a b",
        ] {
            assert_eq!(ImageName::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn familiar_names_leave_out_the_defaults() {
        assert_eq!(ImageName::parse("app").unwrap().familiar(), "app:latest");
        assert_eq!(
            ImageName::parse("team/app").unwrap().familiar(),
            "team/app:latest"
        );
        assert_eq!(
            ImageName::parse("localhost/app").unwrap().familiar(),
            "localhost/app:latest"
        );
    }
}
