//! One pass over an event's text that takes along the leaves at the paths rules ask for and skips the rest unread.
//! Never checks what it skips: text that is not JSON may pass.

use memchr::memchr;

use crate::arrays::Scope;
use crate::error::Fault;
use crate::leaves::{Kind, Leaf, Leaves};
use crate::limits::DOCUMENT_DEPTH_MAX;
use crate::marks::Marks;
use crate::number::comparable;
use crate::paths::Paths;
use crate::reader::unescaped;
use crate::words::holds;

/// What is known of an event's names before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Nothing: a path may come again wherever the event goes on.
    Any,
    /// No path comes twice: no object has a name twice, and no name has a dot in it.
    Distinct,
}

/// What the pass needs besides the leaves it finds. Kept from event to event for its memory.
#[derive(Debug, Default)]
pub(crate) struct Open {
    containers: Vec<Container>,
    /// Scalars directly in arrays that are still open.
    waiting: Vec<Leaf>,
}

/// An object or array that is still open.
#[derive(Clone, Copy, Debug)]
struct Container {
    scope: Scope,
    /// How many members may still come that lead to a path rules ask for.
    awaited: u32,
}

/// More members than any text has.
const ENDLESS: u32 = u32::MAX;

/// Reads an event. `None` if it is not an object.
pub(crate) fn scan(
    json: &str,
    names: Names,
    paths: &Paths,
    leaves: &mut Leaves,
    open: &mut Open,
) -> Result<Option<()>, Fault> {
    leaves.clear(paths.len());
    open.containers.clear();
    open.waiting.clear();
    let mut scanner = Scanner {
        json,
        text: json.as_bytes(),
        at: 0,
        marks: Marks::new(json.as_bytes()),
        names,
        paths,
        leaves,
        open,
    };
    match scanner.event() {
        Ok(found) => Ok(found),
        Err(Broken) => Err(Fault::at("Unexpected text", scanner.at.min(json.len()))),
    }
}

/// The text is not JSON at the place reached.
#[derive(Clone, Copy, Debug)]
struct Broken;

struct Scanner<'t, 's> {
    json: &'t str,
    text: &'t [u8],
    at: usize,
    marks: Marks<'t>,
    names: Names,
    paths: &'s Paths,
    leaves: &'s mut Leaves,
    open: &'s mut Open,
}

/// What a stretch of members or elements ended with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Opened,
    Closed,
    /// Nothing that rules ask for can follow.
    Spent,
}

impl Scanner<'_, '_> {
    fn event(&mut self) -> Result<Option<()>, Broken> {
        if self.text.len() >= u32::MAX as usize {
            return Err(Broken);
        }
        if self.peek() != Some(b'{') {
            return Ok(None);
        }
        self.at += 1;
        self.open(Scope::EVENT);
        self.run().map(Some)
    }

