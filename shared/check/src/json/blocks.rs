//! Where strings and brackets are in 64 bytes of JSON.
//!
//! The first stage of Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019: bit
//! masks of the bytes that mean something, from which those inside strings are taken out.

/// What the bytes before a block say of its first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Carry {
    /// It is inside a string.
    pub(crate) inside: bool,
    /// A backslash escapes it.
    pub(crate) escaped: bool,
}

/// One bit per byte of a block, the first byte's lowest. Bits behind the last byte are 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Masks {
    /// `{` and `[` outside of strings.
    pub(crate) open: u64,
    /// `}` and `]` outside of strings.
    pub(crate) close: u64,
    /// Line feeds, wherever they are.
    pub(crate) newline: u64,
    /// Line feeds inside strings, where JSON has none.
    pub(crate) newline_inside: u64,
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// A block as eight little-endian words.
type Words = [u64; 8];

#[inline(always)]
fn words(block: &[u8; 64]) -> Words {
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// One bit per byte that is equal to the needle.
#[inline(always)]
fn equal(words: &Words, needle: u8) -> u64 {
    let needle = u64::from(needle) * LOW;
    let mut mask = 0;
    for (index, word) in words.iter().enumerate() {
        // The high bit of a byte of `other` is set exactly when the byte differs from the
        // needle: no carry leaves a byte, so no false hit beside a true one.
        let difference = word ^ needle;
        let other = ((difference & !HIGH) + !HIGH) | difference;
        let hits = (!other & HIGH) >> 7;
        // Gathers the low bit of each byte into the top byte.
        mask |= (hits.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * index);
    }
    mask
}

/// The masks of the first 64 bytes, or of all if they are fewer; and how many that were. The
/// carry is that of the byte behind them.
#[inline(always)]
pub(crate) fn masks(bytes: &[u8], carry: &mut Carry) -> (Masks, usize) {
    let (words, length) = match bytes.first_chunk::<64>() {
        Some(block) => (words(block), 64),
        None => {
            // No byte of the grammar is 0.
            let mut block = [0; 64];
            for (to, from) in block.iter_mut().zip(bytes) {
                *to = *from;
            }
            (words(&block), bytes.len())
        }
    };
    let quotes = equal(&words, b'"');
    let backslashes = equal(&words, b'\\');
    let newline = equal(&words, b'\n');
    // With the bit 0x20 the square brackets are the curly ones, and nothing else becomes one.
    let folded = words.map(|word| word | (0x20 * LOW));
    let (open, close) = (equal(&folded, b'{'), equal(&folded, b'}'));

    let escaped = escapes(backslashes, length, &mut carry.escaped);
    let mut inside = quotes & !escaped;
    // From an opening quote up to before its closing one: the parity of the quotes so far.
    for shift in [1, 2, 4, 8, 16, 32] {
        inside ^= inside << shift;
    }
    if carry.inside {
        inside = !inside;
    }
    if let Some(last) = length.checked_sub(1) {
        carry.inside = inside >> last & 1 == 1;
    }
    let masks = Masks {
        open: open & !inside,
        close: close & !inside,
        newline,
        newline_inside: newline & inside,
    };
    (masks, length)
}

/// The bytes that a backslash escapes. Of a run of backslashes every second one is escaped
/// itself.
#[inline(always)]
fn escapes(backslashes: u64, length: usize, carry: &mut bool) -> u64 {
    if backslashes == 0 && !*carry {
        return 0;
    }
    let mut escaped = u64::from(*carry);
    let mut escaping = backslashes & !escaped;
    *carry = false;
    while escaping != 0 {
        let bit = escaping & escaping.wrapping_neg();
        if bit.trailing_zeros() as usize + 1 == length {
            *carry = true;
        }
        escaped |= bit << 1;
        escaping &= !(bit | bit << 1);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Random;

    /// The same by a loop over the bytes.
    fn by_bytes(bytes: &[u8], carry: &mut Carry) -> [u64; 4] {
        let mut found = [0; 4];
        for (index, byte) in bytes.iter().enumerate() {
            let bit = 1 << index;
            let escaped = std::mem::take(&mut carry.escaped);
            match byte {
                b'\\' if !escaped => carry.escaped = true,
                b'"' if !escaped => carry.inside = !carry.inside,
                b'{' | b'[' if !carry.inside => found[0] |= bit,
                b'}' | b']' if !carry.inside => found[1] |= bit,
                b'\n' => {
                    found[2] |= bit;
                    if carry.inside {
                        found[3] |= bit;
                    }
                }
                _ => {}
            }
        }
        found
    }

    #[test]
    fn the_masks_are_those_of_a_byte_loop() {
        let mut random = Random::new(11);
        let needles = b"\\\"\n{}[]";
        for round in 0..4000 {
            let length = if round % 2 == 0 { 64 } else { 1 + random.below(64) };
            let bytes: Vec<u8> = (0..length)
                .map(|_| match random.below(4) {
                    0 => b'\\',
                    1 => needles[random.below(needles.len())],
                    2 => needles[random.below(needles.len())] ^ (1 << random.below(8)),
                    _ => random.below(256) as u8,
                })
                .collect();
            let start = Carry { inside: random.below(2) == 0, escaped: random.below(2) == 0 };
            let (mut fast, mut slow) = (start, start);
            let (masks, taken) = masks(&bytes, &mut fast);
            assert_eq!(taken, length);
            assert_eq!(
                [masks.open, masks.close, masks.newline, masks.newline_inside],
                by_bytes(&bytes, &mut slow),
                "{bytes:?} from {start:?}"
            );
            assert_eq!(fast, slow, "{bytes:?} from {start:?}");
        }
    }
}
