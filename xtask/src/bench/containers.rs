//! From the answered upload to the started container, next to the same image started by `crun run` and `runc run`.
//!
//! Every container's first act is a connection to a listener here: that is the moment which counts, for all alike.
//! Never lets two containers run at the same time.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use landfall_testkit::http::Client;
use landfall_testkit::{Arrivals, Road};
use serde_json::{Value, json};

use super::Bench;
use super::report::{Row, Samples};
use crate::image;

const IMAGE: &str = "bench/arrival:1";
const PATH: &str = "/bin/busybox";
const GOAL_MILLIS: f64 = 5.0;
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(5);
/// Containers that are started before it counts.
const WARM_UP: usize = 3;

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    if !is_root() {
        println!("containers: left out, runc and crun as they are used here need root");
        return Ok(Vec::new());
    }
    let arrivals = Arrivals::listen()?;
    let port = arrivals.port().to_string();
    let command = ["nc", "127.0.0.1", &port].map(str::to_owned).to_vec();
    let bundle = bench.path("bundle");
    make_bundle(&bundle, &command)?;
    let server = bench.serve("containers")?;
    let mut client = bench
        .runtime
        .block_on(furnish(bench, server.endpoint(), &command))?;
    let (mut ours, mut crun, mut runc) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..WARM_UP + bench.starts {
        let upload = upload(&mut client, number, &arrivals);
        ours.push(bench.runtime.block_on(upload)?);
        crun.push(alone("crun", &bundle, number, &arrivals)?);
        runc.push(alone("runc", &bundle, number, &arrivals)?);
    }
    for samples in [&mut ours, &mut crun, &mut runc] {
        samples.drain(..WARM_UP);
    }
    let (ours, crun, runc) = (Samples::new(ours), Samples::new(crun), Samples::new(runc));
    Ok(vec![row("crun", &ours, &crun), row("runc", &ours, &runc)])
}

fn row(tool: &str, ours: &Samples, alone: &Samples) -> Row {
    let more = ours.median() - alone.median();
    Row {
        what: format!("upload answered to container started, against {tool}"),
        measured: ours.show(1, " ms"),
        beside: format!("`{tool} run` alone {}; {more:+.1} ms", alone.show(1, " ms")),
        goal: format!("at most {GOAL_MILLIS} ms more"),
        is_met: more <= GOAL_MILLIS,
    }
}

async fn furnish(bench: &Bench, endpoint: &str, command: &[String]) -> Result<Client> {
    let archive = bench.path("image.tar");
    image::run(&image::Args {
        binary: busybox()?.to_owned(),
        name: IMAGE.to_owned(),
        output: archive.clone(),
        path: Some(PATH.to_owned()),
        command: Vec::new(),
    })?;
    let road = Road {
        bucket: "bench".to_owned(),
        prefix: "in/".to_owned(),
        image: IMAGE.to_owned(),
        command: command.to_vec(),
    };
    let mut client = Client::connect(endpoint).await?;
    road.furnish(&mut client, &archive).await?;
    Ok(client)
}

/// Milliseconds from the answer to the container's connection.
async fn upload(client: &mut Client, number: usize, arrivals: &Arrivals) -> Result<f64> {
    let before = arrivals.count();
    let key = format!("in/{number}");
    client.put_object("bench", &key, b"x").await?.success()?;
    let answered = Instant::now();
    let arrival = arrivals
        .nth(before, PATIENCE)
        .context("the upload started no container")?;
    ended(client, number).await?;
    // A container can be faster than the answer's way through the loopback.
    let early = answered.saturating_duration_since(arrival.at).as_secs_f64();
    let late = arrival.at.saturating_duration_since(answered).as_secs_f64();
    Ok((late - early) * 1_000.0)
}

async fn ended(client: &mut Client, number: usize) -> Result<()> {
    let begin = Instant::now();
    loop {
        let runs = client.runs(1).await?;
        let last = runs.last().unwrap_or(&Value::Null);
        let field = |name| last.get(name).and_then(Value::as_str);
        if field("key") == Some(&format!("in/{number}")) && field("state") == Some("succeeded") {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < PATIENCE,
            "the container did not succeed: {last}"
        );
        tokio::time::sleep(LOOK).await;
    }
}

/// Milliseconds from the start of the tool to the container's connection.
fn alone(tool: &str, bundle: &Path, number: usize, arrivals: &Arrivals) -> Result<f64> {
    let before = arrivals.count();
    let begin = Instant::now();
    let output = Command::new(tool)
        .args(["run", "--bundle"])
        .arg(bundle)
        .arg(format!("landfall-bench-{}-{number}", std::process::id()))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{tool} is not installed"))?;
    ensure!(
        output.status.success(),
        "{tool} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let arrival = arrivals
        .nth(before, PATIENCE)
        .with_context(|| format!("{tool} started no container"))?;
    Ok((arrival.at - begin).as_secs_f64() * 1_000.0)
}

/// A bundle with the same root as the image, for both tools. As with Landfall, the host's network is used.
fn make_bundle(bundle: &Path, command: &[String]) -> Result<()> {
    let root = bundle.join("rootfs");
    for directory in ["bin", "tmp", "proc", "sys", "dev"] {
        std::fs::create_dir_all(root.join(directory))?;
    }
    std::fs::copy(busybox()?, root.join("bin/busybox"))?;
    let made = Command::new("runc")
        .args(["spec", "--bundle"])
        .arg(bundle)
        .status()
        .context("runc is not installed")?;
    ensure!(made.success(), "runc spec failed");
    let path = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    set(&mut config, "/process/terminal", json!(false))?;
    let arguments: Vec<&str> = std::iter::once(PATH)
        .chain(command.iter().map(String::as_str))
        .collect();
    set(&mut config, "/process/args", json!(arguments))?;
    let namespaces = config
        .pointer_mut("/linux/namespaces")
        .and_then(Value::as_array_mut)
        .context("the configuration has no namespaces")?;
    namespaces.retain(|namespace| namespace.get("type") != Some(&json!("network")));
    Ok(std::fs::write(&path, serde_json::to_vec(&config)?)?)
}

fn set(config: &mut Value, pointer: &str, value: Value) -> Result<()> {
    let place = config
        .pointer_mut(pointer)
        .with_context(|| format!("the configuration has no {pointer}"))?;
    *place = value;
    Ok(())
}

fn busybox() -> Result<&'static Path> {
    ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.exists())
        .context("busybox-static is not installed")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
