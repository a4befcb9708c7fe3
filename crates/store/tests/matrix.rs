//! The crash matrix, failing calls and flipped bits in their short forms; the long ones are `cargo xtask prove disk`,
//! `faults` and `flips`.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::process::Command;

use landfall_testkit::crash::{Faults, Flips, Matrix};
use landfall_testkit::new_seed;

/// Set for a run of this very test in a process of its own, on a disk that lies about syncs.
const LIES: &str = "LANDFALL_TEST_LYING_DISK";

fn seed() -> u64 {
    match std::env::var("LANDFALL_PROVE_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => new_seed(),
    }
}

#[test]
fn whatever_a_crash_leaves_opens_with_the_acknowledged_prefix() {
    let matrix = Matrix {
        seed: seed(),
        steps: 120,
        images: 400,
        recovery_every: 40,
        recovery_images: 8,
        threads: 2,
        lies: std::env::var_os(LIES).is_some(),
    };
    println!("LANDFALL_PROVE_SEED={}", matrix.seed);
    let report = matrix.run(|_| {}).unwrap();
    println!("{report:#?}");
    assert_eq!(report.failures, Vec::<String>::new());
    assert!(report.images >= 300 && report.of_recoveries > 0);
}

/// The same test must fail there. In a process of its own, since a store that was lied to may well abort.
#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    let test = "whatever_a_crash_leaves_opens_with_the_acknowledged_prefix";
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(LIES, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("LANDFALL_PROVE_SEED"),
        "it did not even begin: {said}"
    );
    assert!(!output.status.success(), "{said}");
}

#[test]
fn whichever_call_fails_nothing_acknowledged_is_lost() {
    let faults = Faults {
        seed: seed(),
        steps: 30,
        cases: 60,
    };
    println!("LANDFALL_PROVE_SEED={}", faults.seed);
    let report = faults.run().unwrap();
    println!("{report:#?}");
    assert_eq!(report.failures, Vec::<String>::new());
    assert!(report.refused > 20 && report.images == 4 * report.cases);
}

#[test]
fn whichever_bit_flips_the_bytes_are_right_or_there_is_an_error() {
    let flips = Flips {
        seed: seed(),
        steps: 80,
        bits: 12,
    };
    println!("LANDFALL_PROVE_SEED={}", flips.seed);
    let report = flips.run().unwrap();
    println!("{report:#?}");
    assert_eq!(report.failures, Vec::<String>::new());
    assert!(report.refused > 20);
}
