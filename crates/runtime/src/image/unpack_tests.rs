//! Layers that try to leave their directory, and whiteouts.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// Entries of a layer: `(kind, path, content or target)`. Written raw: the tar crate refuses bad paths itself.
fn layer(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (kind, path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        let linked = matches!(kind, EntryType::Symlink | EntryType::Link);
        let body = if linked { "" } else { content };
        if linked {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_size(body.len() as u64);
        header.set_cksum();
        out.append(&header, body.as_bytes()).unwrap();
    }
    out.into_inner().unwrap()
}

const FILE: EntryType = EntryType::Regular;
const DIRECTORY: EntryType = EntryType::Directory;
const SYMLINK: EntryType = EntryType::Symlink;
const LINK: EntryType = EntryType::Link;

struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// `outside/secret` next to `root/`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/secret"), "secret").unwrap();
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn unpack(&self, layers: &[Vec<u8>]) -> io::Result<()> {
        let mut unpacker = Unpacker::new(&self.root())?;
        for layer in layers {
            let found = unpacker.layer(layer.as_slice())?;
            assert_eq!(
                found,
                format!("sha256:{}", hex::encode(Sha256::digest(layer)))
            );
        }
        Ok(())
    }

    fn outside_is_untouched(&self) {
        let names: Vec<_> = fs::read_dir(self.folder.path().join("outside"))
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, ["secret"]);
        assert_eq!(
            fs::read(self.folder.path().join("outside/secret")).unwrap(),
            b"secret"
        );
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 2);
    }
}

#[test]
fn no_layer_writes_outside_of_its_directory() {
    let cases: &[&[(EntryType, &str, &str)]] = &[
        &[(FILE, "../evil", "x")],
        &[(FILE, "a/../../outside/secret", "x")],
        &[(SYMLINK, "up", "../outside"), (FILE, "up/secret", "x")],
        &[(SYMLINK, "up", "../outside"), (FILE, "up/.wh.secret", "")],
        &[(SYMLINK, "up", "../outside"), (FILE, "up/.wh..wh..opq", "")],
        &[(SYMLINK, "f", "../outside/secret"), (FILE, "f", "x")],
        &[(LINK, "hard", "../outside/secret"), (FILE, "hard", "x")],
        &[
            (SYMLINK, "up", "../outside"),
            (LINK, "hard", "up/secret"),
            (FILE, "hard", "x"),
        ],
        &[(FILE, ".wh...", "")],
        &[(FILE, ".wh..", "")],
        &[(SYMLINK, "up", "../outside"), (DIRECTORY, "up/made", "")],
    ];
    for entries in cases {
        let world = World::new();
        let _ = world.unpack(&[layer(entries)]);
        world.outside_is_untouched();
    }
}

#[test]
fn absolute_names_and_links_lead_within_the_image() {
    let world = World::new();
    let entries = [
        (FILE, "/etc/one", "1"),
        (DIRECTORY, "run", ""),
        (DIRECTORY, "var", ""),
        (SYMLINK, "var/run", "/run"),
        (FILE, "var/run/two", "2"),
        (LINK, "three", "/etc/one"),
    ];
    world.unpack(&[layer(&entries)]).unwrap();
    assert_eq!(fs::read(world.root().join("etc/one")).unwrap(), b"1");
    assert_eq!(fs::read(world.root().join("run/two")).unwrap(), b"2");
    assert_eq!(fs::read(world.root().join("three")).unwrap(), b"1");
}

#[test]
fn whiteouts_hide_lower_layers_only() {
    let world = World::new();
    let lower = [
        (FILE, "a/gone", "x"),
        (FILE, "a/kept", "x"),
        (FILE, "b/old/deep", "x"),
        (FILE, "b/same", "old"),
        (FILE, "c/dir/x", "x"),
    ];
    let upper = [
        (FILE, "a/.wh.gone", ""),
        (FILE, "a/.wh.never", ""),
        (FILE, "b/same", "new"),
        (FILE, "b/.wh..wh..opq", ""),
        (FILE, "b/late", "x"),
        (FILE, "c/.wh.dir", ""),
    ];
    world.unpack(&[layer(&lower), layer(&upper)]).unwrap();
    let there = |path: &str| world.root().join(path).exists();
    assert!(!there("a/gone") && there("a/kept"));
    assert!(!there("b/old") && there("b/late") && there("b/same"));
    assert_eq!(fs::read(world.root().join("b/same")).unwrap(), b"new");
    assert!(there("c") && !there("c/dir"));
    assert!(!there("a/.wh.gone") && !there("b/.wh..wh..opq"));
}

#[test]
fn later_layers_replace_any_kind_by_any_other() {
    let world = World::new();
    let lower = [
        (FILE, "x", "file"),
        (DIRECTORY, "y", ""),
        (FILE, "y/inner", "1"),
        (SYMLINK, "z", "x"),
    ];
    let upper = [
        (DIRECTORY, "x", ""),
        (FILE, "y", "file"),
        (FILE, "z", "own"),
    ];
    world.unpack(&[layer(&lower), layer(&upper)]).unwrap();
    assert!(world.root().join("x").is_dir());
    assert_eq!(fs::read(world.root().join("y")).unwrap(), b"file");
    assert_eq!(fs::read(world.root().join("z")).unwrap(), b"own");
    assert!(
        fs::symlink_metadata(world.root().join("z"))
            .unwrap()
            .is_file()
    );
}

#[test]
fn compressed_layers_are_recognised() {
    let plain = layer(&[(FILE, "a", "content")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(
        plain.as_slice(),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&plain)));
    for bytes in [plain, gzip, zstd] {
        let world = World::new();
        let found = Unpacker::new(&world.root())
            .unwrap()
            .layer(bytes.as_slice())
            .unwrap();
        assert_eq!(found, digest);
        assert_eq!(fs::read(world.root().join("a")).unwrap(), b"content");
    }
}

#[test]
fn paths_are_resolved_as_if_the_root_were_theirs() {
    let world = World::new();
    fs::create_dir(world.root().join("bin")).unwrap();
    fs::write(world.root().join("bin/tool"), "").unwrap();
    symlink("/bin/tool", world.root().join("alias")).unwrap();
    symlink("../outside", world.root().join("up")).unwrap();
    let real = fs::canonicalize(world.root().join("bin/tool")).unwrap();
    assert_eq!(
        resolve_in(&world.root(), Path::new("/alias")).unwrap(),
        real
    );
    assert_eq!(
        resolve_in(&world.root(), Path::new("/../../bin/tool")).unwrap(),
        real
    );
    assert!(resolve_in(&world.root(), Path::new("/up/secret")).is_err());
}