    fn run(&mut self) -> Result<(), Broken> {
        let mut turn = Turn::Opened;
        while let Some(&container) = self.open.containers.last() {
            turn = if container.scope.is_array() {
                self.elements(&container.scope, turn)?
            } else {
                self.members(container, turn)?
            };
            match turn {
                Turn::Opened => {}
                Turn::Closed => self.close(),
                Turn::Spent => return Ok(()),
            }
        }
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Broken),
        }
    }

    #[inline]
    fn members(&mut self, container: Container, turn: Turn) -> Result<Turn, Broken> {
        let Container { scope, mut awaited } = container;
        if turn == Turn::Opened && self.take(b'}') {
            return Ok(Turn::Closed);
        }
        let mut is_first = turn == Turn::Opened;
        loop {
            if awaited == 0 {
                return self.pass_over();
            }
            if !is_first && !self.goes_on(b'}')? {
                return Ok(Turn::Closed);
            }
            is_first = false;
            if self.peek() != Some(b'"') {
                return Err(Broken);
            }
            let name = self.string()?;
            if !self.take(b':') {
                return Err(Broken);
            }
            let Some(node) = self.step(scope.node, name)? else {
                let first = self.peek();
                self.skip(first)?;
                continue;
            };
            awaited -= 1;
            self.await_only(awaited);
            if self.value(&scope, node)? {
                return Ok(Turn::Opened);
            }
        }
    }

    /// Leaves an object of which no more members are awaited, and the event if that holds for all around it.
    fn pass_over(&mut self) -> Result<Turn, Broken> {
        let is_spent = |container: &Container| container.awaited == 0;
        if self.open.containers.iter().rev().all(is_spent) {
            return Ok(Turn::Spent);
        }
        self.at = self.marks.skip_container(self.at).ok_or(Broken)?;
        Ok(Turn::Closed)
    }

    #[inline]
    fn await_only(&mut self, members: u32) {
        if let Some(container) = self.open.containers.last_mut() {
            container.awaited = members;
        }
    }

    fn open(&mut self, scope: Scope) {
        let awaited = match self.names {
            Names::Distinct if !scope.is_array() => self.paths.children(scope.node),
            _ => ENDLESS,
        };
        self.open.containers.push(Container { scope, awaited });
    }

    fn elements(&mut self, scope: &Scope, turn: Turn) -> Result<Turn, Broken> {
        if turn == Turn::Opened && self.take(b']') {
            return Ok(Turn::Closed);
        }
        let mut is_first = turn == Turn::Opened;
        loop {
            if !is_first && !self.goes_on(b']')? {
                return Ok(Turn::Closed);
            }
            is_first = false;
            if self.value(scope, scope.node)? {
                return Ok(Turn::Opened);
            }
        }
    }

    /// Whether a comma follows, not the closing bracket.
    #[inline]
    fn goes_on(&mut self, closing: u8) -> Result<bool, Broken> {
        let found = self.peek();
        self.at += 1;
        match found {
            Some(b',') => Ok(true),
            Some(found) if found == closing => Ok(false),
            _ => Err(Broken),
        }
    }

    fn close(&mut self) {
        let Some(Container { scope, .. }) = self.open.containers.pop() else {
            return;
        };
        if scope.is_array() {
            self.leaves.arrays.end_array(&scope);
            for leaf in self.open.waiting.drain(scope.waiting..) {
                self.leaves.add(leaf);
            }
        }
        self.leaves.arrays.end(&scope);
    }

    /// The node that a name leads to. A dot in a name is as good as a step.
    #[inline]
    fn step(&self, node: u32, (start, end): (usize, usize)) -> Result<Option<u32>, Broken> {
        let name = || self.text.get(start..end).unwrap_or_default();
        if self.marks.have_met_backslash() && memchr(b'\\', name()).is_some() {
            let name = unescaped(self.json, start).map_err(|_| Broken)?;
            return Ok(self.descend(node, name.as_bytes()));
        }
        let child = self.paths.child(node, self.text, start, end - start);
        if child.is_some()
            || self.names == Names::Distinct
            || !self.paths.is_deep(node)
            || !holds(self.text, start, end - start, b'.')
        {
            return Ok(child);
        }
        Ok(self.descend(node, name()))
    }

    fn descend(&self, node: u32, name: &[u8]) -> Option<u32> {
        let mut steps = name.split(|&byte| byte == b'.');
        steps.try_fold(node, |node, step| {
            self.paths.child(node, step, 0, step.len())
        })
    }

    /// Takes a value at `node`, which stands in `scope`. Whether a container was opened.
    #[inline]
    fn value(&mut self, scope: &Scope, node: u32) -> Result<bool, Broken> {
        let first = self.peek();
        let is_wanted = self.paths.is_wanted(node);
        let found = match first {
            Some(b'{') if self.paths.children(node) > 0 => Some(false),
            Some(b'[') if is_wanted || self.paths.children(node) > 0 => Some(true),
            Some(b'{') => return self.skip(first).map(|()| false),
            _ if !is_wanted => return self.skip(first).map(|()| false),
            _ => None,
        };
        if let Some(is_array) = found {
            self.at += 1;
            return self.descend_into(scope, node, is_array).map(|()| true);
        }
        let leaf = self.leaf(scope, node, first)?;
        if scope.is_array() {
            self.open.waiting.push(leaf);
        } else {
            self.leaves.add(leaf);
        }
        Ok(false)
    }

    fn descend_into(&mut self, scope: &Scope, node: u32, is_array: bool) -> Result<(), Broken> {
        if self.open.containers.len() >= DOCUMENT_DEPTH_MAX {
            return Err(Broken);
        }
        let waiting = self.open.waiting.len();
        let inner = self.leaves.arrays.open(scope, node, is_array, waiting);
        self.open(inner);
        Ok(())
    }

    #[inline]
    fn leaf(&mut self, scope: &Scope, node: u32, first: Option<u8>) -> Result<Leaf, Broken> {
        if first == Some(b'"') {
            let place = self.string()?;
            return self.text_leaf(scope, node, place);
        }
        let place = self.word();
        let text = self.json.get(place.0..place.1).unwrap_or_default();
        let kind = match text {
            "true" => Kind::True,
            "false" => Kind::False,
            "null" => Kind::Null,
            number if is_number(number) => Kind::Number(comparable(number)),
            _ => return Err(Broken),
        };
        Ok(Leaf::new(scope, node, kind, place))
    }

    #[inline]
    fn text_leaf(
        &mut self,
        scope: &Scope,
        node: u32,
        place: (usize, usize),
    ) -> Result<Leaf, Broken> {
        let text = self.text.get(place.0..place.1).unwrap_or_default();
        if !self.marks.have_met_backslash() || memchr(b'\\', text).is_none() {
            return Ok(Leaf::new(scope, node, Kind::Text, place));
        }
        let start = self.leaves.unescaped.len();
        let text = unescaped(self.json, place.0).map_err(|_| Broken)?;
        self.leaves.unescaped.push_str(&text);
        let place = (start, self.leaves.unescaped.len());
        Ok(Leaf::new(scope, node, Kind::Unescaped, place))
    }

    /// Passes over the value that begins here with this byte.
    #[inline]
    fn skip(&mut self, first: Option<u8>) -> Result<(), Broken> {
        match first {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{' | b'[') => {
                let end = self.marks.skip_container(self.at + 1);
                self.at = end.ok_or(Broken)?;
                Ok(())
            }
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.word();
                Ok(())
            }
            _ => Err(Broken),
        }
    }

    /// The place of the text between the quotes of the string that begins here.
    #[inline]
    fn string(&mut self) -> Result<(usize, usize), Broken> {
        let (first, last) = (self.marks.next_quote(), self.marks.next_quote());
        match (first, last) {
            (Some(first), Some(last)) if first == self.at => {
                self.at = last + 1;
                Ok((first + 1, last))
            }
            _ => Err(Broken),
        }
    }

    /// The place of the number or literal that begins here.
    #[inline]
    fn word(&mut self) -> (usize, usize) {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        let is_end = |byte: &u8| {
            matches!(
                byte,
                b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' | b'"'
            )
        };
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        self.at += length;
        (start, self.at)
    }

    #[inline]
    fn take(&mut self, wanted: u8) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    /// The next byte that is not white space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                other => return other.copied(),
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next();
    first.is_some_and(|byte| byte == b'-' || byte.is_ascii_digit())
        && bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
}
