//! Rules for every text file: no trailing blanks, no paths of somebody's machine, no notes to oneself; and the form of
//! the change log.
//!
//! Never looks into files that others wrote for us: data and generated output.

use super::Problem;

/// Directories of a particular machine, as they begin in a path.
const MACHINE_DIRECTORIES: [&str; 3] = ["root", "work", "home"];

/// Words that mark unfinished work, cut so that this file does not contain them.
const UNFINISHED: [(&str, &str); 3] = [("TO", "DO"), ("FIX", "ME"), ("X", "XX")];

const CODE: [&str; 6] = [".rs", ".py", ".sh", ".toml", ".yaml", "run"];

const CHANGE_KINDS: [&str; 6] = [
    "### Added",
    "### Changed",
    "### Deprecated",
    "### Removed",
    "### Fixed",
    "### Security",
];

/// Checks one file.
pub fn check(name: &str, text: &str) -> Vec<Problem> {
    if is_foreign(name) {
        return Vec::new();
    }
    let mut problems: Vec<Problem> = text
        .lines()
        .enumerate()
        .flat_map(|(index, line)| {
            line_rules(name, line)
                .into_iter()
                .map(move |rule| Problem::new(name, index + 1, rule))
        })
        .collect();
    if !text.is_empty() && !text.ends_with('\n') {
        problems.push(Problem::new(name, 0, "does not end with a line end"));
    }
    if name == "CHANGELOG.md" {
        problems.extend(check_changelog(text));
    }
    problems
}

/// Data sets, licence texts, lock files, service models and their output, and recorded snapshots.
fn is_foreign(name: &str) -> bool {
    name.ends_with(".csv")
        || name.ends_with("Cargo.lock")
        || name.ends_with(".snap")
        || name.ends_with(".json")
        || name == "LICENSE"
        || name
            .split('/')
            .any(|part| part == "generated" || part == "models" || part == "golden")
}

fn line_rules(name: &str, line: &str) -> Vec<String> {
    let mut rules = Vec::new();
    if line.ends_with([' ', '\t', '\r']) {
        rules.push("trailing white space".to_owned());
    }
    if let Some(directory) = machine_directory(line) {
        rules.push(format!("a path of one machine: /{directory}/"));
    }
    if CODE.iter().any(|end| name.ends_with(end)) {
        for (start, end) in UNFINISHED {
            let word = format!("{start}{end}");
            if words(line).any(|candidate| candidate == word) {
                rules.push(format!("unfinished work: {word}"));
            }
        }
    }
    rules
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn machine_directory(line: &str) -> Option<&'static str> {
    MACHINE_DIRECTORIES.into_iter().find(|directory| {
        let path = format!("/{directory}/");
        line.match_indices(&path)
            .any(|(start, _)| starts_a_path(line, start))
    })
}

/// Whether the slash at `start` is the first of its path, as in `"/usr"`, and not inside one, as in `a/usr`.
fn starts_a_path(line: &str, start: usize) -> bool {
    line.get(..start)
        .and_then(|before| before.chars().next_back())
        .is_none_or(|before| !before.is_alphanumeric() && !"_-.}~*".contains(before))
}

fn check_changelog(text: &str) -> Vec<Problem> {
    let name = "CHANGELOG.md";
    let mut problems = Vec::new();
    if !text.starts_with("# Changelog\n") {
        problems.push(Problem::new(name, 1, "does not begin with \"# Changelog\""));
    }
    if !text.lines().any(|line| line == "## [Unreleased]") {
        problems.push(Problem::new(name, 0, "has no section \"## [Unreleased]\""));
    }
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("### ") && !CHANGE_KINDS.contains(&line) {
            problems.push(Problem::new(
                name,
                index + 1,
                "a section is Added, Changed, Deprecated, Removed, Fixed or Security",
            ));
        }
        if line.starts_with("## ") && !is_release(line) {
            problems.push(Problem::new(
                name,
                index + 1,
                "a release is written \"## [1.2.3] - 2026-01-31\"",
            ));
        }
    }
    problems
}

fn is_release(line: &str) -> bool {
    if line == "## [Unreleased]" {
        return true;
    }
    let Some((version, date)) = line
        .strip_prefix("## [")
        .and_then(|rest| rest.split_once("] - "))
    else {
        return false;
    };
    are_numbers(version, '.', 3) && are_numbers(date, '-', 3)
}

fn are_numbers(text: &str, separator: char, count: usize) -> bool {
    let parts: Vec<&str> = text.split(separator).collect();
    parts.len() == count
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(name: &str, text: &str) -> Vec<String> {
        check(name, text)
            .into_iter()
            .map(|problem| problem.rule)
            .collect()
    }

    #[test]
    fn blanks_at_a_line_end_are_found() {
        assert_eq!(check("a.md", "ok\nbad \n")[0].line, 2);
        assert_eq!(rules("a.md", "bad\t\n"), ["trailing white space"]);
        assert_eq!(rules("a.md", "bad"), ["does not end with a line end"]);
        assert!(rules("a.csv", "data \r\n").is_empty());
    }

    #[test]
    fn paths_of_a_machine_are_found_and_others_are_not() {
        let [first, second, _] = MACHINE_DIRECTORIES;
        assert_eq!(
            rules("a.md", &format!("see /{first}/x\n")),
            [format!("a path of one machine: /{first}/")]
        );
        assert_eq!(rules("a.md", &format!("\"/{second}/x\"\n")).len(), 1);
        assert!(rules("a.md", &format!("a/{second}/x and ~/{first}/x\n")).is_empty());
    }

    #[test]
    fn unfinished_work_is_found_in_code_only() {
        let (start, end) = UNFINISHED[0];
        let line = format!("// {start}{end}: later\n");
        assert_eq!(rules("a.rs", &line).len(), 1);
        assert!(rules("a.md", &line).is_empty());
        assert!(rules("a.rs", &format!("{start}{end}S\n")).is_empty());
    }

    #[test]
    fn the_change_log_keeps_its_form() {
        let good =
            "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- x\n\n## [0.1.0] - 2026-01-31\n";
        assert!(rules("CHANGELOG.md", good).is_empty());
        assert_eq!(rules("CHANGELOG.md", "# Changes\n").len(), 2);
        assert_eq!(
            rules("CHANGELOG.md", &good.replace("Added", "News")).len(),
            1
        );
        assert_eq!(
            rules("CHANGELOG.md", &good.replace(" - 2026-01-31", "")).len(),
            1
        );
    }
}
