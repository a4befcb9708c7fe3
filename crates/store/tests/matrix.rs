//! The crash matrix in its short form; `cargo xtask prove disk` is the long one.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::process::Command;

use landfall_testkit::crash::Matrix;
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
