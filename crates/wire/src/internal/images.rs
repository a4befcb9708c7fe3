//! Images for the runtime: an archive comes as the body of a POST, goes to a scratch file, and is loaded from there.
//! Never keeps the archive.

use std::path::Path;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use landfall_core::error::ApiError;
use landfall_flow::Flow;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// The images that are loaded.
pub(super) async fn list(flow: &Flow) -> Result<Value, ApiError> {
    let images = flow
        .runtime()
        .images()
        .await
        .map_err(|e| ApiError::internal(e.to_string()))?;
    let image = |(name, image): (String, landfall_flow::runtime::Image)| json!({"name": name, "digest": image.digest, "size_bytes": image.size_bytes});
    Ok(json!({"images": images.into_iter().map(image).collect::<Vec<_>>()}))
}

/// Loads the archive in `body`.
pub(super) async fn load(flow: &Flow, scratch: &Path, body: Incoming) -> Result<Value, ApiError> {
    let file = scratch.join(format!("image-{}.tar", flow.ids().hex(8)));
    let loaded = match receive(&file, body).await {
        Ok(()) => flow.runtime().load(&file).await.map_err(|e| {
            ApiError::client("InvalidImage", format!("The image cannot be loaded: {e}"))
        }),
        Err(e) => Err(e),
    };
    if let Err(e) = tokio::fs::remove_file(&file).await {
        tracing::warn!(file = %file.display(), error = %e, "cannot remove a scratch file");
    }
    let names: Vec<Value> = loaded?
        .into_iter()
        .map(|(name, image)| json!({"name": name, "digest": image.digest}))
        .collect();
    Ok(json!({ "loaded": names }))
}

async fn receive(file: &Path, mut body: Incoming) -> Result<(), ApiError> {
    let failed = |e: std::io::Error| ApiError::internal(format!("cannot keep the upload: {e}"));
    let mut out = tokio::fs::File::create(file).await.map_err(failed)?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| {
            ApiError::client("IncompleteBody", format!("The upload broke off: {e}"))
        })?;
        if let Ok(data) = frame.into_data() {
            out.write_all(&data).await.map_err(failed)?;
        }
    }
    out.flush().await.map_err(failed)
}
