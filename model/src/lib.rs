//! The commit protocol of `docs/exactly-once.md` as a state machine, small enough to look at
//! every state it can reach.
//!
//! A [`World`] holds what the services hold (table, ledger, executions, requests under way) and
//! where each attempt to load a batch stands. Every step of the protocol is one action; between
//! any two, an attempt may crash, be given up on and live on, lose a reply, or meet another
//! writer, as often as [`Budget`] allows. [`Rules`] are the rules of the protocol: with all of
//! them the properties hold, and without any single one they do not (`tests/mutations.rs`).
//!
//! What is left out: data (rows are object ids), the schema (its evolution is one more writer),
//! batching (batches are given), and time (a wait is any number of other actions).

mod actions;
mod attempt;
mod properties;
pub mod replacement;
mod world;

pub use actions::Action;
pub use attempt::{Attempt, Step};
pub use properties::{broken_promises, is_at_rest};
pub use world::{Entry, Execution, Phase, Request, Snapshot, Table, World};

use stateright::{Model, Property};

/// Objects that the model knows. Sets of them are bit sets.
pub const OBJECTS: usize = 2;

/// A set of objects, one bit each.
pub type Objects = u8;

/// Who loads a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// `iceberg-append`: reads its claims again before it commits.
    Lambda,
    /// A Glue run: does not, so it must have stopped before its objects are taken over.
    Glue,
}

/// One batch: what it holds and who loads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Batch {
    /// Its objects.
    pub objects: Objects,
    /// Its engine.
    pub engine: Engine,
}

/// How much may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Attempts that crash, at any step.
    pub crashes: u8,
    /// Attempts that Step Functions gives up on and that go on all the same.
    pub zombies: u8,
    /// Commits whose reply is lost: they took effect, will later, or never do.
    pub lost_replies: u8,
    /// Commits by others to the same table.
    pub foreign_commits: u8,
    /// Executions that somebody stops, or that time out as a whole: they end at once, and never
    /// come to their failure path.
    pub aborts: u8,
    /// Snapshots that expire, once no mechanism has anything left to do.
    pub expiries: u8,
}

/// The rules of the protocol, each of which can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rules {
    /// A claim is a conditional write: it does not overwrite another's.
    pub claims_are_conditional: bool,
    /// An object is taken over only when its owner's execution is over.
    pub takeover_asks_for_the_execution: bool,
    /// And when its Glue run has stopped.
    pub takeover_waits_for_the_run: bool,
    /// A takeover names the item as it was read.
    pub takeover_names_what_it_read: bool,
    /// Before a commit, the markers in the table are looked for.
    pub looks_for_its_marker: bool,
    /// Those of batches that its objects were taken over from, too.
    pub looks_for_previous_owners: bool,
    /// A marker counts for the objects that it lists, not for all of the batch.
    pub markers_list_objects: bool,
    /// What the ledger calls committed is not written again, also when its marker has expired.
    pub settled_needs_no_marker: bool,
    /// The claims are read again between loading the table and committing.
    pub reads_claims_again: bool,
    /// And with them the batches that the objects were taken over from: an object that was lost and
    /// taken over again since was another batch's in between.
    pub reads_previous_owners_again: bool,
    /// The commit compares the version that was loaded.
    pub commit_compares: bool,
    /// After a conflict the table is loaded and searched again.
    pub conflict_starts_over: bool,
    /// After an unknown outcome too.
    pub unknown_starts_over: bool,
    /// After an unknown outcome no file is removed.
    pub unknown_keeps_files: bool,
    /// A failed batch is tried again until its objects are settled.
    pub failed_is_not_final: bool,
    /// So is one that succeeded and still owns an unsettled object when its attempts are over.
    pub leftovers_are_started_again: bool,
    /// When an execution is over, the table is asked before its open objects are called failed.
    pub ended_asks_the_table: bool,
    /// And before the failures that it recorded are believed.
    pub ended_doubts_failures: bool,
    /// The table is asked when no Glue run of it can commit any more.
    pub ended_waits_for_the_run: bool,
}

impl Rules {
    /// The protocol as it is.
    pub const ALL: Self = Self {
        claims_are_conditional: true,
        takeover_asks_for_the_execution: true,
        takeover_waits_for_the_run: true,
        takeover_names_what_it_read: true,
        looks_for_its_marker: true,
        looks_for_previous_owners: true,
        markers_list_objects: true,
        settled_needs_no_marker: true,
        reads_claims_again: true,
        reads_previous_owners_again: true,
        commit_compares: true,
        conflict_starts_over: true,
        unknown_starts_over: true,
        unknown_keeps_files: true,
        failed_is_not_final: true,
        ended_asks_the_table: true,
        ended_doubts_failures: true,
        ended_waits_for_the_run: true,
        leftovers_are_started_again: true,
    };
}

/// The protocol over some batches.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// Batches that are delivered, in any order, each any number of times.
    pub batches: Vec<Batch>,
    /// How much may go wrong.
    pub budget: Budget,
    /// The rules that are kept.
    pub rules: Rules,
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        actions::possible(self, world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        actions::take(self, &mut next, action);
        next.normalize();
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("the rows of an object are committed at most once", |_, world| {
                properties::committed_at_most_once(world)
            }),
            Property::always("no snapshot refers to a removed file", |_, world| {
                properties::files_stand(world)
            }),
            Property::always(
                "at rest, every object is settled as the table says",
                |model, world| {
                    !is_at_rest(model, world) || properties::settled_as_the_table_says(world)
                },
            ),
            Property::always("work that is left can go on", |model, world| {
                is_at_rest(model, world) || {
                    let mut actions = Vec::new();
                    model.actions(world, &mut actions);
                    !actions.is_empty()
                }
            }),
            // Without these, the others could hold because nothing ever happens.
            Property::sometimes("a takeover happens", |_, world: &World| {
                world.ledger.iter().any(|entry| entry.previous_owners != 0)
            }),
            Property::sometimes("everything is committed", |_, world: &World| {
                (0..OBJECTS).all(|object| world.table.holds(object))
            }),
        ]
    }
}
