//! The disk as the kernel asks for it: each request changes the file tree and is noted, or fails as it was told to.
//! Never blocks, and never touches a file system itself.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::io::Errno as Number;

use super::durable::{Durable, Step};
use super::fault::{Call, Faults};
use super::tree::{Change, PAGE_BYTES, Tree};
use crate::{Random, lock};

/// All changes go through the kernel that asks: what it knows stays true.
const FOREVER: Duration = Duration::from_secs(24 * 3_600);
const SECTOR_BYTES: u64 = 512;
/// What a disk without a limit says of itself.
const ROOMY_BYTES: u64 = 1 << 40;
/// `whence` of a search for data and for a hole.
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;

/// What the kernel's threads and the test share.
#[derive(Debug)]
pub(super) struct Inner {
    /// As programs see it.
    pub(super) live: Tree,
    /// As a crash would leave it.
    pub(super) durable: Durable,
    pub(super) faults: Faults,
    /// Every step since the log was last taken, while there is one.
    pub(super) log: Option<Vec<Step>>,
    /// Bytes that fit.
    pub(super) capacity: Option<u64>,
    /// Whether a sync says yes and does nothing.
    pub(super) lies: bool,
    /// Decides what a failed sync has lost.
    pub(super) random: Random,
    allocated: u64,
    nameless: BTreeSet<u64>,
    next: u64,
}

type Outcome<T> = Result<T, Number>;

