//! What may occur once in a batch, in bounded memory.
//!
//! A key is its columns' values, not their texts: `1` and `01` are one int, `1.0` and `1.00`
//! one decimal, an instant written in two zones one instant. It is kept as its canonical bytes
//! in 16 bytes: up to 15 of them as they are, and the 16 of a UUID too, so that such keys
//! collide only when they are equal. Longer ones are kept as 120 bits of SipHash-1-3 under two
//! fixed keys. Two different keys of n are taken for equal with a probability of at most
//! n²/2^121: for 13 million long keys, which fill the default memory, less than 10^-22. The
//! other way round, a key that occurs twice is always found.
//!
//! Memory is bounded by [`crate::Options::max_key_bytes`]. A set grows in 64 parts, one by
//! one, so that growing takes a 64th of its size in addition and not twice its size.

use std::hash::{BuildHasher as _, DefaultHasher, Hasher as _, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::value::load;

/// A key in 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u128);

impl Fingerprint {
    /// Of a key's canonical bytes. `uuid` says that all keys of the set are exactly 16 bytes
    /// long.
    #[inline]
    pub(crate) fn new(bytes: &[u8], uuid: bool) -> Self {
        if uuid && let Ok(all) = bytes.try_into() {
            return Self(u128::from_le_bytes(all));
        }
        if bytes.len() < 16 {
            // Put together in registers: bytes that are stored one way and loaded another way
            // wait for all stores before them, and those of the table take long.
            let (low, high) = bytes.split_at(bytes.len().min(8));
            let text = u128::from(load(low)) | (u128::from(load(high)) << 64);
            // The length tells `a` from `a\0`.
            return Self(text | ((bytes.len() as u128) << 120));
        }
        let half = |seed: u64| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(seed);
            hasher.write(bytes);
            u128::from(hasher.finish())
        };
        let hash = half(0x6C61_6E64_6661_6C6C) | (half(0x6B65_7973_6565_6E21) << 64);
        // No length is 255.
        Self(hash | (0xFF << 120))
    }

    /// Which part of a set it is in: the same in every run, so that a set outgrows its bound
    /// at the same key.
    #[inline]
    fn part(self) -> usize {
        let folded = (self.0 as u64) ^ ((self.0 >> 64) as u64);
        (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize
    }
}

const PARTS: usize = 64;

/// Places a fingerprint in its part. The seed is the process's own, so that nobody can write
/// a file whose keys all fall on one place; what is found does not depend on it.
#[derive(Debug, Clone, Copy)]
struct Placement {
    seeds: [u64; 2],
}

impl Placement {
    fn new() -> Self {
        let state = RandomState::new();
        Self { seeds: [state.hash_one(0), state.hash_one(1)] }
    }

    #[inline]
    fn of(self, key: &Fingerprint) -> u64 {
        let product = u128::from(key.0 as u64 ^ self.seeds[0])
            * u128::from((key.0 >> 64) as u64 ^ self.seeds[1]);
        product as u64 ^ (product >> 64) as u64
    }
}

/// The memory does not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BeyondMemory;

/// A set of keys.
#[derive(Debug, Clone)]
pub(crate) struct KeySet {
    parts: Vec<HashTable<Fingerprint>>,
    placement: Placement,
    bytes: usize,
    keys: u64,
}

impl Default for KeySet {
    fn default() -> Self {
        Self { parts: Vec::new(), placement: Placement::new(), bytes: 0, keys: 0 }
    }
}

impl KeySet {
    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(crate) fn contains(&self, key: Fingerprint) -> bool {
        self.parts
            .get(key.part())
            .is_some_and(|part| part.find(self.placement.of(&key), |other| *other == key).is_some())
    }

    /// Adds a key; whether it is new. `others` are the bytes that share the bound.
    ///
    /// # Errors
    /// When the set would have to grow beyond the bound. It is as it was.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        key: Fingerprint,
        others: usize,
        max_bytes: usize,
    ) -> Result<bool, BeyondMemory> {
        if self.parts.is_empty() {
            self.parts.resize_with(PARTS, HashTable::new);
        }
        let placement = self.placement;
        let hash = placement.of(&key);
        let Some(part) = self.parts.get_mut(key.part()) else { return Err(BeyondMemory) };
        if part.len() == part.capacity() {
            if part.find(hash, |other| *other == key).is_some() {
                return Ok(false);
            }
            let before = part.allocation_size();
            // The old and the new table stand side by side for a moment.
            let grown = (2 * before).max(256);
            if others.saturating_add(self.bytes).saturating_add(grown) > max_bytes {
                return Err(BeyondMemory);
            }
            part.try_reserve(1, |key| placement.of(key)).map_err(|_| BeyondMemory)?;
            self.bytes = self.bytes - before + part.allocation_size();
        }
        // There is room, so this does not grow.
        match part.entry(hash, |other| *other == key, |key| placement.of(key)) {
            Entry::Occupied(_) => Ok(false),
            Entry::Vacant(vacant) => {
                vacant.insert(key);
                self.keys += 1;
                Ok(true)
            }
        }
    }

    /// Moves all keys of another set into this one, and frees the other part by part.
    fn absorb(&mut self, other: Self, others: usize, max_bytes: usize) -> Result<(), BeyondMemory> {
        if self.keys == 0 {
            *self = other;
            return Ok(());
        }
        let mut left = other.bytes;
        for part in other.parts {
            for key in &part {
                self.insert(*key, others.saturating_add(left), max_bytes)?;
            }
            left -= part.allocation_size();
        }
        Ok(())
    }
}

