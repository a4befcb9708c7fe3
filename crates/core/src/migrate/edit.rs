//! Changes to a template's text: scalars and keys replaced in their own quoting, entries taken out or put in.
//!
//! Works on spans, so what no edit touches stays byte for byte. Never knows what the entries mean.

use std::collections::BTreeSet;

use crate::template::{Entry, Node, Span, Value};

/// One stretch of the text and what stands there afterwards.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
    /// What stands there afterwards.
    pub text: String,
}

/// A text with the questions that editing asks about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn slice(self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    pub(super) fn newline(self) -> &'static str {
        if self.text.contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        }
    }

    pub(super) fn line_start(self, at: usize) -> usize {
        self.slice(0, at).rfind('\n').map_or(0, |found| found + 1)
    }

    /// Behind the line's end, its line break included.
    fn line_end(self, at: usize) -> usize {
        self.slice(at, self.text.len())
            .find('\n')
            .map_or(self.text.len(), |found| at + found + 1)
    }

    /// The line's end without its line break.
    pub(super) fn line_text_end(self, at: usize) -> usize {
        let end = self.line_end(at);
        at + self.slice(at, end).trim_end_matches(['\n', '\r']).len()
    }

    /// The white space at the start of the line.
    pub(super) fn indent(self, at: usize) -> &'a str {
        let line = self.slice(self.line_start(at), at);
        line.get(..line.len() - line.trim_start().len())
            .unwrap_or_default()
    }

    /// Bytes between the start of the line and here.
    fn column(self, at: usize) -> usize {
        at - self.line_start(at)
    }

    /// Whether a collection is written with braces or brackets.
    pub(super) fn is_flow(self, node: &Node) -> bool {
        self.slice(node.span.start.byte, self.text.len())
            .starts_with(['{', '['])
    }

    /// Behind the last character of a value. The parser ends block collections where the next token begins, which may
    /// be many comments later.
    pub(super) fn content_end(self, node: &Node) -> usize {
        match &node.value {
            _ if node.short_form => node
                .function()
                .map_or(0, |(_, argument)| self.content_end(argument)),
            Value::Null if node.plain.as_deref() == Some("") => 0,
            Value::List(items) if !self.is_flow(node) && !items.is_empty() => items
                .iter()
                .map(|item| self.content_end(item))
                .max()
                .unwrap_or(0),
            Value::Map(entries) if !self.is_flow(node) && !entries.is_empty() => entries
                .iter()
                .map(|entry| self.content_end(&entry.value).max(self.key_end(entry)))
                .max()
                .unwrap_or(0),
            Value::List(_) | Value::Map(_) => {
                let text = self.slice(node.span.start.byte, node.span.end.byte);
                node.span.start.byte + text.trim_end().len()
            }
            _ => self.scalar_end(node.span),
        }
    }

    /// Behind the last character of a scalar. The parser's span may reach over the comment behind it.
    pub(super) fn scalar_end(self, span: Span) -> usize {
        let text = self.slice(span.start.byte, span.end.byte);
        let length = match text.chars().next() {
            _ if self.is_block_content(span) => text.len(),
            Some('"') => quoted_length(text, '\\', '"'),
            Some('\'') => quoted_length(text, '\'', '\''),
            Some('|' | '>') => block_length(text),
            _ => [" #", "\t#", "\n#"]
                .iter()
                .filter_map(|it| text.find(it))
                .min()
                .unwrap_or(text.len()),
        };
        let written = text.get(..length).unwrap_or(text);
        span.start.byte + written.trim_end().len()
    }

    /// Whether a span is the content of a block scalar, which the parser gives without its `|` unless it has a tag.
    pub(super) fn is_block_content(self, span: Span) -> bool {
        let start = self.line_start(span.start.byte);
        if start == 0 || !self.slice(start, span.start.byte).trim().is_empty() {
            return false;
        }
        let header = self.slice(self.line_start(start - 1), start);
        let header = header.split(" #").next().unwrap_or_default().trim_end();
        let header =
            header.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'));
        header.ends_with(['|', '>'])
    }

    fn key_end(self, entry: &Entry) -> usize {
        if entry.value.short_form || entry.key_span.end > entry.key_span.start {
            entry.key_span.end.byte
        } else {
            0
        }
    }
}

