//! How a run ended, from the state and the words of Glue.

use landfall_ledger::GlueRun;
use landfall_messages::console;

use crate::error::Error;

/// A run's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// Its rows are committed.
    Succeeded,
    /// They may not be.
    Failed(RunFailure),
}

/// Why a run did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunFailure {
    kind: FailureKind,
    state: String,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureKind {
    Failed,
    TimedOut,
    Stopped,
}

impl RunEnd {
    /// The end that a job run state is; none while the run goes on.
    ///
    /// <https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html>
    pub(crate) fn of(state: &str, message: &str) -> Option<Self> {
        let kind = match state {
            "SUCCEEDED" => return Some(Self::Succeeded),
            "FAILED" | "ERROR" | "EXPIRED" => FailureKind::Failed,
            "TIMEOUT" => FailureKind::TimedOut,
            "STOPPED" => FailureKind::Stopped,
            _ => return None,
        };
        let (state, message) = (state.to_owned(), message.trim().to_owned());
        Some(Self::Failed(RunFailure { kind, state, message }))
    }
}

impl RunFailure {
    /// The failure as the execution hears of it.
    ///
    /// `log_group_prefix` is the job's `--custom-logGroup-prefix`.
    pub(crate) fn of(self, run: &GlueRun, log_group_prefix: &str) -> Error {
        let job = run.job_name.clone();
        let run_id = run.run_id.clone();
        let log = log_link(&run.execution_arn, log_group_prefix, &run.run_id);
        let message = if self.message.is_empty() {
            format!("Glue gave no message with state {}", self.state)
        } else {
            self.message
        };
        match self.kind {
            FailureKind::Failed => Error::RunFailed { job, run_id, message, log },
            FailureKind::TimedOut => Error::RunTimedOut { job, run_id, message, log },
            FailureKind::Stopped => Error::RunStopped { job, run_id, message, log },
        }
    }
}

/// Console address of the run's error log: group `<prefix>/error`, and the driver's stream is the
/// run's id (<https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html>). Region
/// and partition are the execution's: a state machine starts jobs of its own account and region
/// only.
fn log_link(execution_arn: &str, log_group_prefix: &str, run_id: &str) -> String {
    let host = console::host(execution_arn);
    let region = console::region(execution_arn).unwrap_or_default();
    // The console's own escaping: a percent-encoded percent sign, written with a dollar.
    let group = format!("{log_group_prefix}/error").replace('/', "$252F");
    format!(
        "https://{host}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}/\
         log-events/{run_id}"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use landfall_runtime::NamedError;

    const PREFIX: &str = "/aws-glue/jobs/landfall-ingest";

    fn run() -> GlueRun {
        GlueRun {
            run_id: "jr_1".into(),
            job_name: "landfall-load".into(),
            batch_id: "orders-1".into(),
            task_token: "token".into(),
            execution_arn: "arn:aws:states:eu-west-1:111122223333:execution:ingest:orders-1".into(),
            sizing: None,
        }
    }

    #[test]
    fn each_end_has_its_name() {
        for (state, name) in [
            ("FAILED", "Glue.RunFailed"),
            ("ERROR", "Glue.RunFailed"),
            ("EXPIRED", "Glue.RunFailed"),
            ("TIMEOUT", "Glue.RunTimedOut"),
            ("STOPPED", "Glue.RunStopped"),
        ] {
            let Some(RunEnd::Failed(failure)) = RunEnd::of(state, "why") else {
                panic!("{state} is a failure");
            };
            assert_eq!(failure.of(&run(), PREFIX).name(), name);
        }
        assert_eq!(RunEnd::of("SUCCEEDED", ""), Some(RunEnd::Succeeded));
    }

    #[test]
    fn a_run_that_goes_on_has_no_end() {
        for state in ["STARTING", "RUNNING", "STOPPING", "WAITING", "A state of next year"] {
            assert_eq!(RunEnd::of(state, ""), None);
        }
    }

    #[test]
    fn the_cause_has_glues_words_the_run_and_its_log() {
        let Some(RunEnd::Failed(failure)) = RunEnd::of("FAILED", "OutOfMemoryError\n") else {
            panic!("a failure");
        };
        let cause = failure.of(&run(), PREFIX).to_string();
        assert!(
            cause.contains("jr_1 of Glue job landfall-load failed: OutOfMemoryError;"),
            "{cause}"
        );
        assert!(cause.contains("region=eu-west-1#logsV2"), "{cause}");
        assert!(
            cause.ends_with(
                "/log-group/$252Faws-glue$252Fjobs$252Flandfall-ingest$252Ferror/log-events/jr_1"
            ),
            "{cause}"
        );
    }

    #[test]
    fn silence_is_said_to_be_silence() {
        let Some(RunEnd::Failed(failure)) = RunEnd::of("TIMEOUT", " ") else {
            panic!("a failure");
        };
        assert!(failure.of(&run(), PREFIX).to_string().contains("no message with state TIMEOUT"));
    }
}
