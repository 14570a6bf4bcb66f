//! The keys of a file's records, and the order they come in.
//!
//! Programs write the keys of all records in one order, so the key that follows another one is
//! nearly always the one that followed it last time, or the time before where one of them is
//! left out now and then. Comparing with these two is much cheaper than reading the key and
//! looking it up.

use std::collections::HashMap;

/// A key without escapes, as it was met.
#[derive(Debug)]
struct Key {
    /// With its quotes.
    quoted: Box<[u8]>,
    /// Its first 16 bytes, zeros behind a shorter one.
    head: u128,
    /// The bits of `head` that count.
    mask: u128,
    place: usize,
    /// The last record that had it.
    record: u64,
    /// The two that followed it, the last one first.
    next: [usize; 2],
}

impl Key {
    fn new(name: &str, place: usize) -> Self {
        let quoted = [b"\"", name.as_bytes(), b"\""].concat().into_boxed_slice();
        let mut head = [0; 16];
        let mut mask = [0; 16];
        for ((byte, head), mask) in quoted.iter().zip(&mut head).zip(&mut mask) {
            (*head, *mask) = (*byte, 0xFF);
        }
        let (head, mask) = (u128::from_le_bytes(head), u128::from_le_bytes(mask));
        Self { quoted, head, mask, place, record: 0, next: [START; 2] }
    }

    /// Whether the bytes start with the key and its quotes.
    #[inline(always)]
    fn starts(&self, bytes: &[u8]) -> bool {
        match bytes.first_chunk::<16>() {
            Some(chunk) => {
                (u128::from_le_bytes(*chunk) ^ self.head) & self.mask == 0
                    && (self.quoted.len() <= 16 || bytes.starts_with(&self.quoted))
            }
            None => bytes.starts_with(&self.quoted),
        }
    }
}

/// Stands for the start of a record, as if a key had come before the first one.
pub(super) const START: usize = 0;

/// The keys met so far. Their number is the caller's to bound.
#[derive(Debug)]
pub(super) struct Keys {
    /// The first one stands for the start of a record, and is no key.
    known: Vec<Key>,
    by_name: HashMap<Box<str>, usize>,
}

impl Keys {
    pub(super) fn new() -> Self {
        // No bytes at an opening quote start with NUL.
        let start = Key { quoted: [0].into(), head: 0, mask: 0xFF, ..Key::new("", 0) };
        Self { known: vec![start], by_name: HashMap::new() }
    }

    /// The key that the bytes, at the opening quote of a key, start with, if it is one of
    /// those expected behind the previous one; and how many bytes it takes.
    #[inline(always)]
    pub(super) fn expected(&mut self, previous: usize, bytes: &[u8]) -> Option<(usize, usize)> {
        let [last, earlier] = self.known.get(previous)?.next;
        let key = self.known.get(last)?;
        if key.starts(bytes) {
            return Some((last, key.quoted.len()));
        }
        let key = self.known.get(earlier)?;
        if !key.starts(bytes) {
            return None;
        }
        let length = key.quoted.len();
        self.expect(previous, earlier);
        Some((earlier, length))
    }

    /// The key of that name, wherever it comes.
    pub(super) fn named(&mut self, previous: usize, name: &str) -> Option<usize> {
        let found = *self.by_name.get(name)?;
        self.expect(previous, found);
        Some(found)
    }

    /// Takes a new key and its place.
    pub(super) fn add(&mut self, previous: usize, name: &str, place: usize) -> usize {
        let added = self.known.len();
        self.known.push(Key::new(name, place));
        self.by_name.insert(name.into(), added);
        self.expect(previous, added);
        added
    }

    fn expect(&mut self, previous: usize, key: usize) {
        if let Some(previous) = self.known.get_mut(previous) {
            previous.next = [key, previous.next[0]];
        }
    }

    /// Marks a key as met in a record: its place, unless the record had it already. Records
    /// have numbers from 1.
    #[inline(always)]
    pub(super) fn meet(&mut self, key: usize, record: u64) -> Option<usize> {
        let key = self.known.get_mut(key)?;
        if key.record == record {
            return None;
        }
        key.record = record;
        Some(key.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_keys_that_followed_last_are_expected() {
        let mut keys = Keys::new();
        assert_eq!(keys.expected(START, b"\"a\":1}"), None);
        let a = keys.add(START, "a", 7);
        let long = keys.add(a, "a key of more than 16 bytes", 8);
        let c = keys.add(a, "c", 9);
        assert_eq!(keys.expected(START, b"\"a\":1, and more bytes"), Some((a, 3)));
        assert_eq!(keys.expected(START, b"\"a\""), Some((a, 3)));
        assert_eq!(keys.expected(START, b"\"a"), None);
        assert_eq!(keys.expected(START, b"\"ab\":1, and more bytes"), None);
        let text = b"\"a key of more than 16 bytes\":1}";
        assert_eq!(keys.expected(a, text), Some((long, 29)));
        assert_eq!(keys.expected(a, b"\"a key of more than 16 bits!!\":1}"), None);
        assert_eq!(keys.expected(a, b"\"c\":1"), Some((c, 3)));
        assert_eq!(keys.expected(c, b"\"a\":1"), None);
        assert_eq!(keys.named(c, "a"), Some(a));
        assert_eq!(keys.expected(c, b"\"a\":1"), Some((a, 3)));
        assert_eq!(keys.named(c, "b"), None);
        assert_eq!(keys.expected(long, b"\"a\":1"), None);
    }

    #[test]
    fn a_key_is_met_once_per_record() {
        let mut keys = Keys::new();
        let a = keys.add(START, "a", 7);
        assert_eq!(keys.meet(a, 1), Some(7));
        assert_eq!(keys.meet(a, 1), None);
        assert_eq!(keys.meet(a, 2), Some(7));
    }
}
