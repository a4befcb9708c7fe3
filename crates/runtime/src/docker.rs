//! Containers through the socket of a Docker or Podman daemon. Never starts one that has run: the name says so.
//!
//! A container is called `landfall-<id>`; it is created if absent, and started only while the daemon says `created`.
//! A position in the output is the number of lines before it: the daemon keeps them all.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, ContainerState, ContainerStateStatusEnum, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ImportImageOptions,
    InspectContainerOptions, ListContainersOptionsBuilder, ListImagesOptions,
    RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptions,
};
use futures::StreamExt;
use tokio::sync::{Mutex, mpsc};

use crate::image::ImageName;
use crate::{ContainerEvent, ContainerSpec, ExitStatus, Found, Image, Runtime, RuntimeError};
use landfall_core::clock::Timestamp;
use landfall_core::limits::CONTAINER_EVENTS_WAITING_MAX;

mod follow;

/// Seconds that an answer of the daemon may take.
const TIMEOUT_SECONDS: u64 = 120;

/// Label that says whose a container is.
const HOME: &str = "landfall.data";
/// Beginning of the names of containers.
const NAME: &str = "landfall-";

/// Runs containers by a daemon.
pub struct DockerRuntime {
    docker: Docker,
    socket: String,
    /// Told with each container: whose it is, for a daemon may serve several servers.
    home: String,
    /// One start at a time: the daemon itself would start an ended container again.
    starting: Mutex<()>,
}

impl DockerRuntime {
    /// The first daemon that answers: the one `DOCKER_HOST` names, else at the usual places. Says why when none does.
    /// `data_dir` tells the containers of one server from those of others.
    pub async fn connect(data_dir: &Path) -> Result<Self, String> {
        let mut tried = Vec::new();
        for socket in sockets()? {
            if !socket.exists() {
                tried.push(format!("{} is not there", socket.display()));
                continue;
            }
            match Self::connect_to(&socket, data_dir).await {
                Ok(runtime) => return Ok(runtime),
                Err(e) => tried.push(format!("{}: {e}", socket.display())),
            }
        }
        Err(tried.join("; "))
    }

    /// The daemon behind one socket.
    pub async fn connect_to(socket: &Path, data_dir: &Path) -> Result<Self, String> {
        let socket = socket.display().to_string();
        let docker =
            Docker::connect_with_unix(&socket, TIMEOUT_SECONDS, bollard::API_DEFAULT_VERSION)
                .map_err(|e| e.to_string())?;
        let docker = docker
            .negotiate_version()
            .await
            .map_err(|e| e.to_string())?;
        docker.ping().await.map_err(|e| e.to_string())?;
        Ok(Self {
            docker,
            socket,
            home: data_dir.display().to_string(),
            starting: Mutex::new(()),
        })
    }

    /// Where the daemon listens.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    async fn state(&self, id: &str) -> Result<Option<ContainerState>, RuntimeError> {
        state(&self.docker, id).await.map_err(other)
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let options = CreateContainerOptionsBuilder::default()
            .name(&name(&spec.id))
            .build();
        self.docker
            .create_container(Some(options), body(spec, &self.home))
            .await
            .map_err(cannot_start)?;
        Ok(())
    }

    async fn inspect(&self, image: &str) -> Result<Option<Image>, RuntimeError> {
        match self.docker.inspect_image(image).await {
            Ok(found) => Ok(Some(Image {
                digest: found.id.unwrap_or_default(),
                size_bytes: u64::try_from(found.size.unwrap_or(0)).unwrap_or(0),
            })),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(other(e)),
        }
    }

    async fn pull(&self, image: &str) -> Result<(), RuntimeError> {
        let cannot = |why: &dyn std::fmt::Display| {
            RuntimeError::CannotPull(format!(
                "pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {why}"
            ))
        };
        let parsed = ImageName::parse(image).ok_or_else(|| cannot(&"invalid reference format"))?;
        let options = CreateImageOptionsBuilder::default()
            .from_image(&parsed.to_string())
            .build();
        let mut progress = self.docker.create_image(Some(options), None, None);
        while let Some(step) = progress.next().await {
            step.map_err(|e| cannot(&e))?;
        }
        Ok(())
    }
}

