//! The quick reader: 64 bytes at a time become bit masks, and the masks become the places of
//! the fields.
//!
//! Whether a byte lies inside quotes is the parity of the quotes before it, so all 64 bytes
//! are decided at once. That is only right as long as every quote stands where it may: an
//! opening one first in its field, a closing one last. Both are checked on the masks as well,
//! and the reader ends before the first record that breaks the rule, for the careful reader
//! to judge.

use landfall_contract::CsvFormat;

use super::MAX_FIELDS;
use super::record::Records;
use crate::lanes::Lanes;

/// The bytes that mean something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    pub(super) comment: Option<u8>,
}

/// One bit per byte, the first byte's lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Masks {
    pub(super) delimiter: u64,
    pub(super) quote: u64,
    pub(super) newline: u64,
    pub(super) beyond_ascii: u64,
}

impl Dialect {
    pub(super) fn new(format: &CsvFormat) -> Self {
        Self { delimiter: format.delimiter, quote: format.quote, comment: format.comment }
    }

    /// Whether delimiter, quote and line end are told apart by their bytes alone.
    pub(super) fn is_plain(&self) -> bool {
        let line_end = [b'\r', b'\n'];
        self.delimiter != self.quote
            && !line_end.contains(&self.delimiter)
            && !line_end.contains(&self.quote)
    }

    /// The masks of the first 64 bytes, or of fewer where there are not as many.
    #[inline(always)]
    pub(super) fn masks(&self, bytes: &[u8]) -> Masks {
        match bytes.first_chunk::<64>() {
            Some(block) => self.masks_of(block),
            None => self.masks_of_few(bytes),
        }
    }

    fn masks_of_few(&self, bytes: &[u8]) -> Masks {
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(bytes) {
            *to = *from;
        }
        let valid = (1 << bytes.len()) - 1;
        let Masks { delimiter, quote, newline, beyond_ascii } = self.masks_of(&block);
        Masks {
            delimiter: delimiter & valid,
            quote: quote & valid,
            newline: newline & valid,
            beyond_ascii,
        }
    }

    #[inline(always)]
    fn masks_of(&self, block: &[u8; 64]) -> Masks {
        let (quarters, _) = block.as_chunks::<16>();
        let lanes: [Lanes; 4] = std::array::from_fn(|quarter| {
            quarters.get(quarter).map_or(Lanes::splat(0), Lanes::new)
        });
        let equal = |byte: u8| {
            let needle = Lanes::splat(byte);
            let [a, b, c, d] = lanes.map(|lanes| lanes.equal(needle).top_bits());
            a | (b << 16) | (c << 32) | (d << 48)
        };
        let [a, b, c, d] = lanes;
        Masks {
            delimiter: equal(self.delimiter),
            quote: equal(self.quote),
            newline: equal(b'\n'),
            beyond_ascii: a.or(b).or(c.or(d)).top_bits(),
        }
    }
}

/// Whether an odd number of bits is set up to and with each place.
#[inline(always)]
fn parity(mut mask: u64) -> u64 {
    mask ^= mask << 1;
    mask ^= mask << 2;
    mask ^= mask << 4;
    mask ^= mask << 8;
    mask ^= mask << 16;
    mask ^ (mask << 32)
}

const QUOTES: u32 = 1;
const DOUBLED_QUOTES: u32 = 2;
const BEYOND_ASCII: u32 = 4;

/// One record: its fields end before `ends[first..=last]`, and start at the offset before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) first: u32,
    pub(super) last: u32,
    /// Lines before it.
    pub(super) line: u32,
    flags: u32,
}

impl Mark {
    #[inline]
    pub(super) fn fields(&self) -> usize {
        (self.last - self.first) as usize + 1
    }

    /// False is certain, true is not: the quotes may be a neighbour's.
    #[inline]
    pub(super) fn has_quotes(&self) -> bool {
        self.flags & QUOTES != 0
    }

    /// False is certain.
    #[inline]
    pub(super) fn has_doubled_quotes(&self) -> bool {
        self.flags & DOUBLED_QUOTES != 0
    }

    /// True is certain.
    #[inline]
    pub(super) fn is_ascii(&self) -> bool {
        self.flags & BEYOND_ASCII == 0
    }
}

/// What the next block must know of the blocks before.
#[derive(Debug, Clone, Copy)]
struct Carry {
    /// All ones inside quotes, else 0.
    inside: u64,
    /// 1 after a separator, where a field starts.
    separator: u64,
    /// 1 after a closing quote.
    closed: u64,
}

/// Bytes of records that are worth a batch, however few the records: more would leave the
/// cache between the scan and the sink.
const BATCH_BYTES: u32 = 32 << 10;

