//! The real server on a disk that fails and on one that runs full, and under somebody who kills its containers: the
//! short forms of `cargo xtask prove faults`, `full` and `runtime`.
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
use landfall_testkit::kill::{Shims, Trouble};
use landfall_testkit::new_seed;

fn seed() -> u64 {
    let seed = match std::env::var("LANDFALL_PROVE_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => new_seed(),
    };
    println!("LANDFALL_PROVE_SEED={seed}");
    seed
}

/// Named for what it needs: a machine without FUSE, or without root, leaves it out.
mod needs_fuse {
    use super::*;

    fn trouble() -> Trouble {
        Trouble {
            seed: seed(),
            clients: 4,
            binary: binary().to_owned(),
        }
    }

    #[test]
    fn a_failing_disk_loses_nothing_that_was_acknowledged() {
        let report = trouble().faults(6).unwrap();
        println!("{report:#?}");
        assert!(report.acknowledged > 300 && report.failed_calls > 0);
    }

    #[test]
    fn a_full_disk_refuses_loses_nothing_and_goes_on_when_there_is_room() {
        if !rustix::process::geteuid().is_root() {
            println!("left out: mounting a small file system needs root");
            return;
        }
        let report = trouble().full(48 * 1024 * 1024).unwrap();
        println!("{report:#?}");
        assert!(report.acknowledged > 300 && report.refused > 0);
    }
}

#[test]
fn killed_containers_end_as_failed_with_a_reason_and_nothing_starts_twice() {
    let place = Place::new();
    let archive = place.path("image.tar");
    image(&archive);
    let shims = Shims {
        seed: seed(),
        rounds: 4,
        tasks: 4,
        runtime: "process".to_owned(),
        binary: binary().to_owned(),
        image: (archive, IMAGE.to_owned()),
    };
    let report = shims.run().unwrap();
    println!("{report:#?}");
    assert!(report.tasks == 16 && report.down == 2);
}