/// Where daemons usually listen.
fn sockets() -> Result<Vec<PathBuf>, String> {
    if let Ok(host) = std::env::var("DOCKER_HOST") {
        return match host.strip_prefix("unix://") {
            Some(path) => Ok(vec![PathBuf::from(path)]),
            None => Err(format!(
                "DOCKER_HOST is {host}, and only unix sockets are supported"
            )),
        };
    }
    let mut out = vec![
        PathBuf::from("/var/run/docker.sock"),
        PathBuf::from("/run/podman/podman.sock"),
    ];
    if let Some(own) = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        out.extend([own.join("docker.sock"), own.join("podman/podman.sock")]);
    }
    Ok(out)
}

fn body(spec: &ContainerSpec, home: &str) -> ContainerCreateBody {
    let given = |list: &Option<Vec<String>>| list.clone().filter(|l| !l.is_empty());
    let host = HostConfig {
        network_mode: Some("host".to_owned()),
        memory: spec.memory_bytes_max.and_then(|b| i64::try_from(b).ok()),
        cpu_shares: spec.cpu_units.map(i64::from),
        readonly_rootfs: Some(spec.read_only_root),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        ..Default::default()
    };
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: given(&spec.entry_point),
        cmd: given(&spec.command),
        env: Some(
            spec.environment
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect(),
        ),
        working_dir: spec.working_directory.clone(),
        user: spec.user.clone(),
        stop_timeout: Some(i64::from(spec.stop_timeout_seconds)),
        labels: Some(labels(spec, home)),
        host_config: Some(host),
        ..Default::default()
    }
}

fn labels(spec: &ContainerSpec, home: &str) -> HashMap<String, String> {
    let given = spec.labels.clone().into_iter();
    given.chain([(HOME.to_owned(), home.to_owned())]).collect()
}

#[async_trait]
impl Runtime for DockerRuntime {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn prepare(&self, image: &str) -> Result<Image, RuntimeError> {
        if let Some(found) = self.inspect(image).await? {
            return Ok(found);
        }
        self.pull(image).await?;
        let missing = || RuntimeError::CannotPull(format!("{image} is not there after its pull"));
        self.inspect(image).await?.ok_or_else(missing)
    }

    async fn start(&self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let _one_at_a_time = self.starting.lock().await;
        let state = match self.state(&spec.id).await? {
            Some(state) => Some(state),
            None => {
                self.prepare(&spec.image).await?;
                self.create(spec).await?;
                self.state(&spec.id).await?
            }
        };
        if state.is_none_or(|s| s.status != Some(ContainerStateStatusEnum::CREATED)) {
            return Ok(());
        }
        let name = name(&spec.id);
        let started = self
            .docker
            .start_container(&name, None::<StartContainerOptions>);
        if let Err(e) = started.await {
            // Nothing of it ran: the next start finds no trace of this one.
            let _ = self.remove(&spec.id).await;
            return Err(cannot_start(e));
        }
        Ok(())
    }

    async fn watch(
        &self,
        id: &str,
        position: u64,
    ) -> Result<mpsc::Receiver<ContainerEvent>, RuntimeError> {
        if self.state(id).await?.is_none() {
            return Err(RuntimeError::Other(format!("no container {id}")));
        }
        let (sender, receiver) = mpsc::channel(CONTAINER_EVENTS_WAITING_MAX);
        tokio::spawn(follow::follow(
            self.docker.clone(),
            id.to_owned(),
            position,
            sender,
        ));
        Ok(receiver)
    }

    async fn find(&self, id: &str) -> Result<Found, RuntimeError> {
        Ok(self
            .state(id)
            .await?
            .map_or(Found::Absent, |state| found(&state)))
    }

