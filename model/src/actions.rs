//! What can happen next.

use crate::attempt::{Attempt, Reply, Step};
use crate::world::{Execution, Phase, World, each};
use crate::{Engine, Protocol};

/// One thing that happens. Attempts and requests are numbered as they stand in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The batch's event arrives for the first time. Again, it changes nothing: the name of
    /// the execution is taken.
    Deliver(usize),
    /// A failed batch is started again, by redelivery or by a person.
    StartAgain(usize),
    /// An attempt takes its next step.
    Step(usize, Reply),
    /// An attempt's process ends where it stands.
    Crash(usize),
    /// Step Functions gives up on an attempt that goes on.
    GiveUpOn(usize),
    /// An attempt has no time for another round after a conflict or an unknown outcome.
    RunOutOfTime(usize),
    /// A Glue run whose execution is over stops, as it was asked to.
    StopRun(usize),
    /// The failure path writes one item.
    RecordFailure(usize),
    /// Somebody stops the batch's execution, or it times out as a whole.
    Abort(usize),
    /// A while after an execution has ended, its objects are looked at once more.
    /// Numbered as they stand in the world.
    LookAtEnded(usize),
    /// A snapshot expires, as they stand in the table.
    Expire(usize),
    /// A commit that nobody waits for arrives.
    Arrive(usize),
    /// Somebody else commits to the table.
    ForeignCommit,
}

pub(crate) fn possible(protocol: &Protocol, world: &World, actions: &mut Vec<Action>) {
    for (batch, execution) in world.executions.iter().enumerate() {
        match execution {
            Execution::NotDelivered => actions.push(Action::Deliver(batch)),
            Execution::Failing { .. } => actions.push(Action::RecordFailure(batch)),
            Execution::Over { .. } if needs_another_start(protocol, world, batch) => {
                actions.push(Action::StartAgain(batch));
            }
            Execution::Running { .. } | Execution::Over { .. } => {}
        }
        let runs = matches!(execution, Execution::Running { .. } | Execution::Failing { .. });
        if runs && world.budget.aborts > 0 {
            actions.push(Action::Abort(batch));
        }
    }
    for (index, attempt) in world.attempts.iter().enumerate() {
        if can_step(protocol, world, attempt) {
            actions.push(Action::Step(index, Reply::Arrives));
        }
        if attempt.step == Step::Commit && world.budget.lost_replies > 0 {
            actions.push(Action::Step(index, Reply::LostAfter));
            actions.push(Action::Step(index, Reply::LostBefore));
        }
        if world.budget.crashes > 0 {
            actions.push(Action::Crash(index));
        }
        if attempt.awaited && world.budget.zombies > 0 {
            actions.push(Action::GiveUpOn(index));
        }
        // Only an unknown outcome may end an attempt: conflicts are few here.
        if attempt.step == Step::Load && attempt.may_be_committed {
            actions.push(Action::RunOutOfTime(index));
        }
        let run = protocol.batches[attempt.batch].engine == Engine::Glue;
        if run && !world.executions[attempt.batch].is_alive(attempt.execution) {
            actions.push(Action::StopRun(index));
        }
    }
    for (index, (batch, number, _)) in world.ended.iter().enumerate() {
        if can_be_looked_at(protocol, world, *batch, *number) {
            actions.push(Action::LookAtEnded(index));
        }
    }
    actions.extend((0..world.requests.len()).map(Action::Arrive));
    if world.budget.expiries > 0 && nothing_is_left_to_do(protocol, world) {
        let kept = world.table.snapshots.iter().enumerate().filter(|(_, it)| !it.expired);
        actions.extend(kept.map(|(index, _)| Action::Expire(index)));
    }
    if world.budget.foreign_commits > 0 {
        actions.push(Action::ForeignCommit);
    }
}

/// A takeover from a batch waits until its Glue run has stopped, whichever of its executions
/// started it.
fn can_step(protocol: &Protocol, world: &World, attempt: &Attempt) -> bool {
    let Step::Ask(object) = attempt.step else { return true };
    if !protocol.rules.takeover_waits_for_the_run {
        return true;
    }
    let Some((batch, number)) = world.ledger[object].owner else { return true };
    let runs = protocol.batches[batch].engine == Engine::Glue
        && world.attempts.iter().any(|other| other.batch == batch);
    world.executions[batch].is_alive(number) || !runs
}

