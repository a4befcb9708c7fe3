//! Ranges of numbers, found by a number they contain. Never larger than the ranges themselves.

use crate::number::Ordinal;

/// Numbers beyond which it is cheaper to look at each range once than at each number.
const NUMBERS_MANY: usize = 16;

/// One range and the atom it stands for.
#[derive(Clone, Copy, Debug)]
struct Item {
    lowest: Ordinal,
    highest: Ordinal,
    /// The highest end in the half of the items that this one is the middle of.
    reach: Ordinal,
    atom: u32,
}

/// Ranges ascending by their lowest number, which are also a search tree: the middle of each half is its root.
#[derive(Debug)]
pub(super) struct Ranges {
    items: Box<[Item]>,
}

impl Ranges {
    pub(super) fn new(ranges: impl Iterator<Item = (Ordinal, Ordinal, u32)>) -> Self {
        let item = |(lowest, highest, atom)| Item {
            lowest,
            highest,
            reach: highest,
            atom,
        };
        let mut items: Box<[Item]> = ranges.map(item).collect();
        items.sort_unstable_by_key(|item| item.lowest);
        reach(&mut items);
        Self { items }
    }

    /// Calls `found` for each range that contains one of the numbers, which may be reordered.
    pub(super) fn containing(&self, numbers: &mut [Ordinal], mut found: impl FnMut(u32)) {
        if numbers.len() <= NUMBERS_MANY {
            for &mut number in numbers {
                around(&self.items, number, &mut found);
            }
            return;
        }
        numbers.sort_unstable();
        for item in &self.items {
            let first = numbers.partition_point(|number| *number < item.lowest);
            if numbers
                .get(first)
                .is_some_and(|number| *number <= item.highest)
            {
                found(item.atom);
            }
        }
    }
}

fn reach(items: &mut [Item]) -> Ordinal {
    let (left, right) = items.split_at_mut(items.len() / 2);
    let Some((middle, right)) = right.split_first_mut() else {
        return Ordinal::LOWEST;
    };
    let beside = if left.is_empty() && right.is_empty() {
        Ordinal::LOWEST
    } else {
        reach(left).max(reach(right))
    };
    middle.reach = middle.highest.max(beside);
    middle.reach
}

fn around(items: &[Item], number: Ordinal, found: &mut impl FnMut(u32)) {
    let (left, right) = items.split_at(items.len() / 2);
    let Some((middle, right)) = right.split_first() else {
        return;
    };
    if number > middle.reach {
        return;
    }
    around(left, number, found);
    if number >= middle.lowest {
        if number <= middle.highest {
            found(middle.atom);
        }
        around(right, number, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::comparable;

    #[test]
    fn both_ways_find_what_a_look_at_each_finds() {
        let number = |n: usize| comparable(&n.to_string()).unwrap();
        let ranges: Vec<(usize, usize)> = (0..60)
            .map(|n| (n * 7 % 31, n * 7 % 31 + n * 13 % 17))
            .collect();
        let tree = Ranges::new(
            ranges
                .iter()
                .zip(0..)
                .map(|(&(low, high), atom)| (number(low), number(high), atom)),
        );
        for values in [
            vec![5],
            vec![0, 49],
            (0..20).map(|n| n * 3).collect(),
            vec![],
        ] {
            let mut numbers: Vec<Ordinal> = values.iter().map(|&value| number(value)).collect();
            let mut found = Vec::new();
            tree.containing(&mut numbers, |atom| found.push(atom));
            found.sort_unstable();
            found.dedup();
            let is_in = |(low, high): &(usize, usize)| {
                values.iter().any(|value| (low..=high).contains(&value))
            };
            let expected: Vec<u32> = ranges
                .iter()
                .zip(0..)
                .filter(|(range, _)| is_in(range))
                .map(|(_, atom)| atom)
                .collect();
            assert_eq!(found, expected, "{values:?}");
        }
    }
}
