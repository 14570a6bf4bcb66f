//! Texts of at most 16 bytes, compared as two words.

use crate::csv::Texts;

/// A short text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    /// The bytes, the first one lowest, zeros behind.
    bytes: u128,
    /// Tells `a` from `a\0`.
    length: usize,
}

impl Word {
    /// The text, if it is short enough.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes: u128::from_le_bytes(bytes), length: text.len() })
    }

    /// The text that `head` starts with; where it is longer than `head`, some other text
    /// that is as long.
    #[inline(always)]
    fn of(head: &[u8; 16], length: usize) -> Self {
        let [low, high] = MASKS[length & 15];
        let all = if length > 15 { u128::MAX } else { u128::from(high) << 64 | u128::from(low) };
        Self { bytes: u128::from_le_bytes(*head) & all, length }
    }

    /// Whether it is the text that `head` starts with.
    #[inline(always)]
    pub(super) fn is(&self, head: &[u8; 16], length: usize) -> bool {
        *self == Self::of(head, length)
    }
}

/// Masks for the first so many bytes.
const MASKS: [[u64; 2]; 16] = {
    let mut masks = [[0; 2]; 16];
    let mut length = 0;
    while length < 16 {
        let mask = (1_u128 << (8 * length)) - 1;
        masks[length] = [mask as u64, (mask >> 64) as u64];
        length += 1;
    }
    masks
};

/// A set of short texts.
#[derive(Debug)]
pub(super) struct WordSet {
    words: Vec<Word>,
    /// For each value of the hash the only word that may have it; the first word where none
    /// has, which is then not equal.
    slots: Vec<u16>,
    factor: u64,
    /// Bits of the product that are not part of the hash.
    shift: u32,
}

impl WordSet {
    /// A set of the texts that are short; absent where no hash was found that keeps them
    /// apart, which happens from about 300 of them on.
    pub(super) fn new(texts: &[String]) -> Option<Self> {
        let mut words: Vec<Word> = Vec::new();
        for word in texts.iter().filter_map(|text| Word::new(text.as_bytes())) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        // With four slots for each word, some factor soon does for a few words; many words
        // need more slots.
        let least = (4 * words.len().max(1)).ilog2() + 1;
        (least..=14).find_map(|bits| {
            let mut factor = 0x9E37_79B9_7F4A_7C15_u64;
            (0..100).find_map(|_| {
                factor = factor.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(2) | 1;
                Self::with_hash(&words, factor, bits)
            })
        })
    }

    fn with_hash(words: &[Word], factor: u64, bits: u32) -> Option<Self> {
        let mut set = Self {
            words: words.to_vec(),
            slots: vec![0; 1 << bits],
            factor,
            shift: u64::BITS - bits,
        };
        let mut taken = vec![false; 1 << bits];
        for (index, word) in words.iter().enumerate() {
            let slot = set.slot(word);
            if std::mem::replace(taken.get_mut(slot)?, true) {
                return None;
            }
            *set.slots.get_mut(slot)? = u16::try_from(index).ok()?;
        }
        Some(set)
    }

    #[inline(always)]
    fn slot(&self, word: &Word) -> usize {
        let high = (word.bytes >> 64) as u64;
        let folded = (word.bytes as u64) ^ high.rotate_left(29) ^ (word.length as u64);
        ((folded ^ (folded >> 31)).wrapping_mul(self.factor) >> self.shift) as usize
    }

    /// The records whose text is in the set.
    #[inline(never)]
    pub(super) fn among(&self, texts: &Texts<'_>) -> u64 {
        texts.with_head(|head, length| self.has(head, length))
    }

    /// Whether the text that `head` starts with is in the set.
    #[inline(always)]
    pub(super) fn has(&self, head: &[u8; 16], length: usize) -> bool {
        let word = Word::of(head, length);
        let only =
            self.slots.get(self.slot(&word)).and_then(|slot| self.words.get(usize::from(*slot)));
        only == Some(&word)
    }
}
