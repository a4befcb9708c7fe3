//! Containers run for real, in both local modes: what goes in, what comes out, and how they end.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Bench, Kind, await_line, collect, script};
use landfall_runtime::{Found, Runtime, RuntimeError};

/// Each test runs in both modes.
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod oci { $( #[tokio::test] async fn $name() { super::$name(super::Kind::Oci).await } )* }
        mod process { $( #[tokio::test] async fn $name() { super::$name(super::Kind::Process).await } )* }
    };
}

both!(
    output_and_exit_code_arrive,
    environment_values_pass_byte_for_byte,
    a_missing_program_fails_the_start_and_leaves_nothing,
    a_container_starts_once,
    stop_asks_first,
    stop_kills_what_does_not_listen,
    a_position_resumes_the_output,
    a_missing_image_cannot_be_pulled,
    the_working_directory_is_the_images_unless_given,
    an_ended_container_can_be_forgotten,
    the_shims_environment_does_not_leak,
    a_killed_container_is_128_and_its_signal,
);

async fn output_and_exit_code_arrive(kind: Kind) {
    let bench = Bench::new(kind).await;
    let spec = script("c1", "echo out; echo err >&2; printf 'no end'; exit 42");
    let outcome = bench.run(&spec).await;
    assert_eq!(outcome.stdout, [b"out".to_vec(), b"no end".to_vec()]);
    assert_eq!(outcome.stderr, [b"err".to_vec()]);
    assert!(outcome.started);
    assert_eq!(outcome.code(), 42);
    assert!(!outcome.exit.unwrap().out_of_memory);
    assert!(matches!(bench.runtime.find("c1").await.unwrap(), Found::Exited(s) if s.code == 42));
}

async fn environment_values_pass_byte_for_byte(kind: Kind) {
    let bench = Bench::new(kind).await;
    let value = "a b\tc'd\"e\\f$(id)`x`<>&é🎉=%+\nsecond line\n\nend ";
    let mut spec = script("env", "echo \"$OBJECT_KEY\"; echo $FROM_IMAGE");
    spec.environment = vec![("OBJECT_KEY".to_owned(), value.to_owned())];
    let outcome = bench.run(&spec).await;
    assert_eq!(outcome.text(), format!("{value}\nyes"));
}

async fn the_shims_environment_does_not_leak(kind: Kind) {
    let bench = Bench::new(kind).await;
    let mut spec = script("clean", "");
    spec.command = Some(vec!["env".to_owned()]);
    let outcome = bench.run(&spec).await;
    let mut names: Vec<_> = outcome
        .text()
        .lines()
        .map(|l| l.split_once('=').unwrap().0.to_owned())
        .collect();
    names.sort();
    names.retain(|name| name != "HOME");
    assert_eq!(names, ["FROM_IMAGE", "PATH"]);
}

async fn a_missing_program_fails_the_start_and_leaves_nothing(kind: Kind) {
    let bench = Bench::new(kind).await;
    let mut spec = script("none", "");
    spec.command = Some(vec!["/no/such/program".to_owned()]);
    let Err(RuntimeError::CannotStart(why)) = bench.runtime.start(&spec).await else {
        panic!("it started")
    };
    assert!(why.contains("/no/such/program"), "{why}");
    assert_eq!(bench.runtime.find("none").await.unwrap(), Found::Absent);
    let outcome = bench.outcome("none").await;
    assert_eq!(outcome.failed.as_deref(), Some(why.as_str()));
    // The same id may try again once the cause is gone.
    spec.command = Some(vec!["sh".to_owned(), "-c".to_owned(), "exit 3".to_owned()]);
    assert_eq!(bench.run(&spec).await.code(), 3);
}

async fn a_container_starts_once(kind: Kind) {
    let bench = Bench::new(kind).await;
    let counter = bench.data.path().join("starts");
    std::fs::write(&counter, "").unwrap();
    let mut spec = script("once", "echo ran; sleep 0.3");
    spec.environment = vec![("X".to_owned(), "1".to_owned())];
    let starts = (0..8).map(|_| bench.runtime.start(&spec));
    for result in futures::future::join_all(starts).await {
        result.unwrap();
    }
    assert_eq!(bench.runtime.find("once").await.unwrap(), Found::Alive);
    let outcome = bench.outcome("once").await;
    assert_eq!(outcome.stdout, [b"ran".to_vec()]);
    bench.runtime.start(&spec).await.unwrap();
    let again = bench.outcome("once").await;
    assert_eq!(again.stdout, [b"ran".to_vec()]);
    assert_eq!(again.exit, outcome.exit);
}

async fn stop_asks_first(kind: Kind) {
    let bench = Bench::new(kind).await;
    let spec = script(
        "stop",
        "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done",
    );
    bench.runtime.start(&spec).await.unwrap();
    await_line(&bench.runtime, "stop", b"ready").await;
    bench.runtime.stop("stop").await.unwrap();
    let outcome = bench.outcome("stop").await;
    assert_eq!(outcome.stdout, [b"ready".to_vec(), b"bye".to_vec()]);
    assert_eq!(outcome.code(), 7);
}

async fn stop_kills_what_does_not_listen(kind: Kind) {
    let bench = Bench::new(kind).await;
    let mut spec = script(
        "deaf",
        "trap '' TERM; echo ready; while :; do sleep 0.05; done",
    );
    spec.stop_timeout_seconds = 1;
    bench.runtime.start(&spec).await.unwrap();
    await_line(&bench.runtime, "deaf", b"ready").await;
    let asked = std::time::Instant::now();
    bench.runtime.stop("deaf").await.unwrap();
    let outcome = bench.outcome("deaf").await;
    assert_eq!(outcome.code(), 137);
    assert!(!outcome.exit.unwrap().out_of_memory);
    assert!(
        asked.elapsed() >= std::time::Duration::from_secs(1),
        "{:?}",
        asked.elapsed()
    );
}

async fn a_killed_container_is_128_and_its_signal(kind: Kind) {
    let bench = Bench::new(kind).await;
    // The first process of a pid namespace ignores its own signals: its child is killed, and it says so.
    let spec = script("sig", "sh -c 'kill -9 $$'; exit $?");
    assert_eq!(bench.run(&spec).await.code(), 137);
}

async fn a_position_resumes_the_output(kind: Kind) {
    let bench = Bench::new(kind).await;
    let outcome = bench
        .run(&script("pos", "echo one; echo two; echo three"))
        .await;
    let rest = collect(&bench.runtime, "pos", outcome.positions[0]).await;
    assert!(rest.started);
    assert_eq!(rest.stdout, [b"two".to_vec(), b"three".to_vec()]);
    assert_eq!(rest.positions, outcome.positions[1..]);
    let nothing = collect(&bench.runtime, "pos", outcome.positions[2]).await;
    assert!(nothing.stdout.is_empty());
    assert_eq!(nothing.exit, outcome.exit);
}

async fn a_missing_image_cannot_be_pulled(kind: Kind) {
    let bench = Bench::new(kind).await;
    let mut spec = script("noimage", "true");
    spec.image = "127.0.0.1:9/none:v1".to_owned();
    let Err(RuntimeError::CannotPull(why)) = bench.runtime.start(&spec).await else {
        panic!("it started")
    };
    let expected = "pull image manifest has been retried 1 time(s): failed to resolve ref 127.0.0.1:9/none:v1: ";
    assert!(why.starts_with(expected), "{why}");
    assert_eq!(bench.runtime.find("noimage").await.unwrap(), Found::Absent);
}

async fn the_working_directory_is_the_images_unless_given(kind: Kind) {
    let bench = Bench::new(kind).await;
    let outcome = bench.run(&script("wd1", "pwd")).await;
    assert!(outcome.text().ends_with("/data"), "{}", outcome.text());
    let mut spec = script("wd2", "pwd");
    spec.working_directory = Some("/etc".to_owned());
    let text = bench.run(&spec).await.text();
    assert!(text.ends_with("/etc"), "{text}");
}

async fn an_ended_container_can_be_forgotten(kind: Kind) {
    let bench = Bench::new(kind).await;
    let spec = script(
        "gone",
        "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done",
    );
    bench.runtime.start(&spec).await.unwrap();
    await_line(&bench.runtime, "gone", b"ready").await;
    assert!(
        bench.runtime.remove("gone").await.is_err(),
        "a running container was removed"
    );
    bench.runtime.stop("gone").await.unwrap();
    assert_eq!(bench.outcome("gone").await.code(), 0);
    // The shim lives for a moment after it has written the end; the end is what counts.
    bench.runtime.remove("gone").await.unwrap();
    assert_eq!(bench.runtime.find("gone").await.unwrap(), Found::Absent);
    assert!(!bench.data.path().join("containers/gone").exists());
}

#[tokio::test]
async fn a_container_sees_its_own_world() {
    let bench = Bench::new(Kind::Oci).await;
    let mut spec = script(
        "own",
        "echo $$; id -u; id -g; touch /tmp/x && echo tmp; cat /proc/1/comm; ls / ",
    );
    spec.user = Some("app".to_owned());
    let outcome = bench.run(&spec).await;
    let text = outcome.text();
    assert!(
        text.starts_with("1\n1000\n1001\ntmp\nsh\n"),
        "{text} {outcome:?}"
    );
    for folder in ["bin", "proc", "dev", "sys", "data"] {
        assert!(
            text.lines().any(|l| l == folder),
            "{folder} is missing: {text}"
        );
    }
    assert!(
        !text.lines().any(|l| l == "home"),
        "the host's root shows: {text}"
    );
}

#[tokio::test]
async fn a_container_has_no_more_rights_than_it_should() {
    let bench = Bench::new(Kind::Oci).await;
    let outcome = bench.run(&script("caps", "grep -E 'Cap(Eff|Bnd)|NoNewPrivs' /proc/self/status; mount -t tmpfs x /data || echo refused; ulimit -n")).await;
    let text = outcome.text();
    assert!(text.contains("CapEff:\t00000000a00425fb"), "{text}");
    assert!(text.contains("CapBnd:\t00000000a00425fb"), "{text}");
    assert!(text.contains("NoNewPrivs:\t1"), "{text}");
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn a_read_only_root_is_one() {
    let bench = Bench::new(Kind::Oci).await;
    let mut spec = script("ro", "touch /x || echo refused");
    spec.read_only_root = true;
    assert_eq!(bench.run(&spec).await.text(), "refused");
}

#[tokio::test]
async fn changes_stay_with_the_container() {
    let bench = Bench::new(Kind::Oci).await;
    assert_eq!(
        bench
            .run(&script("w1", "echo x > /data/mine; rm /bin/cat; ls /data"))
            .await
            .text(),
        "mine"
    );
    assert_eq!(
        bench
            .run(&script("w2", "ls /data; ls /bin/cat"))
            .await
            .text(),
        "/bin/cat"
    );
}

#[tokio::test]
async fn the_servers_loopback_is_the_containers() {
    let bench = Bench::new(Kind::Oci).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let spec = script("net", &format!("echo hello | busybox nc 127.0.0.1 {port}"));
    bench.runtime.start(&spec).await.unwrap();
    let said = tokio::task::spawn_blocking(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut line = [0; 6];
        std::io::Read::read_exact(&mut socket, &mut line).unwrap();
        line
    });
    assert_eq!(&said.await.unwrap(), b"hello\n");
}

#[tokio::test]
async fn out_of_memory_is_told_apart_from_a_kill() {
    let bench = Bench::new(Kind::Oci).await;
    let notes = bench.runtime.probe().await.unwrap();
    assert!(
        notes
            .iter()
            .any(|n| n.starts_with("memory and cpu limits by cgroup")),
        "this machine has no memory controller for the test: {notes:?}"
    );
    let hungry = "a=x; while :; do a=$a$a$a$a; done";
    let mut spec = script("oom", hungry);
    spec.memory_bytes_max = Some(16 * 1024 * 1024);
    spec.cpu_units = Some(256);
    let outcome = bench.run(&spec).await;
    assert_eq!(outcome.code(), 137, "{outcome:?}");
    assert!(outcome.exit.unwrap().out_of_memory);
    let mut spec = script("modest", "echo fine");
    spec.memory_bytes_max = Some(16 * 1024 * 1024);
    let outcome = bench.run(&spec).await;
    assert_eq!(outcome.code(), 0);
    assert!(!outcome.exit.unwrap().out_of_memory);
    for controller in ["memory", "cpu"] {
        let group = format!("/sys/fs/cgroup/{controller}/landfall/oom");
        assert!(
            !std::path::Path::new(&group).exists(),
            "{group} was left behind"
        );
    }
}

#[tokio::test]
async fn long_lines_come_in_pieces_and_much_output_arrives_whole() {
    let bench = Bench::new(Kind::Oci).await;
    let spec = script(
        "much",
        "busybox yes abcdefghi | busybox head -n 200000; busybox head -c 600000 /dev/zero",
    );
    let outcome = bench.run(&spec).await;
    assert_eq!(outcome.stdout.len(), 200_000 + 3);
    assert!(outcome.stdout[..200_000].iter().all(|l| l == b"abcdefghi"));
    let sizes: Vec<_> = outcome.stdout[200_000..].iter().map(Vec::len).collect();
    assert_eq!(sizes, [262_144, 262_144, 600_000 - 2 * 262_144]);
}
