//! What an image says about running it: the part of its config that a start needs. Never reads a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How an image wants to be run. Every member may be overridden by the container that runs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// The executable and its first arguments.
    pub entrypoint: Vec<String>,
    /// Further arguments, or the command when there is no entry point.
    pub cmd: Vec<String>,
    /// `NAME=value`, in order.
    pub env: Vec<String>,
    /// Absolute working directory; empty means `/`.
    pub workdir: String,
    /// `uid`, `uid:gid`, `name` or `name:group`; empty means root.
    pub user: String,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// The signal that asks it to end, such as `SIGINT` or `2`; empty means SIGTERM.
    pub stop_signal: String,
}

/// The config file of an image as docker and OCI write it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ConfigFile {
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) config: Option<ConfigSection>,
    pub(crate) rootfs: RootFs,
}

/// The layers of an image, uncompressed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct RootFs {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) diff_ids: Vec<String>,
}

/// The `config` member of a config file; its members are null as often as absent.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ConfigSection {
    pub(crate) user: Option<String>,
    pub(crate) env: Option<Vec<String>>,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) cmd: Option<Vec<String>>,
    pub(crate) working_dir: Option<String>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) stop_signal: Option<String>,
}

impl ConfigFile {
    /// The part that a start needs.
    pub(crate) fn image_config(&self) -> ImageConfig {
        let mut out = ImageConfig {
            architecture: self.architecture.clone(),
            ..Default::default()
        };
        let Some(section) = &self.config else {
            return out;
        };
        out.user = section.user.clone().unwrap_or_default();
        out.env = section.env.clone().unwrap_or_default();
        out.entrypoint = section.entrypoint.clone().unwrap_or_default();
        out.cmd = section.cmd.clone().unwrap_or_default();
        out.workdir = section.working_dir.clone().unwrap_or_default();
        out.labels = section.labels.clone().unwrap_or_default();
        out.stop_signal = section.stop_signal.clone().unwrap_or_default();
        out
    }
}

/// The name that image configs use for this machine's processor.
pub(crate) fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}
