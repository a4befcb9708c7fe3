//! Where images live: `<digest>/rootfs` and `<digest>/image.json` for each image, `names/` for what they are called.
//!
//! Everything is made in `tmp/` and renamed into place after it is on stable storage. Never keeps anything in
//! memory: another process may load images into the same directory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::config::{ConfigFile, ImageConfig};
use super::name::{ImageName, is_digest};
use super::unpack::Unpacker;
use super::{load, pull};
use crate::{Image, RuntimeError};

/// The images below one directory.
#[derive(Debug, Clone)]
pub struct ImageStore {
    root: PathBuf,
}

/// An image that is there: what to run and where its files are.
#[derive(Debug, Clone)]
pub struct StoredImage {
    /// Its digest and size.
    pub image: Image,
    /// How it wants to be run.
    pub config: ImageConfig,
    /// Its unpacked files. Read-only by convention: containers stack their changes on top.
    pub rootfs: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct ImageFile {
    digest: String,
    size_bytes: u64,
    config: ImageConfig,
}

#[derive(Serialize, Deserialize)]
struct NameFile {
    name: String,
    digest: String,
}

impl ImageStore {
    /// Images below `root`, which is made when absent.
    pub fn open(root: &Path) -> Result<Self, RuntimeError> {
        for folder in [root.to_owned(), root.join("names"), root.join("tmp")] {
            fs::create_dir_all(&folder).map_err(|e| {
                RuntimeError::Other(format!("cannot make {}: {e}", folder.display()))
            })?;
        }
        let root = fs::canonicalize(root)
            .map_err(|e| RuntimeError::Other(format!("cannot open {}: {e}", root.display())))?;
        Ok(Self { root })
    }

    /// The image that goes by this reference, or `None`: nothing is pulled.
    pub fn find(&self, reference: &str) -> Result<Option<StoredImage>, RuntimeError> {
        let Some(name) = ImageName::parse(reference) else {
            return Ok(None);
        };
        let digest = match self.name_record(&name.to_string()).map_err(broken)? {
            Some(record) => Some(record.digest),
            None => name.digest,
        };
        match digest {
            Some(digest) => self.by_digest(&digest).map_err(broken),
            None => Ok(None),
        }
    }

    /// The image that goes by this reference, pulled from its registry when it is not there.
    pub async fn find_or_pull(&self, reference: &str) -> Result<StoredImage, RuntimeError> {
        match self.find(reference)? {
            Some(image) => Ok(image),
            None => pull::pull(self, reference).await,
        }
    }

    /// Loads all images of an OCI or docker archive; returns the names they go by now.
    pub fn load(&self, archive: &Path) -> Result<Vec<(String, Image)>, RuntimeError> {
        load::load(self, archive)
    }

    /// All named images, by familiar name.
    pub fn list(&self) -> Result<Vec<(String, Image)>, RuntimeError> {
        let mut out = Vec::new();
        for file in fs::read_dir(self.root.join("names")).map_err(broken)? {
            let bytes = fs::read(file.map_err(broken)?.path()).map_err(broken)?;
            let Ok(record) = serde_json::from_slice::<NameFile>(&bytes) else {
                continue;
            };
            if let Some(stored) = self.by_digest(&record.digest).map_err(broken)? {
                let shown = ImageName::parse(&record.name).map(|n| n.familiar());
                out.push((shown.unwrap_or(record.name), stored.image));
            }
        }
        out.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(out)
    }

    /// A fresh path for work in progress, on the same file system as the images.
    pub(crate) fn temporary(&self) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.root
            .join("tmp")
            .join(format!("{}-{number}", std::process::id()))
    }

    /// Unpacks an image under its digest unless it is there already. `layers` yields, for each diff id of the
    /// config in order, the layer's bytes.
    pub(crate) fn install<R: io::Read>(
        &self,
        digest: &str,
        config: &ConfigFile,
        layers: impl Iterator<Item = io::Result<R>>,
    ) -> Result<Image, RuntimeError> {
        if let Some(stored) = self.by_digest(digest).map_err(broken)? {
            return Ok(stored.image);
        }
        let work = self.temporary();
        let unpacked = self.unpack_to(&work, digest, config, layers);
        if unpacked.is_err() {
            let _ = fs::remove_dir_all(&work);
        }
        unpacked
    }

