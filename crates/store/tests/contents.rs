//! Contents in files: what was finished is read back byte for byte or fails, what was not leaves nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt;
use landfall_store::{ContentId, Contents, FileContents, StoreError};

fn bytes(count: usize) -> Bytes {
    (0..count)
        .map(|n| (n % 251) as u8 ^ (n >> 12) as u8)
        .collect()
}

async fn store(contents: &FileContents, whole: &Bytes, piece: usize) -> ContentId {
    let mut writer = contents.create().await.unwrap();
    for from in (0..whole.len()).step_by(piece) {
        writer
            .write(whole.slice(from..whole.len().min(from + piece)))
            .await
            .unwrap();
    }
    writer.finish().await.unwrap()
}

async fn read(
    contents: &FileContents,
    id: &ContentId,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, StoreError> {
    let mut stream = contents.open(id, offset, length).await?;
    let mut all = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        assert!(chunk.len() <= 256 * 1024);
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn file(dir: &Path, id: &ContentId) -> PathBuf {
    dir.join("contents").join(&id.0[..2]).join(&id.0)
}

#[tokio::test]
async fn every_size_comes_back_whole_and_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let contents = FileContents::open(dir.path()).unwrap();
    let chunk = 128 * 1024;
    for count in [0, 1, 23, chunk - 1, chunk, chunk + 1, 3 * chunk + 17] {
        let whole = bytes(count);
        for piece in [10_007, 1024 * 1024] {
            let id = store(&contents, &whole, piece).await;
            assert_eq!(read(&contents, &id, 0, count as u64).await.unwrap(), whole);
            let (from, to) = (count / 3, count - count / 4);
            let part = read(&contents, &id, from as u64, (to - from) as u64)
                .await
                .unwrap();
            assert_eq!(part, whole[from..to]);
            let too_long = read(&contents, &id, 1, count as u64).await;
            assert!(matches!(too_long, Err(StoreError::Corrupt(_))));
            assert!(read(&contents, &id, 1, u64::MAX).await.is_err());
        }
    }
    drop(contents);
    let reopened = FileContents::open(dir.path()).unwrap();
    let mut ids = reopened.list().await.unwrap();
    assert_eq!(ids.len(), 14);
    let gone = ids.pop().unwrap();
    reopened.remove(&gone).await.unwrap();
    reopened.remove(&gone).await.unwrap();
    assert!(matches!(
        read(&reopened, &gone, 0, 0).await,
        Err(StoreError::NoSuchContent)
    ));
    assert_eq!(reopened.list().await.unwrap().len(), 13);
}

#[tokio::test]
async fn damage_is_an_error_and_never_wrong_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let contents = FileContents::open(dir.path()).unwrap();
    let whole = bytes(300_000);
    for at in [0, 150_000, 299_999, 300_000, 300_010, 300_020] {
        let id = store(&contents, &whole, 65_536).await;
        let path = file(dir.path(), &id);
        let original = fs::read(&path).unwrap()[at];
        let disk = OpenOptions::new().write(true).open(&path).unwrap();
        disk.write_all_at(&[original ^ 0x10], at as u64).unwrap();
        let found = read(&contents, &id, 0, 300_000).await;
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "byte {at}");
    }
    for length in [0, 10, 24, 200_000, 300_023] {
        let id = store(&contents, &whole, 65_536).await;
        let disk = OpenOptions::new()
            .write(true)
            .open(file(dir.path(), &id))
            .unwrap();
        disk.set_len(length).unwrap();
        let found = read(&contents, &id, 0, 300_000).await;
        assert!(
            matches!(found, Err(StoreError::Corrupt(_))),
            "{length} bytes left"
        );
    }
}

/// A client asks for parts, and none of them may hold a wrong byte.
#[tokio::test]
async fn damage_is_found_in_whichever_part_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let contents = FileContents::open(dir.path()).unwrap();
    let whole = bytes(700_000);
    let id = store(&contents, &whole, 65_536).await;
    let path = file(dir.path(), &id);
    let at = 300_000;
    let disk = OpenOptions::new().write(true).open(&path).unwrap();
    disk.write_all_at(&[whole[at] ^ 1], at as u64).unwrap();
    for (from, to) in [(at, at + 1), (262_144, 262_145), (100_000, 400_000)] {
        let found = read(&contents, &id, from as u64, (to - from) as u64).await;
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "{from}..{to}");
    }
    for (from, to) in [(0, 262_144), (393_216, 700_000), (5, 6)] {
        let found = read(&contents, &id, from as u64, (to - from) as u64).await;
        assert_eq!(found.unwrap(), whole[from..to]);
    }
}

/// As versions before wrote it: one checksum, in the footer.
#[tokio::test]
async fn a_file_of_before_is_read_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let contents = FileContents::open(dir.path()).unwrap();
    let whole = bytes(300_000);
    let id = ContentId("0123456789abcdef0123456789abcdef".to_owned());
    let path = file(dir.path(), &id);
    fs::create_dir(path.parent().unwrap()).unwrap();
    let hash = xxhash_rust::xxh3::xxh3_64(&whole);
    let footer = [*b"landfal1", 300_000_u64.to_le_bytes(), hash.to_le_bytes()];
    fs::write(&path, [&whole[..], &footer.concat()].concat()).unwrap();
    assert_eq!(read(&contents, &id, 0, 300_000).await.unwrap(), whole);
    let part = read(&contents, &id, 131_000, 1_000).await.unwrap();
    assert_eq!(part, whole[131_000..132_000]);
    let disk = OpenOptions::new().write(true).open(&path).unwrap();
    disk.write_all_at(&[whole[7] ^ 1], 7).unwrap();
    let found = read(&contents, &id, 131_000, 1_000).await;
    assert!(matches!(found, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn what_was_not_finished_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let unfinished = dir.path().join("contents/unfinished");
    let contents = FileContents::open(dir.path()).unwrap();
    let mut dropped = contents.create().await.unwrap();
    dropped.write(bytes(200_000)).await.unwrap();
    assert_eq!(fs::read_dir(&unfinished).unwrap().count(), 1);
    drop(dropped);
    assert_eq!(fs::read_dir(&unfinished).unwrap().count(), 0);
    fs::write(unfinished.join("left-by-a-crash"), b"x").unwrap();
    let contents = FileContents::open(dir.path()).unwrap();
    assert_eq!(fs::read_dir(&unfinished).unwrap().count(), 0);
    assert_eq!(contents.list().await.unwrap(), []);
}

#[tokio::test]
async fn an_id_never_leads_out_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let contents = FileContents::open(dir.path()).unwrap();
    fs::write(dir.path().join("secret"), [0; 64]).unwrap();
    for id in [
        "../secret",
        "",
        "0",
        "zz",
        "../../../../../../../etc/passwd0",
    ] {
        let id = ContentId(id.to_owned());
        assert!(matches!(
            read(&contents, &id, 0, 1).await,
            Err(StoreError::NoSuchContent)
        ));
        contents.remove(&id).await.unwrap();
    }
    assert!(dir.path().join("secret").is_file());
}
