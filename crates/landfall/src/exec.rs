//! `landfall exec`: a server with its stacks for the length of one command. Never writes to the command's standard output,
//! and exits as the command does.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result};
use landfall_core::caller::DEFAULT_REGION;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::cli::ExecArgs;
use crate::client::Client;
use crate::interrupts::Interrupts;
use crate::{deploy, serve};

/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;
/// Asked to stop before there was a command.
const STOPPED: u8 = 143;

/// Runs the command.
pub async fn run(mut args: ExecArgs) -> Result<ExitCode> {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    args.serve.listen.get_or_insert(free);
    args.serve.ephemeral |= args.serve.data.is_none();
    let credentials = args.serve.credentials.clone();
    let server = serve::open(args.serve).await?;
    let endpoint = server.endpoint.clone();
    let client = Client::new(&endpoint)?.with(&credentials);
    let (finish, finished) = oneshot::channel::<()>();
    let mut serving = tokio::spawn(server.run(async { drop(finished.await) }));
    let mut interrupts = Interrupts::listen();
    let working = async {
        tokio::select! {
            deployed = deploy::stacks(&client, &args.stacks, &|line| eprintln!("{line}")) => deployed?,
            () = interrupts.next() => return Ok(ExitCode::from(STOPPED)),
        }
        let credential = credentials.first().map(String::as_str);
        let child = start(&args.command, &endpoint, credential)?;
        ended(child, &mut interrupts).await
    };
    let worked = tokio::select! {
        failed = &mut serving => return failed?,
        worked = working => worked,
    };
    drop(finish);
    serving.await??;
    worked
}

/// The command with what an unmodified client needs to find this server and no other; what the caller has set of
/// credentials and region stays.
fn start(command: &[OsString], endpoint: &str, credential: Option<&str>) -> Result<Child> {
    let (program, arguments) = command.split_first().context("there is no command")?;
    let known = credential.and_then(|pair| pair.split_once(':'));
    let mut child = Command::new(program);
    child
        .args(arguments)
        .env("AWS_ENDPOINT_URL", endpoint)
        .kill_on_drop(true);
    match known {
        Some((id, secret)) => {
            child
                .env("AWS_ACCESS_KEY_ID", id)
                .env("AWS_SECRET_ACCESS_KEY", secret)
                .env_remove("AWS_SESSION_TOKEN");
        }
        None if std::env::var_os("AWS_ACCESS_KEY_ID").is_none() => {
            child
                .env("AWS_ACCESS_KEY_ID", "landfall")
                .env("AWS_SECRET_ACCESS_KEY", "landfall");
        }
        None => {}
    }
    let has_region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .any(|name| std::env::var_os(name).is_some());
    if !has_region {
        child.env("AWS_DEFAULT_REGION", DEFAULT_REGION);
    }
    child
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))
}

/// Waits for the command. A terminal's Ctrl-C reaches the command by itself; asked to stop, it is passed on.
async fn ended(mut child: Child, interrupts: &mut Interrupts) -> Result<ExitCode> {
    loop {
        tokio::select! {
            status = child.wait() => return Ok(exit_code(status?)),
            () = interrupts.next() => ask_to_stop(&child),
        }
    }
}

fn ask_to_stop(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        // It may have ended in this very moment, which is what was wanted.
        let _gone_already = kill_process(pid, Signal::TERM);
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let signal = status.signal().map(|number| SIGNALLED + number);
    let code = status.code().or(signal);
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}
