//! What may occur once in a batch.

/// The keys of the files that were accepted, and those of the last file, kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenKeys {}

impl SeenKeys {
    /// Takes the last file's keys for good: its rows are loaded.
    pub fn commit(&mut self) {}

    /// Forgets the last file's keys: it was rejected.
    pub fn discard(&mut self) {}
}

/// Whether every key of a file was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeysChecked {
    /// All of them, or there is no key to check.
    #[default]
    All,
    /// The keys grew beyond [`crate::Options::max_key_bytes`]; they were checked up to here.
    Beyond {
        /// Rows of this file that were checked.
        rows: u64,
    },
}
