//! Makes a container image of one static binary, as a docker archive: no daemon, no registry, no base image.
//!
//! Never writes anything that depends on when or where it runs: the same binary gives the same archive.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sha2::{Digest, Sha256};

const CA_CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// What goes into the image.
#[derive(clap::Args)]
pub struct Args {
    /// The static executable.
    #[arg(long)]
    pub(crate) binary: PathBuf,
    /// Name that the image is loaded under, `repository:tag`.
    #[arg(long)]
    pub(crate) name: String,
    /// The archive to write.
    #[arg(long)]
    pub(crate) output: PathBuf,
    /// Where the executable lies in the image; `/` and its file name by default.
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// Default arguments of the executable, one by one.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// Writes the archive.
pub fn run(args: &Args) -> Result<()> {
    ensure!(
        args.name.rsplit('/').next().unwrap_or("").contains(':'),
        "the name {:?} has no tag: write name:tag",
        args.name
    );
    let path = inner_path(args)?;
    let executable = std::fs::read(&args.binary)
        .with_context(|| format!("cannot read {}", args.binary.display()))?;
    let certificates = std::fs::read(Path::new("/").join(CA_CERTIFICATES)).ok();
    let layer = layer(&path, &executable, certificates.as_deref())?;
    let file = File::create(&args.output)
        .with_context(|| format!("cannot write {}", args.output.display()))?;
    write_archive(BufWriter::new(file), args, &path, &layer)
}

fn inner_path(args: &Args) -> Result<String> {
    if let Some(path) = &args.path {
        ensure!(
            path.starts_with('/') && !path.ends_with('/'),
            "the path {path:?} is not that of a file from the root"
        );
        return Ok(path.clone());
    }
    let name = args
        .binary
        .file_name()
        .and_then(|name| name.to_str())
        .context("the binary's file name is not UTF-8")?;
    Ok(format!("/{name}"))
}

fn layer(path: &str, executable: &[u8], certificates: Option<&[u8]>) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    directory(&mut tar, "tmp/", 0o1777)?;
    let inner = path.trim_start_matches('/');
    parents(&mut tar, inner)?;
    file(&mut tar, inner, executable, 0o755)?;
    if let Some(certificates) = certificates {
        parents(&mut tar, CA_CERTIFICATES)?;
        file(&mut tar, CA_CERTIFICATES, certificates, 0o644)?;
    }
    Ok(tar.into_inner()?)
}

fn parents(tar: &mut tar::Builder<Vec<u8>>, path: &str) -> Result<()> {
    for (end, _) in path.match_indices('/') {
        directory(tar, path.get(..=end).unwrap_or(path), 0o755)?;
    }
    Ok(())
}

fn directory<W: Write>(tar: &mut tar::Builder<W>, path: &str, mode: u32) -> Result<()> {
    let mut header = header(0, mode);
    header.set_entry_type(tar::EntryType::Directory);
    Ok(tar.append_data(&mut header, path, std::io::empty())?)
}

fn file<W: Write>(tar: &mut tar::Builder<W>, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let mut header = header(bytes.len() as u64, mode);
    Ok(tar.append_data(&mut header, path, bytes)?)
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn write_archive<W: Write>(out: W, args: &Args, path: &str, layer: &[u8]) -> Result<()> {
    let layer_digest = hex::encode(Sha256::digest(layer));
    let config = serde_json::to_vec(&config(path, &args.command, &layer_digest))?;
    let config_name = format!("{}.json", hex::encode(Sha256::digest(&config)));
    let layer_name = format!("{layer_digest}/layer.tar");
    let manifest = json!([{
        "Config": config_name,
        "RepoTags": [args.name],
        "Layers": [layer_name],
    }]);
    let mut tar = tar::Builder::new(out);
    file(&mut tar, &config_name, &config, 0o644)?;
    directory(&mut tar, &format!("{layer_digest}/"), 0o755)?;
    file(&mut tar, &layer_name, layer, 0o644)?;
    file(
        &mut tar,
        "manifest.json",
        &serde_json::to_vec(&manifest)?,
        0o644,
    )?;
    tar.into_inner()?.flush()?;
    Ok(())
}

fn config(path: &str, command: &[String], layer_digest: &str) -> serde_json::Value {
    json!({
        "architecture": architecture(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Entrypoint": [path],
            "Cmd": command,
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "xtask image" }],
    })
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::io::Read;

    fn entries(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            found.insert(path, bytes);
        }
        found
    }

    fn archive() -> BTreeMap<String, Vec<u8>> {
        let args = Args {
            binary: PathBuf::from("busybox"),
            name: "sample/env:1".to_owned(),
            output: PathBuf::new(),
            path: Some("/bin/busybox".to_owned()),
            command: vec!["env".to_owned(), "-0".to_owned()],
        };
        let layer = layer("/bin/busybox", b"ELF", Some(b"PEM")).unwrap();
        let mut out = Vec::new();
        write_archive(&mut out, &args, "/bin/busybox", &layer).unwrap();
        entries(&out)
    }

    #[test]
    fn the_manifest_names_a_config_and_a_layer_that_are_there_under_their_digests() {
        let archive = archive();
        let manifest: serde_json::Value =
            serde_json::from_slice(&archive["manifest.json"]).unwrap();
        assert_eq!(manifest[0]["RepoTags"], json!(["sample/env:1"]));
        let config_name = manifest[0]["Config"].as_str().unwrap();
        let config_bytes = &archive[config_name];
        assert_eq!(
            config_name,
            format!("{}.json", hex::encode(Sha256::digest(config_bytes)))
        );
        let config: serde_json::Value = serde_json::from_slice(config_bytes).unwrap();
        let layer = &archive[manifest[0]["Layers"][0].as_str().unwrap()];
        assert_eq!(
            config["rootfs"]["diff_ids"][0],
            format!("sha256:{}", hex::encode(Sha256::digest(layer)))
        );
        assert_eq!(config["config"]["Entrypoint"], json!(["/bin/busybox"]));
        assert_eq!(config["config"]["Cmd"], json!(["env", "-0"]));
    }

    #[test]
    fn the_layer_holds_the_executable_a_tmp_and_the_certificates() {
        let archive = archive();
        let (_, layer) = archive
            .iter()
            .find(|(name, _)| name.ends_with("layer.tar"))
            .unwrap();
        let files = entries(layer);
        assert_eq!(files["bin/busybox"], b"ELF");
        assert_eq!(files[CA_CERTIFICATES], b"PEM");
        assert!(files.contains_key("tmp/") && files.contains_key("bin/"));
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        assert_eq!(archive(), archive());
    }
}
