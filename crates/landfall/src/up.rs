//! `landfall up`: serve, deploy templates, and follow what happens until the process is stopped. Never stops serving
//! because a run failed.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use landfall_core::limits;

use crate::cli::UpArgs;
use crate::client::Client;
use crate::interrupts::Interrupts;
use crate::{deploy, runs, serve};

/// How often the ledger is asked for news.
const POLL: Duration = Duration::from_millis(250);

/// Runs the command.
pub async fn run(args: UpArgs) -> Result<ExitCode> {
    let credentials = args.serve.credentials.clone();
    let server = serve::open(args.serve).await?;
    let client = Client::new(&server.endpoint)?.with(&credentials);
    let mut interrupts = Interrupts::listen();
    serve::announce(&server)?;
    let mut serving = tokio::spawn(server.run(async move { interrupts.next().await }));
    let working = async {
        deploy::stacks(&client, &args.stacks, &|line| println!("{line}")).await?;
        println!("ready; waiting for objects (Ctrl-C stops)");
        follow(&client).await
    };
    tokio::select! {
        ended = &mut serving => ended?,
        worked = working => worked.map(|()| ExitCode::SUCCESS),
    }
}

async fn follow(client: &Client) -> Result<()> {
    let mut shown: HashMap<u64, String> = HashMap::new();
    loop {
        for run in runs::fetch(client, 0, limits::RUNS_PER_PAGE_DEFAULT).await? {
            let number = run
                .get("number")
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(0);
            let text = |name: &str| {
                run.get(name)
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let state = text("state");
            if shown.get(&number) == Some(&state) {
                continue;
            }
            let codes = runs::exit_codes(&run);
            let exit = if codes.is_empty() || codes == "-" {
                codes
            } else {
                format!("exit {codes}")
            };
            println!(
                "{}  {:<13} {}  {exit} {}",
                text("rule"),
                state,
                runs::object(&run),
                text("reason")
            );
            shown.insert(number, state);
        }
        tokio::time::sleep(POLL).await;
    }
}
