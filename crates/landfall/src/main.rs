//! The one binary: commands, configuration, wiring, signals. Decides nothing itself.

mod check;
mod cli;
mod client;
mod config;
mod deploy;
mod draw;
mod exec;
mod explain;
mod host;
mod image;
mod interrupts;
mod late_runtime;
mod migrate;
mod proof;
mod replay;
mod runs;
mod serve;
mod system;
mod up;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command, ImageCommand};

fn main() -> ExitCode {
    // A container's shim is this same binary: it must take over before any thread exists.
    landfall_runtime::shim::main_if_shim();
    let cli = Cli::parse();
    init_log(&cli);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => return fail(&anyhow::anyhow!("cannot start: {e}")),
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(e) => fail(&e),
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(args) => serve::run(args).await,
        Command::Up(args) => up::run(args).await,
        Command::Exec(args) => exec::run(args).await,
        Command::Deploy(args) => deploy::run(args).await,
        Command::Runs(args) => runs::run(args).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Explain(args) => explain::run(args).await,
        Command::Migrate(args) => migrate::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Image {
            command: ImageCommand::Load(args),
        } => image::load(args).await,
        Command::Image {
            command: ImageCommand::List(args),
        } => image::list(args).await,
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("landfall: {error:#}");
    ExitCode::FAILURE
}

fn init_log(cli: &Cli) {
    use std::io::IsTerminal as _;
    // The S3 library logs each client's mistake as its own error.
    let filter = tracing_subscriber::EnvFilter::try_new(format!("s3s=off,{}", cli.log))
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("s3s=off,info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_writer(std::io::stderr)
        .init();
}
