//! Links into the console and commands to paste.

use landfall_messages::{ExecutionInfo, console};

use crate::kind::{APPROVE, REFUSE};

/// The execution's page in the Step Functions console, in the ARN's own region or, where it names
/// none, in this one.
pub(crate) fn execution_link(execution_arn: &str, region: &str) -> String {
    console::execution_page(execution_arn, console::region(execution_arn).unwrap_or(region))
}

/// A command that a person pastes into a POSIX shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// What it does.
    pub(crate) purpose: &'static str,
    /// The command.
    pub(crate) line: String,
}

/// The commands that resume an execution which waits for a review.
///
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html>
pub(crate) fn review_commands(task_token: &str, region: &str) -> Vec<Command> {
    [("Approve", APPROVE), ("Refuse", REFUSE)]
        .map(|(purpose, decision)| Command {
            purpose,
            line: format!(
                "aws stepfunctions send-task-success --region {} --task-token {} --task-output {}",
                shell_word(region),
                shell_quoted(task_token),
                shell_quoted(&format!(r#"{{"decision":"{decision}"}}"#)),
            ),
        })
        .to_vec()
}

/// The command that starts the batch over with the same input. `None` when the ARN is not
/// one of a Standard execution.
///
/// A redrive would not help: the failed state of an execution whose error was caught is its
/// Fail state, and that is where a redrive begins.
pub(crate) fn run_again_command(execution: &ExecutionInfo, region: &str) -> Option<Command> {
    let mut parts: Vec<&str> = execution.arn.split(':').collect();
    if parts.len() != 8 || parts[5] != "execution" {
        return None;
    }
    parts[5] = "stateMachine";
    let state_machine = parts[..7].join(":");
    let region = shell_word(region);
    Some(Command {
        purpose: "Run the batch again",
        line: format!(
            "aws stepfunctions start-execution --region {region} --state-machine-arn {} \
             --input \"$(aws stepfunctions describe-execution --region {region} \
             --execution-arn {} --query input --output text)\"",
            shell_word(&state_machine),
            shell_word(&execution.arn),
        ),
    })
}

/// Single-quoted for a POSIX shell.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Bare when every character is safe bare, else quoted.
fn shell_word(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_:./@".contains(c);
    if !text.is_empty() && text.chars().all(safe) { text.to_owned() } else { shell_quoted(text) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Command as Process;

    fn execution(arn: &str) -> ExecutionInfo {
        ExecutionInfo { arn: arn.into(), start_time: "2026-11-21T08:00:00Z".into() }
    }

    #[test]
    fn links_go_to_the_region_of_the_execution() {
        let arn = "arn:aws-cn:states:cn-north-1:1:execution:ingest:b";
        let link = execution_link(arn, "x");
        assert!(link.starts_with("https://cn-north-1.console.amazonaws.cn/"), "{link}");
        assert!(execution_link("odd", "eu-west-1").starts_with("https://eu-west-1.console.aws."));
    }

    /// What a shell makes of the command, one argument a line.
    fn arguments(line: &str) -> Vec<String> {
        let script = format!("set -- {line}\nfor word; do printf '%s\\n' \"$word\"; done");
        let output = Process::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{line}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn review_commands_survive_a_shell() {
        let token = "AQCk/+=a'b$(touch x)`c` \"d\"";
        let [approve, refuse] = review_commands(token, "eu-west-1").try_into().unwrap();
        assert_eq!(
            arguments(&approve.line),
            [
                "aws",
                "stepfunctions",
                "send-task-success",
                "--region",
                "eu-west-1",
                "--task-token",
                token,
                "--task-output",
                r#"{"decision":"approve"}"#
            ]
        );
        assert_eq!(arguments(&refuse.line)[8], r#"{"decision":"refuse"}"#);
    }

    #[test]
    fn run_again_names_the_state_machine_of_the_execution() {
        let arn = "arn:aws:states:eu-west-1:123456789012:execution:landfall-ingest:orders-1";
        assert_eq!(
            run_again_command(&execution(arn), "eu-west-1").unwrap().line,
            "aws stepfunctions start-execution --region eu-west-1 --state-machine-arn \
             arn:aws:states:eu-west-1:123456789012:stateMachine:landfall-ingest --input \
             \"$(aws stepfunctions describe-execution --region eu-west-1 --execution-arn \
             arn:aws:states:eu-west-1:123456789012:execution:landfall-ingest:orders-1 \
             --query input --output text)\""
        );
        assert_eq!(run_again_command(&execution("local"), "eu-west-1"), None);
    }
}
