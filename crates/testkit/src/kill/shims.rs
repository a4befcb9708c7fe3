//! Containers and the shims that own them, killed while they run, with the server up and with the server down. Each such
//! task ends as failed, with a reason; the others end well; none starts twice and none is forgotten.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::book::text;
use super::house::House;
use super::{BUCKET, PATIENCE, STARTING, once, runtime, wrong};
use crate::http::Client;
use crate::{Arrivals, Random, Road};

/// First argument of a shim.
const SHIM: &[u8] = b"__landfall-shim";
/// A task runs so long unless it is killed: longer than it takes to kill it.
const TASK_SECONDS: u32 = 3;

/// How much to do, and to whom.
#[derive(Debug, Clone)]
pub struct Shims {
    /// Decides who is killed, and when.
    pub seed: u64,
    /// Rounds: each has the server up or down, and kills shims or containers.
    pub rounds: u64,
    /// Tasks of one round.
    pub tasks: u64,
    /// Way to run containers, as the server's option says it.
    pub runtime: String,
    /// The server.
    pub binary: PathBuf,
    /// Archive of an image with a static `/bin/busybox`, and its name.
    pub image: (PathBuf, String),
}

/// What was done and found.
#[derive(Debug, Clone, Default)]
pub struct ShimReport {
    /// Tasks that ran.
    pub tasks: u64,
    /// Shims that were killed.
    pub shims: u64,
    /// Containers that were killed.
    pub containers: u64,
    /// Rounds in which the server was down meanwhile.
    pub down: u64,
}

/// A container that runs.
struct Running {
    key: String,
    shim: Pid,
    process: Pid,
}

impl Shims {
    /// Takes all rounds and judges each.
    pub fn run(&self) -> io::Result<ShimReport> {
        let place = tempfile::Builder::new()
            .prefix("landfall-shims-")
            .tempdir()?;
        let data = place.path().join("data");
        let mut house = House::new(&self.binary, place, data.clone(), self.seed, 1)?;
        house.runtime_kind.clone_from(&self.runtime);
        let mut report = ShimReport::default();
        let outcome = self.rounds(&mut house, &data, &mut report);
        house.keep_if_wrong(outcome).map(|()| report)
    }

    fn rounds(&self, house: &mut House, data: &Path, report: &mut ShimReport) -> io::Result<()> {
        let (random, arrivals) = (Random::new(self.seed), Arrivals::listen()?);
        let (mut keys, mut killed) = (BTreeSet::new(), BTreeSet::new());
        let mut server = house.start()?;
        self.furnish(server.endpoint(), arrivals.port())?;
        for round in 0..self.rounds {
            keys.extend(self.upload(server.endpoint(), round)?);
            let last = keys.len() - 1;
            if arrivals.nth(last, PATIENCE).is_none() {
                return Err(wrong("the tasks did not start"));
            }
            let is_down = round % 2 == 1;
            let kills_shims = random.below(2) == 0;
            if is_down {
                server.kill()?;
                report.down += 1;
                killed.extend(kill_some(data, kills_shims, &random, report)?);
                server = house.start()?;
            } else {
                killed.extend(kill_some(data, kills_shims, &random, report)?);
            }
            judge(&house.settled_runs(server.endpoint())?, &keys, &killed)?;
            let keys = keys.iter().map(String::as_str);
            once(
                "among the containers that started",
                &arrivals.by_line(),
                keys,
            )?;
        }
        report.tasks = keys.len() as u64;
        let status = server.stop()?;
        match status.success() {
            true => Ok(()),
            false => Err(wrong(format_args!("the server ended with {status}"))),
        }
    }