impl Inner {
    pub(super) fn new(tree: Tree, random: Random) -> Self {
        Self {
            allocated: tree.allocated(),
            next: tree.last_node() + 1,
            durable: Durable::new(tree.clone()),
            live: tree,
            faults: Faults::default(),
            log: None,
            capacity: None,
            lies: false,
            random,
            nameless: BTreeSet::new(),
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        self.durable.step(&step);
        if let Some(log) = &mut self.log {
            log.push(step);
        }
    }

    fn check(&mut self, call: Call) -> Outcome<()> {
        match self.faults.check(call) {
            Some(errno) => Err(Number::from_raw_os_error(errno)),
            None => Ok(()),
        }
    }

    fn change(&mut self, change: Change) {
        if let Some(nameless) = self.live.apply(&change) {
            // Programs may still have it open; its room counts as free at once.
            let freed = self.live.file(nameless).map_or(0, |file| file.allocated());
            self.allocated = self.allocated.saturating_sub(freed);
            self.nameless.insert(nameless);
        }
        self.step(Step::Change(change));
    }

    fn named(&self, dir: u64, name: &OsStr) -> Outcome<u64> {
        self.live.named(dir, name).ok_or(Number::NOENT)
    }

    fn make(&mut self, dir: u64, name: &OsStr, is_dir: bool) -> Outcome<FileAttr> {
        self.check(Call::Make)?;
        if self.live.named(dir, name).is_some() {
            return Err(Number::EXIST);
        }
        let node = self.next;
        self.next += 1;
        self.change(Change::Link {
            dir,
            name: name.to_owned(),
            node,
            is_dir,
        });
        self.attributes(node)
    }

    fn remove(&mut self, dir: u64, name: &OsStr) -> Outcome<()> {
        self.check(Call::Remove)?;
        let node = self.named(dir, name)?;
        if self
            .live
            .dir(node)
            .is_some_and(|entries| !entries.is_empty())
        {
            return Err(Number::NOTEMPTY);
        }
        self.change(Change::Unlink {
            dir,
            name: name.to_owned(),
            node,
        });
        Ok(())
    }

    fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr)) -> Outcome<()> {
        self.check(Call::Rename)?;
        let node = self.named(from.0, from.1)?;
        self.change(Change::Rename {
            from: (from.0, from.1.to_owned()),
            to: (to.0, to.1.to_owned()),
            node,
        });
        Ok(())
    }

    /// Writes; a write that is to fail leaves half of its bytes, as some disks do.
    fn write(&mut self, file: u64, at: u64, data: &[u8]) -> Outcome<()> {
        let failed = self
            .check(Call::Write)
            .err()
            .or_else(|| self.is_full(file, at, data));
        let whole = Bytes::copy_from_slice(data);
        let bytes = match failed {
            None => whole,
            Some(_) => whole.slice(..data.len() / 2),
        };
        let missing = |inner: &Self, length| {
            let file = inner.live.file(file);
            file.map_or(0, |file| file.missing_pages(at, length)) * PAGE_BYTES
        };
        let more = missing(self, bytes.len() as u64);
        let has_room = self
            .capacity
            .is_none_or(|capacity| self.allocated + more <= capacity);
        if has_room && !bytes.is_empty() {
            self.allocated += more;
            self.change(Change::Write { file, at, bytes });
        }
        failed.map_or(Ok(()), Err)
    }

    fn is_full(&self, file: u64, at: u64, data: &[u8]) -> Option<Number> {
        let file = self.live.file(file)?;
        let more = file.missing_pages(at, data.len() as u64) * PAGE_BYTES;
        let is_full = self
            .capacity
            .is_some_and(|capacity| self.allocated + more > capacity);
        is_full.then_some(Number::NOSPC)
    }

    fn resize(&mut self, file: u64, length: u64) -> Outcome<()> {
        self.check(Call::Resize)?;
        let before = self.live.file(file).map_or(0, |file| file.allocated());
        self.change(Change::Resize { file, length });
        let after = self.live.file(file).map_or(0, |file| file.allocated());
        self.allocated = self.allocated.saturating_sub(before.saturating_sub(after));
        Ok(())
    }

    fn sync(&mut self, node: u64) -> Outcome<()> {
        if let Err(error) = self.check(Call::Sync) {
            self.durable.fail_sync(node, &self.random);
            return Err(error);
        }
        if !self.lies {
            self.step(Step::Sync(node));
        }
        Ok(())
    }

    fn read(&mut self, file: u64, at: u64, length: u64) -> Outcome<Vec<u8>> {
        self.check(Call::Read)?;
        let file = self.live.file(file).ok_or(Number::ISDIR)?;
        Ok(file.read(at, length))
    }

    fn forget(&mut self, node: u64) {
        if self.nameless.remove(&node) {
            self.live.forget(node);
        }
    }

    fn attributes(&self, node: u64) -> Outcome<FileAttr> {
        let (kind, size, allocated) = match (self.live.dir(node), self.live.file(node)) {
            (Some(_), _) => (FileType::Directory, 0, 0),
            (None, Some(file)) => (FileType::RegularFile, file.length(), file.allocated()),
            (None, None) => return Err(Number::NOENT),
        };
        let is_dir = kind == FileType::Directory;
        Ok(FileAttr {
            ino: INodeNo(node),
            size,
            blocks: allocated / SECTOR_BYTES,
            atime: SystemTime::UNIX_EPOCH,
            mtime: SystemTime::UNIX_EPOCH,
            ctime: SystemTime::UNIX_EPOCH,
            crtime: SystemTime::UNIX_EPOCH,
            kind,
            perm: if is_dir { 0o755 } else { 0o644 },
            nlink: if is_dir { 2 } else { 1 },
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            rdev: 0,
            blksize: u32::try_from(PAGE_BYTES).unwrap_or(0),
            flags: 0,
        })
    }

    fn seek(&self, file: u64, offset: i64, whence: i32) -> Outcome<i64> {
        let file = self.live.file(file).ok_or(Number::ISDIR)?;
        let from = u64::try_from(offset).map_err(|_| Number::INVAL)?;
        let found = match whence {
            SEEK_DATA => file.next_data(from),
            SEEK_HOLE => file.next_hole(from),
            _ => return Err(Number::INVAL),
        };
        let found = found.ok_or(Number::NXIO)?;
        i64::try_from(found).map_err(|_| Number::OVERFLOW)
    }
}

