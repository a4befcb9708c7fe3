//! `landfall image`: image archives for the runtime. Never pulls anything.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use landfall_runtime::{LocalRuntime, Runtime as _};
use tokio::io::AsyncReadExt;

use crate::cli::{ImageListArgs, ImageLoadArgs};
use crate::client::Client;

const CHUNK_BYTES: usize = 128 * 1024;

/// Loads an archive into a running server, or into a data directory.
pub async fn load(args: ImageLoadArgs) -> Result<ExitCode> {
    let names = match &args.data {
        Some(dir) => load_into(dir, &args.file).await?,
        None => upload(&Client::new(&args.endpoint.url)?, &args.file).await?,
    };
    for name in names {
        println!("loaded {name}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn load_into(dir: &Path, file: &Path) -> Result<Vec<String>> {
    let loaded = LocalRuntime::oci(dir)?.load(file).await?;
    Ok(loaded.into_iter().map(|(name, _)| name).collect())
}

/// Sends an archive to a running server; returns the names that the image goes by.
pub async fn upload(client: &Client, file: &Path) -> Result<Vec<String>> {
    let archive = tokio::fs::File::open(file)
        .await
        .with_context(|| format!("cannot open {}", file.display()))?;
    let chunks = futures::stream::try_unfold(archive, |mut archive| async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        let count = archive.read(&mut chunk).await?;
        chunk.truncate(count);
        Ok::<_, std::io::Error>((count > 0).then(|| (Frame::data(Bytes::from(chunk)), archive)))
    });
    let body = StreamBody::new(chunks).boxed_unsync();
    let answer = client.post("/_landfall/images", body).await?;
    let loaded = answer
        .get("loaded")
        .and_then(|l| l.as_array())
        .cloned()
        .unwrap_or_default();
    let name = |image: &serde_json::Value| image.get("name")?.as_str().map(str::to_owned);
    Ok(loaded.iter().filter_map(name).collect())
}

/// Lists the images of a running server.
pub async fn list(args: ImageListArgs) -> Result<ExitCode> {
    let answer = Client::new(&args.endpoint.url)?
        .get_json("/_landfall/images")
        .await?;
    for image in answer
        .get("images")
        .and_then(|i| i.as_array())
        .into_iter()
        .flatten()
    {
        let text = |name: &str| image.get(name).and_then(|v| v.as_str()).unwrap_or_default();
        println!("{}  {}", text("name"), text("digest"));
    }
    Ok(ExitCode::SUCCESS)
}