/// Where records and fields of a chunk are. Offsets count from the chunk's first byte.
#[derive(Debug)]
pub(super) struct Index {
    /// For each separator outside quotes the offset behind it, where the next field starts.
    /// The first entry is where the first field starts. Behind `used` is room.
    ends: Vec<u32>,
    used: usize,
    marks: Vec<Mark>,
    /// Offset of the next block.
    at: usize,
    carry: Carry,
    /// Entry of the current record's first field.
    first: usize,
    flags: u32,
    /// Lines before the current record.
    lines: u32,
    /// Line ends inside quotes since the current record started.
    inner_lines: u32,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            ends: vec![0; 256],
            used: 1,
            marks: Vec::with_capacity(2 * Records::MAX),
            at: 0,
            carry: Carry { inside: 0, separator: 1, closed: 0 },
            first: 1,
            flags: 0,
            lines: 0,
            inner_lines: 0,
        }
    }
}

impl Index {
    /// Starts a chunk, at a byte where a record may start.
    pub(super) fn restart(&mut self) {
        if let Some(first) = self.ends.first_mut() {
            *first = 0;
        }
        self.used = 1;
        self.marks.clear();
        self.at = 0;
        self.carry = Carry { inside: 0, separator: 1, closed: 0 };
        self.first = 1;
        self.flags = 0;
        self.lines = 0;
        self.inner_lines = 0;
    }

    /// Reads on until there is a batch of records, or no more can be read.
    pub(super) fn fill(&mut self, bytes: &[u8], dialect: &Dialect, max_record: usize) -> bool {
        // A record cannot be too long where all bytes together are not.
        let max_record = if bytes.len() > max_record { max_record } else { usize::MAX };
        if self.at == 0 && dialect.comment.is_some() && bytes.first().copied() == dialect.comment {
            return false;
        }
        while let Some(rest) = bytes.get(self.at..).filter(|rest| !rest.is_empty()) {
            if self.has_batch() {
                return true;
            }
            if !self.take_block(bytes, rest, dialect, max_record) {
                return false;
            }
            self.at += 64;
        }
        false
    }

    /// Reads one block; false where the careful reader must go on behind the last mark.
    #[inline(always)]
    fn take_block(
        &mut self,
        bytes: &[u8],
        rest: &[u8],
        dialect: &Dialect,
        max_record: usize,
    ) -> bool {
        let masks = dialect.masks(rest);
        let mut separators = masks.delimiter | masks.newline;
        let mut inner_newlines = 0;
        let mut flags = if masks.beyond_ascii != 0 { BEYOND_ASCII } else { 0 };
        if masks.quote | self.carry.inside | self.carry.closed != 0 {
            let inside = parity(masks.quote) ^ self.carry.inside;
            separators &= !inside;
            inner_newlines = masks.newline & inside;
            let (opening, closing) = (masks.quote & inside, masks.quote & !inside);
            let after_separator = (separators << 1) | self.carry.separator;
            let after_closing = (closing << 1) | self.carry.closed;
            let stray = opening & !(after_separator | after_closing);
            let loose = after_closing & !(separators | opening);
            let valid = if rest.len() < 64 { (1 << rest.len()) - 1 } else { u64::MAX };
            if stray != 0 || !only_line_ends(loose & valid, rest) {
                return false;
            }
            flags |= QUOTES;
            if opening & after_closing != 0 {
                flags |= DOUBLED_QUOTES;
            }
            // All ones where the last byte is inside.
            self.carry.inside = (inside.cast_signed() >> 63).cast_unsigned();
            self.carry.closed = closing >> 63;
        }
        self.carry.separator = separators >> 63;
        self.flags |= flags;
        let before = self.used;
        if !self.push_ends(separators) {
            return false;
        }
        let mut line_ends = masks.newline & separators;
        while line_ends != 0 {
            let line_end = line_ends & line_ends.wrapping_neg();
            line_ends ^= line_end;
            // Every bit up to and with the line end.
            let passed = line_end | (line_end - 1);
            let last = before + (separators & passed).count_ones() as usize - 1;
            if inner_newlines != 0 {
                self.inner_lines += (inner_newlines & passed).count_ones();
                inner_newlines &= !passed;
            }
            if !self.end_record(last, bytes, dialect, max_record) {
                return false;
            }
            self.flags = flags;
        }
        self.inner_lines += inner_newlines.count_ones();
        true
    }

    /// Notes the offsets behind each separator of the block.
    #[inline(always)]
    fn push_ends(&mut self, mut separators: u64) -> bool {
        if self.ends.len() < self.used + 64 {
            // More fields than are remembered: the careful reader counts the rest.
            if self.used - self.first > MAX_FIELDS - 64 {
                return false;
            }
            self.ends.resize(2 * self.ends.len() + 64, 0);
        }
        let count = separators.count_ones() as usize;
        let base = self.at as u32 + 1;
        let Some(room) = self.ends.get_mut(self.used..).and_then(<[u32]>::first_chunk_mut::<64>)
        else {
            return false;
        };
        // Writing more than there is costs less than a branch that is often mistaken.
        for eight in room.as_chunks_mut::<8>().0 {
            for place in eight {
                // The top bit only keeps the count of zeros defined when no bit is left.
                *place = base + (separators | (1 << 63)).trailing_zeros();
                separators &= separators.wrapping_sub(1);
            }
            if separators == 0 {
                break;
            }
        }
        self.used += count;
        true
    }

