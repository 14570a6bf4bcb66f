//! One fault, and what is done about it.

use aws_sdk_sfn::types::ExecutionStatus;
use landfall_testing::service::Call;

use crate::cloud::{Invocation, Landed, alone};
use crate::judge::{judge, tidy};
use crate::kind::{Gate, Kind};
use crate::scenario::{Prepared, Scenario};
use crate::table::Read;

/// What follows an invocation that failed or died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// Step Functions invokes the function again, where the error is transient; when the
    /// execution is over the objects are delivered again, in other batches.
    Retry,
    /// The execution is over at once, and the objects are delivered again in other batches.
    Redelivery,
}

/// A fault at the `nth` call of an append, counted from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) scenario: Scenario,
    pub(crate) kind: Kind,
    pub(crate) nth: usize,
    pub(crate) recovery: Recovery,
}

/// How a run ended.
pub(crate) struct Outcome {
    pub(crate) read: Read,
    /// Whether the function noticed the fault: an invocation failed or died.
    pub(crate) noticed: bool,
}

/// The calls of the append when nothing happens.
pub(crate) fn undisturbed(scenario: Scenario) -> Vec<Call> {
    alone(async {
        let prepared = scenario.prepare().await;
        prepared.reset();
        prepared.cloud.execute(&prepared.work).await.unwrap();
        prepared.cloud.calls.met()
    })
}

impl Run {
    /// Runs it in the scenario's world. `call` is the one that it strikes.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub(crate) fn run(self, prepared: &Prepared, call: &Call) -> Result<Outcome, String> {
        prepared.reset();
        let cloud = &prepared.cloud;
        let gate = Gate::default();
        self.kind.arm(&cloud.calls, self.nth, call.service, &gate);
        let noticed = if self.kind.holds() {
            alone(self.held(prepared, &gate))?
        } else {
            self.disturbed(prepared, &gate)?
        };
        let met = cloud.calls.met();
        self.struck(&met, call)?;
        let read = judge(cloud, &prepared.landed())?;
        tidy(cloud, &read, self.kind, &met[self.nth - 1])?;
        if self.kind.loses_the_answer()
            && call.operation == "UpdateTable"
            && let Some(removed) = met
                .iter()
                .find(|call| call.operation == "DeleteObject" && call.subject.ends_with(".parquet"))
        {
            return Err(format!("{} was removed after an unknown outcome", removed.subject));
        }
        Ok(Outcome { noticed, read })
    }

    /// Holds the calls there were against the one that the fault was to strike, and against the
    /// attempts that the SDK makes.
    fn struck(self, met: &[Call], call: &Call) -> Result<(), String> {
        let struck = met.get(self.nth - 1);
        if struck.map(|struck| (struck.service, &struck.operation))
            != Some((call.service, &call.operation))
        {
            return Err(format!("it struck {struck:?} instead of {call:?}"));
        }
        let attempts = met[self.nth - 1..].iter().take_while(|next| Some(*next) == struck).count();
        let expected = if call.operation == "UpdateTable" { 1 } else { self.kind.attempts() };
        // The same call may follow of itself, an invocation begins with its contract.
        if attempts < expected || (expected == 1 && call.operation == "UpdateTable" && attempts > 1)
        {
            return Err(format!("{attempts} attempts instead of {expected}"));
        }
        Ok(())
    }

    /// The first execution with its fault, then deliveries in other batches.
    fn disturbed(self, prepared: &Prepared, gate: &Gate) -> Result<bool, String> {
        let Prepared { cloud, work, a, b, c, .. } = prepared;
        let mut noticed = false;
        let mut status = ExecutionStatus::Failed;
        for _ in 0..7 {
            let transient = match cloud.process(work, &gate.struck) {
                Invocation::Answered(_) => {
                    status = ExecutionStatus::Succeeded;
                    break;
                }
                Invocation::Failed { transient, .. } => transient,
                Invocation::Died => true,
            };
            let struck = cloud.calls.met().len() >= self.nth;
            noticed |= struck;
            if !transient || (struck && self.recovery == Recovery::Redelivery) {
                break;
            }
        }
        if status == ExecutionStatus::Failed
            && self.recovery == Recovery::Retry
            && self.kind != Kind::Denied
        {
            return Err("the execution failed, though its fault was not for good".to_owned());
        }
        cloud.end("one", status.clone());
        if status == ExecutionStatus::Succeeded {
            // It says that nothing is left to do, and nobody may come to look again.
            let landed: Vec<&Landed> = prepared.before.iter().chain([a, b]).collect();
            judge(cloud, &landed).map_err(|what| format!("after its success: {what}"))?;
        }
        alone(async {
            cloud.execute(&prepared.next("two", &[b, c])).await?;
            cloud.deliver();
            cloud.execute(&prepared.next("three", &[a, b])).await?;
            Ok(noticed)
        })
    }

    /// The first execution is held at the call until others have loaded its objects.
    async fn held(self, prepared: &Prepared, gate: &Gate) -> Result<bool, String> {
        let Prepared { cloud, work, a, b, c, .. } = prepared;
        let struck = std::cell::Cell::new(false);
        let zombie = async {
            loop {
                let invocation = cloud.invoke(work).await;
                let failed = !matches!(invocation, Invocation::Answered(_));
                if struck.get() || !failed {
                    return failed;
                }
            }
        };
        let others = async {
            gate.struck.notified().await;
            struck.set(true);
            let over = if self.nth.is_multiple_of(2) {
                ExecutionStatus::TimedOut
            } else {
                ExecutionStatus::Aborted
            };
            cloud.end("one", over);
            let two = cloud.execute(&prepared.next("two", &[b, c])).await;
            let three = cloud.execute(&prepared.next("three", &[a])).await;
            let judged = judge(cloud, &prepared.landed());
            gate.goes_on.notify_one();
            two.and(three).and(judged)
        };
        let (noticed, others) = tokio::join!(zombie, others);
        others.map_err(|what| format!("while it was held: {what}"))?;
        judge(cloud, &prepared.landed()).map_err(|what| format!("when it had gone on: {what}"))?;
        cloud.execute(&prepared.next("four", &[a, b])).await?;
        Ok(noticed)
    }
}
