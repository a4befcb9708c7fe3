//! Unpacks the layers of an image into one directory, whiteouts applied.
//!
//! Never leaves that directory, whatever a layer says: every parent is opened by the kernel with the directory as
//! root (`RESOLVE_IN_ROOT`), and every last component is created or removed without following links.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};
use sha2::{Digest, Sha256};
use tar::EntryType;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// The directory that layers are unpacked into, bottom layer first.
pub(crate) struct Unpacker {
    root: OwnedFd,
    privileged: bool,
    /// Paths that the current layer has written: its whiteouts do not hide those.
    written: HashSet<PathBuf>,
    bytes: u64,
}

impl Unpacker {
    /// Works in `root`, which exists and is empty.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty())?;
        let privileged = rustix::process::geteuid().is_root();
        Ok(Self {
            root,
            privileged,
            written: HashSet::new(),
            bytes: 0,
        })
    }

    /// Bytes of all files written.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Unpacks one layer, plain or compressed; returns the digest of its uncompressed bytes.
    pub(crate) fn layer(&mut self, layer: impl Read) -> io::Result<String> {
        self.written.clear();
        let mut hashed = HashingReader {
            inner: decompressed(layer)?,
            hash: Sha256::new(),
        };
        let mut archive = tar::Archive::new(&mut hashed);
        for entry in archive.entries()? {
            self.entry(entry?)?;
        }
        io::copy(&mut hashed, &mut io::sink())?;
        Ok(format!("sha256:{}", hex::encode(hashed.hash.finalize())))
    }

    /// Flushes everything below the directory to stable storage.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.root)?)
    }

    fn entry(&mut self, mut entry: tar::Entry<'_, impl Read>) -> io::Result<()> {
        let kind = entry.header().entry_type();
        let path = inside(&entry.path()?)?;
        let Some(name) = path.file_name().map(|n| n.as_bytes().to_vec()) else {
            return self.own_root(&entry);
        };
        let parent_path = path.parent().unwrap_or(Path::new("")).to_owned();
        let parent = self.directory(&parent_path)?;
        if name == OPAQUE {
            return self.hide_lower(&parent, &parent_path);
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            if hidden.is_empty() || hidden == b"." || hidden == b".." {
                return Err(invalid("a whiteout names nothing"));
            }
            let target = parent_path.join(std::ffi::OsStr::from_bytes(hidden));
            return if self.written.contains(&target) {
                Ok(())
            } else {
                remove(&parent, hidden)
            };
        }
        self.note_written(&path);
        if kind != EntryType::Directory {
            remove(&parent, &name)?;
        }
        match kind {
            EntryType::Directory => make_directory(&parent, &name)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.bytes += write_file(&parent, &name, &mut entry)?;
            }
            EntryType::Symlink => {
                let target = entry
                    .link_name_bytes()
                    .ok_or_else(|| invalid("a link names no target"))?;
                rustix::fs::symlinkat(&*target, &parent, &*name)?;
            }
            EntryType::Link => return self.hard_link(&entry, &parent, &name),
            EntryType::Fifo | EntryType::Char | EntryType::Block => {
                if !self.make_node(&parent, &name, kind, entry.header())? {
                    return Ok(());
                }
            }
            _ => return Ok(()),
        }
        self.own(&parent, &name, entry.header(), kind)
    }

    /// An entry for the root directory itself carries only its mode.
    fn own_root(&self, entry: &tar::Entry<'_, impl Read>) -> io::Result<()> {
        let mode = entry.header().mode()? & 0o7777;
        Ok(rustix::fs::fchmod(&self.root, Mode::from_raw_mode(mode))?)
    }

    fn note_written(&mut self, path: &Path) {
        for ancestor in path.ancestors() {
            if !self.written.insert(ancestor.to_owned()) {
                break;
            }
        }
    }

    /// Opens a directory below the root, made when absent; links on the way are resolved within the root.
    fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH;
        let at = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let opened = open_in(&self.root, at, flags);
        let (Err(rustix::io::Errno::NOENT), Some(name)) = (&opened, path.file_name()) else {
            return Ok(opened?);
        };
        let parent = self.directory(path.parent().unwrap_or(Path::new("")))?;
        match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(open_in(&self.root, at, flags)?),
            Err(e) => Err(e.into()),
        }
    }

    fn hard_link(
        &self,
        entry: &tar::Entry<'_, impl Read>,
        parent: &OwnedFd,
        name: &[u8],
    ) -> io::Result<()> {
        let target = entry
            .link_name()?
            .ok_or_else(|| invalid("a link names no target"))?;
        let target = inside(&target)?;
        let target_name = target
            .file_name()
            .ok_or_else(|| invalid("a link names a directory"))?;
        let target_parent = self.directory(target.parent().unwrap_or(Path::new("")))?;
        Ok(rustix::fs::linkat(
            &target_parent,
            target_name,
            parent,
            name,
            AtFlags::empty(),
        )?)
    }

    /// Makes a pipe or, as root, a device node; says whether it did.
    fn make_node(
        &self,
        parent: &OwnedFd,
        name: &[u8],
        kind: EntryType,
        header: &tar::Header,
    ) -> io::Result<bool> {
        let file_type = match kind {
            EntryType::Fifo => FileType::Fifo,
            _ if !self.privileged => return Ok(false),
            EntryType::Char => FileType::CharacterDevice,
            _ => FileType::BlockDevice,
        };
        let (major, minor) = (header.device_major()?, header.device_minor()?);
        let device = rustix::fs::makedev(major.unwrap_or(0), minor.unwrap_or(0));
        rustix::fs::mknodat(parent, name, file_type, Mode::from_raw_mode(0o600), device)?;
        Ok(true)
    }

    /// Owner (as root), mode and time of what was just made.
    fn own(
        &self,
        parent: &OwnedFd,
        name: &[u8],
        header: &tar::Header,
        kind: EntryType,
    ) -> io::Result<()> {
        if self.privileged {
            let narrow =
                |id: u64| u32::try_from(id).map_err(|_| invalid("an owner is out of range"));
            let uid = Uid::from_raw(narrow(header.uid()?)?);
            let gid = Gid::from_raw(narrow(header.gid()?)?);
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(parent, name, Some(uid), Some(gid), flags)?;
        }
        if kind == EntryType::Symlink {
            return Ok(());
        }
        let mut mode = header.mode()? & 0o7777;
        if !self.privileged && kind == EntryType::Directory {
            mode |= 0o700;
        }
        rustix::fs::chmodat(parent, name, Mode::from_raw_mode(mode), AtFlags::empty())?;
        if kind == EntryType::Directory {
            return Ok(());
        }
        let stamp = Timespec {
            tv_sec: i64::try_from(header.mtime()?).unwrap_or(0),
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: stamp,
            last_modification: stamp,
        };
        Ok(rustix::fs::utimensat(
            parent,
            name,
            &times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    /// Removes what lower layers put into a directory and keeps what this layer has put there.
    fn hide_lower(&self, directory: &OwnedFd, path: &Path) -> io::Result<()> {
        for child in std::fs::read_dir(visible(directory))? {
            let child = child?;
            let child_path = path.join(child.file_name());
            if !self.written.contains(&child_path) {
                remove(directory, child.file_name().as_bytes())?;
            } else if child.file_type()?.is_dir() {
                self.hide_lower(&self.directory(&child_path)?, &child_path)?;
            }
        }
        Ok(())
    }
}

/// Where a path leads when `root` is taken for `/`: a path on the host that is inside `root`, links resolved.
pub(crate) fn resolve_in(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let root = rustix::fs::open(root, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let found = open_in(&root, path, OFlags::PATH | OFlags::CLOEXEC)?;
    std::fs::read_link(visible(&found))
}

/// Makes a directory, and those above it, in a tree whose top is taken for `/`. One that is there stays as it is.
pub(crate) fn make_directory_in(root: &Path, path: &Path, mode: u32) -> io::Result<()> {
    let root = rustix::fs::open(root, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut below = PathBuf::new();
    for component in inside(path)?.components() {
        below.push(component);
        match open_in(&root, &below, flags) {
            Ok(_) => continue,
            Err(rustix::io::Errno::NOENT) => {}
            Err(e) => return Err(e.into()),
        }
        let above = below
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let parent = open_in(&root, above, flags)?;
        rustix::fs::mkdirat(&parent, component.as_os_str(), Mode::from_raw_mode(0o755))?;
        // The process's own mask has no say in the mode.
        let mode = Mode::from_raw_mode(mode);
        rustix::fs::chmodat(&parent, component.as_os_str(), mode, AtFlags::empty())?;
    }
    Ok(())
}

fn open_in(root: &OwnedFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)
}

/// The path through which an open directory can be listed.
fn visible(directory: &impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd()))
}

/// A path of an archive as a relative one without `.`; `..` is refused.
fn inside(path: &Path) -> io::Result<PathBuf> {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => out.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(invalid("a path of the layer points outside of it"));
            }
        }
    }
    Ok(out)
}

