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

    #[inline(never)]
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
        let ([a, b, c, d], _) = block.as_chunks::<16>() else {
            return Masks { delimiter: 0, quote: 0, newline: 0, beyond_ascii: 0 };
        };
        let lanes = [a, b, c, d].map(Lanes::new);
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
const BATCH_BYTES: u32 = 64 << 10;

/// Where records and fields of a chunk are. Offsets count from the chunk's first byte.
#[derive(Debug)]
pub(super) struct Index {
    /// For each separator outside quotes the offset behind it, where the next field starts.
    /// The first entry is where the first field starts. Behind [`State::used`] is room.
    ends: Vec<u32>,
    marks: Vec<Mark>,
    state: State,
}

/// How far the index has come.
#[derive(Debug, Clone, Copy)]
struct State {
    /// Offset of the next block.
    at: usize,
    carry: Carry,
    /// Entries so far.
    used: usize,
    /// Entry of the current record's first field.
    first: usize,
    flags: u32,
    /// Lines before the current record.
    lines: u32,
    /// Line ends inside quotes since the current record started.
    inner_lines: u32,
}

/// Why a run of blocks ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// There is a batch.
    Batch,
    /// There is no room for the entries of one more block.
    Room,
    /// What follows is for the careful reader, or is not there yet.
    End,
}

impl State {
    const START: Self = Self {
        at: 0,
        carry: Carry { inside: 0, separator: 1, closed: 0 },
        used: 1,
        first: 1,
        flags: 0,
        lines: 0,
        inner_lines: 0,
    };
}

impl Default for Index {
    fn default() -> Self {
        Self {
            ends: vec![0; 1024],
            marks: Vec::with_capacity(2 * Records::MAX),
            state: State::START,
        }
    }
}

impl Index {
    /// Starts a chunk, at a byte where a record may start.
    pub(super) fn restart(&mut self) {
        if let Some(first) = self.ends.first_mut() {
            *first = 0;
        }
        self.marks.clear();
        self.state = State::START;
    }

    /// Reads on until there is a batch of records, or no more can be read.
    pub(super) fn fill(&mut self, bytes: &[u8], dialect: &Dialect, max_record: usize) -> bool {
        let is_comment = |byte: Option<&u8>| byte.is_some() && byte == dialect.comment.as_ref();
        if self.state.at == 0 && is_comment(bytes.first()) {
            return false;
        }
        let source = Source {
            bytes,
            dialect: *dialect,
            // A record cannot be too long where all bytes together are not.
            max_record: if bytes.len() > max_record { max_record } else { usize::MAX },
        };
        loop {
            // The state is only kept in registers while nothing else can reach it.
            let mut state = self.state;
            let outcome = state.take_blocks(&source, &mut self.ends, &mut self.marks);
            self.state = state;
            match outcome {
                Outcome::Batch => return true,
                // More fields than are remembered: the careful reader counts the rest.
                Outcome::Room if state.used - state.first > MAX_FIELDS - 64 => return false,
                Outcome::Room => self.ends.resize(2 * self.ends.len(), 0),
                Outcome::End => return false,
            }
        }
    }

    /// Whether there are enough records, or bytes of them, for a batch.
    pub(super) fn has_batch(&self) -> bool {
        is_batch(&self.marks, &self.ends)
    }

    pub(super) fn has_records(&self) -> bool {
        !self.marks.is_empty()
    }

    /// The first records, at most [`Records::MAX`], and all offsets.
    pub(super) fn batch(&self) -> (&[Mark], &[u32]) {
        let count = self.marks.len().min(Records::MAX);
        (
            self.marks.get(..count).unwrap_or_default(),
            self.ends.get(..self.state.used).unwrap_or_default(),
        )
    }

    /// Forgets the records of [`Index::batch`].
    pub(super) fn drop_batch(&mut self) {
        self.marks.drain(..self.marks.len().min(Records::MAX));
        let State { used, first, .. } = &mut self.state;
        let gone = self.marks.first().map_or(*first, |mark| mark.first as usize) - 1;
        self.ends.copy_within(gone..*used, 0);
        *used -= gone;
        *first -= gone;
        for mark in &mut self.marks {
            mark.first -= gone as u32;
            mark.last -= gone as u32;
        }
    }

    /// Offset behind the last line that was read whole.
    pub(super) fn end(&self) -> usize {
        offset(&self.ends, self.state.first - 1) as usize
    }

    /// Lines up to there.
    pub(super) fn lines(&self) -> u64 {
        u64::from(self.state.lines)
    }
}

#[inline(always)]
fn offset(ends: &[u32], place: usize) -> u32 {
    ends.get(place).copied().unwrap_or_default()
}

#[inline(always)]
fn is_batch(marks: &[Mark], ends: &[u32]) -> bool {
    let (Some(first), Some(last)) = (marks.first(), marks.last()) else { return false };
    let start = offset(ends, first.first as usize - 1);
    marks.len() >= Records::MAX || offset(ends, last.last as usize) - start >= BATCH_BYTES
}

/// What is read.
struct Source<'a> {
    bytes: &'a [u8],
    dialect: Dialect,
    max_record: usize,
}