    fn unpack_to<R: io::Read>(
        &self,
        work: &Path,
        digest: &str,
        config: &ConfigFile,
        layers: impl Iterator<Item = io::Result<R>>,
    ) -> Result<Image, RuntimeError> {
        let rootfs = work.join("rootfs");
        fs::create_dir_all(&rootfs).map_err(broken)?;
        let mut unpacker = Unpacker::new(&rootfs).map_err(broken)?;
        let mut count = 0;
        for (layer, expected) in layers.zip(&config.rootfs.diff_ids) {
            let found = layer.and_then(|layer| unpacker.layer(layer)).map_err(|e| {
                RuntimeError::BadImage(format!("cannot unpack layer {expected}: {e}"))
            })?;
            if &found != expected {
                let text = format!("layer {expected} has the digest {found}");
                return Err(RuntimeError::BadImage(text));
            }
            count += 1;
        }
        if count != config.rootfs.diff_ids.len() {
            return Err(RuntimeError::BadImage("the image lacks layers".to_owned()));
        }
        let image = Image {
            digest: digest.to_owned(),
            size_bytes: unpacker.bytes(),
        };
        let file = ImageFile {
            digest: image.digest.clone(),
            size_bytes: image.size_bytes,
            config: config.image_config(),
        };
        write_synced(
            &work.join("image.json"),
            &serde_json::to_vec(&file).map_err(broken)?,
        )
        .map_err(broken)?;
        unpacker.sync().map_err(broken)?;
        match fs::rename(work, self.folder(digest)) {
            Ok(()) => {}
            // Another process was faster with the same content.
            Err(_) if self.folder(digest).join("image.json").exists() => {
                let _ = fs::remove_dir_all(work);
            }
            Err(e) => return Err(broken(e)),
        }
        sync_directory(&self.root).map_err(broken)?;
        Ok(image)
    }

    /// Lets an image go by a name; the name leaves the image that had it before.
    pub(crate) fn set_name(&self, name: &ImageName, digest: &str) -> Result<(), RuntimeError> {
        let record = NameFile {
            name: name.to_string(),
            digest: digest.to_owned(),
        };
        let bytes = serde_json::to_vec(&record).map_err(broken)?;
        let work = self.temporary();
        let place = self.name_path(&record.name);
        write_synced(&work, &bytes)
            .and_then(|()| fs::rename(&work, &place))
            .and_then(|()| sync_directory(&self.root.join("names")))
            .map_err(broken)
    }

    fn by_digest(&self, digest: &str) -> io::Result<Option<StoredImage>> {
        if !is_digest(digest) {
            return Ok(None);
        }
        let folder = self.folder(digest);
        let Some(bytes) = read_if_there(&folder.join("image.json"))? else {
            return Ok(None);
        };
        let file: ImageFile = serde_json::from_slice(&bytes)?;
        let image = Image {
            digest: file.digest,
            size_bytes: file.size_bytes,
        };
        Ok(Some(StoredImage {
            image,
            config: file.config,
            rootfs: folder.join("rootfs"),
        }))
    }

    fn name_record(&self, name: &str) -> io::Result<Option<NameFile>> {
        let Some(bytes) = read_if_there(&self.name_path(name))? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_slice(&bytes)?))
    }

    fn name_path(&self, name: &str) -> PathBuf {
        self.root
            .join("names")
            .join(format!("{}.json", hex::encode(Sha256::digest(name))))
    }

    fn folder(&self, digest: &str) -> PathBuf {
        self.root
            .join(digest.strip_prefix("sha256:").unwrap_or(digest))
    }
}

/// Reads a file; `None` when there is none.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Writes a file and flushes it to stable storage.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn broken(error: impl std::fmt::Display) -> RuntimeError {
    RuntimeError::Other(format!("image store: {error}"))
}
