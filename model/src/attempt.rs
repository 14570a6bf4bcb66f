//! One attempt to load a batch, step by step.

use crate::world::{Phase, Request, Snapshot, World, each};
use crate::{Engine, OBJECTS, Objects, Protocol};

/// An attempt: one invocation of `iceberg-append`, or one Glue run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    /// Its batch.
    pub batch: usize,
    /// Number of the execution that started it.
    pub execution: u8,
    /// Whether the execution waits for it.
    pub awaited: bool,
    /// What it does next.
    pub step: Step,
    /// Objects it has claimed and not found in the table.
    pub ours: Objects,
    /// Of these, those that the ledger said this batch has committed.
    pub settled: Objects,
    /// By object, the batches that it was taken over from, one bit each.
    pub previous_owners: [u8; OBJECTS],
    /// The table's version when it was loaded.
    pub version: u8,
    /// Data files that await their commit, and the objects in them.
    pub files: Option<(u8, Objects)>,
    /// Whether a commit of these files has an unknown outcome.
    pub may_be_committed: bool,
}

/// What an attempt does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Claim the objects from this one on.
    Claim(usize),
    /// Ask whether the owner of this object is over.
    Ask(usize),
    /// Take this object over from an owner that is over; the item had this stamp.
    TakeOver(usize, u8),
    /// Load the table and look for markers.
    Load,
    /// Settle these objects, which are in the table; then load again.
    SettleFound(Objects),
    /// Write data files.
    Write,
    /// Read the claims again.
    ReadClaims,
    /// Commit.
    Commit,
    /// Settle these objects, which this attempt has just committed.
    SettleCommitted(Objects),
    /// Nothing more.
    Done,
    /// Give up; the execution is told.
    Failed,
}

/// How a commit's reply reaches the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It arrives.
    Arrives,
    /// It is lost, and the commit took effect.
    LostAfter,
    /// It is lost, and the commit is still under way.
    LostBefore,
}

impl Attempt {
    pub(crate) fn new(batch: usize, execution: u8) -> Self {
        Self {
            batch,
            execution,
            awaited: true,
            step: Step::Claim(0),
            ours: 0,
            settled: 0,
            previous_owners: [0; OBJECTS],
            version: 0,
            files: None,
            may_be_committed: false,
        }
    }

    /// Takes the next step. Commits say how the reply fares.
    pub(crate) fn take_step(&mut self, protocol: &Protocol, world: &mut World, reply: Reply) {
        match self.step {
            Step::Claim(from) => self.claim(protocol, world, from),
            Step::Ask(object) => self.ask(protocol, world, object),
            Step::TakeOver(object, stamp) => self.take_over(protocol, world, object, stamp),
            Step::Load => self.load(protocol, world),
            Step::SettleFound(found) => self.settle(protocol, world, found, true),
            Step::Write => {
                self.files = Some((world.next_files, self.ours));
                world.next_files += 1;
                self.step = Step::ReadClaims;
            }
            Step::ReadClaims => self.read_claims(protocol, world),
            Step::Commit => self.commit(protocol, world, reply),
            Step::SettleCommitted(left) => self.settle(protocol, world, left, false),
            Step::Done | Step::Failed => {}
        }
    }

    fn engine(&self, protocol: &Protocol) -> Engine {
        protocol.batches[self.batch].engine
    }

    fn claim(&mut self, protocol: &Protocol, world: &mut World, from: usize) {
        let next = each(protocol.batches[self.batch].objects).find(|object| *object >= from);
        let Some(object) = next else {
            self.step = if self.ours == 0 { Step::Done } else { Step::Load };
            return;
        };
        let entry = &world.ledger[object];
        let own = entry.owner.is_some_and(|(batch, _)| batch == self.batch);
        let free = entry.owner.is_none() || (own && entry.phase != Phase::Committed);
        if free || !protocol.rules.claims_are_conditional {
            self.take_claim(world, object);
        } else if own {
            // Committed by an earlier attempt: the marker will say so, unless it has expired.
            self.ours |= 1 << object;
            self.settled |= 1 << object;
            self.previous_owners[object] = entry.previous_owners;
            self.step = Step::Claim(object + 1);
        } else if entry.phase == Phase::Committed {
            self.step = Step::Claim(object + 1);
        } else {
            self.step = Step::Ask(object);
        }
    }

    fn take_claim(&mut self, world: &mut World, object: usize) {
        let owner = (self.batch, self.execution);
        world.write_entry(object, |entry| {
            entry.owner = Some(owner);
            entry.phase = Phase::Claimed;
        });
        self.ours |= 1 << object;
        self.previous_owners[object] = world.ledger[object].previous_owners;
        self.step = Step::Claim(object + 1);
    }

    fn ask(&mut self, protocol: &Protocol, world: &mut World, object: usize) {
        let entry = &world.ledger[object];
        let Some((batch, number)) = entry.owner else {
            self.step = Step::Claim(object);
            return;
        };
        let alive = world.executions[batch].is_alive(number);
        if alive && protocol.rules.takeover_asks_for_the_execution {
            // A living owner loads it, so it is a duplicate here.
            self.step = Step::Claim(object + 1);
        } else {
            self.step = Step::TakeOver(object, entry.stamp);
        }
    }

