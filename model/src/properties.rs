//! What must hold.

use crate::actions::needs_another_start;
use crate::world::{Execution, Phase, World};
use crate::{OBJECTS, Protocol};

/// No two snapshots hold the rows of one object.
pub(crate) fn committed_at_most_once(world: &World) -> bool {
    (0..OBJECTS).all(|object| {
        let holds = |snapshot: &&crate::Snapshot| snapshot.objects & (1 << object) != 0;
        world.table.snapshots.iter().filter(holds).count() <= 1
    })
}

/// Every file of every snapshot is there.
pub(crate) fn files_stand(world: &World) -> bool {
    world.table.snapshots.iter().all(|snapshot| world.removed_files & (1 << snapshot.files) == 0)
}

/// Whether nothing is left to do: every batch was delivered and is over, no attempt goes on, no
/// commit is under way, and nothing asks to be started again.
pub fn is_at_rest(protocol: &Protocol, world: &World) -> bool {
    world.attempts.is_empty()
        && world.requests.is_empty()
        && world.executions.iter().enumerate().all(|(batch, execution)| {
            matches!(execution, Execution::Over { .. })
                && !needs_another_start(protocol, world, batch)
        })
}

/// Every object's rows are in the table, and the ledger says so: nothing is lost, and nothing
/// that was committed is reported as failed for good.
pub(crate) fn settled_as_the_table_says(world: &World) -> bool {
    (0..OBJECTS)
        .all(|object| world.table.holds(object) && world.ledger[object].phase == Phase::Committed)
}

/// The promises that this world breaks, in words.
pub fn broken_promises(protocol: &Protocol, world: &World) -> Vec<&'static str> {
    let at_rest = is_at_rest(protocol, world);
    [
        (committed_at_most_once(world), "an object's rows are in the table twice"),
        (files_stand(world), "a snapshot refers to a removed file"),
        (!at_rest || settled_as_the_table_says(world), "an object is lost or wrongly settled"),
    ]
    .into_iter()
    .filter_map(|(holds, words)| (!holds).then_some(words))
    .collect()
}
