//! One column of a batch of records: the same field of each, side by side.
//!
//! A rule is decided much faster for one column of many records than for many columns of one
//! record: the same few instructions run again and again, and nothing has to be guessed.

use super::index::Mark;
use super::record::Records;

/// The texts of one column in a batch. Sets of records are words, one bit per record.
#[derive(Debug)]
pub(crate) struct Texts<'a> {
    bytes: &'a [u8],
    /// Of each record the entry in [`Records::ends`] where its first field starts.
    entries: [u32; Records::MAX],
    starts: [u32; Records::MAX],
    lengths: [u32; Records::MAX],
    count: usize,
    /// The text is in quotes, which do not belong to it.
    pub(crate) quoted: u64,
    /// Perhaps there are doubled quotes in the text, so that it is another one.
    pub(crate) escaped: u64,
    /// The whole record is ASCII.
    pub(crate) ascii: u64,
    /// Records with quotes, and with doubled ones, or perhaps their neighbours.
    with_quotes: u64,
    with_doubled_quotes: u64,
}

impl<'a> Records<'a> {
    /// The records that have so many fields, all of them UTF-8.
    pub(crate) fn regular(&self, fields: usize) -> u64 {
        self.set_of(|place, mark| {
            mark.fields() == fields
                && (mark.is_ascii()
                    // One pass over the record is cheaper than one per field. Quotes and
                    // delimiters are ASCII, so the fields of a valid record are valid.
                    || self.raw(place).is_some_and(|raw| std::str::from_utf8(raw).is_ok()))
        })
    }

    /// Room for the texts of one column after the other, in records that have so many fields.
    /// What is found of other records means nothing.
    pub(crate) fn texts(&self, fields: usize) -> Texts<'a> {
        let is_wide = |mark: &&Mark| mark.fields() >= fields;
        // Any record that has the fields stands in for those that do not.
        let other = self.marks.iter().find(is_wide).map_or(0, |mark| mark.first - 1);
        let mut entries = [other; Self::MAX];
        for (entry, mark) in entries.iter_mut().zip(self.marks) {
            if mark.fields() >= fields {
                *entry = mark.first - 1;
            }
        }
        Texts {
            bytes: self.bytes,
            entries,
            starts: [0; Self::MAX],
            lengths: [0; Self::MAX],
            count: self.len().min(Self::MAX),
            quoted: 0,
            escaped: 0,
            ascii: self.set_of(|_, mark| mark.is_ascii()),
            with_quotes: self.set_of(|_, mark| mark.has_quotes()),
            with_doubled_quotes: self.set_of(|_, mark| mark.has_doubled_quotes()),
        }
    }

    /// Finds the texts of a column, from 0.
    pub(crate) fn find_texts(&self, column: usize, fields: usize, texts: &mut Texts<'a>) {
        let (Some(starts), Some(nexts)) = (self.ends.get(column..), self.ends.get(column + 1..))
        else {
            return;
        };
        let places = texts.starts.iter_mut().zip(&mut texts.lengths);
        let entries = texts.entries.get(..texts.count).unwrap_or_default();
        for (entry, (start_of, length_of)) in entries.iter().zip(places) {
            let entry = *entry as usize;
            if let (Some(start), Some(next)) = (starts.get(entry), nexts.get(entry)) {
                *start_of = *start;
                *length_of = next.wrapping_sub(*start).wrapping_sub(1);
            }
        }
        if column + 1 == fields {
            texts.drop_carriage_returns();
        }
        texts.quoted = 0;
        if texts.with_quotes != 0 {
            texts.drop_quotes(self.quote);
        }
        texts.escaped = texts.quoted & texts.with_doubled_quotes;
    }
}

impl<'a> Texts<'a> {
    /// A line that ends with CR LF has the CR at the end of its last field.
    fn drop_carriage_returns(&mut self) {
        for (start, length) in self.starts.iter().zip(&mut self.lengths).take(self.count) {
            let end = start.wrapping_add(*length) as usize;
            let is_return = self.bytes.get(end.wrapping_sub(1)) == Some(&b'\r');
            *length -= u32::from(is_return & (*length > 0));
        }
    }

    /// Every quote is known to stand where it should, so one at the start has another at the
    /// end.
    fn drop_quotes(&mut self, quote: u8) {
        let mut rest = self.with_quotes;
        while rest != 0 {
            let record = rest.trailing_zeros() as usize;
            let bit = rest & rest.wrapping_neg();
            rest ^= bit;
            let (Some(start), Some(length)) =
                (self.starts.get_mut(record), self.lengths.get_mut(record))
            else {
                continue;
            };
            let is_quoted = (self.bytes.get(*start as usize) == Some(&quote)) & (*length > 1);
            *start += u32::from(is_quoted);
            *length -= 2 * u32::from(is_quoted);
            self.quoted |= if is_quoted { bit } else { 0 };
        }
    }

