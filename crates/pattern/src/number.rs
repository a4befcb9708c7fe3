//! Numbers as event patterns compare them: by decimal value, as far as a double carries it.
//! Never rounds: a number that a double cannot carry exactly is not comparable.

/// Significant digits that every double keeps, and the powers of ten within which it does.
const EXACT_DIGITS_MAX: usize = 15;
const EXACT_POWER_MAX: i32 = 200;
const SIGN: u64 = 1 << 63;

/// A comparable number. Its order is that of the values; zero has no sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ordinal(u64);

impl Ordinal {
    /// Below every number.
    pub(crate) const LOWEST: Self = Self(0);
    /// Above every number.
    pub(crate) const HIGHEST: Self = Self(u64::MAX);

    fn of(value: f64) -> Self {
        let bits = if value == 0.0 { 0 } else { value.to_bits() };
        Self(if bits & SIGN == 0 { bits | SIGN } else { !bits })
    }

    pub(crate) fn value(self) -> f64 {
        f64::from_bits(if self.0 & SIGN == 0 {
            !self.0
        } else {
            self.0 & !SIGN
        })
    }

    /// The next double above.
    pub(crate) fn above(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The next double below.
    pub(crate) fn below(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }
}

/// The value of a JSON number's text if its exact decimal value is that of the shortest spelling of its nearest
/// double; else `None`.
pub(crate) fn comparable(text: &str) -> Option<Ordinal> {
    if is_short(text) {
        return text.parse().ok().map(Ordinal::of);
    }
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let exact = Decimal::of(text)? == Decimal::of(&format!("{value:e}"))?;
    exact.then(|| Ordinal::of(value))
}

/// Whether the number has so few digits and so small a power that a double carries it for certain.
fn is_short(text: &str) -> bool {
    let (mantissa, power) = match text.find(['e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    mantissa.len() <= EXACT_DIGITS_MAX
        && (power.is_empty()
            || power
                .get(1..)
                .and_then(|power| power.parse::<i32>().ok())
                .is_some_and(|power| power.abs() <= EXACT_POWER_MAX))
}

/// A decimal number in the one spelling that has no zero at either end of its digits.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    /// Power of ten of the last digit.
    exponent: i64,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let (negative, text) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: Vec<u8> = whole
            .bytes()
            .chain(fraction.bytes())
            .skip_while(|&digit| digit == b'0')
            .collect();
        let significant = digits
            .iter()
            .rposition(|&digit| digit != b'0')
            .map_or(0, |at| at + 1);
        if significant == 0 {
            return Some(Self {
                negative: false,
                digits: Vec::new(),
                exponent: 0,
            });
        }
        let power: i64 = power.parse().ok()?;
        let fraction_digits = i64::try_from(fraction.len()).ok()?;
        let dropped = i64::try_from(digits.len() - significant).ok()?;
        digits.truncate(significant);
        let exponent = power.checked_sub(fraction_digits)?.checked_add(dropped)?;
        Some(Self {
            negative,
            digits,
            exponent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Ordinal, comparable};

    #[test]
    fn spellings_of_one_value_are_equal() {
        for text in ["300", "300.0", "3.0e2", "3e+2", "3E2", "0.3e3", "30000e-2"] {
            assert_eq!(comparable(text), Some(Ordinal::of(300.0)), "{text}");
        }
        for text in ["0", "-0", "-0.0", "0e7", "0.000"] {
            assert_eq!(comparable(text), Some(Ordinal::of(0.0)), "{text}");
        }
        for text in ["0.1", "0.10", "1e-1"] {
            assert_eq!(comparable(text), Some(Ordinal::of(0.1)), "{text}");
        }
    }

    #[test]
    fn what_a_double_cannot_carry_is_not_comparable() {
        for text in [
            "0.1000000000000000055511151231257827",
            "9007199254740993",
            "1e400",
            "-1e400",
            "1e-400",
            "1e99999999999999999999",
            "123456789012345678901234567890",
        ] {
            assert_eq!(comparable(text), None, "{text}");
        }
    }

    #[test]
    fn account_numbers_and_large_doubles_are_comparable() {
        for text in [
            "123456789012",
            "9007199254740992",
            "1.7976931348623157e308",
            "1e23",
        ] {
            assert_eq!(
                comparable(text),
                text.parse().ok().map(Ordinal::of),
                "{text}"
            );
        }
    }

    #[test]
    fn the_order_is_that_of_the_values() {
        let ascending = [
            "-1e300", "-2", "-1.5", "-1e-9", "0", "1e-9", "1", "1.5", "2", "1e300",
        ];
        let ordinals: Vec<Ordinal> = ascending
            .iter()
            .filter_map(|text| comparable(text))
            .collect();
        assert_eq!(ordinals.len(), ascending.len());
        assert!(ordinals.is_sorted_by(|one, other| one.above() <= *other && *one <= other.below()));
        assert!(
            ordinals
                .iter()
                .all(|one| Ordinal::LOWEST < *one && *one < Ordinal::HIGHEST)
        );
    }

    #[test]
    fn the_short_way_agrees_with_the_long_one() {
        for digits in [
            "1",
            "12",
            "999999999999999",
            "1.00000000000001",
            "0.10000000000001",
        ] {
            for power in ["", "e0", "e+5", "E-5", "e200", "e-200"] {
                let short = format!("{digits}{power}");
                let long = format!(
                    "{digits}{}{power}",
                    if digits.contains('.') {
                        "0000"
                    } else {
                        ".0000"
                    }
                );
                assert_eq!(comparable(&short), comparable(&long), "{short}");
                assert!(comparable(&short).is_some(), "{short}");
            }
        }
    }
}
