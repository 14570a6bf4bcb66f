//! What the services hold.

use crate::attempt::Attempt;
use crate::{Budget, OBJECTS, Objects, Protocol};

/// Everything at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The Iceberg table.
    pub table: Table,
    /// The ledger, by object.
    pub ledger: [Entry; OBJECTS],
    /// Executions, by batch.
    pub executions: Vec<Execution>,
    /// Attempts that still do something, in no order that matters.
    pub attempts: Vec<Attempt>,
    /// Executions that ended, whose objects are still to be looked at once more: batch, number,
    /// and whether it succeeded.
    pub ended: Vec<(usize, u8, bool)>,
    /// Commits that nobody waits for any more and that may still arrive.
    pub requests: Vec<Request>,
    /// What may still go wrong.
    pub budget: Budget,
    /// Numbers the next data files.
    pub next_files: u8,
    /// Data files that were removed, one bit each.
    pub removed_files: u32,
}

/// The table: a version that every commit changes, and the snapshots with a marker of ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Table {
    /// Changed by every commit, also by others'.
    pub version: u8,
    /// Our commits.
    pub snapshots: Vec<Snapshot>,
}

/// One commit of ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Snapshot {
    /// The batch in its marker.
    pub batch: usize,
    /// The objects in its marker, whose rows are in its files.
    pub objects: Objects,
    /// Its data files.
    pub files: u8,
    /// Whether it has expired: its rows stay, its marker is gone.
    pub expired: bool,
}

/// One object's ledger item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Batch, and which of its executions.
    pub owner: Option<(usize, u8)>,
    /// Where the object stands.
    pub phase: Phase,
    /// Batches that owned it before, one bit each.
    pub previous_owners: u8,
    /// Changed by every write, as `updatedAt` is.
    pub stamp: u8,
}

/// Where an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Nobody has claimed it.
    Received,
    /// Its owner loads it.
    Claimed,
    /// Its owner's execution failed.
    Failed,
    /// Its rows are in the table.
    Committed,
}

/// One batch's execution.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Execution {
    /// Its event has not arrived.
    NotDelivered,
    /// It runs, for the n-th time.
    Running {
        /// Number of the execution: started again, it is another one.
        number: u8,
        /// Whether Step Functions will try once more.
        may_retry: bool,
    },
    /// It failed, and the failure path is recording so.
    Failing {
        /// Number of the execution.
        number: u8,
        /// Objects whose item is still to be written.
        left: Objects,
    },
    /// It ended.
    Over {
        /// Number of the execution.
        number: u8,
        /// Whether it succeeded.
        succeeded: bool,
    },
}

/// A commit under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    /// The version it compares.
    pub version: u8,
    /// What it would add.
    pub snapshot: Snapshot,
}

impl World {
    pub(crate) fn new(protocol: &Protocol) -> Self {
        let entry = Entry { owner: None, phase: Phase::Received, previous_owners: 0, stamp: 0 };
        Self {
            table: Table { version: 0, snapshots: Vec::new() },
            ledger: std::array::from_fn(|_| entry.clone()),
            executions: vec![Execution::NotDelivered; protocol.batches.len()],
            attempts: Vec::new(),
            ended: Vec::new(),
            requests: Vec::new(),
            budget: protocol.budget,
            next_files: 0,
            removed_files: 0,
        }
    }

    /// Puts what has no order into one, so that equal worlds are equal.
    pub(crate) fn normalize(&mut self) {
        self.attempts.sort();
        self.ended.sort_unstable();
        self.requests.sort();
        // A request that compares a version of the past can only be refused.
        let version = self.table.version;
        self.requests.retain(|request| request.version == version);
    }

    pub(crate) fn write_entry(&mut self, object: usize, write: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.ledger.get_mut(object) {
            write(entry);
            entry.stamp = entry.stamp.wrapping_add(1);
        }
    }

    pub(crate) fn remove_files(&mut self, files: u8) {
        self.removed_files |= 1 << files;
    }
}

impl Table {
    pub(crate) fn commit(&mut self, snapshot: Snapshot) {
        self.version += 1;
        self.snapshots.push(snapshot);
    }

    /// Whether a snapshot that has not expired says that it has the object's rows.
    pub fn remembers(&self, object: usize) -> bool {
        let holds = |snapshot: &Snapshot| snapshot.objects & (1 << object) != 0;
        self.snapshots.iter().any(|snapshot| !snapshot.expired && holds(snapshot))
    }

    /// Whether a snapshot of ours has the object's rows.
    pub fn holds(&self, object: usize) -> bool {
        self.snapshots.iter().any(|snapshot| snapshot.objects & (1 << object) != 0)
    }
}

/// The objects of a set.
pub(crate) fn each(objects: Objects) -> impl Iterator<Item = usize> {
    (0..OBJECTS).filter(move |object| objects & (1 << object) != 0)
}
