//! Equality regardless of case as event patterns know it: unit by unit, lower or upper case, no case folding.
//! Never looks at a locale.

/// One character of the operand: the spellings that an event may carry for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spellings {
    lower: Box<str>,
    upper: Box<str>,
}

/// An operand whose case does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folded(Box<[Spellings]>);

impl Folded {
    pub(crate) fn new(operand: &str) -> Self {
        Self(operand.chars().map(Spellings::of).collect())
    }

    pub(crate) fn equals(&self, text: &str) -> bool {
        self.heads(text).contains(&text.len())
    }

    pub(crate) fn starts(&self, text: &str) -> bool {
        !self.heads(text).is_empty()
    }

    pub(crate) fn ends(&self, text: &str) -> bool {
        let mut lengths = vec![text.len()];
        for spellings in self.0.iter().rev() {
            lengths = step(&lengths, spellings, |length, spelling| {
                let left = text.get(..length)?.strip_suffix(spelling)?;
                Some(left.len())
            });
        }
        !lengths.is_empty()
    }

    /// Lengths of the heads of `text` that spell the whole operand. Two spellings of one character may differ in
    /// length, so there can be several; there are never more than bytes in the text.
    fn heads(&self, text: &str) -> Vec<usize> {
        let mut lengths = vec![0];
        for spellings in &self.0 {
            lengths = step(&lengths, spellings, |length, spelling| {
                text.get(length..)?
                    .starts_with(spelling)
                    .then_some(length + spelling.len())
            });
        }
        lengths
    }
}

impl Spellings {
    /// Characters outside the basic plane have one spelling only: the service's library takes them apart into
    /// surrogates, which never match; here they stand for themselves.
    fn of(char: char) -> Self {
        if char.len_utf16() > 1 {
            return Self {
                lower: char.to_string().into(),
                upper: char.to_string().into(),
            };
        }
        Self {
            lower: char.to_lowercase().collect::<String>().into(),
            upper: char.to_uppercase().collect::<String>().into(),
        }
    }
}

fn step(
    lengths: &[usize],
    spellings: &Spellings,
    advance: impl Fn(usize, &str) -> Option<usize>,
) -> Vec<usize> {
    let mut next = Vec::new();
    for &length in lengths {
        for spelling in [&spellings.lower, &spellings.upper] {
            next.extend(advance(length, spelling).filter(|length| !next.contains(length)));
        }
    }
    next
}