/// The length of a quoted scalar at the start of a text; `escape` takes the next character with it. In single quotes
/// the quote is its own escape.
fn quoted_length(text: &str, escape: char, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == escape && escape != quote {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if escape == quote && *next == quote => drop(chars.next()),
                _ => return at + quote.len_utf8(),
            }
        }
    }
    text.len()
}

/// The length of a block scalar at the start of a text: as long as lines are indented like its first one, or blank.
fn block_length(text: &str) -> usize {
    let mut lines = text.split_inclusive('\n');
    let mut length = lines.next().map_or(0, str::len);
    let mut first = None;
    for line in lines {
        let indent = line.len() - line.trim_start().len();
        let is_blank = line.trim().is_empty();
        if !is_blank && indent < *first.get_or_insert(indent) {
            break;
        }
        length += line.len();
    }
    length
}

/// Edits in the making, and what is to be taken out.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub(super) edits: Vec<Edit>,
    /// Entries of maps, by where their key starts.
    pub(super) entries: BTreeSet<usize>,
    /// Items of lists, by where they start.
    pub(super) items: BTreeSet<usize>,
}

impl Draft {
    pub(super) fn replace(&mut self, start: usize, end: usize, text: impl Into<String>) {
        self.edits.push(Edit {
            start,
            end,
            text: text.into(),
        });
    }

    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at, at, text);
    }

    /// Writes another text in the place of a scalar, in the scalar's own quoting.
    pub(super) fn rewrite(&mut self, source: Source<'_>, span: Span, text: &str) {
        let (start, end) = (span.start.byte, source.scalar_end(span));
        if source.is_block_content(span) {
            return self.replace(start, end, text);
        }
        self.replace(start, end, requoted(source.slice(start, end), text));
    }

    pub(super) fn remove_entry(&mut self, entry: &Entry) {
        self.entries.insert(entry.key_span.start.byte);
    }

    pub(super) fn remove_item(&mut self, item: &Node) {
        self.items.insert(item.span.start.byte);
    }

    pub(super) fn absorb(&mut self, other: Draft) {
        self.edits.extend(other.edits);
        self.entries.extend(other.entries);
        self.items.extend(other.items);
    }

    /// All edits in the order of the text, removals worked out, none overlapping another.
    pub(super) fn settle(&self, source: Source<'_>, root: &Node) -> Vec<Edit> {
        let mut removals = Vec::new();
        self.take_out(source, root, &mut removals);
        removals.sort();
        let swallowed = |edit: &Edit| {
            removals
                .iter()
                .any(|removal| removal.start <= edit.start && edit.end <= removal.end)
        };
        let mut edits: Vec<Edit> = self
            .edits
            .iter()
            .filter(|edit| {
                !swallowed(edit) || (edit.start == edit.end && at_border(edit, &removals))
            })
            .cloned()
            .collect();
        edits.extend(removals);
        edits.sort_by_key(|edit| (edit.start, edit.end));
        edits
    }

    /// Whether nothing of a collection stays.
    fn is_gone(&self, node: &Node) -> bool {
        match &node.value {
            _ if node.short_form => false,
            Value::List(items) => {
                !items.is_empty() && items.iter().all(|item| self.item_goes(item))
            }
            Value::Map(entries) => {
                !entries.is_empty() && entries.iter().all(|entry| self.entry_goes(entry))
            }
            _ => false,
        }
    }

    pub(super) fn entry_goes(&self, entry: &Entry) -> bool {
        self.entries.contains(&entry.key_span.start.byte) || self.is_gone(&entry.value)
    }

    fn item_goes(&self, item: &Node) -> bool {
        self.items.contains(&item.span.start.byte) || self.is_gone(item)
    }

    fn take_out(&self, source: Source<'_>, node: &Node, removals: &mut Vec<Edit>) {
        if node.short_form {
            return;
        }
        let children: Vec<Child<'_>> = match &node.value {
            Value::List(items) => items
                .iter()
                .map(|item| Child {
                    start: dash(source, node, item),
                    end: source.content_end(item),
                    goes: self.item_goes(item),
                    value: item,
                })
                .collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| Child {
                    start: entry.key_span.start.byte,
                    end: source
                        .content_end(&entry.value)
                        .max(entry.key_span.end.byte + 1),
                    goes: self.entry_goes(entry),
                    value: &entry.value,
                })
                .collect(),
            _ => return,
        };
        if source.is_flow(node) {
            removals.extend(flow_removals(&children));
        } else {
            removals.extend(block_removals(source, &children));
        }
        for child in children.iter().filter(|child| !child.goes) {
            self.take_out(source, child.value, removals);
        }
    }
}

