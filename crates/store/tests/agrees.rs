//! The durable state and the one in memory give the same answers, whatever is written, also after reopening.
#![allow(clippy::unwrap_used, missing_docs)]

use std::ops::Bound;

use bytes::Bytes;
use landfall_store::{Batch, Direction, FjallState, Space, State, Write};
use landfall_testkit::MemoryState;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<Write>),
    Scan(Space, Bound<Vec<u8>>, Bound<Vec<u8>>),
    Reopen,
}

fn space() -> impl Strategy<Value = Space> {
    proptest::sample::select(&Space::ALL[..])
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(
        prop_oneof![Just(0_u8), Just(1), Just(b'k'), Just(255)],
        1..4,
    )
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![
        key().prop_map(Bound::Included),
        key().prop_map(Bound::Excluded),
        Just(Bound::Unbounded)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let value = proptest::option::weighted(0.6, proptest::collection::vec(any::<u8>(), 0..40));
    let value = value.prop_map(|value| value.map(Bytes::from));
    let writes = proptest::collection::vec((space(), key(), value), 0..12);
    prop_oneof![
        6 => writes.prop_map(Step::Commit),
        3 => (space(), bound(), bound()).prop_map(|(s, from, to)| Step::Scan(s, from, to)),
        1 => Just(Step::Reopen),
    ]
}

fn entries(
    state: &impl State,
    space: Space,
    from: &Bound<Vec<u8>>,
    to: &Bound<Vec<u8>>,
    direction: Direction,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (from, to) = (
        from.as_ref().map(Vec::as_slice),
        to.as_ref().map(Vec::as_slice),
    );
    let scan = state.scan(space, from, to, direction);
    scan.map(|entry| entry.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap())
        .collect()
}

fn assert_same(real: &FjallState, model: &MemoryState) {
    for space in Space::ALL {
        for direction in [Direction::Forward, Direction::Backward] {
            let all = Bound::Unbounded;
            let found = entries(real, space, &all, &all, direction);
            assert_eq!(found, entries(model, space, &all, &all, direction));
            for (key, value) in found {
                assert_eq!(real.get(space, &key).unwrap().unwrap(), value);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn states_agree(steps in proptest::collection::vec(step(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let model = MemoryState::new();
        let mut real = FjallState::open(dir.path()).unwrap();
        for step in steps {
            match step {
                Step::Commit(writes) => {
                    real.commit(Batch { writes: writes.clone() }).unwrap();
                    model.commit(Batch { writes }).unwrap();
                }
                Step::Scan(space, from, to) => {
                    for direction in [Direction::Forward, Direction::Backward] {
                        prop_assert_eq!(
                            entries(&real, space, &from, &to, direction),
                            entries(&model, space, &from, &to, direction)
                        );
                    }
                }
                Step::Reopen => {
                    drop(real);
                    real = FjallState::open(dir.path()).unwrap();
                }
            }
        }
        assert_same(&real, &model);
        drop(real);
        assert_same(&FjallState::open(dir.path()).unwrap(), &model);
    }
}

/// Enough data that memtables are sealed, flushed and compacted while entries are replaced and deleted.
#[test]
fn states_agree_across_tables_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let model = MemoryState::new();
    let mut real = FjallState::open(dir.path()).unwrap();
    for round in 0_u32..150 {
        let mut writes = Vec::new();
        for n in 0_u32..16 {
            let key = (round * 7919 + n * 104_729) % 700;
            let is_put = (round + n) % 5 != 0;
            let space = if n % 2 == 0 {
                Space::Objects
            } else {
                Space::Streams
            };
            let value = is_put.then(|| vec![(round % 251) as u8; 9_000].into());
            writes.push((space, key.to_be_bytes().to_vec(), value));
        }
        real.commit(Batch {
            writes: writes.clone(),
        })
        .unwrap();
        model.commit(Batch { writes }).unwrap();
        if round % 50 == 49 {
            drop(real);
            real = FjallState::open(dir.path()).unwrap();
            assert_same(&real, &model);
        }
    }
}

#[test]
fn a_scan_sees_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let state = FjallState::open(dir.path()).unwrap();
    let put = |n: u8| (Space::Road, vec![n], Some(vec![n].into()));
    state
        .commit(Batch {
            writes: vec![put(1), put(2)],
        })
        .unwrap();
    let scan = state.scan(
        Space::Road,
        Bound::Unbounded,
        Bound::Unbounded,
        Direction::Forward,
    );
    let writes = vec![put(3), (Space::Road, vec![2], None)];
    state.commit(Batch { writes }).unwrap();
    let keys: Vec<_> = scan.map(|entry| entry.unwrap().0[0]).collect();
    assert_eq!(keys, [1, 2]);
}

#[test]
fn a_failed_commit_is_the_last_one() {
    let dir = tempfile::tempdir().unwrap();
    let state = FjallState::open(dir.path()).unwrap();
    let put = |key: &[u8]| Batch {
        writes: vec![(Space::Control, key.to_vec(), Some(vec![1].into()))],
    };
    state.commit(put(b"a")).unwrap();
    assert!(matches!(
        state.commit(put(b"")),
        Err(landfall_store::StoreError::Io(_))
    ));
    assert!(matches!(
        state.commit(put(b"b")),
        Err(landfall_store::StoreError::Poisoned(_))
    ));
    assert!(state.get(Space::Control, b"b").unwrap().is_none());
    drop(state);
    let state = FjallState::open(dir.path()).unwrap();
    assert!(state.get(Space::Control, b"a").unwrap().is_some());
    state.commit(put(b"b")).unwrap();
}