/// Whether it is time to look at the objects of an execution that has ended: no Lambda of it can run any more, and its Glue run has stopped.
fn can_be_looked_at(protocol: &Protocol, world: &World, batch: usize, number: u8) -> bool {
    let waits_for_attempts =
        protocol.batches[batch].engine == Engine::Lambda || protocol.rules.ended_waits_for_the_run;
    let is_of = |attempt: &Attempt| attempt.batch == batch && attempt.execution == number;
    world.requests.iter().all(|request| request.snapshot.batch != batch)
        && (!waits_for_attempts || !world.attempts.iter().any(is_of))
}

/// Whether no mechanism will touch anything by itself. What is failed by then, only people start
/// again: snapshots are kept for longer than everything else takes.
fn nothing_is_left_to_do(protocol: &Protocol, world: &World) -> bool {
    world.attempts.is_empty()
        && world.requests.is_empty()
        && world.ended.is_empty()
        && world.executions.iter().enumerate().all(|(batch, execution)| match execution {
            Execution::NotDelivered | Execution::Over { succeeded: false, .. } => true,
            Execution::Over { .. } => !needs_another_start(protocol, world, batch),
            Execution::Running { .. } | Execution::Failing { .. } => false,
        })
}

/// Whether the batch's last execution left an object of its own unsettled: it failed, or an
/// attempt that it had given up on claimed an object after it had ended. The latter is seen
/// once such attempts are over, which the end of a Lambda's longest invocation is.
pub(crate) fn needs_another_start(protocol: &Protocol, world: &World, batch: usize) -> bool {
    let Execution::Over { succeeded, .. } = world.executions[batch] else { return false };
    let unsettled = each(protocol.batches[batch].objects).any(|object| {
        let entry = &world.ledger[object];
        let owned = entry.owner.is_some_and(|(owner, _)| owner == batch);
        let abandoned = entry.owner.is_none() && !succeeded;
        entry.phase != Phase::Committed && (owned || abandoned)
    });
    let wanted = if succeeded {
        protocol.rules.leftovers_are_started_again
            && world.attempts.iter().all(|attempt| attempt.batch != batch)
    } else {
        protocol.rules.failed_is_not_final
    };
    unsettled && wanted
}

pub(crate) fn take(protocol: &Protocol, world: &mut World, action: Action) {
    match action {
        Action::Deliver(batch) => start(world, batch, 0),
        Action::StartAgain(batch) => {
            let Execution::Over { number, .. } = world.executions[batch] else { return };
            start(world, batch, number + 1);
        }
        Action::Step(index, reply) => {
            let mut attempt = world.attempts.swap_remove(index);
            attempt.take_step(protocol, world, reply);
            end_or_go_on(protocol, world, attempt);
        }
        Action::Crash(index) => {
            world.budget.crashes -= 1;
            let mut attempt = world.attempts.swap_remove(index);
            attempt.step = Step::Failed;
            end_or_go_on(protocol, world, attempt);
        }
        Action::GiveUpOn(index) => {
            world.budget.zombies -= 1;
            let mut attempt = world.attempts.swap_remove(index);
            let told = Attempt { step: Step::Failed, ..attempt.clone() };
            end_or_go_on(protocol, world, told);
            attempt.awaited = false;
            world.attempts.push(attempt);
        }
        Action::RunOutOfTime(index) => {
            let mut attempt = world.attempts.swap_remove(index);
            attempt.fail(protocol, world);
            end_or_go_on(protocol, world, attempt);
        }
        Action::StopRun(index) => {
            world.attempts.swap_remove(index);
        }
        Action::RecordFailure(batch) => record_failure(protocol, world, batch),
        Action::Abort(batch) => {
            let (Execution::Running { number, .. } | Execution::Failing { number, .. }) =
                world.executions[batch]
            else {
                return;
            };
            world.budget.aborts -= 1;
            for attempt in world.attempts.iter_mut().filter(|attempt| attempt.batch == batch) {
                attempt.awaited = false;
            }
            end(protocol, world, batch, number, false);
        }
        Action::LookAtEnded(index) => look_at_ended(protocol, world, index),
        Action::Expire(index) => {
            world.budget.expiries -= 1;
            world.table.snapshots[index].expired = true;
        }
        Action::Arrive(index) => {
            let request = world.requests.swap_remove(index);
            if request.version == world.table.version || !protocol.rules.commit_compares {
                world.table.commit(request.snapshot);
            }
        }
        Action::ForeignCommit => {
            world.budget.foreign_commits -= 1;
            world.table.version += 1;
        }
    }
}

