//! How far an execution of `backfill` is, until it has ended.

use std::io::IsTerminal;
use std::time::Duration;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionStatus;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;

/// Between two looks. Who watches a bar sees that it moves; more would be throttled.
const PAUSE: Duration = Duration::from_secs(2);

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) status: String,
    pub(super) output: Option<String>,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
}

/// Items of a Map Run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    done: u64,
    total: u64,
}

/// Waits until the execution has ended, and shows meanwhile how far it is.
///
/// # Errors
/// When Step Functions does not know it, or cannot be asked.
pub(super) async fn follow(sfn: &Client, arn: &str) -> Result<Ended, Failure> {
    let bar = Bar::new();
    loop {
        let execution = sfn
            .describe_execution()
            .execution_arn(arn)
            .send()
            .await
            .map_err(|error| Failure::of_service(&format!("cannot follow {arn}"), &error))?;
        if !matches!(execution.status, ExecutionStatus::Running | ExecutionStatus::PendingRedrive) {
            return Ok(Ended {
                status: execution.status.as_str().to_owned(),
                output: execution.output,
                error: execution.error,
                cause: execution.cause,
            });
        }
        if bar.is_shown() {
            bar.show(progress(sfn, arn).await);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What its newest Map Run does, and how far that is. What cannot be found out is not shown: the
/// backfill goes on without being watched.
async fn progress(sfn: &Client, arn: &str) -> Option<(&'static str, Counts)> {
    let runs = sfn.list_map_runs().execution_arn(arn).send().await.ok()?;
    let newest = runs
        .map_runs()
        .iter()
        .max_by_key(|run| (run.start_date().secs(), run.start_date().subsec_nanos()))?;
    let run = sfn.describe_map_run().map_run_arn(newest.map_run_arn()).send().await.ok()?;
    let items = run.item_counts()?;
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    let done = items.succeeded() + items.failed() + items.aborted() + items.timed_out();
    let counts = Counts { done: number(done), total: number(items.total()) };
    Some((doing(newest.map_run_arn()), counts))
}

/// The label of the Map in the ARN, `..:mapRun:<machine>/<label>:<id>`, says what is done.
fn doing(map_run_arn: &str) -> &'static str {
    let label = map_run_arn.rsplit_once('/').map_or("", |(_, rest)| rest);
    if label.starts_with("Batches:") { "loading batches" } else { "looking at files" }
}

/// A bar on standard error; nothing where nobody would see it.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {msg} {pos}/{len} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style).with_message("starting");
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(Some(bar))
    }

    fn is_shown(&self) -> bool {
        self.0.is_some()
    }

    fn show(&self, progress: Option<(&'static str, Counts)>) {
        let (Some(bar), Some((doing, counts))) = (&self.0, progress) else { return };
        bar.set_message(doing);
        bar.set_length(counts.total);
        bar.set_position(counts.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_sfn::operation::describe_execution::{
        DescribeExecutionError, DescribeExecutionOutput,
    };
    use aws_sdk_sfn::types::error::ExecutionDoesNotExist;
    use aws_smithy_mocks::mock;
    use landfall_testing::stub_client;

    use super::*;

    #[tokio::test]
    async fn the_end_is_what_step_functions_says() {
        let rule = mock!(Client::describe_execution).then_output(|| {
            DescribeExecutionOutput::builder()
                .execution_arn("a")
                .state_machine_arn("m")
                .start_date(aws_sdk_sfn::primitives::DateTime::from_secs(0))
                .status(ExecutionStatus::Failed)
                .error("Backfill.TooManyFailures")
                .cause("{}")
                .build()
                .unwrap()
        });
        let ended = follow(&stub_client!(aws_sdk_sfn, [rule]), "a").await.unwrap();
        assert_eq!((ended.status.as_str(), ended.cause.as_deref()), ("FAILED", Some("{}")));
    }

    #[tokio::test]
    async fn an_unknown_execution_is_a_failure() {
        let rule = mock!(Client::describe_execution).then_error(|| {
            DescribeExecutionError::ExecutionDoesNotExist(ExecutionDoesNotExist::builder().build())
        });
        let failure = follow(&stub_client!(aws_sdk_sfn, [rule]), "arn:x").await.unwrap_err();
        assert!(failure.to_string().contains("cannot follow arn:x"), "{failure}");
    }

    #[test]
    fn a_map_run_says_what_it_does() {
        let arn = |label| format!("arn:aws:states:eu-west-1:1:mapRun:landfall-backfill/{label}:1f");
        assert_eq!(doing(&arn("Batches")), "loading batches");
        assert_eq!(doing(&arn("Prefix")), "looking at files");
    }
}
