//! What this host has for tasks. Never decides how much of it they get.

use std::thread::available_parallelism;

use anyhow::{Context, Result};
use landfall_core::settings::Launch;

const UNITS_PER_CORE: u64 = 1024;
const KIB_PER_MIB: u64 = 1024;

/// Where nothing else is set, tasks may take what there is.
pub fn fill_in(launch: &mut Launch) -> Result<()> {
    if launch.cpu_units.is_none() {
        let cores = available_parallelism().context("cannot count the cores of this host")?;
        launch.cpu_units = Some(u64::try_from(cores.get())?.saturating_mul(UNITS_PER_CORE));
    }
    if launch.memory_mib.is_none() {
        let told = std::fs::read_to_string("/proc/meminfo")
            .context("cannot ask this host for its memory")?;
        let total = total_kib(&told).context("this host does not say how much memory it has")?;
        launch.memory_mib = Some(total / KIB_PER_MIB);
    }
    Ok(())
}

fn total_kib(told: &str) -> Option<u64> {
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_stays_and_what_is_not_is_what_there_is() {
        let mut launch = Launch {
            cpu_units: Some(7),
            ..Launch::default()
        };
        fill_in(&mut launch).unwrap();
        assert_eq!(launch.cpu_units, Some(7));
        assert!(launch.memory_mib.is_some_and(|mib| mib > 0));
        assert_eq!(
            total_kib("MemTotal:       24682556 kB\nMemFree: 1 kB\n"),
            Some(24_682_556)
        );
        assert_eq!(total_kib("MemFree: 1 kB\n"), None);
    }
}