    async fn ids(&self) -> Result<Vec<String>, RuntimeError> {
        let ours = HashMap::from([("label", vec![format!("{HOME}={}", self.home)])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&ours)
            .build();
        let found = self.docker.list_containers(Some(options)).await;
        let found = found.map_err(other)?.into_iter();
        let names = found.filter_map(|it| it.names?.into_iter().next());
        let id = |name: String| {
            let name = name.trim_start_matches('/');
            name.strip_prefix(NAME).map(str::to_owned)
        };
        Ok(names.filter_map(id).collect())
    }

    async fn stop(&self, id: &str) -> Result<(), RuntimeError> {
        let (docker, name) = (self.docker.clone(), name(id));
        // The daemon answers only when the container has ended.
        tokio::spawn(async move {
            if let Err(e) = docker
                .stop_container(&name, None::<StopContainerOptions>)
                .await
                && !is_absent(&e)
            {
                tracing::warn!(container = name, "cannot stop: {e}");
            }
        });
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let options = RemoveContainerOptionsBuilder::default().v(true).build();
        match self.docker.remove_container(&name(id), Some(options)).await {
            Err(e) if !is_absent(&e) => Err(other(e)),
            _ => Ok(()),
        }
    }

    async fn load(&self, archive: &Path) -> Result<Vec<(String, Image)>, RuntimeError> {
        let bytes = tokio::fs::read(archive).await.map_err(|e| {
            RuntimeError::BadImage(format!("cannot read {}: {e}", archive.display()))
        })?;
        let body = bollard::body_full(bytes.into());
        let mut progress = self
            .docker
            .import_image(ImportImageOptions::default(), body, None);
        let mut out = Vec::new();
        while let Some(step) = progress.next().await {
            let text = step
                .map_err(|e| RuntimeError::BadImage(e.to_string()))?
                .stream;
            let text = text.unwrap_or_default();
            let Some((_, name)) = text.trim().split_once("Loaded image") else {
                continue;
            };
            let name = name
                .trim_start_matches(" ID")
                .trim_start_matches([':', ' ']);
            if let Some(image) = self.inspect(name).await? {
                out.push((name.to_owned(), image));
            }
        }
        Ok(out)
    }

    async fn images(&self) -> Result<Vec<(String, Image)>, RuntimeError> {
        let listed = self
            .docker
            .list_images(None::<ListImagesOptions>)
            .await
            .map_err(other)?;
        let mut out = Vec::new();
        for image in listed {
            let size_bytes = u64::try_from(image.size).unwrap_or(0);
            for name in image.repo_tags {
                out.push((
                    name,
                    Image {
                        digest: image.id.clone(),
                        size_bytes,
                    },
                ));
            }
        }
        out.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(out)
    }
}

fn name(id: &str) -> String {
    format!("landfall-{id}")
}

/// The daemon's view of a container; `None` when there is none.
async fn state(docker: &Docker, id: &str) -> Result<Option<ContainerState>, Error> {
    match docker
        .inspect_container(&name(id), None::<InspectContainerOptions>)
        .await
    {
        Ok(answer) => Ok(answer.state),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

fn found(state: &ContainerState) -> Found {
    match state.status {
        Some(ContainerStateStatusEnum::CREATED) | None => Found::Absent,
        Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD) => {
            Found::Exited(exit_status(state))
        }
        Some(_) => Found::Alive,
    }
}

fn exit_status(state: &ContainerState) -> ExitStatus {
    ExitStatus {
        code: i32::try_from(state.exit_code.unwrap_or(0)).unwrap_or(-1),
        out_of_memory: state.oom_killed.unwrap_or(false),
        at_millis: millis(state.finished_at.as_deref()),
    }
}

fn millis(text: Option<&str>) -> i64 {
    text.and_then(Timestamp::parse_rfc3339)
        .map_or_else(crate::sys::now_millis, |t| t.0)
}

fn is_absent(error: &Error) -> bool {
    matches!(
        error,
        Error::DockerResponseServerError {
            status_code: 404,
            ..
        }
    )
}

fn cannot_start(error: Error) -> RuntimeError {
    match error {
        Error::DockerResponseServerError { message, .. } => RuntimeError::CannotStart(message),
        other => RuntimeError::CannotStart(other.to_string()),
    }
}

fn other(error: Error) -> RuntimeError {
    RuntimeError::Other(format!("docker: {error}"))
}