    fn furnish(&self, endpoint: &str, port: u16) -> io::Result<()> {
        let say = format!(
            "echo \"$OBJECT_KEY\" | /bin/busybox nc 127.0.0.1 {port}; exec /bin/busybox sleep {TASK_SECONDS}"
        );
        let road = Road {
            bucket: BUCKET.to_owned(),
            prefix: STARTING.to_owned(),
            image: self.image.1.clone(),
            command: ["/bin/busybox", "sh", "-c", &say]
                .map(str::to_owned)
                .to_vec(),
        };
        runtime()?.block_on(async {
            let mut client = Client::connect(endpoint).await?;
            road.furnish(&mut client, &self.image.0).await
        })
    }

    fn upload(&self, endpoint: &str, round: u64) -> io::Result<Vec<String>> {
        runtime()?.block_on(async {
            let mut client = Client::connect(endpoint).await?;
            let mut keys = Vec::new();
            for number in 0..self.tasks {
                let key = format!("{STARTING}{round}-{number}");
                client.put_object(BUCKET, &key, b"x").await?.success()?;
                keys.push(key);
            }
            Ok(keys)
        })
    }
}

/// Kills about half of what runs; answers the keys.
fn kill_some(
    data: &Path,
    kills_shims: bool,
    random: &Random,
    report: &mut ShimReport,
) -> io::Result<Vec<String>> {
    let mut keys = Vec::new();
    for running in running(data)? {
        if !keys.is_empty() && random.below(2) == 0 {
            continue;
        }
        let (pid, count) = match kills_shims {
            true => (running.shim, &mut report.shims),
            false => (running.process, &mut report.containers),
        };
        kill_process(pid, Signal::KILL)?;
        *count += 1;
        keys.push(running.key);
    }
    match keys.is_empty() {
        true => Err(wrong("no task runs: nothing was tested")),
        false => Ok(keys),
    }
}

/// The containers of a data directory that run, found among the processes of this machine.
fn running(data: &Path) -> io::Result<Vec<Running>> {
    let data = data.canonicalize()?;
    let data = data.as_os_str().as_encoded_bytes();
    let contains = |line: &[u8], part: &[u8]| line.windows(part.len()).any(|window| window == part);
    let mut shims = Vec::new();
    let mut processes = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(pid) = name
            .to_str()
            .and_then(|name| name.parse().ok())
            .and_then(Pid::from_raw)
        else {
            continue;
        };
        // One that has ended meanwhile has none.
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if contains(&line, SHIM) && contains(&line, data) {
            shims.push(pid);
        }
        processes.extend(parent(&entry.path()).map(|parent| (pid, parent)));
    }
    let child_of = |shim: &Pid| processes.iter().find(|(_, parent)| parent == shim);
    let all = shims.iter().filter_map(|shim| {
        let (process, _) = child_of(shim)?;
        let key = key_of(*process)?;
        Some(Running {
            key,
            shim: *shim,
            process: *process,
        })
    });
    Ok(all.collect())
}

fn parent(process: &Path) -> Option<Pid> {
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Pid::from_raw(line.trim().parse().ok()?)
}

/// The key of a container's task, which is in its environment.
fn key_of(process: Pid) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{}/environ", process.as_raw_nonzero())).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(b"OBJECT_KEY="))?;
    String::from_utf8(value.to_vec()).ok()
}

/// Each key has one run; the killed ones failed and say why, the others succeeded.
fn judge(runs: &[Value], keys: &BTreeSet<String>, killed: &BTreeSet<String>) -> io::Result<()> {
    let mut found = std::collections::BTreeMap::new();
    for run in runs {
        let key = text(run, "key");
        *found.entry(key.to_owned()).or_default() += 1;
        let is_well = match killed.contains(key) {
            true => text(run, "state") == "failed" && !text(run, "reason").is_empty(),
            false => text(run, "state") == "succeeded",
        };
        if !is_well {
            let how = if killed.contains(key) {
                "killed"
            } else {
                "left alone"
            };
            return Err(wrong(format_args!("{key} was {how}, and its run is {run}")));
        }
    }
    once("in the ledger", &found, keys.iter().map(String::as_str))
}