impl PartialEq for KeySet {
    /// Whether they hold the same keys.
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && self.parts.iter().flatten().all(|key| other.contains(*key))
    }
}

/// The keys of one [`landfall_contract::UniqueKey`].
#[derive(Debug, Clone, PartialEq, Default)]
struct Seen {
    /// Of the files that are loaded.
    committed: KeySet,
    /// Of the last file.
    current: KeySet,
    /// They outgrew the memory, so that nothing is known.
    beyond: bool,
}

/// The keys of a batch's files so far: those of the files that are loaded, and those of the
/// last file kept apart.
///
/// After each file, say what became of it: [`SeenKeys::commit`] when its rows are loaded,
/// [`SeenKeys::discard`] when it was rejected. A file whose plan gets keys with neither said
/// discards them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeenKeys {
    keys: Vec<Seen>,
    max_bytes: usize,
}

impl SeenKeys {
    /// Takes the last file's keys for good: its rows are, or will be, loaded.
    pub fn commit(&mut self) {
        for index in 0..self.keys.len() {
            let others = self.bytes_beside(index);
            let Some(seen) = self.keys.get_mut(index) else { continue };
            let current = std::mem::take(&mut seen.current);
            if seen.committed.absorb(current, others, self.max_bytes).is_err() {
                *seen = Seen { beyond: true, ..Seen::default() };
            }
        }
    }

    /// Forgets the last file's keys: it was rejected, and a later file may have its rows.
    pub fn discard(&mut self) {
        for seen in &mut self.keys {
            seen.current = KeySet::default();
        }
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.keys.iter().map(|seen| seen.committed.bytes() + seen.current.bytes()).sum()
    }

    /// Makes ready for a file with so many keys to check.
    pub(crate) fn start_file(&mut self, keys: usize, max_bytes: usize) {
        self.discard();
        self.keys.resize_with(keys, Seen::default);
        self.max_bytes = max_bytes;
    }

    fn bytes_beside(&self, index: usize) -> usize {
        let own = self.keys.get(index).map_or(0, |seen| seen.committed.bytes());
        self.bytes() - own
    }

    /// Whether nothing is known of a key any more.
    pub(crate) fn is_beyond(&self, index: usize) -> bool {
        self.keys.get(index).is_none_or(|seen| seen.beyond)
    }

    /// Whether a loaded file, or this one, has the key: and if so, whether it is this one.
    #[inline]
    pub(crate) fn find(&self, index: usize, key: Fingerprint) -> Option<Earlier> {
        let seen = self.keys.get(index)?;
        if seen.current.contains(key) {
            Some(Earlier::InThisFile)
        } else if seen.committed.contains(key) {
            Some(Earlier::InTheBatch)
        } else {
            None
        }
    }

    /// Adds a key of this file, if it is new; where it occurred before, if it is not. `others`
    /// are bytes elsewhere that share the bound. What grows beyond it is dropped.
    ///
    /// # Errors
    /// When the memory does not suffice; from then on nothing is known of these keys.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        index: usize,
        key: Fingerprint,
        others: usize,
    ) -> Result<Option<Earlier>, BeyondMemory> {
        // Adding up is cheap: there are few keys.
        let all = self.bytes();
        let max_bytes = self.max_bytes;
        let Some(seen) = self.keys.get_mut(index) else { return Ok(None) };
        if seen.committed.contains(key) {
            return Ok(Some(Earlier::InTheBatch));
        }
        match seen.current.insert(key, all - seen.current.bytes() + others, max_bytes) {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(Earlier::InThisFile)),
            Err(BeyondMemory) => {
                *seen = Seen { beyond: true, ..Seen::default() };
                Err(BeyondMemory)
            }
        }
    }
}

/// Where a key occurred before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// In a row of the file.
    InThisFile,
    /// In an earlier file of the batch.
    InTheBatch,
}

