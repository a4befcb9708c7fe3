//! Tests of the migration of templates as people write them.

use super::*;

const APPLICATION: &str = include_str!("fixtures/application.yaml");

fn migrated(text: &str) -> Migration {
    migrate(text, Options::default()).unwrap()
}

#[test]
fn zz_show() {
    let it = migrated(APPLICATION);
    std::fs::write("/tmp/migrated.yaml", &it.text).unwrap();
    std::fs::write("/tmp/migrated.txt", format!("{:#?}", it.notes)).unwrap();
    let given = prove::Given { parameters: Default::default(), place: prove::Place { account: "000000000000".into(), region: "us-east-1".into() } };
    let old = prove::Side::of_template(APPLICATION, &given).unwrap();
    let new = prove::Side::of_template(&it.text, &given).unwrap();
    let t = std::time::Instant::now();
    let proof = prove::prove(&old, &new, &prove::Trial { uploads: 10000, seed: 1, recorded: vec![], place: given.place.clone(), widened: false, strict: false });
    std::fs::write("/tmp/proof.txt", format!("{:?} {proof:#?}", t.elapsed())).unwrap();
}
