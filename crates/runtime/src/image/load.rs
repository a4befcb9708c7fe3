//! Reads OCI archives (`index.json`) and docker archives (`manifest.json`). Never believes a digest unchecked.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::config::{ConfigFile, host_architecture};
use super::name::ImageName;
use super::store::ImageStore;
use super::unpack::decompressed;
use crate::{Image, RuntimeError};
use landfall_core::limits::IMAGE_DOCUMENT_BYTES_MAX;

/// Loads every image of the archive.
pub(crate) fn load(store: &ImageStore, path: &Path) -> Result<Vec<(String, Image)>, RuntimeError> {
    let archive = Archive::open(store, path)?;
    if let Some(bytes) = archive.document("manifest.json")? {
        return load_docker(store, &archive, &bytes);
    }
    if let Some(bytes) = archive.document("index.json")? {
        return load_oci(store, &archive, &bytes);
    }
    Err(bad(
        "neither a docker archive (no manifest.json) nor an OCI archive (no index.json)",
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEntry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

fn load_docker(
    store: &ImageStore,
    archive: &Archive,
    manifest: &[u8],
) -> Result<Vec<(String, Image)>, RuntimeError> {
    let entries: Vec<DockerEntry> = parse("manifest.json", manifest)?;
    let mut out = Vec::new();
    for entry in entries {
        let bytes = archive.required(&entry.config)?;
        let digest = sha256(&bytes);
        let stem = Path::new(&entry.config)
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or("");
        let promised = format!("sha256:{stem}");
        if super::name::is_digest(&promised) && promised != digest {
            return Err(bad(format!("{} has the digest {digest}", entry.config)));
        }
        let config: ConfigFile = parse(&entry.config, &bytes)?;
        let layers = entry.layers.iter().map(|name| archive.reader(name));
        let image = store.install(&digest, &config, layers)?;
        name_image(
            store,
            &entry.repo_tags.unwrap_or_default(),
            &image,
            &mut out,
        )?;
    }
    Ok(out)
}

/// What index, manifest and layers point at each other with.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) digest: String,
    #[serde(default)]
    annotations: HashMap<String, String>,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    architecture: String,
    #[serde(default)]
    os: String,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

fn load_oci(
    store: &ImageStore,
    archive: &Archive,
    index: &[u8],
) -> Result<Vec<(String, Image)>, RuntimeError> {
    let index: Index = parse("index.json", index)?;
    let mut out = Vec::new();
    for descriptor in &index.manifests {
        let (digest, manifest) = oci_manifest(archive, descriptor)?;
        let config: ConfigFile = parse("config", &archive.blob(&manifest.config.digest)?)?;
        let layers = manifest
            .layers
            .iter()
            .map(|layer| archive.verified(&layer.digest));
        let image = store.install(&digest, &config, layers)?;
        name_image(store, &oci_names(descriptor), &image, &mut out)?;
    }
    Ok(out)
}

/// Follows nested indexes to the manifest for this machine.
fn oci_manifest(
    archive: &Archive,
    descriptor: &Descriptor,
) -> Result<(String, Manifest), RuntimeError> {
    let mut digest = descriptor.digest.clone();
    for _ in 0..4 {
        let bytes = archive.blob(&digest)?;
        match serde_json::from_slice::<Index>(&bytes) {
            Ok(index) => digest = for_this_machine(&index.manifests)?.digest.clone(),
            Err(_) => return Ok((digest, parse("the manifest", &bytes)?)),
        }
    }
    Err(bad("the indexes of the archive are nested too deep"))
}

fn for_this_machine(manifests: &[Descriptor]) -> Result<&Descriptor, RuntimeError> {
    let fits = |d: &&Descriptor| {
        let fit = |p: &Platform| p.architecture == host_architecture() && p.os == "linux";
        d.platform.as_ref().is_some_and(fit)
    };
    manifests
        .iter()
        .find(fits)
        .or_else(|| manifests.first().filter(|d| d.platform.is_none()))
        .ok_or_else(|| {
            bad(format!(
                "the archive has no image for linux/{}",
                host_architecture()
            ))
        })
}

/// The containerd name is a whole reference; the OCI one may be a tag alone, which names no image.
fn oci_names(descriptor: &Descriptor) -> Vec<String> {
    let get = |key: &str| descriptor.annotations.get(key).cloned();
    let whole = get("io.containerd.image.name");
    let plain = get("org.opencontainers.image.ref.name").filter(|n| n.contains(['/', ':']));
    whole.or(plain).into_iter().collect()
}

fn name_image(
    store: &ImageStore,
    names: &[String],
    image: &Image,
    out: &mut Vec<(String, Image)>,
) -> Result<(), RuntimeError> {
    for text in names {
        let name = ImageName::parse(text).ok_or_else(|| bad(format!("bad image name {text:?}")))?;
        store.set_name(&name, &image.digest)?;
        out.push((name.familiar(), image.clone()));
    }
    if names.is_empty() {
        out.push((image.digest.clone(), image.clone()));
    }
    Ok(())
}

/// The members of a tar file by path, read in place.
struct Archive {
    path: PathBuf,
    members: HashMap<PathBuf, Member>,
    temporary: bool,
}

enum Member {
    Data { offset: u64, size: u64 },
    Link(PathBuf),
}

impl Archive {
    /// Indexes the archive; a compressed one is decompressed next to the images first.
    fn open(store: &ImageStore, path: &Path) -> Result<Self, RuntimeError> {
        let cannot = |e: io::Error| bad(format!("cannot read {}: {e}", path.display()));
        let mut head = [0; 4];
        let n = File::open(path)
            .and_then(|mut f| f.read(&mut head))
            .map_err(cannot)?;
        let compressed =
            n == 4 && (head.starts_with(&[0x1f, 0x8b]) || head == [0x28, 0xb5, 0x2f, 0xfd]);
        let mut archive = Self {
            path: path.to_owned(),
            members: HashMap::new(),
            temporary: compressed,
        };
        if compressed {
            archive.path = store.temporary();
            let source = File::open(path).and_then(decompressed);
            source
                .and_then(|mut s| io::copy(&mut s, &mut File::create(&archive.path)?))
                .map_err(cannot)?;
        }
        archive.index().map_err(cannot)?;
        Ok(archive)
    }

    fn index(&mut self) -> io::Result<()> {
        let mut tar = tar::Archive::new(File::open(&self.path)?);
        for entry in tar.entries_with_seek()? {
            let entry = entry?;
            let path = flat(&entry.path()?);
            let member = match entry.header().entry_type() {
                tar::EntryType::Regular => Member::Data {
                    offset: entry.raw_file_position(),
                    size: entry.size(),
                },
                tar::EntryType::Symlink => {
                    let target = entry.link_name()?.unwrap_or_default();
                    Member::Link(flat(&path.parent().unwrap_or(Path::new("")).join(target)))
                }
                tar::EntryType::Link => Member::Link(flat(&entry.link_name()?.unwrap_or_default())),
                _ => continue,
            };
            self.members.insert(path, member);
        }
        Ok(())
    }

    fn reader(&self, name: &str) -> io::Result<io::Take<File>> {
        let mut at = flat(Path::new(name));
        for _ in 0..4 {
            match self.members.get(&at) {
                Some(Member::Data { offset, size }) => {
                    let mut file = File::open(&self.path)?;
                    file.seek(SeekFrom::Start(*offset))?;
                    return Ok(file.take(*size));
                }
                Some(Member::Link(target)) => at = target.clone(),
                None => break,
            }
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("the archive lacks {name}"),
        ))
    }

    /// A small member's bytes; `None` when there is no such member.
    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, RuntimeError> {
        let reader = match self.reader(name) {
            Ok(reader) if reader.limit() <= IMAGE_DOCUMENT_BYTES_MAX => reader,
            Ok(_) => return Err(bad(format!("{name} is too large"))),
            Err(_) => return Ok(None),
        };
        let mut bytes = Vec::new();
        let mut reader = reader;
        reader
            .read_to_end(&mut bytes)
            .map_err(|e| bad(format!("cannot read {name}: {e}")))?;
        Ok(Some(bytes))
    }

    fn required(&self, name: &str) -> Result<Vec<u8>, RuntimeError> {
        self.document(name)?
            .ok_or_else(|| bad(format!("the archive lacks {name}")))
    }

    /// A small blob, its digest checked.
    fn blob(&self, digest: &str) -> Result<Vec<u8>, RuntimeError> {
        let bytes = self.required(&blob_path(digest))?;
        let found = sha256(&bytes);
        if found == digest {
            Ok(bytes)
        } else {
            Err(bad(format!("blob {digest} is {found}")))
        }
    }

    /// A layer blob, its digest checked before the first byte is used.
    fn verified(&self, digest: &str) -> io::Result<io::Take<File>> {
        let mut hash = Sha256::new();
        let mut reader = self.reader(&blob_path(digest))?;
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let n = reader.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            hash.update(buffer.get(..n).unwrap_or_default());
        }
        let found = format!("sha256:{}", hex::encode(hash.finalize()));
        if found != digest {
            let text = format!("blob {digest} has the digest {found}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.reader(&blob_path(digest))
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

/// A path without `.` and `..`, for use as a key only.
fn flat(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            _ => {}
        }
    }
    out
}

/// `sha256:…` of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn parse<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T, RuntimeError> {
    serde_json::from_slice(bytes).map_err(|e| bad(format!("{what} is malformed: {e}")))
}

fn bad(text: impl Into<String>) -> RuntimeError {
    RuntimeError::BadImage(text.into())
}
