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
    actions.extend((0..world.requests.len()).map(Action::Arrive));
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
        Action::RecordFailure(batch) => record_failure(world, batch),
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
        world.executions[batch] = Execution::Over { number, succeeded: true };
    } else if may_retry {
        world.executions[batch] = Execution::Running { number, may_retry: false };
        world.attempts.push(Attempt::new(batch, number));
    } else {
        let left = protocol.batches[batch].objects;
        world.executions[batch] = Execution::Failing { number, left };
    }
}

/// The shared failure path: `failed`, unless the item is another's or settled.
fn record_failure(world: &mut World, batch: usize) {
    let Execution::Failing { number, left } = world.executions[batch] else { return };
    if let Some(object) = each(left).next() {
        let entry = &world.ledger[object];
        let own = entry.owner.is_some_and(|(owner, _)| owner == batch);
        if own && entry.phase != Phase::Committed {
            world.write_entry(object, |entry| entry.phase = Phase::Failed);
        }
        world.executions[batch] = Execution::Failing { number, left: left & !(1 << object) };
    } else {
        world.executions[batch] = Execution::Over { number, succeeded: false };
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
