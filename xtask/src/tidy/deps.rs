//! Dependencies point one way only, the pure crates stay pure, and every package carries the licence and the lints.
//!
//! Never trusts a Cargo.toml read by eye: it asks cargo.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use super::Problem;

/// Who may use whom. A package that is not named here may use no other package of the workspace.
const ALLOWED: [(&str, &[&str]); 7] = [
    (
        "landfall",
        &[
            "landfall-wire",
            "landfall-flow",
            "landfall-runtime",
            "landfall-store",
            "landfall-core",
        ],
    ),
    ("landfall-wire", &["landfall-flow", "landfall-core"]),
    (
        "landfall-flow",
        &[
            "landfall-runtime",
            "landfall-store",
            "landfall-core",
            "landfall-pattern",
        ],
    ),
    ("landfall-runtime", &["landfall-core"]),
    ("landfall-store", &["landfall-core"]),
    ("landfall-core", &["landfall-pattern"]),
    ("xtask", &["landfall-pattern", "landfall-testkit"]),
];

/// The kit may use every room; every room may use the kit, in tests.
const TESTKIT: &str = "landfall-testkit";

const PURE: [&str; 2] = ["landfall-core", "landfall-pattern"];

/// Crates that open a door to the world: none may be in the normal tree of a pure crate.
const WORLDLY: [&str; 17] = [
    "async-std",
    "chrono",
    "fjall",
    "getrandom",
    "hyper",
    "libc",
    "mio",
    "nix",
    "rand",
    "reqwest",
    "rustix",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "uuid",
    "walkdir",
];

const LICENCE: &str = "Apache-2.0";

/// Checks the workspace at `root`.
pub fn check(root: &Path) -> Result<Vec<Problem>> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cargo metadata failed")?;
    let mut problems = Vec::new();
    for package in members(&metadata) {
        problems.extend(check_edges(&edges(&metadata, package)));
        problems.extend(check_manifest(package)?);
    }
    for name in PURE {
        problems.extend(check_purity(name, &tree(root, name)?));
    }
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    problems.extend(check_lints(&manifest));
    Ok(problems)
}

fn members(metadata: &Metadata) -> Vec<&Package> {
    metadata.workspace_packages()
}

/// One use of a package of the workspace by another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    only_in_tests: bool,
}

fn edges(metadata: &Metadata, package: &Package) -> Vec<Edge> {
    let ours: Vec<&str> = members(metadata)
        .iter()
        .map(|member| member.name.as_str())
        .collect();
    package
        .dependencies
        .iter()
        .filter(|dependency| ours.contains(&dependency.name.as_str()))
        .map(|dependency| Edge {
            from: package.name.to_string(),
            to: dependency.name.clone(),
            only_in_tests: dependency.kind == DependencyKind::Development,
        })
        .collect()
}

fn check_edges(edges: &[Edge]) -> Vec<Problem> {
    edges
        .iter()
        .filter(|edge| !is_allowed(edge))
        .map(|edge| {
            Problem::new(
                &edge.from,
                0,
                format!("may not depend on {}: the line is landfall, wire, flow, {{runtime, store}}, core, pattern", edge.to),
            )
        })
        .collect()
}

fn is_allowed(edge: &Edge) -> bool {
    if edge.from == TESTKIT || (edge.to == TESTKIT && edge.only_in_tests) {
        return true;
    }
    ALLOWED
        .iter()
        .any(|(from, to)| *from == edge.from && to.contains(&edge.to.as_str()))
}

fn check_manifest(package: &Package) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    if package.license.as_deref() != Some(LICENCE) {
        problems.push(Problem::new(
            package.name.as_str(),
            0,
            format!("the licence field is not {LICENCE}"),
        ));
    }
    let manifest = std::fs::read_to_string(&package.manifest_path)?;
    if !has_line_in_section(&manifest, "[lints]", "workspace = true") {
        problems.push(Problem::new(
            package.name.as_str(),
            0,
            "does not take the lints of the workspace",
        ));
    }
    Ok(problems)
}