/// The disk, served.
pub(super) struct Served(pub(super) Arc<Mutex<Inner>>);

fn errno(number: Number) -> Errno {
    Errno::from_i32(number.raw_os_error())
}

fn empty(outcome: Outcome<()>, reply: ReplyEmpty) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(number) => reply.error(errno(number)),
    }
}

fn entry(outcome: Outcome<FileAttr>, reply: ReplyEntry) {
    match outcome {
        Ok(attributes) => reply.entry(&FOREVER, &attributes, Generation(0)),
        Err(number) => reply.error(errno(number)),
    }
}

fn opened(outcome: Outcome<()>, reply: ReplyOpen) {
    match outcome {
        Ok(()) => reply.opened(FileHandle(0), FopenFlags::empty()),
        Err(number) => reply.error(errno(number)),
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let inner = lock(&self.0);
        let found = inner
            .named(parent.0, name)
            .and_then(|node| inner.attributes(node));
        entry(found, reply);
    }

    fn forget(&self, _: &Request, node: INodeNo, _: u64) {
        lock(&self.0).forget(node.0);
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match lock(&self.0).attributes(node.0) {
            Ok(attributes) => reply.attr(&FOREVER, &attributes),
            Err(number) => reply.error(errno(number)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut inner = lock(&self.0);
        let resized = size.map_or(Ok(()), |size| inner.resize(node.0, size));
        match resized.and_then(|()| inner.attributes(node.0)) {
            Ok(attributes) => reply.attr(&FOREVER, &attributes),
            Err(number) => reply.error(errno(number)),
        }
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        entry(lock(&self.0).make(parent.0, name, true), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(lock(&self.0).remove(parent.0, name), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(lock(&self.0).remove(parent.0, name), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let outcome = if flags.is_empty() {
            lock(&self.0).rename((parent.0, name), (newparent.0, newname))
        } else {
            Err(Number::INVAL)
        };
        empty(outcome, reply);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        opened(lock(&self.0).check(Call::Open), reply);
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match lock(&self.0).read(node.0, offset, u64::from(size)) {
            Ok(bytes) => reply.data(&bytes),
            Err(number) => reply.error(errno(number)),
        }
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match lock(&self.0).write(node.0, offset, data) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(number) => reply.error(errno(number)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(lock(&self.0).sync(node.0), reply);
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        opened(lock(&self.0).check(Call::Open), reply);
    }

    fn readdir(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let mut inner = lock(&self.0);
        if let Err(number) = inner.check(Call::Read) {
            return reply.error(errno(number));
        }
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let entries = inner.live.dir(node.0).into_iter().flatten();
        for (number, (name, child)) in entries.enumerate().skip(skipped) {
            let kind = match inner.live.dir(*child) {
                Some(_) => FileType::Directory,
                None => FileType::RegularFile,
            };
            if reply.add(INodeNo(*child), number as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(lock(&self.0).sync(node.0), reply);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let inner = lock(&self.0);
        let all = inner.capacity.unwrap_or(ROOMY_BYTES) / PAGE_BYTES;
        let free = all.saturating_sub(inner.allocated / PAGE_BYTES);
        let block = u32::try_from(PAGE_BYTES).unwrap_or(0);
        reply.statfs(all, free, free, 1 << 20, 1 << 20, block, 255, block);
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match lock(&self.0).make(parent.0, name, false) {
            Ok(attributes) => reply.created(
                &FOREVER,
                &attributes,
                Generation(0),
                FileHandle(0),
                FopenFlags::empty(),
            ),
            Err(number) => reply.error(errno(number)),
        }
    }

    fn lseek(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        match lock(&self.0).seek(node.0, offset, whence) {
            Ok(found) => reply.offset(found),
            Err(number) => reply.error(errno(number)),
        }
    }
}
