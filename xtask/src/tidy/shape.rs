//! The shape of Rust files: a head that says what the file is for, bounded sizes, `unsafe` and the outside world only
//! in their rooms.
//!
//! Never counts tests: a test may be as long as what it has to show.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Problem;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

const UNSAFE_ROOM: &str = "crates/runtime/src/sys";
const PURE_ROOMS: [&str; 2] = ["crates/core/src/", "crates/pattern/src/"];

/// Parts of the standard library that reach outside the process.
const WORLDLY: [&str; 10] = [
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Checks one Rust file.
pub fn check(name: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !text.trim_start().starts_with("//!") {
        problems.push(Problem::new(
            name,
            1,
            "does not open with //! and its purpose",
        ));
    }
    if is_generated(name) {
        return problems;
    }
    let file = match syn::parse_file(text) {
        Ok(file) => file,
        Err(error) => {
            let line = error.span().start().line;
            problems.push(Problem::new(name, line, format!("does not parse: {error}")));
            return problems;
        }
    };
    let lines = text.lines().count().saturating_sub(test_lines(&file));
    if !is_test_file(name) && lines > FILE_LINES_MAX {
        problems.push(Problem::new(
            name,
            0,
            format!("{lines} lines without tests, at most {FILE_LINES_MAX}"),
        ));
    }
    let mut visitor = Visitor::new(name);
    visitor.visit_file(&file);
    problems.extend(visitor.problems);
    problems
}

fn is_generated(name: &str) -> bool {
    name.split('/').any(|part| part == "generated")
}

fn is_test_file(name: &str) -> bool {
    name.split('/')
        .any(|part| part == "tests" || part == "benches" || part == "tests.rs")
}

fn test_lines(file: &syn::File) -> usize {
    file.items
        .iter()
        .filter(|item| is_test_item(item))
        .map(|item| lines_of(item.span()))
        .sum()
}

fn lines_of(span: Span) -> usize {
    span.end().line + 1 - span.start().line
}

fn is_test_item(item: &syn::Item) -> bool {
    match item {
        syn::Item::Mod(module) => is_for_tests(&module.attrs),
        syn::Item::Fn(function) => is_for_tests(&function.attrs),
        syn::Item::Impl(block) => is_for_tests(&block.attrs),
        _ => false,
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Path>()
                    .is_ok_and(|path| path.is_ident("test")))
    })
}

struct Visitor<'a> {
    name: &'a str,
    measures_functions: bool,
    may_be_unsafe: bool,
    is_pure: bool,
    problems: Vec<Problem>,
}

impl<'a> Visitor<'a> {
    fn new(name: &'a str) -> Self {
        Self {
            name,
            measures_functions: !is_test_file(name),
            may_be_unsafe: name.starts_with(UNSAFE_ROOM),
            is_pure: PURE_ROOMS.iter().any(|room| name.starts_with(room)),
            problems: Vec::new(),
        }
    }

