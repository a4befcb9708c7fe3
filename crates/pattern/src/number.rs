//! Numbers as event patterns compare them: by decimal value, as far as a double carries it.
//! Never rounds: a number that a double cannot carry exactly is not comparable.

/// The value of a JSON number's text if its exact decimal value is that of the shortest spelling of its nearest
/// double; else `None`. Zero has no sign.
pub(crate) fn comparable(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let exact = Decimal::of(text)? == Decimal::of(&format!("{value:e}"))?;
    exact.then_some(if value == 0.0 { 0.0 } else { value })
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
    use super::comparable;

    #[test]
    fn spellings_of_one_value_are_equal() {
        for text in ["300", "300.0", "3.0e2", "3e+2", "3E2", "0.3e3", "30000e-2"] {
            assert_eq!(comparable(text), Some(300.0), "{text}");
        }
        for text in ["0", "-0", "-0.0", "0e7", "0.000"] {
            assert_eq!(comparable(text).map(f64::to_bits), Some(0), "{text}");
        }
        for text in ["0.1", "0.10", "1e-1"] {
            assert_eq!(comparable(text), Some(0.1), "{text}");
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
            assert_eq!(comparable(text), text.parse().ok(), "{text}");
        }
    }
}
