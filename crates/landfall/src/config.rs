//! Finds and reads `landfall.toml`. Never guesses: a file that is wrong, or that was named and is not there, ends the
//! command.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use landfall_core::limits;
use landfall_core::settings::Settings;

/// Name of the file in a data directory.
const NAME: &str = "landfall.toml";

/// What the named file says, or the one in the data directory, if there is one.
pub fn read(named: Option<&Path>, data_dir: Option<&Path>) -> Result<Settings> {
    if let Some(file) = named {
        let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
        return parse(file, opened);
    }
    let Some(file) = data_dir.map(|dir| dir.join(NAME)) else {
        return Ok(Settings::default());
    };
    match File::open(&file) {
        Ok(opened) => parse(&file, opened),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Settings::default()),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", file.display())),
    }
}

fn parse(file: &Path, opened: File) -> Result<Settings> {
    let mut text = String::new();
    let shown = file.display();
    opened
        .take(limits::SETTINGS_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {shown}"))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > limits::SETTINGS_BYTES_MAX {
        bail!("{shown} is larger than a file of settings can be: name another one with --config");
    }
    Settings::parse(&text).map_err(|e| anyhow::anyhow!("{shown}, {e}"))
}
