//! Who a container runs as: numbers, or names looked up in the image's own files. Never asks the host's users.

use std::path::Path;

use crate::image::resolve_in;

/// A user as the kernel knows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

/// Resolves `uid`, `uid:gid`, `name` or `name:group`; empty is root. Says why when it cannot.
pub(crate) fn resolve(text: &str, rootfs: &Path) -> Result<User, String> {
    if text.is_empty() {
        return Ok(User::default());
    }
    let (name, group) = match text.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (text, None),
    };
    let passwd = read(rootfs, "/etc/passwd");
    let groups = read(rootfs, "/etc/group");
    let entry = find(&passwd, name, 2);
    let number = |entry: &[&str], at: usize| entry.get(at).and_then(|n| n.parse::<u32>().ok());
    let uid = match &entry {
        Some(entry) => number(entry, 2),
        None => name.parse().ok(),
    };
    let uid = uid
        .ok_or_else(|| format!("unable to find user {name}: no matching entries in passwd file"))?;
    let gid = match group {
        Some(group) => match find(&groups, group, 2) {
            Some(entry) => number(&entry, 2),
            None => group.parse().ok(),
        }
        .ok_or_else(|| {
            format!("unable to find group {group}: no matching entries in group file")
        })?,
        None => entry.as_deref().and_then(|e| number(e, 3)).unwrap_or(0),
    };
    let login = entry.as_ref().and_then(|e| e.first().copied());
    let member = |line: &&str| {
        let members = line.split(':').nth(3).unwrap_or("");
        group.is_none() && login.is_some_and(|login| members.split(',').any(|m| m == login))
    };
    let extra = groups
        .lines()
        .filter(member)
        .filter_map(|l| l.split(':').nth(2)?.parse().ok());
    Ok(User {
        uid,
        gid,
        groups: extra.collect(),
    })
}

/// The line whose first field is the name, or whose field `at` is the number.
fn find<'a>(file: &'a str, name: &str, at: usize) -> Option<Vec<&'a str>> {
    let split = |line: &'a str| line.split(':').collect::<Vec<_>>();
    let by_name = file.lines().map(split).find(|l| l.first() == Some(&name));
    by_name.or_else(|| {
        name.parse::<u32>().ok()?;
        file.lines().map(split).find(|l| l.get(at) == Some(&name))
    })
}

fn read(rootfs: &Path, path: &str) -> String {
    let bytes = resolve_in(rootfs, Path::new(path))
        .and_then(std::fs::read)
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_come_from_the_images_files() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        write(
            "etc/passwd",
            "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n",
        );
        write("etc/group", "root:x:0:\napp:x:1001:\nextra:x:7:other,app\n");
        let user = |uid, gid, groups: &[u32]| {
            Ok(User {
                uid,
                gid,
                groups: groups.to_vec(),
            })
        };
        let cases = [
            ("", user(0, 0, &[])),
            ("app", user(1000, 1001, &[7])),
            ("1000", user(1000, 1001, &[7])),
            ("app:extra", user(1000, 7, &[])),
            ("55", user(55, 0, &[])),
            ("55:66", user(55, 66, &[])),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve(text, root.path()), expected, "{text:?}");
        }
        assert!(
            resolve("nobody", root.path())
                .unwrap_err()
                .contains("unable to find user nobody")
        );
        assert!(
            resolve("app:none", root.path())
                .unwrap_err()
                .contains("group none")
        );
    }
}
