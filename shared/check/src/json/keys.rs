//! The keys of a file's records, and the order they come in.
//!
//! Programs write all records the same way: in one order, with the same blanks. So what stands
//! between two values, `, "name": `, is nearly always what stood there last time, or the time
//! before where a key is left out now and then. Comparing with these two is much cheaper than
//! reading the key and looking it up.

use std::collections::HashMap;

/// Stands for the start of a record, as if a value had come before the first key.
pub(super) const START: usize = 0;

/// The longest lead that is remembered.
const MAX_LEAD: usize = 300;

/// A key, and what led to it: all bytes from behind the value before it, or from the start of
/// the record, up to its own value.
#[derive(Debug)]
struct Step {
    key: usize,
    lead: Vec<u8>,
    /// Where its last 16 bytes start.
    tail_at: usize,
    /// Its first and its last 16 bytes, which are the same for a shorter one, with zeros
    /// behind it.
    ends: [u128; 2],
    /// The bits of both that count.
    mask: u128,
}

impl Step {
    fn new(key: usize, lead: &[u8]) -> Self {
        let mut step = Self { key, lead: Vec::new(), tail_at: 0, ends: [0; 2], mask: 0 };
        step.set(lead);
        step
    }

    /// A step that no text takes: no UTF-8 has such a byte.
    fn never() -> Self {
        Self::new(START, &[0xFF])
    }

    fn set(&mut self, lead: &[u8]) {
        self.lead.clear();
        self.lead.extend_from_slice(lead);
        self.tail_at = lead.len().saturating_sub(16);
        let word = |bytes: &[u8]| {
            let mut word = [0; 16];
            for (to, from) in word.iter_mut().zip(bytes) {
                *to = *from;
            }
            u128::from_le_bytes(word)
        };
        self.ends = [word(lead), word(lead.get(self.tail_at..).unwrap_or_default())];
        self.mask = word(&[0xFF; 16][..lead.len().min(16)]);
    }

    /// Whether the text goes on with the lead.
    #[inline(always)]
    fn leads(&self, text: &[u8]) -> bool {
        let word = |at: usize| Some(u128::from_le_bytes(*text.get(at..)?.first_chunk::<16>()?));
        match (word(0), word(self.tail_at)) {
            (Some(head), Some(tail)) => {
                ((head ^ self.ends[0]) | (tail ^ self.ends[1])) & self.mask == 0
                    && (self.lead.len() <= 32 || text.starts_with(&self.lead))
            }
            _ => text.starts_with(&self.lead),
        }
    }
}

/// A key without escapes, as it was met.
#[derive(Debug)]
struct Key {
    place: usize,
    /// The last record that had it.
    record: u64,
    /// The last two steps from it to another key.
    next: [Step; 2],
    /// Which of them was the last.
    likely: usize,
}

impl Key {
    fn new(place: usize) -> Self {
        Self { place, record: 0, next: [Step::never(), Step::never()], likely: 0 }
    }
}

/// The keys met so far. Their number is the caller's to bound.
#[derive(Debug)]
pub(super) struct Keys {
    /// The first one stands for the start of a record, and is no key.
    known: Vec<Key>,
    by_name: HashMap<Box<str>, usize>,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { known: vec![Key::new(0)], by_name: HashMap::new() }
    }

    /// The key that follows behind the previous one's value, where the text starts, if one of
    /// the two expected ones does; and how many bytes there are up to its value.
    #[inline(always)]
    pub(super) fn expected(&mut self, previous: usize, text: &[u8]) -> Option<(usize, usize)> {
        let from = self.known.get_mut(previous)?;
        let step = &from.next[from.likely & 1];
        if step.leads(text) {
            return Some((step.key, step.lead.len()));
        }
        let step = &from.next[from.likely & 1 ^ 1];
        if !step.leads(text) {
            return None;
        }
        from.likely ^= 1;
        Some((step.key, step.lead.len()))
    }

    /// The key of that name.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Takes a new key and its place.
    pub(super) fn add(&mut self, name: &str, place: usize) -> usize {
        self.known.push(Key::new(place));
        self.by_name.insert(name.into(), self.known.len() - 1);
        self.known.len() - 1
    }

    /// Remembers what led from the value of one key to that of the next. The lead must have
    /// been read: whatever is remembered is taken unread.
    pub(super) fn follow(&mut self, previous: usize, key: usize, lead: &[u8]) {
        let Some(from) = self.known.get_mut(previous) else { return };
        if lead.len() > MAX_LEAD {
            return;
        }
        // The other step is forgotten, unless it led to this key in another way.
        let same = from.next.iter().position(|step| step.key == key);
        from.likely = same.unwrap_or(from.likely ^ 1) & 1;
        let step = &mut from.next[from.likely];
        step.key = key;
        step.set(lead);
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
    fn the_last_two_steps_are_expected() {
        let mut keys = Keys::new();
        let [a, b, c] = ["a", "b", "c"].map(|name| keys.add(name, 0));
        for previous in [START, a] {
            assert_eq!(keys.expected(previous, b"{\"a\":1}"), None);
            assert_eq!(keys.expected(previous, b""), None);
        }
        keys.follow(START, a, b"{\"a\":");
        assert_eq!(keys.expected(START, b"{\"a\":1}"), Some((a, 5)));
        assert_eq!(keys.expected(START, b"{\"a\":1, and more bytes"), Some((a, 5)));
        assert_eq!(keys.expected(START, b"{\"a\""), None);
        assert_eq!(keys.expected(a, b"{\"a\":1}"), None, "steps are known by where they start");
        keys.follow(a, b, b",\"b\":");
        keys.follow(a, c, b", \"c\" : ");
        for _ in 0..2 {
            assert_eq!(keys.expected(a, b",\"b\":1}, and more bytes"), Some((b, 5)));
            assert_eq!(keys.expected(a, b", \"c\" : 1}, and more bytes"), Some((c, 8)));
        }
        keys.follow(a, b, b"\n,\"b\":");
        assert_eq!(keys.expected(a, b",\"b\":1}, and more bytes"), None);
        assert_eq!(keys.expected(a, b"\n,\"b\":1}, and more bytes"), Some((b, 6)));
        assert_eq!(keys.expected(a, b", \"c\" : 1}, and more bytes"), Some((c, 8)));
        keys.follow(a, a, b",\"a\":");
        assert_eq!(keys.expected(a, b"\n,\"b\":1}, and more bytes"), None);
        assert_eq!(keys.named("b"), Some(b));
        assert_eq!(keys.named("d"), None);
    }

    #[test]
    fn leads_of_every_length() {
        let text: Vec<u8> = (0..80).map(|index| b'a' + index % 26).collect();
        for length in 1..text.len() {
            let mut keys = Keys::new();
            let key = keys.add("a", 0);
            keys.follow(START, key, &text[..length]);
            for end in 0..=text.len() {
                let found = keys.expected(START, &text[..end]);
                assert_eq!(found, (end >= length).then_some((key, length)), "{length} of {end}");
            }
            for other in 0..length {
                let mut text = text.clone();
                text[other] ^= 1;
                assert_eq!(keys.expected(START, &text), None, "{length}, another at {other}");
            }
        }
    }

    #[test]
    fn a_key_is_met_once_per_record() {
        let mut keys = Keys::new();
        let a = keys.add("a", 7);
        assert_eq!(keys.meet(a, 1), Some(7));
        assert_eq!(keys.meet(a, 1), None);
        assert_eq!(keys.meet(a, 2), Some(7));
    }
}
