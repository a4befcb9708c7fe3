//! Chooses how containers run on this machine, and says so once. Never changes its mind later.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::docker::DockerRuntime;
use crate::{LocalRuntime, Runtime, RuntimeError};

/// How containers are to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RuntimeKind {
    /// The best that works here: our own OCI runtime, else a Docker socket, else plain processes.
    #[default]
    Auto,
    /// Our own, without a daemon.
    Oci,
    /// Through a Docker or Podman socket.
    Docker,
    /// As plain processes without isolation.
    Process,
}

impl FromStr for RuntimeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "oci" => Ok(Self::Oci),
            "docker" => Ok(Self::Docker),
            "process" => Ok(Self::Process),
            _ => Err(format!("{text:?} is none of auto, oci, docker, process")),
        }
    }
}

/// The runtime of this kind under `data_dir`, with one line in the log that says which and why. A kind that was asked
/// for by name and does not work here is an error.
pub async fn choose(kind: RuntimeKind, data_dir: &Path) -> Result<Arc<dyn Runtime>, RuntimeError> {
    match kind {
        RuntimeKind::Auto => automatic(data_dir).await,
        RuntimeKind::Oci => {
            let runtime = LocalRuntime::oci(data_dir)?;
            let notes = runtime.probe().await.map_err(unusable("oci"))?;
            tracing::info!(
                "containers run by the embedded OCI runtime, as asked for; {}",
                notes.join("; ")
            );
            Ok(Arc::new(runtime))
        }
        RuntimeKind::Docker => {
            let runtime = DockerRuntime::connect(data_dir)
                .await
                .map_err(unusable("docker"))?;
            tracing::info!(
                "containers run by the daemon at {}, as asked for",
                runtime.socket()
            );
            Ok(Arc::new(runtime))
        }
        RuntimeKind::Process => {
            tracing::warn!("containers run as plain processes without isolation, as asked for");
            Ok(Arc::new(LocalRuntime::process(data_dir)?))
        }
    }
}

async fn automatic(data_dir: &Path) -> Result<Arc<dyn Runtime>, RuntimeError> {
    let oci = LocalRuntime::oci(data_dir)?;
    let no_oci = match oci.probe().await {
        Ok(notes) => {
            tracing::info!(
                "containers run by the embedded OCI runtime; {}",
                notes.join("; ")
            );
            return Ok(Arc::new(oci));
        }
        Err(why) => why,
    };
    let no_docker = match DockerRuntime::connect(data_dir).await {
        Ok(docker) => {
            let socket = docker.socket();
            tracing::warn!(
                "containers run by the daemon at {socket}: the embedded runtime cannot: {no_oci}"
            );
            return Ok(Arc::new(docker));
        }
        Err(why) => why,
    };
    tracing::warn!(
        "containers run as plain processes WITHOUT ISOLATION: the embedded runtime cannot: {no_oci}; no daemon: {no_docker}"
    );
    Ok(Arc::new(LocalRuntime::process(data_dir)?))
}

fn unusable(kind: &'static str) -> impl Fn(String) -> RuntimeError {
    move |why| RuntimeError::Other(format!("the {kind} runtime does not work here: {why}"))
}