fn check_lints(manifest: &str) -> Vec<Problem> {
    let clippy = [
        "unwrap_used",
        "expect_used",
        "panic",
        "todo",
        "indexing_slicing",
    ];
    let missing_clippy = clippy.iter().filter(|lint| {
        !has_line_in_section(
            manifest,
            "[workspace.lints.clippy]",
            &format!("{lint} = \"deny\""),
        )
    });
    let unsafe_denied =
        has_line_in_section(manifest, "[workspace.lints.rust]", "unsafe_code = \"deny\"");
    missing_clippy
        .copied()
        .chain((!unsafe_denied).then_some("unsafe_code"))
        .map(|lint| Problem::new("Cargo.toml", 0, format!("the lint {lint} is not denied")))
        .collect()
}

fn has_line_in_section(toml: &str, section: &str, line: &str) -> bool {
    toml.lines()
        .map(str::trim)
        .skip_while(|text| *text != section)
        .skip(1)
        .take_while(|text| !text.starts_with('['))
        .any(|text| text == line)
}

/// Names of all crates in the normal dependency tree, features resolved for this crate alone.
fn tree(root: &Path, package: &str) -> Result<Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(root)
        .output()
        .context("cannot run cargo tree")?;
    ensure!(
        output.status.success(),
        "cargo tree failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect())
}

fn check_purity(package: &str, tree: &[String]) -> Vec<Problem> {
    let mut found: Vec<&str> = WORLDLY
        .into_iter()
        .filter(|name| tree.iter().any(|dependency| dependency == name))
        .collect();
    found.dedup();
    found
        .into_iter()
        .map(|name| Problem::new(package, 0, format!("is pure and may not reach {name}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, only_in_tests: bool) -> Edge {
        Edge {
            from: from.to_owned(),
            to: to.to_owned(),
            only_in_tests,
        }
    }

    #[test]
    fn the_line_holds_in_one_direction_only() {
        assert!(check_edges(&[edge("landfall-wire", "landfall-flow", false)]).is_empty());
        for (from, to) in [
            ("landfall-flow", "landfall-wire"),
            ("landfall-wire", "landfall-store"),
            ("landfall-store", "landfall-runtime"),
            ("landfall-pattern", "landfall-core"),
            ("xtask", "landfall-core"),
        ] {
            assert_eq!(
                check_edges(&[edge(from, to, false)]).len(),
                1,
                "{from} -> {to}"
            );
        }
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert!(check_edges(&[edge("landfall-core", TESTKIT, true)]).is_empty());
        assert!(check_edges(&[edge(TESTKIT, "landfall-store", false)]).is_empty());
        assert_eq!(
            check_edges(&[edge("landfall-flow", TESTKIT, false)]).len(),
            1
        );
    }

    #[test]
    fn a_pure_crate_may_not_reach_the_world() {
        let tree = ["serde", "tokio"].map(str::to_owned);
        assert_eq!(
            check_purity("landfall-core", &tree),
            [Problem::new(
                "landfall-core",
                0,
                "is pure and may not reach tokio"
            )]
        );
        assert!(check_purity("landfall-core", &tree[..1]).is_empty());
    }

    #[test]
    fn a_missing_lint_is_found() {
        let good = "[workspace.lints.rust]\nunsafe_code = \"deny\"\n[workspace.lints.clippy]\n\
                    unwrap_used = \"deny\"\nexpect_used = \"deny\"\npanic = \"deny\"\ntodo = \"deny\"\n\
                    indexing_slicing = \"deny\"\n";
        assert!(check_lints(good).is_empty());
        let bad = good.replace("panic = \"deny\"", "panic = \"warn\"");
        assert_eq!(check_lints(&bad).len(), 1);
        assert_eq!(check_lints("").len(), 6);
    }
}