    fn take_over(&mut self, protocol: &Protocol, world: &mut World, object: usize, stamp: u8) {
        let entry = &world.ledger[object];
        let changed = entry.stamp != stamp || entry.phase == Phase::Committed;
        if changed && protocol.rules.takeover_names_what_it_read {
            // Whoever changed it loads it.
            self.step = Step::Claim(object + 1);
            return;
        }
        if let Some((batch, _)) = entry.owner {
            world.write_entry(object, |entry| entry.previous_owners |= 1 << batch);
        }
        self.take_claim(world, object);
    }

    fn load(&mut self, protocol: &Protocol, world: &mut World) {
        self.version = world.table.version;
        let found = self.found(protocol, world);
        if found != 0 {
            self.discard_files(protocol, world);
            self.step = Step::SettleFound(found);
        } else if protocol.rules.settled_needs_no_marker && self.ours & self.settled != 0 {
            self.discard_files(protocol, world);
            self.ours &= !self.settled;
            self.step = if self.ours == 0 { Step::Done } else { Step::Load };
        } else {
            let written = self.files.is_some();
            self.step = if written { Step::ReadClaims } else { Step::Write };
        }
    }

    /// Which of our objects the markers say are in the table.
    fn found(&self, protocol: &Protocol, world: &World) -> Objects {
        let rules = protocol.rules;
        if !rules.looks_for_its_marker {
            return 0;
        }
        let mut found = 0;
        for object in each(self.ours) {
            let previous =
                if rules.looks_for_previous_owners { self.previous_owners[object] } else { 0 };
            let batches = previous | (1 << self.batch);
            let stands = world.table.snapshots.iter().any(|snapshot| {
                let listed = snapshot.objects & (1 << object) != 0;
                batches & (1 << snapshot.batch) != 0
                    && (listed || !rules.markers_list_objects)
                    && !snapshot.expired
            });
            if stands {
                found |= 1 << object;
            }
        }
        found
    }

    fn read_claims(&mut self, protocol: &Protocol, world: &mut World) {
        let reads = protocol.rules.reads_claims_again && self.engine(protocol) == Engine::Lambda;
        let lost = each(self.ours)
            .any(|object| world.ledger[object].owner.is_none_or(|(batch, _)| batch != self.batch));
        if reads && lost {
            self.fail(protocol, world);
            return;
        }
        self.step = Step::Commit;
        for object in each(self.ours) {
            let previous = world.ledger[object].previous_owners;
            if reads
                && protocol.rules.reads_previous_owners_again
                && self.previous_owners[object] != previous
            {
                // The batch lost it, and took it over again from whoever had it in between.
                self.previous_owners[object] = previous;
                self.step = Step::Load;
            }
        }
    }

    fn commit(&mut self, protocol: &Protocol, world: &mut World, reply: Reply) {
        let Some((files, objects)) = self.files else {
            self.step = Step::Load;
            return;
        };
        let snapshot = Snapshot { batch: self.batch, objects, files, expired: false };
        let compares = self.version == world.table.version || !protocol.rules.commit_compares;
        match reply {
            Reply::Arrives if compares => {
                world.table.commit(snapshot);
                self.files = None;
                self.step = Step::SettleCommitted(self.ours);
            }
            Reply::Arrives if protocol.rules.conflict_starts_over => self.step = Step::Load,
            Reply::Arrives => {
                // The swap is made again on the newest version, as a client that rebases does.
                self.version = world.table.version;
            }
            Reply::LostAfter | Reply::LostBefore => {
                world.budget.lost_replies -= 1;
                if compares && reply == Reply::LostAfter {
                    world.table.commit(snapshot);
                } else {
                    world.requests.push(Request { version: self.version, snapshot });
                }
                self.may_be_committed = true;
                if protocol.rules.unknown_starts_over {
                    self.step = Step::Load;
                } else {
                    self.version = world.table.version;
                    self.step = Step::ReadClaims;
                }
            }
        }
    }

    fn settle(&mut self, protocol: &Protocol, world: &mut World, left: Objects, found: bool) {
        let Some(object) = each(left).next() else {
            self.step = Step::Done;
            return;
        };
        // The condition of the write: the item is still this batch's.
        let own = world.ledger[object].owner.is_some_and(|(batch, _)| batch == self.batch);
        if own && world.ledger[object].phase != Phase::Committed {
            world.write_entry(object, |entry| entry.phase = Phase::Committed);
        }
        if found {
            self.ours &= !(1 << object);
        }
        let left = left & !(1 << object);
        self.step = match (left, found) {
            (0, true) if self.ours == 0 => Step::Done,
            (0, true) => Step::Load,
            (0, false) => Step::Done,
            (left, true) => Step::SettleFound(left),
            (left, false) => Step::SettleCommitted(left),
        };
        let _ = protocol;
    }

    /// Gives up: files are removed, unless they may have been committed.
    pub(crate) fn fail(&mut self, protocol: &Protocol, world: &mut World) {
        self.discard_files(protocol, world);
        self.step = Step::Failed;
    }

    fn discard_files(&mut self, protocol: &Protocol, world: &mut World) {
        if let Some((files, _)) = self.files.take()
            && (!self.may_be_committed || !protocol.rules.unknown_keeps_files)
        {
            world.remove_files(files);
        }
    }
}
