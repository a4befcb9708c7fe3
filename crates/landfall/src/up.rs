//! `landfall up`: serve, deploy templates, and follow what happens until the process is stopped. Never stops serving
//! because a run failed.

use std::process::ExitCode;

use anyhow::Result;
use landfall_core::limits;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::cli::UpArgs;
use crate::client::Client;
use crate::interrupts::Interrupts;
use crate::runs::{Filters, Follower};
use crate::{deploy, runs, serve};

/// Runs the command.
pub async fn run(args: UpArgs) -> Result<ExitCode> {
    let credentials = args.serve.credentials.clone();
    let server = serve::open(args.serve).await?;
    let client = Client::new(&server.endpoint)?.with(&credentials);
    let mut interrupts = Interrupts::listen();
    serve::announce(&server)?;
    let (left, leave) = oneshot::channel();
    let stop = async move {
        interrupts.next().await;
        // Nobody is left to be told.
        let _ = left.send(());
    };
    let mut serving = tokio::spawn(server.run(stop));
    let working = async {
        deploy::stacks(&client, &args.stacks, &|line| println!("{line}")).await?;
        println!("ready; waiting for objects (Ctrl-C stops)");
        follow(&client).await
    };
    tokio::select! {
        ended = &mut serving => ended?,
        _ = leave => (&mut serving).await?,
        worked = working => worked,
    }
}

async fn follow(client: &Client) -> Result<ExitCode> {
    let none = Filters::new();
    let follower = Follower::begin(client, &none).await?;
    let runs = runs::fetch(client, &none, limits::RUNS_PER_PAGE_DEFAULT).await?;
    let show = |run: &Value| println!("{}", runs::line(run));
    follower.follow(client, runs, &show).await
}
