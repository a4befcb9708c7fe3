//! Events of two shapes, made from a number and nothing else. Never random: every run sees the same.

use std::fmt::Write as _;

use super::sets::Shape;

/// The n-th event for a set of so many rules.
pub(super) fn event(shape: Shape, n: usize, rules: usize) -> String {
    match shape {
        Shape::S3 => s3(n, rules),
        Shape::Geo => geo(n),
    }
}

/// Numbers that look random and are not.
pub(super) fn scatter(n: usize, salt: u64) -> usize {
    let mut x = (n as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(salt.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 1) as usize
}

/// An `Object Created` event as S3 sends it, 628 bytes.
fn s3(n: usize, rules: usize) -> String {
    let spread = rules.max(10);
    let (bucket, team, job) = (
        scatter(n, 1) % spread,
        scatter(n, 2) % spread,
        scatter(n, 3) % spread,
    );
    let (part, size, address) = (
        scatter(n, 4) % 100_000,
        scatter(n, 5) % 10_000_000,
        scatter(n, 6),
    );
    format!(
        concat!(
            r#"{{"version":"0","id":"17793124-05d4-b198-2fde-{:012x}","detail-type":"Object Created","#,
            r#""source":"aws.s3","account":"123456789012","time":"2026-11-12T00:00:00Z","region":"eu-central-1","#,
            r#""resources":["arn:aws:s3:::bucket-{:06}"],"detail":{{"version":"0","bucket":{{"name":"bucket-{:06}"}},"#,
            r#""object":{{"key":"team-{:06}/job-{:06}/in/part-{:05}.{}","size":{:07},"#,
            r#""etag":"b1946ac92492d2347c6235b4d2611184","version-id":"IYV3p45BT0ac8hjHg1houSdS1a.Mro8e","#,
            r#""sequencer":"617f08299329d189"}},"request-id":"N4N7GDK58NMKJ12R","requester":"{:012}","#,
            r#""source-ip-address":"{}.{}.{}.{}","reason":"{}"}}}}"#
        ),
        n,
        bucket,
        bucket,
        team,
        job,
        part,
        pick(&["csv", "gz", "log", "txt"], n),
        1_000_000 + size % 9_000_000,
        100_000_000_000 + scatter(n, 7) % 100,
        10 + address % 10,
        address / 16 % 256,
        address / 4_096 % 256,
        address / 1_048_576 % 256,
        pick(&["PutObject", "CopyObject"], n),
    )
}

/// A lot of a city with the corners of its outline, about 850 bytes.
fn geo(n: usize) -> String {
    let street = street(scatter(n, 1));
    let lot = scatter(n, 2) % 1_000;
    let mut corners = String::new();
    for corner in 0..9 {
        let (x, y) = (
            scatter(n + corner, 3) % 1_000_000_000,
            scatter(n + corner, 4) % 1_000_000_000,
        );
        let comma = if corner == 0 { "" } else { "," };
        let _infallible = write!(
            corners,
            "{comma}[-122.{x:09}00,37.{y:09}00,{}.0]",
            corner % 2
        );
    }
    format!(
        concat!(
            r#"{{"type":"Feature","properties":{{"MAPBLKLOT":"{:07}","BLKLOT":"{:07}","BLOCK_NUM":"{:04}","#,
            r#""LOT_NUM":"{:03}","FROM_ST":"{}","TO_ST":"{}","STREET":"{}","ST_TYPE":{},"ODD_EVEN":"{}","#,
            r#""AREA":{}.5}},"geometry":{{"type":"Polygon","coordinates":[[{}]]}},"#,
            r#""source":{{"survey":"lots of the city and county","page":{},"sheets":[[1,[2,3]],[4,{{"scale":500}}]]}}}}"#
        ),
        n,
        n,
        n / 1_000,
        lot,
        n % 900,
        n % 900 + 9,
        street,
        if n.is_multiple_of(7) {
            "null"
        } else {
            r#""ST""#
        },
        pick(&["E", "O"], n),
        scatter(n, 5) % 10_000,
        corners,
        n % 400,
    )
}

/// The n-th name of a street.
pub(super) fn street(n: usize) -> String {
    const FIRST: [&str; 10] = [
        "ALPINE", "BAKER", "CLAY", "DOLORES", "ELLIS", "FILLMORE", "GEARY", "HAIGHT", "IRVING",
        "JUDAH",
    ];
    const SECOND: [&str; 10] = [
        "NORTH", "SOUTH", "EAST", "WEST", "UPPER", "LOWER", "OLD", "NEW", "GRAND", "LITTLE",
    ];
    format!(
        "{} {} {}",
        pick(&SECOND, n),
        pick(&FIRST, n / 10),
        n / 100 % 10
    )
}

fn pick(from: &[&'static str], n: usize) -> &'static str {
    from.iter()
        .cycle()
        .nth(n % from.len().max(1))
        .copied()
        .unwrap_or_default()
}
