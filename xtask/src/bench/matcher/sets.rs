//! Sets of rules, one operator each and one with all, made from numbers. Never asks for more than some event can give.

use anyhow::{Context, Result};

use super::events::street;

/// What the events of a set look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    S3,
    Geo,
}

/// A kind of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    Mixed,
    Bucket,
    BucketPrefix,
    KeyPrefix,
    Suffix,
    IgnoreCase,
    Wildcard,
    Contains,
    Numeric,
    AnythingBut,
    Cidr,
    GeoExact,
    GeoPrefix,
    GeoSuffix,
    GeoIgnoreCase,
    GeoWildcard,
    GeoAnythingBut,
    GeoNumeric,
    GeoExists,
}

/// Blocks of addresses are what the other engine has no room for, and leading wildcards what it has no time for.
const QUAMINA_HARD_RULES_MAX: usize = 1_000;

impl Set {
    pub(super) const ALL: [Self; 19] = [
        Self::Mixed,
        Self::Bucket,
        Self::BucketPrefix,
        Self::KeyPrefix,
        Self::Suffix,
        Self::IgnoreCase,
        Self::Wildcard,
        Self::Contains,
        Self::Numeric,
        Self::AnythingBut,
        Self::Cidr,
        Self::GeoExact,
        Self::GeoPrefix,
        Self::GeoSuffix,
        Self::GeoIgnoreCase,
        Self::GeoWildcard,
        Self::GeoAnythingBut,
        Self::GeoNumeric,
        Self::GeoExists,
    ];

    pub(super) fn named(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|set| set.name() == name)
            .context("no such set")
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Bucket => "exact bucket",
            Self::BucketPrefix => "bucket and prefix",
            Self::KeyPrefix => "key prefix",
            Self::Suffix => "key suffix",
            Self::IgnoreCase => "ignore case",
            Self::Wildcard => "wildcard",
            Self::Contains => "contains",
            Self::Numeric => "numeric",
            Self::AnythingBut => "anything-but",
            Self::Cidr => "cidr",
            Self::GeoExact => "geo exact",
            Self::GeoPrefix => "geo prefix",
            Self::GeoSuffix => "geo suffix",
            Self::GeoIgnoreCase => "geo ignore case",
            Self::GeoWildcard => "geo wildcard",
            Self::GeoAnythingBut => "geo anything-but",
            Self::GeoNumeric => "geo numeric",
            Self::GeoExists => "geo exists",
        }
    }

    pub(super) fn shape(self) -> Shape {
        if self.name().starts_with("geo") {
            Shape::Geo
        } else {
            Shape::S3
        }
    }

    pub(super) fn is_known_to_quamina(self, rules: usize) -> bool {
        !matches!(self, Self::Cidr | Self::Contains) || rules <= QUAMINA_HARD_RULES_MAX
    }

    /// The n-th rule.
    pub(super) fn rule(self, n: usize) -> String {
        match self.shape() {
            Shape::S3 => format!(
                r#"{{"source":["aws.s3"],"detail-type":["Object Created"],"detail":{{{}}}}}"#,
                self.detail(n)
            ),
            Shape::Geo => self.geo(n),
        }
    }

    fn detail(self, n: usize) -> String {
        let bucket = format!(r#""bucket":{{"name":["bucket-{n:06}"]}}"#);
        let key = |value: String| format!(r#""object":{{"key":[{value}]}}"#);
        match self {
            Self::Mixed => {
                const PARTS: [Set; 6] = [
                    Set::Bucket,
                    Set::BucketPrefix,
                    Set::KeyPrefix,
                    Set::Wildcard,
                    Set::Numeric,
                    Set::AnythingBut,
                ];
                let part = PARTS.get(n % PARTS.len()).copied();
                part.unwrap_or(Self::Bucket).detail(n)
            }
            Self::Bucket => bucket,
            Self::BucketPrefix => {
                let first = format!("team-{}", n % 10);
                format!(
                    "{bucket},{}",
                    key(format!(
                        r#"{{"prefix":"{first}"}},{{"prefix":"team-0000{}"}}"#,
                        n % 10
                    ))
                )
            }
            Self::KeyPrefix => key(format!(r#"{{"prefix":"team-{n:06}/"}}"#)),
            Self::Suffix => key(format!(r#"{{"suffix":"-{:05}.csv"}}"#, n % 100_000)),
            Self::IgnoreCase => {
                format!(r#""bucket":{{"name":[{{"equals-ignore-case":"BUCKET-{n:06}"}}]}}"#)
            }
            Self::Wildcard => key(format!(r#"{{"wildcard":"team-{n:06}/*/part-*.csv"}}"#)),
            Self::Contains => key(format!(r#"{{"wildcard":"*/job-{n:06}/*"}}"#)),
            Self::Numeric => {
                let low = 1_000_000 + n % 1_000 * 9_000;
                format!(
                    r#"{bucket},"object":{{"size":[{{"numeric":[">=",{low},"<",{}]}}]}}"#,
                    low + 900_000
                )
            }
            Self::AnythingBut => {
                format!(
                    r#"{bucket},"requester":[{{"anything-but":["1000000000{:02}"]}}]"#,
                    n % 100
                )
            }
            _ => format!(
                r#""source-ip-address":[{{"cidr":"{}.{}.{}.0/24"}}]"#,
                10 + n % 10,
                n / 10 % 256,
                n / 2_560 % 256
            ),
        }
    }

    fn geo(self, n: usize) -> String {
        let name = street(n * 7);
        let (field, value) = match self {
            Self::GeoExact => ("STREET", format!(r#""{name}""#)),
            Self::GeoPrefix => (
                "STREET",
                format!(r#"{{"prefix":"{}"}}"#, &name[..name.len() - 2]),
            ),
            Self::GeoSuffix => ("STREET", format!(r#"{{"suffix":"{}"}}"#, &name[3..])),
            Self::GeoIgnoreCase => (
                "STREET",
                format!(r#"{{"equals-ignore-case":"{}"}}"#, name.to_lowercase()),
            ),
            Self::GeoWildcard => (
                "STREET",
                format!(
                    r#"{{"wildcard":"*{}*{}"}}"#,
                    &name[2..name.len() - 2],
                    n % 10
                ),
            ),
            Self::GeoAnythingBut => ("STREET", format!(r#"{{"anything-but":["{name}"]}}"#)),
            Self::GeoNumeric => (
                "AREA",
                format!(
                    r#"{{"numeric":[">",{},"<=",{}]}}"#,
                    n % 100 * 90,
                    n % 100 * 90 + 900
                ),
            ),
            _ => (
                if n.is_multiple_of(2) {
                    "ST_TYPE"
                } else {
                    "NOTHING"
                },
                r#"{"exists":true}"#.to_owned(),
            ),
        };
        format!(r#"{{"type":["Feature"],"properties":{{"{field}":[{value}]}}}}"#)
    }
}