// An insertion where a removal begins or ends is not part of what is removed.
fn at_border(edit: &Edit, removals: &[Edit]) -> bool {
    removals
        .iter()
        .all(|removal| edit.start <= removal.start || removal.end <= edit.start)
}

/// Applies edits that do not overlap, in the order of the text.
pub(super) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        if edit.start < done {
            continue;
        }
        result.push_str(text.get(done..edit.start).unwrap_or_default());
        result.push_str(&edit.text);
        done = edit.end;
    }
    result.push_str(text.get(done..).unwrap_or_default());
    result
}

/// An entry or item of a collection as far as taking it out is concerned.
struct Child<'a> {
    start: usize,
    end: usize,
    goes: bool,
    value: &'a Node,
}

/// Where an item of a list begins: at its dash, if it has one.
fn dash(source: Source<'_>, list: &Node, item: &Node) -> usize {
    let start = item.span.start.byte;
    if source.is_flow(list) {
        return start;
    }
    let before = source.slice(0, start).trim_end();
    if before.ends_with('-') {
        before.len() - 1
    } else {
        start
    }
}

// A comma goes with each: the one in front if something stays in front, else the one behind.
fn flow_removals(children: &[Child<'_>]) -> Vec<Edit> {
    let mut removals = Vec::new();
    let mut kept_before = false;
    for (index, child) in children.iter().enumerate() {
        if !child.goes {
            kept_before = true;
            continue;
        }
        let previous = index.checked_sub(1).and_then(|it| children.get(it));
        let (start, end) = match (kept_before, previous, children.get(index + 1)) {
            (true, Some(previous), _) => (previous.end, child.end),
            (_, _, Some(next)) => (child.start, next.start),
            _ => (child.start, child.end),
        };
        removals.push(Edit {
            start,
            end,
            text: String::new(),
        });
    }
    removals
}

fn block_removals(source: Source<'_>, children: &[Child<'_>]) -> Vec<Edit> {
    let mut removals = Vec::new();
    for (index, child) in children.iter().enumerate() {
        if !child.goes {
            continue;
        }
        let is_first_on_line = source
            .slice(source.line_start(child.start), child.start)
            .trim()
            .is_empty();
        let (start, end) = match children.get(index + 1) {
            Some(next) if !is_first_on_line => (child.start, next.start),
            _ => whole_lines(source, child),
        };
        removals.push(Edit {
            start,
            end,
            text: String::new(),
        });
    }
    removals
}

/// The lines of a child with its comments and the blank lines that would be one too many.
fn whole_lines(source: Source<'_>, child: &Child<'_>) -> (usize, usize) {
    let column = source.column(child.start);
    let mut start = with_comments_above(source, child.start);
    let mut end = source.line_end(child.end);
    while is_comment_deeper_than(source, end, column) {
        end = source.line_end(end);
    }
    let above = source
        .slice(0, start)
        .lines()
        .next_back()
        .unwrap_or_default();
    let opens = above.trim().is_empty() || above.trim_end().ends_with(':');
    while opens && end < source.text.len() && is_blank(source, end) {
        end = source.line_end(end);
    }
    if end == source.text.len() {
        let kept = source.slice(0, start).trim_end().len();
        start = source.line_end(kept).min(start);
    }
    (start, end)
}

/// Where a line starts, or the comments of the same indentation right above it.
pub(super) fn with_comments_above(source: Source<'_>, at: usize) -> usize {
    let column = source.column(at);
    let mut start = source.line_start(at);
    while start > 0 {
        let above = source.line_start(start - 1);
        let line = source.slice(above, start);
        let indent = line.len() - line.trim_start().len();
        if !line.trim_start().starts_with('#') || indent != column {
            break;
        }
        start = above;
    }
    start
}

fn is_blank(source: Source<'_>, at: usize) -> bool {
    source.slice(at, source.line_end(at)).trim().is_empty()
}

fn is_comment_deeper_than(source: Source<'_>, at: usize, column: usize) -> bool {
    let line = source.slice(at, source.line_end(at));
    let indent = line.len() - line.trim_start().len();
    line.trim_start().starts_with('#') && indent > column
}

