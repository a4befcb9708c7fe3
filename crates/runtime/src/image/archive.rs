//! Writes an image as a docker archive: the same input gives the same bytes. Never compresses and never asks a clock.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::config::{ConfigFile, ConfigSection, ImageConfig, RootFs, host_architecture};
use super::name::ImageName;

/// Writes the directory `rootfs` as a one-layer image called `name` to `out`, a tar file as `docker save` makes it.
/// Everything in it belongs to root and bears the time 0. An empty `architecture` means this machine's.
pub fn write_docker_archive(
    out: impl Write,
    name: &str,
    rootfs: &Path,
    config: &ImageConfig,
) -> io::Result<()> {
    let name = ImageName::parse(name)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not an image name"))?;
    let mut layer = tar::Builder::new(Vec::new());
    add_directory(&mut layer, rootfs, Path::new(""))?;
    let layer = layer.into_inner()?;
    let diff_id = hex::encode(Sha256::digest(&layer));
    let config = serde_json::to_vec(&config_file(config, &diff_id))?;
    let config_name = format!("{}.json", hex::encode(Sha256::digest(&config)));
    let layer_name = format!("{diff_id}/layer.tar");
    let manifest = serde_json::json!([{
        "Config": config_name, "RepoTags": [name.familiar()], "Layers": [layer_name],
    }]);
    let mut archive = tar::Builder::new(out);
    add_file(&mut archive, Path::new(&config_name), 0o644, &config)?;
    add_file(&mut archive, Path::new(&layer_name), 0o644, &layer)?;
    add_file(
        &mut archive,
        Path::new("manifest.json"),
        0o644,
        &serde_json::to_vec(&manifest)?,
    )?;
    archive.into_inner()?.flush()
}

fn config_file(config: &ImageConfig, diff_id: &str) -> ConfigFile {
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let many = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let section = ConfigSection {
        user: some(&config.user),
        env: many(&config.env),
        entrypoint: many(&config.entrypoint),
        cmd: many(&config.cmd),
        working_dir: some(&config.workdir),
        labels: Some(config.labels.clone()),
        stop_signal: some(&config.stop_signal),
    };
    ConfigFile {
        architecture: some(&config.architecture).unwrap_or_else(|| host_architecture().to_owned()),
        os: "linux".to_owned(),
        config: Some(section),
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: vec![format!("sha256:{diff_id}")],
        },
    }
}

fn add_directory(
    archive: &mut tar::Builder<impl Write>,
    root: &Path,
    below: &Path,
) -> io::Result<()> {
    let mut children = fs::read_dir(root.join(below))?.collect::<io::Result<Vec<_>>>()?;
    children.sort_by_key(fs::DirEntry::file_name);
    for child in children {
        let path = below.join(child.file_name());
        let metadata = fs::symlink_metadata(root.join(&path))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_dir() {
            let mut header = header(tar::EntryType::Directory, mode, 0);
            archive.append_data(&mut header, &path, io::empty())?;
            add_directory(archive, root, &path)?;
        } else if metadata.is_symlink() {
            let mut header = header(tar::EntryType::Symlink, 0o777, 0);
            archive.append_link(&mut header, &path, fs::read_link(root.join(&path))?)?;
        } else {
            add_file(archive, &path, mode, &fs::read(root.join(&path))?)?;
        }
    }
    Ok(())
}

fn add_file(
    archive: &mut tar::Builder<impl Write>,
    path: &Path,
    mode: u32,
    content: &[u8],
) -> io::Result<()> {
    let mut header = header(tar::EntryType::Regular, mode, content.len() as u64);
    archive.append_data(&mut header, path, content)
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}