fn start(world: &mut World, batch: usize, number: u8) {
    world.executions[batch] = Execution::Running { number, may_retry: true };
    world.attempts.push(Attempt::new(batch, number));
}

/// Puts an attempt back, or tells its execution how it ended.
fn end_or_go_on(protocol: &Protocol, world: &mut World, attempt: Attempt) {
    let batch = attempt.batch;
    let succeeded = match attempt.step {
        Step::Done => true,
        Step::Failed => false,
        _ => return world.attempts.push(attempt),
    };
    let Execution::Running { number, may_retry } = world.executions[batch] else { return };
    if !attempt.awaited || number != attempt.execution {
        return;
    }
    if succeeded {
        end(protocol, world, batch, number, true);
    } else if may_retry {
        world.executions[batch] = Execution::Running { number, may_retry: false };
        world.attempts.push(Attempt::new(batch, number));
    } else {
        let left = protocol.batches[batch].objects;
        world.executions[batch] = Execution::Failing { number, left };
    }
}

/// The shared failure path: `failed`, unless the item is another's or settled.
fn record_failure(protocol: &Protocol, world: &mut World, batch: usize) {
    let Execution::Failing { number, left } = world.executions[batch] else { return };
    if let Some(object) = each(left).next() {
        let entry = &world.ledger[object];
        let own = entry.owner.is_some_and(|(owner, _)| owner == batch);
        if own && entry.phase != Phase::Committed {
            world.write_entry(object, |entry| entry.phase = Phase::Failed);
        }
        world.executions[batch] = Execution::Failing { number, left: left & !(1 << object) };
    } else {
        end(protocol, world, batch, number, false);
    }
}

fn end(protocol: &Protocol, world: &mut World, batch: usize, number: u8, succeeded: bool) {
    world.executions[batch] = Execution::Over { number, succeeded };
    // As long as no marker is forgotten, whoever starts an object again finds it by itself.
    if protocol.budget.expiries > 0 {
        world.ended.push((batch, number, succeeded));
    }
}

/// Gives each object of the execution its answer, and it is the table's: unless the item is
/// another's by now. What is called failed may be so by another batch, which had taken the object
/// over before this one committed it.
fn look_at_ended(protocol: &Protocol, world: &mut World, index: usize) {
    let (batch, number, succeeded) = world.ended.swap_remove(index);
    let rules = protocol.rules;
    for object in each(protocol.batches[batch].objects) {
        let entry = &world.ledger[object];
        let (is_own, asks) = match entry.phase {
            // What an execution left that succeeded is started again instead.
            Phase::Claimed => {
                let is_own = !succeeded && entry.owner == Some((batch, number));
                (is_own, rules.ended_asks_the_table)
            }
            Phase::Failed => (true, rules.ended_doubts_failures),
            Phase::Received | Phase::Committed => continue,
        };
        let answer = match asks && world.table.remembers(object) {
            true => Phase::Committed,
            false => Phase::Failed,
        };
        if is_own && entry.phase != answer {
            world.write_entry(object, |entry| entry.phase = answer);
        }
    }
}

impl Execution {
    /// Whether the execution of that number is still running.
    pub(crate) fn is_alive(&self, number: u8) -> bool {
        match self {
            Self::Running { number: current, .. } | Self::Failing { number: current, .. } => {
                *current == number
            }
            Self::NotDelivered | Self::Over { .. } => false,
        }
    }
}
