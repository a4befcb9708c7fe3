//! Pulls an image from its registry. Never pulls what is there already, and words its failures as ECS does.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use super::config::ConfigFile;
use super::load::sha256;
use super::name::ImageName;
use super::store::{ImageStore, StoredImage};
use crate::RuntimeError;

/// Pulls `reference` into the store, under its name.
pub(crate) async fn pull(store: &ImageStore, reference: &str) -> Result<StoredImage, RuntimeError> {
    let name = ImageName::parse(reference)
        .ok_or_else(|| cannot_pull(reference, "invalid reference format"))?;
    let folder = store.temporary();
    let pulled = pull_to(store, reference, &name, &folder).await;
    let _ = std::fs::remove_dir_all(&folder);
    pulled?;
    store
        .find(reference)?
        .ok_or_else(|| cannot_pull(reference, "not found"))
}

async fn pull_to(
    store: &ImageStore,
    reference: &str,
    name: &ImageName,
    folder: &Path,
) -> Result<(), RuntimeError> {
    let cannot = |why: &dyn std::fmt::Display| cannot_pull(reference, why);
    let remote = Reference::from_str(&name.to_string()).map_err(|e| cannot(&e))?;
    let client = client(&name.registry).map_err(|e| cannot(&e))?;
    let auth = credentials(&name.registry);
    let (manifest, digest, config) = client
        .pull_manifest_and_config(&remote, &auth)
        .await
        .map_err(|e| cannot(&format!("{}: {e}", unpinned(name))))?;
    if sha256(config.as_bytes()) != manifest.config.digest {
        return Err(cannot(
            &"the registry's config does not have the digest it should",
        ));
    }
    let config: ConfigFile = serde_json::from_str(&config).map_err(|e| cannot(&e))?;
    std::fs::create_dir_all(folder).map_err(|e| cannot(&e))?;
    let mut layers: Vec<PathBuf> = Vec::new();
    for (number, layer) in manifest.layers.iter().enumerate() {
        let path = folder.join(number.to_string());
        let file = tokio::fs::File::create(&path)
            .await
            .map_err(|e| cannot(&e))?;
        client
            .pull_blob(&remote, layer, file)
            .await
            .map_err(|e| cannot(&e))?;
        layers.push(path);
    }
    let (store, name) = (store.clone(), name.clone());
    let unpack = move || {
        store.install(&digest, &config, layers.iter().map(File::open))?;
        store.set_name(&name, &digest)
    };
    let unpacked = tokio::task::spawn_blocking(unpack)
        .await
        .map_err(|e| cannot(&e))?;
    unpacked.map_err(|e| cannot(&e))
}

/// ECS repeats the reference without its digest.
fn unpinned(name: &ImageName) -> String {
    format!("{}/{}", name.registry, name.repository)
}

/// Plain HTTP for registries on this machine, HTTPS for all others.
fn client(registry: &str) -> Result<Client, String> {
    // The provider is process-wide; another part of the program may have set it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let host = registry.split(':').next().unwrap_or(registry);
    let local = matches!(host, "localhost" | "127.0.0.1");
    let protocol = if local {
        ClientProtocol::Http
    } else {
        ClientProtocol::Https
    };
    let config = ClientConfig {
        protocol,
        ..Default::default()
    };
    Client::try_from(config).map_err(|e| e.to_string())
}

/// What `docker login` has left for a registry; anonymous without.
fn credentials(registry: &str) -> RegistryAuth {
    let folder = std::env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker")));
    let file = folder.and_then(|folder| std::fs::read(folder.join("config.json")).ok());
    file.and_then(|bytes| stored_credentials(&bytes, registry))
        .unwrap_or(RegistryAuth::Anonymous)
}

fn stored_credentials(file: &[u8], registry: &str) -> Option<RegistryAuth> {
    let key = if registry == "docker.io" {
        "https://index.docker.io/v1/"
    } else {
        registry
    };
    let file: serde_json::Value = serde_json::from_slice(file).ok()?;
    let encoded = file.get("auths")?.get(key)?.get("auth")?.as_str()?;
    let plain = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .ok()?;
    let (user, password) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
    Some(RegistryAuth::Basic(user.to_owned(), password.to_owned()))
}

/// ECS's own words for an image that cannot be had.
fn cannot_pull(reference: &str, why: impl std::fmt::Display) -> RuntimeError {
    RuntimeError::CannotPull(format!(
        "pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: {why}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_found_by_registry() {
        let file = br#"{"auths":{"r.example:5000":{"auth":"dTpwOng="},
            "https://index.docker.io/v1/":{"auth":"aDpi"},"helper.example":{}}}"#;
        let basic = |u: &str, p: &str| Some(RegistryAuth::Basic(u.to_owned(), p.to_owned()));
        assert_eq!(
            stored_credentials(file, "r.example:5000"),
            basic("u", "p:x")
        );
        assert_eq!(stored_credentials(file, "docker.io"), basic("h", "b"));
        assert_eq!(stored_credentials(file, "helper.example"), None);
        assert_eq!(stored_credentials(file, "other"), None);
        assert_eq!(stored_credentials(b"{", "docker.io"), None);
    }
}
