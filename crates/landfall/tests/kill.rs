//! `kill -9` at random moments under working clients, in its short form: what was acknowledged is there, and each
//! matching object starts its container exactly once. `cargo xtask prove kill` is the long one.
//!
//! `LANDFALL_PROVE_SEED` repeats a run.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout
)]

mod common;

use common::{IMAGE, Place, binary, image};
use landfall_testkit::kill::Kill;
use landfall_testkit::new_seed;

fn seed() -> u64 {
    match std::env::var("LANDFALL_PROVE_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => new_seed(),
    }
}

#[test]
fn what_was_acknowledged_survives_any_kill_and_starts_its_container_once() {
    let place = Place::new();
    let archive = place.path("image.tar");
    image(&archive);
    let kill = Kill {
        seed: seed(),
        cycles: 5,
        clients: 16,
        answers: 300,
        starting: 10,
        runtime: "process".to_owned(),
        binary: binary().to_owned(),
        directory: None,
        image: (archive, IMAGE.to_owned()),
    };
    println!("LANDFALL_PROVE_SEED={}", kill.seed);
    let report = kill.run(|_| {}).unwrap();
    println!("{report:#?}");
    assert!(report.acknowledged_puts > 500 && report.containers > 0 && report.messages > 0);
}