    fn report(&mut self, span: Span, rule: impl Into<String>) {
        self.problems
            .push(Problem::new(self.name, span.start().line, rule));
    }

    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line + 1 - signature.span().start().line;
        if self.measures_functions && lines > FUNCTION_LINES_MAX {
            self.report(
                signature.span(),
                format!(
                    "{} has {lines} lines, at most {FUNCTION_LINES_MAX}",
                    signature.ident
                ),
            );
        }
        if let Some(word) = &signature.unsafety {
            self.unsafety(word.span());
        }
    }

    fn unsafety(&mut self, span: Span) {
        if !self.may_be_unsafe {
            self.report(span, format!("unsafe outside {UNSAFE_ROOM}"));
        }
    }

    fn path(&mut self, span: Span, path: &str) {
        let reaches = |world: &&str| {
            path.strip_prefix(*world)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        if self.is_pure && WORLDLY.iter().any(reaches) {
            self.report(span, format!("a pure crate may not use {path}"));
        }
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test_item(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_expr_unsafe(&mut self, expression: &'ast syn::ExprUnsafe) {
        self.unsafety(expression.unsafe_token.span());
        visit::visit_expr_unsafe(self, expression);
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        if let Some(word) = &block.unsafety {
            self.unsafety(word.span());
        }
        visit::visit_item_impl(self, block);
    }

    fn visit_item_foreign_mod(&mut self, module: &'ast syn::ItemForeignMod) {
        self.unsafety(module.span());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.path(path.span(), &names.join("::"));
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for path in use_paths("", &item.tree) {
            self.path(item.span(), &path);
        }
    }
}

/// Every full path that a `use` brings in.
fn use_paths(prefix: &str, tree: &syn::UseTree) -> Vec<String> {
    let join = |name: &syn::Ident| match prefix {
        "" => name.to_string(),
        _ => format!("{prefix}::{name}"),
    };
    match tree {
        syn::UseTree::Path(path) => use_paths(&join(&path.ident), &path.tree),
        syn::UseTree::Name(name) if name.ident == "self" => vec![prefix.to_owned()],
        syn::UseTree::Name(name) => vec![join(&name.ident)],
        syn::UseTree::Rename(rename) if rename.ident == "self" => vec![prefix.to_owned()],
        syn::UseTree::Rename(rename) => vec![join(&rename.ident)],
        syn::UseTree::Glob(_) => vec![prefix.to_owned()],
        syn::UseTree::Group(group) => group
            .items
            .iter()
            .flat_map(|item| use_paths(prefix, item))
            .collect(),
    }
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

    fn function(lines: usize) -> String {
        format!(
            "//! x\nfn long() {{\n{}}}\n",
            "    f();\n".repeat(lines - 2)
        )
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(
            rules("a.rs", "fn f() {}\n"),
            ["does not open with //! and its purpose"]
        );
        assert!(rules("a.rs", "//! x\n").is_empty());
    }

    #[test]
    fn a_function_has_at_most_seventy_lines() {
        assert!(rules("a.rs", &function(70)).is_empty());
        assert_eq!(
            rules("a.rs", &function(71)),
            ["long has 71 lines, at most 70"]
        );
        assert!(rules("x/tests/a.rs", &function(71)).is_empty());
    }

    #[test]
    fn methods_and_default_methods_are_measured_too() {
        let body = "    f();\n".repeat(70);
        let text =
            format!("//! x\nimpl A {{ fn a() {{\n{body}}} }}\ntrait B {{ fn b() {{\n{body}}} }}\n");
        assert_eq!(rules("a.rs", &text).len(), 2);
    }

    #[test]
    fn tests_do_not_count() {
        let constants = "const A: u8 = 0;\n".repeat(790);
        let tests = format!(
            "#[cfg(test)]\nmod tests {{\n{}}}\n",
            "const B: u8 = 0;\n".repeat(100)
        );
        assert!(rules("a.rs", &format!("//! x\n{constants}{tests}")).is_empty());
        let more = "const C: u8 = 0;\n".repeat(20);
        assert_eq!(
            rules("a.rs", &format!("//! x\n{constants}{more}{tests}")),
            ["811 lines without tests, at most 800"]
        );
    }

    #[test]
    fn unsafe_has_its_room() {
        let text =
            "//! x\nfn f() { unsafe { g() } }\nunsafe impl Send for A {}\nunsafe fn h() {}\n";
        assert_eq!(rules("crates/store/src/a.rs", text).len(), 3);
        assert!(rules("crates/runtime/src/sys/a.rs", text).is_empty());
    }

    #[test]
    fn a_pure_crate_does_not_reach_outside() {
        let text = "//! x\nuse std::{collections::BTreeMap, fs::{self, File}};\n\
                    fn f() { std::env::var(\"A\"); }\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        assert_eq!(
            rules("crates/core/src/a.rs", text),
            [
                "a pure crate may not use std::fs",
                "a pure crate may not use std::fs::File",
                "a pure crate may not use std::env::var",
            ]
        );
        assert!(rules("crates/flow/src/a.rs", text).is_empty());
    }
}
