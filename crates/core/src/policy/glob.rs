//! Patterns with `*` (any run of characters) and `?` (any one). Never backtracks further than the last `*`.

/// Whether the pattern covers the whole text, case included.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == c => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((behind, from)) => {
                    star = Some((behind, from + 1));
                    (p, t) = (behind, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

/// [`matches`] without regard to ASCII case.
pub(super) fn matches_ignoring_case(pattern: &str, text: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// Whether the pattern covers an ARN part by part: a `*` does not reach over the first five colons.
pub(super) fn matches_arn(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) = (
        pattern.splitn(6, ':').collect(),
        arn.splitn(6, ':').collect(),
    );
    patterns.len() == 6
        && parts.len() == 6
        && patterns.iter().zip(&parts).all(|(p, t)| matches(p, t))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs() {
        let table = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "abc", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a?c", "aéc", true),
            ("a?c", "ac", false),
            ("*ab*ab", "abxabab", true),
            ("a", "A", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(matches_ignoring_case("SQS:send*", "sqs:SendMessage"));
    }

    #[test]
    fn stars_stay_in_their_part_of_an_arn() {
        let arn = "arn:aws:events:us-east-1:1:rule/a:b";
        assert!(matches_arn("arn:aws:events:*:1:rule/*", arn));
        assert!(matches_arn(arn, arn));
        assert!(!matches_arn("arn:aws:*:rule/*", arn));
        assert!(!matches_arn("*", arn));
        assert!(!matches_arn("arn:*:*:*:*:*", "not an arn"));
    }

    fn slow(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|n| slow(rest, &text[n..])),
            Some((c, rest)) => text
                .split_first()
                .is_some_and(|(t, tail)| (*c == '?' || c == t) && slow(rest, tail)),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&pattern, &text), slow(&p, &t));
        }
    }
}
