//! `landfall backfill`: files that are in the bucket already, loaded as if they had just arrived.
//! The state machine does it; this starts it, shows how far it is, and says what it came to.

mod follow;
mod request;
mod summary;

use std::io::{self, IsTerminal, Write};

use landfall_messages::BackfillSummary;

use crate::Outcome;
use crate::arguments::BackfillCommand;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::output;
use crate::stack::Stack;
use crate::status::{counted, print_json};

use follow::{Ended, follow};
use request::{Request, what};
use summary::{Report, outcome, print_text, warnings};

/// Estimates, asks, starts and follows; or follows what was started before.
pub(crate) fn run(command: &BackfillCommand) -> Result<Outcome, Failure> {
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    let starts = command.follow.is_none() && !command.dry_run;
    if starts && !command.yes && !asks {
        return Err(Failure::Usage(
            "nobody is there to be asked: give --yes to start, or --dry-run to see what would be \
             loaded"
                .into(),
        ));
    }
    let stack = Stack::of(&command.stack)?;
    let connection = Connection::open(stack.local.as_ref())?;
    let sfn = aws_sdk_sfn::Client::new(&connection.config);
    let wait = |arn: &str| connection.runtime.block_on(follow(&sfn, arn));
    if let Some(arn) = &command.follow {
        return report(&wait(arn)?, arn, command.json);
    }

    let request = Request {
        what: what(command, stack.landing_bucket().as_deref())?,
        max_concurrency: command.max_concurrency,
        tolerated_failure_percentage: command.tolerate,
    };
    let machine = stack.backfill_machine()?;
    let start = |dry_run: bool| {
        let now = chrono::Utc::now();
        connection.runtime.block_on(request.start(&sfn, &machine, dry_run, now))
    };
    let arn = start(true)?;
    let estimate = wait(&arn)?;
    let planned = summary::of(&estimate)?;
    if command.dry_run || planned.planned_executions == 0 {
        return report(&estimate, &arn, command.json);
    }
    if !command.yes && !is_confirmed(&planned)? {
        return Ok(Outcome::Rejected);
    }
    if command.yes && !command.json {
        output::print(|out| print_text(&planned, out))?;
    }
    if command.yes && command.json {
        warnings(&planned.plan).for_each(output::complain);
    }
    let arn = start(false)?;
    output::complain(format!(
        "started {arn}; Ctrl-C leaves it running, and `landfall backfill --follow {arn}` follows \
         it again"
    ));
    report(&wait(&arn)?, &arn, command.json)
}

/// Prints what it came to.
fn report(ended: &Ended, arn: &str, json: bool) -> Result<Outcome, Failure> {
    let summary = summary::of(ended)?;
    output::print(|out| match json {
        true => print_json(&Report::of(arn, &ended.status, &summary), out),
        false => print_text(&summary, out),
    })?;
    Ok(outcome(&summary))
}

/// Shows the estimate, and asks. Only a yes is one.
fn is_confirmed(planned: &BackfillSummary) -> Result<bool, Failure> {
    let mut err = io::stderr().lock();
    print_text(planned, &mut err).map_err(Failure::Output)?;
    let executions = usize::try_from(planned.planned_executions).unwrap_or(usize::MAX);
    write!(err, "Start {}? [y/N] ", counted(executions, "execution"))
        .and_then(|()| err.flush())
        .map_err(Failure::Output)?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|source| Failure::Unreadable { path: "the answer".into(), source })?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
