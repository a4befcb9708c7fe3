//! Makes an upload as small and plain as it can be while something about it stays true.
//!
//! Knows nothing of templates.

use super::upload::{Operation, Upload};

/// How much there is to an upload: the characters of its key first, then what is out of the ordinary.
pub(super) fn measure(upload: &Upload) -> (usize, usize) {
    let odd = upload
        .key
        .chars()
        .filter(|c| !c.is_ascii_alphanumeric())
        .count();
    let features = usize::from(upload.operation != Operation::PutObject)
        + usize::from(upload.versioned)
        + usize::from(upload.fails)
        + usize::from(upload.size != 0)
        + usize::from(upload.record.is_some());
    (upload.key.chars().count(), odd + features)
}

/// The smallest upload reached by simplifying, for which `differs` still holds.
pub(super) fn shrink(
    mut upload: Upload,
    plain: &Upload,
    buckets: &[String],
    differs: impl Fn(&Upload) -> bool,
) -> Upload {
    loop {
        let better = simpler(&upload, plain, buckets).find(|it| differs(it));
        match better {
            Some(better) => upload = better,
            None => return upload,
        }
    }
}

/// One step simpler each, the largest steps first.
fn simpler<'a>(
    upload: &'a Upload,
    plain: &'a Upload,
    buckets: &'a [String],
) -> impl Iterator<Item = Upload> + 'a {
    let with = move |change: &dyn Fn(&mut Upload)| {
        let mut other = upload.clone();
        change(&mut other);
        (other != *upload).then_some(other)
    };
    let members = [
        with(&|it| it.record = None),
        with(&|it| it.operation = plain.operation),
        with(&|it| it.fails = false),
        with(&|it| it.versioned = false),
        with(&|it| it.size = plain.size),
        with(&|it| it.source_ip.clone_from(&plain.source_ip)),
        with(&|it| it.account.clone_from(&plain.account)),
    ];
    let buckets = buckets
        .iter()
        .take_while(move |it| **it != upload.bucket)
        .filter_map(move |name| with(&|it| it.bucket.clone_from(name)));
    let keys = shorter(&upload.key)
        .chain(plainer(&upload.key))
        .filter_map(move |key| with(&|it| it.key.clone_from(&key)));
    members
        .into_iter()
        .flatten()
        .chain(buckets)
        .chain(keys)
        // A record tells its own key: what changes the key without it changes nothing.
        .filter(move |it| it.record.is_none() || it == upload)
}

/// The key without one stretch of it.
fn shorter(key: &str) -> impl Iterator<Item = String> + '_ {
    let chars: Vec<char> = key.chars().collect();
    let mut width = chars.len().saturating_sub(1);
    let mut stretches = Vec::new();
    while width > 0 {
        let starts = (0..chars.len()).step_by(width);
        stretches.extend(starts.map(|start| (start, (start + width).min(chars.len()))));
        width = if width == 1 { 0 } else { width.div_ceil(2) };
    }
    stretches.into_iter().filter_map(move |(start, end)| {
        let kept = chars.iter().take(start).chain(chars.iter().skip(end));
        let kept: String = kept.collect();
        (!kept.is_empty()).then_some(kept)
    })
}

/// The key with one odd character made a plain one.
fn plainer(key: &str) -> impl Iterator<Item = String> + '_ {
    let odd = key
        .char_indices()
        .filter(|(_, c)| !c.is_ascii_alphanumeric());
    odd.filter_map(|(at, c)| {
        let before = key.get(..at)?;
        let behind = key.get(at + c.len_utf8()..)?;
        Some(format!("{before}a{behind}"))
    })
}
