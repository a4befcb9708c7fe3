//! Texts as words: hashes of all heads or all tails of a text, at the cost of one pass over it.
//! Never keyed: a hash only says where to look, and what is found there is compared.

const START: u64 = 0x243f_6a88_85a3_08d3;
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const LAST: u64 = 0xd1b5_4a32_d192_ed03;
const KEY: u64 = 0xaef1_7502_108e_f2d9;

/// Bytes of a word.
const WORD: usize = 8;

/// Multiplies and folds the upper half into the lower.
#[inline]
fn mix(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Up to eight bytes as a number; bytes beyond `length` are zero.
#[inline]
pub(crate) fn word(text: &[u8], from: usize, length: usize) -> u64 {
    if length == 0 {
        return 0;
    }
    let unused_bits = 64 - 8 * length.min(WORD);
    if let Some(chunk) = text.get(from..).and_then(|rest| rest.first_chunk::<WORD>()) {
        return u64::from_le_bytes(*chunk) << unused_bits >> unused_bits;
    }
    let end = from + length;
    let before = text.get(..end).and_then(|head| head.last_chunk::<WORD>());
    if let Some(chunk) = before {
        return u64::from_le_bytes(*chunk) >> unused_bits;
    }
    let bytes = text.get(from..end).unwrap_or_default();
    bytes
        .iter()
        .rev()
        .fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// Whether some byte of `text` in `from..from + length` is `wanted`.
#[inline]
pub(crate) fn holds(text: &[u8], from: usize, length: usize, wanted: u8) -> bool {
    const LOW: u64 = u64::from_le_bytes([1; WORD]);
    const HIGH: u64 = LOW << 7;
    let wanted = LOW * u64::from(wanted);
    (0..length).step_by(WORD).any(|done| {
        let same = word(text, from + done, (length - done).min(WORD)) ^ wanted;
        same.wrapping_sub(LOW) & !same & HIGH != 0
    })
}

/// Calls `found` with the hash of each head of `text` that has one of the ascending `lengths`, and the length.
#[inline]
pub(crate) fn heads(text: &[u8], lengths: &[u32], mut found: impl FnMut(u64, u32)) {
    let (mut state, mut done) = (START, 0);
    for &length in lengths {
        let wanted = length as usize;
        if wanted > text.len() {
            return;
        }
        while done + WORD <= wanted {
            state = mix(state ^ word(text, done, WORD), STEP);
            done += WORD;
        }
        found(end(state, word(text, done, wanted - done), wanted), length);
    }
}

/// Calls `found` with the hash of each tail of `text` that has one of the ascending `lengths`, and the length.
#[inline]
pub(crate) fn tails(text: &[u8], lengths: &[u32], mut found: impl FnMut(u64, u32)) {
    let (mut state, mut done) = (START, 0);
    for &length in lengths {
        let wanted = length as usize;
        let Some(start) = text.len().checked_sub(wanted) else {
            return;
        };
        while done + WORD <= wanted {
            state = mix(state ^ word(text, text.len() - done - WORD, WORD), STEP);
            done += WORD;
        }
        found(end(state, word(text, start, wanted - done), wanted), length);
    }
}

/// The hash of the whole text, which is that of its longest head.
#[inline]
pub(crate) fn whole(text: &[u8]) -> u64 {
    let (mut state, mut done) = (START, 0);
    while done + WORD <= text.len() {
        state = mix(state ^ word(text, done, WORD), STEP);
        done += WORD;
    }
    end(state, word(text, done, text.len() - done), text.len())
}

/// The hash of the whole text as that of its longest tail.
pub(crate) fn whole_tail(text: &[u8]) -> u64 {
    let mut hash = 0;
    tails(text, &[crate::arrays::number(text.len())], |found, _| {
        hash = found
    });
    hash
}

#[inline]
fn end(state: u64, rest: u64, length: usize) -> u64 {
    mix(state ^ rest, LAST ^ (length as u64))
}

/// The hash of a text or number for one path and one kind of question.
#[inline]
pub(crate) fn keyed(hash: u64, node: u32, kind: u8) -> u64 {
    mix(hash ^ (u64::from(node) << 8 | u64::from(kind)), KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_tails_have_the_hash_of_their_own_text() {
        let text = "0123456789abcdefghijk-lmnop";
        let lengths: Vec<u32> = (0..=27).collect();
        let mut seen = 0;
        heads(text.as_bytes(), &lengths, |hash, length| {
            assert_eq!(hash, whole(&text.as_bytes()[..length as usize]), "{length}");
            seen += 1;
        });
        tails(text.as_bytes(), &lengths, |hash, length| {
            assert_eq!(
                hash,
                whole_tail(&text.as_bytes()[text.len() - length as usize..]),
                "{length}"
            );
            seen += 1;
        });
        assert_eq!(seen, 2 * 28);
    }

    #[test]
    fn words_end_at_their_length_wherever_they_stand() {
        for text in ["abc", "abcdefgh", "abcdefghijklmnopq"] {
            for from in 0..text.len() {
                for length in 0..=(text.len() - from).min(8) {
                    let slow = text.as_bytes()[from..from + length]
                        .iter()
                        .rev()
                        .fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
                    assert_eq!(
                        word(text.as_bytes(), from, length),
                        slow,
                        "{text} {from} {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_byte_is_found_where_it_is_and_nowhere_else() {
        let text = b"..0123456.abcdefghijklmn.";
        for from in 0..text.len() {
            for length in 0..=text.len() - from {
                let slow = text[from..from + length].contains(&b'.');
                assert_eq!(holds(text, from, length, b'.'), slow, "{from} {length}");
            }
        }
    }
}