/// A text in the quoting that another scalar is written in.
fn requoted(old: &str, text: &str) -> String {
    let double = || serde_json::Value::from(text).to_string();
    match old.chars().next() {
        Some('"') => double(),
        Some('\'') => format!("'{}'", text.replace('\'', "''")),
        _ if is_plain(text) => text.to_owned(),
        _ => double(),
    }
}

/// Whether a text can stand in YAML without quotes and stays a string.
fn is_plain(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$' || c == '/');
    starts
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " ._/$-".contains(c))
        && !text.ends_with(' ')
}

/// How maps within maps are written at some place.
pub(super) struct Layout {
    is_json: bool,
    is_on_one_line: bool,
    newline: &'static str,
    indent: String,
    step: String,
}

impl Layout {
    /// Names within one another and the innermost value.
    pub(super) fn nest(&self, names: &[&str], leaf: &str) -> String {
        self.nest_at(&self.indent, names, leaf)
    }

    fn nest_at(&self, indent: &str, names: &[&str], leaf: &str) -> String {
        let Some((name, rest)) = names.split_first() else {
            return leaf.to_owned();
        };
        let name = if self.is_json {
            format!("\"{name}\"")
        } else {
            (*name).to_owned()
        };
        let deeper = format!("{indent}{}", self.step);
        let inner = self.nest_at(&deeper, rest, leaf);
        let newline = self.newline;
        match (rest.is_empty(), self.is_json, self.is_on_one_line) {
            (true, ..) => format!("{name}: {inner}"),
            (false, false, false) => format!("{name}:{newline}{deeper}{inner}"),
            (false, true, false) => {
                format!("{name}: {{{newline}{deeper}{inner}{newline}{indent}}}")
            }
            (false, _, true) => format!("{name}: {{{inner}}}"),
        }
    }
}

/// Puts names within one another behind the last entry of a map.
pub(super) fn append(
    draft: &mut Draft,
    source: Source<'_>,
    map: &Node,
    names: &[&str],
    leaf: &str,
) {
    let entries = map.entries().unwrap_or_default();
    let is_json = source.text.trim_start().starts_with('{');
    let newline = source.newline();
    let Some(last) = entries.last() else {
        let inner = Layout {
            is_json,
            is_on_one_line: true,
            newline,
            indent: String::new(),
            step: String::new(),
        };
        let written = format!("{{{}}}", inner.nest(names, leaf));
        draft.replace(map.span.start.byte, map.span.end.byte, written);
        return;
    };
    let end = source.content_end(&last.value).max(last.key_span.end.byte);
    let first = last.key_span.start.byte;
    let is_flow = source.is_flow(map);
    let between = source.slice(map.span.start.byte, first);
    let is_on_one_line = is_flow && !between.contains('\n');
    let indent = if is_flow {
        source.indent(first).to_owned()
    } else {
        " ".repeat(source.column(first))
    };
    let layout = Layout {
        is_json: is_json || (is_flow && source.slice(first, end).starts_with('"')),
        is_on_one_line,
        newline,
        step: step(source, map, &indent),
        indent,
    };
    let written = layout.nest(names, leaf);
    if is_on_one_line {
        draft.insert(end, format!(", {written}"));
    } else if is_flow {
        draft.insert(end, format!(",{newline}{}{written}", layout.indent));
    } else {
        let at = source.line_text_end(end);
        draft.insert(at, format!("{newline}{}{written}", layout.indent));
    }
}

/// One level of indentation, as the map's own surroundings have it.
fn step(source: Source<'_>, map: &Node, indent: &str) -> String {
    let outer = source.indent(map.span.start.byte.saturating_sub(1));
    let parent = if source.is_flow(map) {
        outer.len()
    } else {
        parent_indent(source, map.span.start.byte, indent.len())
    };
    let width = indent.len().saturating_sub(parent);
    let unit = if indent.starts_with('\t') { "\t" } else { " " };
    unit.repeat(if width == 0 { 2 } else { width })
}

// The indentation of the next line above that is indented less.
fn parent_indent(source: Source<'_>, at: usize, own: usize) -> usize {
    let lines = source.slice(0, source.line_start(at)).lines();
    lines
        .rev()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|line| line.len() - line.trim_start().len())
        .find(|indent| *indent < own)
        .unwrap_or(0)
}
