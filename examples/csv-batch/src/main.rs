//! The batch that the example's container runs: reads one CSV from S3, checks every row, writes a summary beside it.
//!
//! Never knows who started it: all it needs is in its environment, on AWS as on Landfall. Exit codes: 0 the summary
//! is written, 1 the work could not be done (environment, network, permissions), 2 the data is bad.

mod job;
mod observation;
mod storage;
mod summary;

use std::process::ExitCode;

use job::Job;
use observation::Rejected;
use storage::Storage;
use summary::Summary;

/// Bad rows named in the log; the rest are only counted.
const REJECTED_ROWS_SHOWN_MAX: usize = 20;

const EXIT_FAILED: u8 = 1;
const EXIT_BAD_DATA: u8 = 2;

/// Why the batch wrote no summary.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The environment does not say what to do.
    #[error(transparent)]
    Job(#[from] job::Error),
    /// S3 did not do what it was asked.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The file is no CSV of this kind, or has bad rows.
    #[error(transparent)]
    Data(#[from] Rejected),
    /// The summary could not be written as JSON.
    #[error("cannot write the summary as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Data(rejected)) => {
            report(&rejected);
            ExitCode::from(EXIT_BAD_DATA)
        }
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

async fn run() -> Result<(), Error> {
    let job = Job::from_environment(|name| std::env::var(name).ok())?;
    println!("started by s3://{}/{}", job.bucket, job.marker_key);

    let storage = Storage::connect().await;
    let csv = storage.read(&job.bucket, &job.csv_key).await?;
    println!(
        "read s3://{}/{} ({} bytes)",
        job.bucket,
        job.csv_key,
        csv.len()
    );

    let observations = observation::parse(&csv)?;
    println!("all {} rows are valid", observations.len());

    let summary = Summary::of(&job.csv_key, &observations);
    let json = serde_json::to_vec_pretty(&summary)?;
    storage
        .write_json(&job.bucket, &job.summary_key, json)
        .await?;
    println!("wrote s3://{}/{}", job.bucket, job.summary_key);
    Ok(())
}

fn report(rejected: &Rejected) {
    eprintln!("bad data: {rejected}");
    for row in rejected.rows.iter().take(REJECTED_ROWS_SHOWN_MAX) {
        eprintln!("  line {}: {}", row.line, row.reason);
    }
    let hidden = rejected.rows.len().saturating_sub(REJECTED_ROWS_SHOWN_MAX);
    if hidden > 0 {
        eprintln!("  and {hidden} more");
    }
}