    /// Ends a record, or an empty line, with the separator of that entry.
    #[inline(always)]
    fn end_record(
        &mut self,
        last: usize,
        bytes: &[u8],
        dialect: &Dialect,
        max_record: usize,
    ) -> bool {
        let entry = |place: usize| self.ends.get(place).map_or(0, |&end| end as usize);
        let (start, end) = (entry(self.first - 1), entry(last));
        if end - start > max_record || last - self.first >= MAX_FIELDS {
            return false;
        }
        let blank = last == self.first
            && (end - start == 1 || (end - start == 2 && bytes.get(start) == Some(&b'\r')));
        if !blank {
            self.marks.push(Mark {
                first: self.first as u32,
                last: last as u32,
                line: self.lines,
                flags: self.flags,
            });
        }
        self.first = last + 1;
        self.lines += 1 + self.inner_lines;
        self.inner_lines = 0;
        // Quotes mean nothing in a comment, so what was read of it is void.
        dialect.comment.is_none() || bytes.get(end).copied() != dialect.comment
    }

    /// Whether there are enough records, or bytes of them, for a batch.
    #[inline(always)]
    pub(super) fn has_batch(&self) -> bool {
        match (self.marks.len(), self.marks.first()) {
            (0, _) | (_, None) => false,
            (Records::MAX.., _) => true,
            (_, Some(mark)) => {
                let start = self.ends.get(mark.first as usize - 1).copied().unwrap_or_default();
                (self.at as u32).saturating_sub(start) >= BATCH_BYTES
            }
        }
    }

    pub(super) fn has_records(&self) -> bool {
        !self.marks.is_empty()
    }

    /// The first records, at most [`Records::MAX`], and all offsets.
    pub(super) fn batch(&self) -> (&[Mark], &[u32]) {
        let count = self.marks.len().min(Records::MAX);
        (
            self.marks.get(..count).unwrap_or_default(),
            self.ends.get(..self.used).unwrap_or_default(),
        )
    }

    /// Forgets the records of [`Index::batch`].
    pub(super) fn drop_batch(&mut self) {
        self.marks.drain(..self.marks.len().min(Records::MAX));
        let kept = self.marks.first().map_or(self.first, |mark| mark.first as usize);
        let gone = kept - 1;
        self.ends.copy_within(gone..self.used, 0);
        self.used -= gone;
        self.first -= gone;
        for mark in &mut self.marks {
            mark.first -= gone as u32;
            mark.last -= gone as u32;
        }
    }

    /// Offset behind the last line that was read whole.
    pub(super) fn end(&self) -> usize {
        self.ends.get(self.first - 1).copied().unwrap_or_default() as usize
    }

    /// Lines up to there.
    pub(super) fn lines(&self) -> u64 {
        u64::from(self.lines)
    }
}

/// Whether each of these bytes is the CR of a line end.
#[inline(always)]
fn only_line_ends(mut mask: u64, block: &[u8]) -> bool {
    while mask != 0 {
        let at = mask.trailing_zeros() as usize;
        if block.get(at..at + 2) != Some(b"\r\n") {
            return false;
        }
        mask &= mask - 1;
    }
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::generate::Random;

    #[test]
    fn the_masks_find_what_a_byte_loop_finds() {
        let dialect = Dialect::new(&CsvFormat::default());
        let mut random = Random::new(7);
        for _ in 0..3000 {
            let length = if random.below(2) == 0 { 64 } else { random.below(64) };
            let block: Vec<u8> = (0..length)
                .map(|_| match random.below(4) {
                    0 => [b',', b'"', b'\n'][random.below(3)],
                    // Neighbours of the needles and of their high-bit twins.
                    1 => [b',', b'"', b'\n'][random.below(3)] ^ (1 << random.below(8)),
                    _ => random.below(if length % 2 == 0 { 128 } else { 256 }) as u8,
                })
                .collect();
            let expected = |needle: u8| {
                block.iter().rev().fold(0, |mask, byte| mask << 1 | u64::from(*byte == needle))
            };
            let masks = dialect.masks(&block);
            assert_eq!(masks.delimiter, expected(b','));
            assert_eq!(masks.quote, expected(b'"'));
            assert_eq!(masks.newline, expected(b'\n'));
            assert_eq!(masks.beyond_ascii == 0, block.is_ascii());
        }
    }

    #[test]
    fn parity_counts_the_bits_before() {
        let mut random = Random::new(8);
        for _ in 0..1000 {
            let mask = random.next() & random.next();
            for place in 0..64 {
                let odd = (mask & (u64::MAX >> (63 - place))).count_ones() % 2 == 1;
                assert_eq!(parity(mask) >> place & 1 == 1, odd);
            }
        }
    }
}
