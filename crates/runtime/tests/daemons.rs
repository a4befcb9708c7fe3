//! The same promises through a real daemon and a real registry. Ignored by default: they need `dockerd` (or Podman's
//! socket) and `docker-registry` with the static busybox image pushed by the test itself.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Kind, await_line, collect, open, script, write_image};
use landfall_runtime::{DockerRuntime, Found, Runtime, RuntimeError};

async fn daemon() -> DockerRuntime {
    let runtime = DockerRuntime::connect(std::path::Path::new("daemons-test"))
        .await
        .expect("a Docker or Podman socket must answer");
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("box.tar");
    write_image(&archive);
    let loaded = runtime.load(&archive).await.unwrap();
    assert!(
        loaded.iter().any(|(name, _)| name.ends_with("box:latest")),
        "{loaded:?}"
    );
    runtime
}

/// A name that no earlier run has used.
fn fresh(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

#[tokio::test]
#[ignore = "needs a Docker or Podman daemon"]
async fn a_daemon_runs_a_container_once() {
    let runtime = daemon().await;
    let id = fresh("once");
    let value = "a\n\"b\"\t'é🎉";
    let mut spec = script(&id, "echo \"$KEY\"; echo err >&2; echo ran; exit 3");
    spec.environment = vec![("KEY".to_owned(), value.to_owned())];
    assert_eq!(runtime.find(&id).await.unwrap(), Found::Absent);
    runtime.start(&spec).await.unwrap();
    let outcome = collect(&runtime, &id, 0).await;
    assert_eq!(outcome.text(), format!("{value}\nran"));
    assert_eq!(outcome.stderr, [b"err".to_vec()]);
    assert_eq!(outcome.code(), 3);
    assert!(outcome.started);
    runtime.start(&spec).await.unwrap();
    assert!(matches!(runtime.find(&id).await.unwrap(), Found::Exited(s) if s.code == 3));
    let last = *outcome.positions.iter().max().unwrap();
    let rest = collect(&runtime, &id, last - 1).await;
    assert_eq!(rest.stdout.len() + rest.stderr.len(), 1);
    runtime.remove(&id).await.unwrap();
    assert_eq!(runtime.find(&id).await.unwrap(), Found::Absent);
}

#[tokio::test]
#[ignore = "needs a Docker or Podman daemon"]
async fn a_daemon_stops_a_container() {
    let runtime = daemon().await;
    let id = fresh("stop");
    let spec = script(
        &id,
        "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done",
    );
    runtime.start(&spec).await.unwrap();
    await_line(&runtime, &id, b"ready").await;
    assert_eq!(runtime.find(&id).await.unwrap(), Found::Alive);
    runtime.stop(&id).await.unwrap();
    assert_eq!(collect(&runtime, &id, 0).await.code(), 7);
    runtime.remove(&id).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker or Podman daemon"]
async fn a_daemon_that_cannot_start_leaves_nothing() {
    let runtime = daemon().await;
    let id = fresh("bad");
    let mut spec = script(&id, "");
    spec.command = Some(vec!["/no/such".to_owned()]);
    assert!(matches!(
        runtime.start(&spec).await,
        Err(RuntimeError::CannotStart(_))
    ));
    assert_eq!(runtime.find(&id).await.unwrap(), Found::Absent);
    spec.image = "127.0.0.1:9/none".to_owned();
    assert!(matches!(
        runtime.start(&spec).await,
        Err(RuntimeError::CannotPull(_))
    ));
}

/// `LANDFALL_TEST_REGISTRY` is `127.0.0.1:PORT` of a registry that holds `box:pushed`.
#[tokio::test]
#[ignore = "needs a registry that holds box:pushed, named by LANDFALL_TEST_REGISTRY"]
async fn an_image_is_pulled_from_a_registry() {
    let registry = std::env::var("LANDFALL_TEST_REGISTRY").expect("LANDFALL_TEST_REGISTRY");
    let data = tempfile::tempdir().unwrap();
    let runtime = open(Kind::Oci, data.path());
    let mut spec = script("pulled", "echo ran");
    spec.image = format!("{registry}/box:pushed");
    let image = runtime.prepare(&spec.image).await.unwrap();
    assert!(image.digest.starts_with("sha256:") && image.size_bytes > 0);
    runtime.start(&spec).await.unwrap();
    assert_eq!(collect(&runtime, "pulled", 0).await.text(), "ran");
    spec.id = "absent".to_owned();
    spec.image = format!("{registry}/box:absent");
    let Err(RuntimeError::CannotPull(why)) = runtime.start(&spec).await else {
        panic!("pulled")
    };
    assert!(
        why.contains(&format!("failed to resolve ref {registry}/box:absent: ")),
        "{why}"
    );
}
