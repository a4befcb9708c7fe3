//! The server dies, the containers do not; nothing starts twice, nothing is forgotten.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::{Bench, Kind, await_line, collect, open, script, shim};
use landfall_runtime::{ContainerSpec, Found, Runtime};

/// A server of its own process.
struct Server {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    fn spawn(kind: Kind, data: &Path) -> Self {
        Self::spawn_as(Command::new(shim()), kind, data)
    }

    fn spawn_as(mut command: Command, kind: Kind, data: &Path) -> Self {
        let mode = if kind == Kind::Oci { "oci" } else { "process" };
        command
            .arg(mode)
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Self {
            process,
            stdin,
            stdout,
        }
    }

    fn ask(&mut self, spec: &ContainerSpec) {
        writeln!(self.stdin, "{}", serde_json::to_string(spec).unwrap()).unwrap();
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

async fn a_container_outlives_its_server(kind: Kind) {
    let bench = Bench::new(kind).await;
    let mut server = Server::spawn(kind, bench.data.path());
    let mut spec = script(
        "orphan",
        "trap 'echo after; exit 5' TERM; echo before; while :; do sleep 0.02; done",
    );
    spec.stop_timeout_seconds = 30;
    server.ask(&spec);
    assert_eq!(server.answer(), "started");
    server.kill();

    let adopted = open(kind, bench.data.path());
    assert_eq!(adopted.find("orphan").await.unwrap(), Found::Alive);
    await_line(&adopted, "orphan", b"before").await;
    // Starting it again starts nothing.
    adopted.start(&spec).await.unwrap();
    adopted.stop("orphan").await.unwrap();
    let outcome = collect(&adopted, "orphan", 0).await;
    assert_eq!(outcome.stdout, [b"before".to_vec(), b"after".to_vec()]);
    assert_eq!(outcome.code(), 5);
}

async fn an_end_without_a_server_is_remembered(kind: Kind) {
    let bench = Bench::new(kind).await;
    let mut server = Server::spawn(kind, bench.data.path());
    server.ask(&script("alone", "sleep 0.3; echo done; exit 6"));
    assert_eq!(server.answer(), "started");
    server.kill();
    let outcome = collect(&bench.runtime, "alone", 0).await;
    assert_eq!(outcome.stdout, [b"done".to_vec()]);
    assert_eq!(outcome.code(), 6);
    let later = open(kind, bench.data.path());
    assert!(matches!(later.find("alone").await.unwrap(), Found::Exited(s) if s.code == 6));
}

async fn two_servers_start_one_container(kind: Kind) {
    let bench = Bench::new(kind).await;
    let mut servers: Vec<_> = (0..4)
        .map(|_| Server::spawn(kind, bench.data.path()))
        .collect();
    for round in 0..5 {
        let id = format!("shared{round}");
        let spec = script(&id, "echo ran; sleep 0.2");
        for server in &mut servers {
            server.ask(&spec);
        }
        for server in &mut servers {
            assert_eq!(server.answer(), "started");
        }
        let outcome = collect(&bench.runtime, &id, 0).await;
        assert_eq!(outcome.stdout, [b"ran".to_vec()]);
        assert_eq!(outcome.code(), 0);
    }
    servers.into_iter().for_each(Server::kill);
}

/// Kills the server at moments spread over a start. Whatever the moment: the container runs once, or not at all and
/// may then be started.
async fn a_start_cut_short_never_becomes_two(kind: Kind) {
    let bench = Bench::new(kind).await;
    for moment in 0..12 {
        let id = format!("cut{moment}");
        let spec = script(&id, "echo ran; sleep 0.1");
        let mut server = Server::spawn(kind, bench.data.path());
        server.ask(&spec);
        tokio::time::sleep(std::time::Duration::from_millis(moment * 4)).await;
        server.kill();
        bench.runtime.start(&spec).await.unwrap();
        let outcome = collect(&bench.runtime, &id, 0).await;
        assert_eq!(
            outcome.stdout,
            [b"ran".to_vec()],
            "killed after {} ms",
            moment * 4
        );
        assert_eq!(outcome.code(), 0);
    }
}

/// A killed shim takes its container with it, and the loss is told.
async fn a_killed_shim_is_told_as_a_loss(kind: Kind) {
    let bench = Bench::new(kind).await;
    let spec = script("lost", "echo ready; while :; do sleep 0.05; done");
    bench.runtime.start(&spec).await.unwrap();
    await_line(&bench.runtime, "lost", b"ready").await;
    let directory = bench
        .data
        .path()
        .canonicalize()
        .unwrap()
        .join("containers/lost");
    let shims = pids_with(&directory.display().to_string());
    assert_eq!(shims.len(), 1, "one shim: {shims:?}");
    rustix::process::kill_process(shims[0], rustix::process::Signal::KILL).unwrap();
    let outcome = collect(&bench.runtime, "lost", 0).await;
    assert!(outcome.failed.unwrap().contains("lost"));
    assert_eq!(bench.runtime.find("lost").await.unwrap(), Found::Lost);
    // It is not started again: it has run.
    bench.runtime.start(&spec).await.unwrap();
    assert_eq!(bench.runtime.find("lost").await.unwrap(), Found::Lost);
    bench.runtime.remove("lost").await.unwrap();
    assert_eq!(bench.runtime.find("lost").await.unwrap(), Found::Absent);
}

/// The processes whose command line holds `text`.
fn pids_with(text: &str) -> Vec<rustix::process::Pid> {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let pid = entry.file_name().to_str()?.parse().ok()?;
            // One that has ended meanwhile has none.
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            String::from_utf8_lossy(&line)
                .contains(text)
                .then(|| rustix::process::Pid::from_raw(pid))?
        })
        .collect()
}

macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod oci { $( #[tokio::test] async fn $name() { super::$name(super::Kind::Oci).await } )* }
        mod process { $( #[tokio::test] async fn $name() { super::$name(super::Kind::Process).await } )* }
    };
}

both!(
    a_container_outlives_its_server,
    an_end_without_a_server_is_remembered,
    two_servers_start_one_container,
    a_start_cut_short_never_becomes_two,
    a_killed_shim_is_told_as_a_loss,
);

/// The same without root: a user namespace in which the user is root.
#[tokio::test]
async fn containers_run_without_root() {
    const NOBODY: u32 = 65_534;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let archive = folder.path().join("box.tar");
    common::write_image(&archive);
    // The user must reach the program, wherever the build put it.
    let program = folder.path().join("host");
    std::fs::copy(shim(), &program).unwrap();
    for (path, owner) in [(folder.path(), None), (data.as_path(), Some(NOBODY))] {
        std::os::unix::fs::chown(path, owner, owner).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, open).unwrap();
    }
    let mut command = Command::new(&program);
    command.uid(NOBODY).gid(NOBODY);
    let mut server = Server::spawn_as(command, Kind::Oci, &data);
    writeln!(server.stdin, "{}", archive.display()).unwrap();
    assert_eq!(server.answer(), "started");
    server.ask(&script(
        "rootless",
        "id -u; echo $$; echo x > /data/mine && echo wrote; exit 4",
    ));
    assert_eq!(server.answer(), "started");
    let outcome = collect(&open(Kind::Oci, &data), "rootless", 0).await;
    assert_eq!(outcome.text(), "0\n1\nwrote", "{outcome:?}");
    assert_eq!(outcome.code(), 4);
    server.kill();
}