impl State {
    fn take_blocks(
        &mut self,
        source: &Source<'_>,
        ends: &mut [u32],
        marks: &mut Vec<Mark>,
    ) -> Outcome {
        if is_batch(marks, ends) {
            return Outcome::Batch;
        }
        // The last bytes of a chunk, fewer than a block, are left to the careful reader.
        while let Some(block) = source.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<64>) {
            let Some(room) = ends.get_mut(self.used..).and_then(<[u32]>::first_chunk_mut::<64>)
            else {
                return Outcome::Room;
            };
            let masks = source.dialect.masks_of(block);
            let mut block = Block {
                separators: masks.delimiter | masks.newline,
                inner_newlines: 0,
                flags: if masks.beyond_ascii != 0 { BEYOND_ASCII } else { 0 },
            };
            if masks.quote | self.carry.inside | self.carry.closed != 0
                && !self.take_quotes(source.bytes, &masks, &mut block)
            {
                return Outcome::End;
            }
            self.carry.separator = block.separators >> 63;
            self.flags |= block.flags;
            let before = self.used;
            push_ends(block.separators, self.at as u32 + 1, room);
            self.used += block.separators.count_ones() as usize;
            self.at += 64;
            let line_ends = masks.newline & block.separators;
            if line_ends != 0
                && !self.take_line_ends(line_ends, before, &mut block, source, ends, marks)
            {
                return Outcome::End;
            }
            if block.inner_newlines != 0 {
                self.inner_lines += block.inner_newlines.count_ones();
            }
            if line_ends != 0 && is_batch(marks, ends) {
                return Outcome::Batch;
            }
        }
        Outcome::End
    }

    /// Finds which bytes are inside quotes; whether all quotes stand where they may.
    #[inline(always)]
    fn take_quotes(&mut self, bytes: &[u8], masks: &Masks, block: &mut Block) -> bool {
        let inside = parity(masks.quote) ^ self.carry.inside;
        block.separators &= !inside;
        block.inner_newlines = masks.newline & inside;
        let (opening, closing) = (masks.quote & inside, masks.quote & !inside);
        let after_separator = (block.separators << 1) | self.carry.separator;
        let after_closing = (closing << 1) | self.carry.closed;
        let stray = opening & !(after_separator | after_closing);
        let loose = after_closing & !(block.separators | opening);
        if stray != 0 || !only_line_ends(loose, bytes.get(self.at..).unwrap_or_default()) {
            return false;
        }
        let doubled = if opening & after_closing != 0 { DOUBLED_QUOTES } else { 0 };
        block.flags |= QUOTES | doubled;
        // All ones where the last byte is inside.
        self.carry.inside = (inside.cast_signed() >> 63).cast_unsigned();
        self.carry.closed = closing >> 63;
        true
    }

    /// Ends a record, or an empty line, at each of the line ends; false where the careful
    /// reader must go on behind the last of them that was taken.
    #[inline(always)]
    fn take_line_ends(
        &mut self,
        mut line_ends: u64,
        before: usize,
        block: &mut Block,
        source: &Source<'_>,
        ends: &[u32],
        marks: &mut Vec<Mark>,
    ) -> bool {
        while line_ends != 0 {
            let line_end = line_ends & line_ends.wrapping_neg();
            line_ends ^= line_end;
            // Every bit up to and with the line end.
            let passed = line_end | (line_end - 1);
            let last = before + (block.separators & passed).count_ones() as usize - 1;
            if block.inner_newlines != 0 {
                self.inner_lines += (block.inner_newlines & passed).count_ones();
                block.inner_newlines &= !passed;
            }
            let start = offset(ends, self.first - 1) as usize;
            let end = offset(ends, last) as usize;
            if end - start > source.max_record || last - self.first >= MAX_FIELDS {
                return false;
            }
            let is_blank =
                last == self.first && matches!(source.bytes.get(start..end), Some(b"\n" | b"\r\n"));
            if !is_blank {
                marks.push(Mark {
                    first: self.first as u32,
                    last: last as u32,
                    line: self.lines,
                    flags: self.flags,
                });
            }
            self.first = last + 1;
            self.lines += 1 + self.inner_lines;
            self.inner_lines = 0;
            self.flags = block.flags;
            // Quotes mean nothing in a comment, so what was read of it is void.
            if let Some(comment) = source.dialect.comment
                && source.bytes.get(end) == Some(&comment)
            {
                return false;
            }
        }
        true
    }
}

/// What was found in one block.
struct Block {
    /// Delimiters and line ends outside quotes.
    separators: u64,
    /// Line ends inside quotes that no record has counted.
    inner_newlines: u64,
    flags: u32,
}

/// Notes the offsets behind each separator of a block: `base` is that behind its first byte.
#[inline(always)]
fn push_ends(mut separators: u64, base: u32, room: &mut [u32; 64]) {
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
}

/// Whether each of these bytes is the CR of a line end.
#[inline(always)]
fn only_line_ends(mut mask: u64, bytes: &[u8]) -> bool {
    while mask != 0 {
        let at = mask.trailing_zeros() as usize;
        if bytes.get(at..at + 2) != Some(b"\r\n") {
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