/// Whether every key of a file was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeysChecked {
    /// All of them, or there is no key to check.
    #[default]
    All,
    /// The batch's keys outgrew [`crate::Options::max_key_bytes`]: in this file, or in one
    /// before it. The file's rows are good as far as they were checked, and something with
    /// more memory must look for equal keys.
    Beyond {
        /// Rows of this file before that.
        rows: u64,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;
    use crate::generate::Random;

    fn print(text: &str) -> Fingerprint {
        Fingerprint::new(text.as_bytes(), false)
    }

    #[test]
    fn short_keys_are_kept_as_they_are() {
        let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
        for length in 1..=17 {
            for filler in [0_u8, 1, 0xFF] {
                texts.push(vec![filler; length]);
            }
        }
        texts.push((0..16).collect());
        texts.push([vec![0; 14], vec![15]].concat());
        for (at, a) in texts.iter().enumerate() {
            for b in &texts[at + 1..] {
                if a != b {
                    assert_ne!(Fingerprint::new(a, false), Fingerprint::new(b, false));
                }
            }
        }
        let uuid = [7; 16];
        assert_eq!(Fingerprint::new(&uuid, true).0, u128::from_le_bytes(uuid));
    }

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let mut random = Random::new(11);
        let (mut set, mut truth) = (KeySet::default(), HashSet::new());
        for _ in 0..50_000 {
            let text = format!("{:x}", random.below(30_000));
            let text = if random.below(2) == 0 { text } else { format!("a longer key {text}") };
            let new = truth.insert(text.clone());
            assert_eq!(set.contains(print(&text)), !new);
            assert_eq!(set.insert(print(&text), 0, usize::MAX), Ok(new));
        }
        assert_eq!(set.keys, truth.len() as u64);
        let sum: usize = set.parts.iter().map(HashTable::allocation_size).sum();
        assert_eq!(set.bytes(), sum);
    }

    #[test]
    fn a_set_stays_within_its_memory_and_says_so() {
        for max_bytes in [0, 1000, 100_000, 3_000_000] {
            let mut set = KeySet::default();
            let mut inserted = 0_u64;
            let refused = (0..1_000_000).any(|index: u64| {
                let result = set.insert(print(&index.to_string()), 0, max_bytes);
                inserted += u64::from(result.is_ok());
                assert!(set.bytes() <= max_bytes);
                result.is_err()
            });
            assert!(refused, "a million keys do not fit {max_bytes} bytes");
            // Each part is at least a quarter full when another one has to grow.
            assert!(inserted >= max_bytes as u64 / 128, "{inserted} keys in {max_bytes} bytes");
            assert_eq!(set.keys, inserted);
        }
    }

    #[test]
    fn a_rejected_files_keys_do_not_count() {
        let mut seen = SeenKeys::default();
        let file = |seen: &mut SeenKeys, texts: &[&str]| {
            seen.start_file(1, 1 << 20);
            texts
                .iter()
                .map(|text| {
                    let found = seen.find(0, print(text));
                    assert_eq!(seen.insert(0, print(text), 0), Ok(found));
                    found
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(file(&mut seen, &["a", "b", "a"]), [None, None, Some(Earlier::InThisFile)]);
        seen.discard();
        assert_eq!(file(&mut seen, &["a", "c"]), [None, None]);
        seen.commit();
        assert_eq!(file(&mut seen, &["c", "d"]), [Some(Earlier::InTheBatch), None]);
        seen.commit();
        assert_eq!(file(&mut seen, &["d", "e"]), [Some(Earlier::InTheBatch), None]);
        // Nobody said what became of it.
        assert_eq!(file(&mut seen, &["e"]), [None]);
    }

    #[test]
    fn what_outgrew_its_memory_is_dropped_and_stays_unknown() {
        let mut seen = SeenKeys::default();
        seen.start_file(2, 40_000);
        let refused = (0..10_000_u64)
            .find(|index| seen.insert(0, print(&index.to_string()), 0).is_err())
            .unwrap();
        assert!(refused > 100);
        assert!(seen.is_beyond(0) && !seen.is_beyond(1));
        assert_eq!(seen.bytes(), 0);
        assert_eq!(seen.insert(1, print("a"), 0), Ok(None), "the other key has the memory now");
        seen.commit();
        seen.start_file(2, 40_000);
        assert!(seen.is_beyond(0));
        assert_eq!(seen.find(1, print("a")), Some(Earlier::InTheBatch));
    }

    #[test]
    fn keys_of_files_together_stay_within_the_memory() {
        let mut seen = SeenKeys::default();
        let max_bytes = 60_000;
        for file in 0..100 {
            seen.start_file(1, max_bytes);
            for index in 0..100 {
                if seen.insert(0, print(&format!("{file} {index}")), 0).is_err() {
                    assert!(file > 5, "{file}");
                    return;
                }
                assert!(seen.bytes() <= max_bytes);
            }
            seen.commit();
            assert!(seen.bytes() <= max_bytes);
            if seen.is_beyond(0) {
                return;
            }
        }
        unreachable!("ten thousand keys do not fit");
    }
}
