//! Whose turn it is: the lines in which tasks wait, one for each rule, in the order in which they are asked. Never knows
//! the tasks, of which there may be any number.

use std::collections::{HashSet, VecDeque};

/// A line in which somebody may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// ARN of the rule, or of the cluster of tasks that no rule started.
    pub name: String,
    /// Everybody up to this number has left the line.
    pub past: u64,
    /// How often in a row its first task was too large for what was left.
    pub refused: u32,
}

/// The lines with somebody in them.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    order: VecDeque<Line>,
    known: HashSet<String>,
}

impl Lines {
    /// Somebody joins a line, with a number that is higher than all before; a new line is asked last.
    pub fn join(&mut self, name: &str, number: u64) {
        if self.known.contains(name) {
            return;
        }
        self.known.insert(name.to_owned());
        self.order.push_back(Line {
            name: name.to_owned(),
            past: number.saturating_sub(1),
            refused: 0,
        });
    }

    /// Lines with somebody in them.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// The line to be asked now; it goes [`back`](Self::back) unless it is empty.
    pub fn take(&mut self) -> Option<Line> {
        self.order.pop_front()
    }

    /// A line that was asked is asked again behind all others.
    pub fn back(&mut self, line: Line) {
        self.order.push_back(line);
    }

    /// A line that was asked keeps its turn.
    pub fn stay(&mut self, line: Line) {
        self.order.push_front(line);
    }

    /// A line that was asked is empty.
    pub fn close(&mut self, line: &Line) {
        self.known.remove(&line.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_asked_in_turn_and_a_new_one_last() {
        let mut lines = Lines::default();
        for (name, number) in [("a", 1), ("b", 2), ("a", 3)] {
            lines.join(name, number);
        }
        let mut asked = Vec::new();
        for _ in 0..3 {
            let line = lines.take().unwrap();
            asked.push(line.name.clone());
            lines.back(line);
            lines.join("c", 4);
        }
        assert_eq!(asked, ["a", "b", "a"]);
        let next: Vec<_> = std::iter::from_fn(|| lines.take())
            .map(|it| it.name)
            .collect();
        assert_eq!(next, ["c", "b", "a"]);
    }

    #[test]
    fn an_empty_line_is_forgotten_until_somebody_joins_it() {
        let mut lines = Lines::default();
        lines.join("a", 7);
        let line = lines.take().unwrap();
        lines.close(&line);
        assert_eq!(lines.count(), 0);
        lines.join("a", 9);
        assert_eq!(lines.take().map(|it| it.past), Some(8));
    }
}