    /// The text of a record, from 0, which must not be one of [`Self::escaped`].
    pub(crate) fn text(&self, record: usize) -> &'a [u8] {
        let start = self.starts.get(record).map_or(0, |start| *start as usize);
        let length = self.lengths.get(record).map_or(0, |length| *length as usize);
        self.bytes.get(start..start + length).unwrap_or_default()
    }

    /// The records whose text is empty, in quotes or not.
    pub(crate) fn empty(&self) -> u64 {
        let lengths = self.lengths.as_chunks::<8>().0.iter().enumerate();
        lengths.fold(0, |empty, (index, eight)| {
            let bits = eight
                .iter()
                .enumerate()
                .fold(0_u64, |bits, (place, length)| bits | (u64::from(*length == 0) << place));
            empty | (bits << (8 * index))
        })
    }

    /// The length of the longest text that is not longer than so many bytes.
    pub(crate) fn longest(&self, limit: usize) -> usize {
        let lengths = self.lengths().iter().map(|length| *length as usize);
        lengths.filter(|length| *length <= limit).max().unwrap_or_default()
    }

    #[inline(always)]
    fn starts(&self) -> &[u32] {
        self.starts.get(..self.count).unwrap_or_default()
    }

    #[inline(always)]
    fn lengths(&self) -> &[u32] {
        self.lengths.get(..self.count).unwrap_or_default()
    }

    /// The records whose text passes a test by its length.
    #[inline(always)]
    pub(crate) fn with_length(&self, test: impl Fn(u32) -> bool) -> u64 {
        let lengths = self.lengths().iter().rev();
        lengths.fold(0, |found, length| (found << 1) | u64::from(test(*length)))
    }

    /// The records whose text passes a test. The test gets the text with whatever follows it
    /// in the file, and the text's length, which may be greater; a text so close to the end
    /// of the chunk that not enough follows it passes no test.
    #[inline(always)]
    pub(crate) fn with_head<const N: usize>(&self, test: impl Fn(&[u8; N], usize) -> bool) -> u64 {
        let places = self.starts().iter().zip(self.lengths()).rev();
        places.fold(0, |found, (start, length)| {
            let passes = match head(self.bytes, *start) {
                Some(head) => test(head, *length as usize),
                None => false,
            };
            (found << 1) | u64::from(passes)
        })
    }

    /// Notes what is read of each text, as [`Self::with_head`] shows it; 0 where that cannot
    /// be shown.
    #[inline(always)]
    pub(crate) fn read_heads<const N: usize>(
        &self,
        read: impl Fn(&[u8; N], usize) -> u64,
    ) -> [u64; Records::MAX] {
        let mut all = [0; Records::MAX];
        let places = self.starts().iter().zip(self.lengths());
        for (result, (start, length)) in all.iter_mut().zip(places) {
            *result = match head(self.bytes, *start) {
                Some(head) => read(head, *length as usize),
                None => 0,
            };
        }
        all
    }
}

#[inline(always)]
fn head<const N: usize>(bytes: &[u8], start: u32) -> Option<&[u8; N]> {
    bytes.get(start as usize..start as usize + N).and_then(<[u8]>::first_chunk)
}

/// Runs a test on texts, at most 64 of them, that stand as they would in a file, each before
/// those bytes.
#[cfg(test)]
pub(crate) fn with_texts<T>(texts: &[&[u8]], behind: &[u8], test: impl Fn(&Texts<'_>) -> T) -> T {
    let mut bytes = Vec::new();
    let (mut starts, mut lengths) = ([0; Records::MAX], [0; Records::MAX]);
    let set = |of: &dyn Fn(&[u8]) -> bool| {
        texts.iter().rev().fold(0, |set, text| set << 1 | u64::from(of(text)))
    };
    for (text, (start, length)) in texts.iter().zip(starts.iter_mut().zip(&mut lengths)) {
        (*start, *length) = (bytes.len() as u32, text.len() as u32);
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(&behind.repeat(64 / behind.len() + 1));
    }
    test(&Texts {
        bytes: &bytes,
        entries: [0; Records::MAX],
        starts,
        lengths,
        count: texts.len(),
        quoted: 0,
        escaped: 0,
        ascii: set(&<[u8]>::is_ascii),
        with_quotes: 0,
        with_doubled_quotes: 0,
    })
}