/// Removes a name from a directory, with everything below it, following no link.
fn remove(parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) => {
            std::fs::remove_dir_all(visible(parent).join(std::ffi::OsStr::from_bytes(name)))
        }
        Err(e) => Err(e.into()),
    }
}

fn make_directory(parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) => return Ok(()),
        Err(rustix::io::Errno::EXIST) => {}
        Err(e) => return Err(e.into()),
    }
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Ok(());
    }
    remove(parent, name)?;
    Ok(rustix::fs::mkdirat(
        parent,
        name,
        Mode::from_raw_mode(0o755),
    )?)
}

fn write_file(parent: &OwnedFd, name: &[u8], content: &mut impl Read) -> io::Result<u64> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600))?;
    let mut file = File::from(file);
    let bytes = io::copy(content, &mut file)?;
    file.flush()?;
    Ok(bytes)
}

/// Recognises gzip and zstd by their first bytes; anything else is taken as it is.
pub(crate) fn decompressed<'a>(mut inner: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut magic = Vec::with_capacity(4);
    inner.by_ref().take(4).read_to_end(&mut magic)?;
    let kind = magic.clone();
    let whole = io::BufReader::with_capacity(64 * 1024, io::Cursor::new(magic).chain(inner));
    if kind.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(whole)));
    }
    if kind == [0x28, 0xb5, 0x2f, 0xfd] {
        let decoder = ruzstd::decoding::StreamingDecoder::new(whole)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(whole))
}

struct HashingReader<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
