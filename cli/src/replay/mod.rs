//! `landfall replay`: refused and failed files, loaded again under today's contracts.

pub(crate) mod contracts;
mod history;
mod plan;
mod start;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};

use landfall_catalog::Catalog;
use landfall_ledger::{ExecutionOwners, Ledger, State, Story};
use serde::Serialize;

use crate::Outcome;
use crate::arguments::{ReplayCommand, ReplayState};
use crate::connection::Connection;
use crate::failure::Failure;
use crate::files::shortened;
use crate::progress::Counter;
use crate::stack::Stack;
use crate::status::{counted, is_version, path_of, print_json};
use crate::{output, table};

use plan::{Candidate, LeftOut, Plan, Start};
use start::{Services, Started};

impl From<ReplayState> for State {
    fn from(state: ReplayState) -> Self {
        match state {
            ReplayState::Quarantined => Self::Quarantined,
            ReplayState::Rejected => Self::Rejected,
            ReplayState::Failed => Self::Failed,
        }
    }
}

/// Plans, asks, and starts.
pub(crate) fn run(command: &ReplayCommand) -> Result<Outcome, Failure> {
    let path = command.object.as_deref().map(path_of).transpose()?;
    if !command.dry_run && !command.yes && !asks_somebody() {
        return Err(Failure::Usage(
            "nobody is there to be asked: give --yes to start, or --dry-run to see what would be \
             started"
                .into(),
        ));
    }
    let stack = Stack::of(&command.stack)?;
    let state_machine_arn = stack.state_machine()?;
    let config_bucket = stack.config_bucket()?;
    let (table, job_name) = (stack.ledger()?, stack.glue_job()?);
    let database = stack.glue_database()?;
    let connection = Connection::open(stack.local.as_ref())?;
    let sfn = aws_sdk_sfn::Client::new(&connection.config);
    let glue = aws_sdk_glue::Client::new(&connection.config);
    let catalog = Catalog::new(glue.clone(), connection.s3());
    let services = Services {
        ledger: Ledger::new(aws_sdk_dynamodb::Client::new(&connection.config), table),
        owners: ExecutionOwners { sfn: sfn.clone(), glue, job_name },
        sfn,
        state_machine_arn,
    };
    let states = wanted_states(command);
    let plan = connection.runtime.block_on(async {
        let paths = select(&services.ledger, command, path.as_deref(), &states).await?;
        let documents = match paths.is_empty() {
            true => Vec::new(),
            false => contracts::read_all(&connection.s3(), &config_bucket).await?,
        };
        let (mut stories, mut left_out) = (Vec::new(), Vec::new());
        for versions in paths {
            let (taken, dropped) = plan::choose(versions, &states, &documents);
            stories.extend(taken);
            left_out.extend(dropped);
        }
        let asked = history::ask(&catalog, &database, &documents, stories).await?;
        let stories = asked.into_loadable(command.ignore_expired_snapshots, &mut left_out);
        let small = stack.lambda_engine_max_bytes().unwrap_or(plan::DEFAULT_SMALL_BYTES);
        let now = chrono::Utc::now();
        let mut plan = plan::plan(stories, &documents, &services.state_machine_arn, small, now);
        plan.left_out.extend(left_out);
        Ok::<_, Failure>(plan)
    })?;
    if command.dry_run || plan.starts.is_empty() {
        let report = Report::of_plan(&plan, command.dry_run);
        report.print(command.json)?;
        return Ok(report.outcome());
    }
    if !command.yes && !is_confirmed(&plan)? {
        return Ok(Outcome::Rejected);
    }
    let (report, failure) = connection.runtime.block_on(start_all(&services, plan));
    report.print(command.json)?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(report.outcome()),
    }
}

/// The states asked for, or all that can be replayed.
fn wanted_states(command: &ReplayCommand) -> Vec<State> {
    match command.states.as_slice() {
        [] => vec![State::Quarantined, State::Rejected, State::Failed],
        states => states.iter().map(|state| State::from(*state)).collect(),
    }
}

/// Of each file with a version in a state that is wanted, all versions, the newest first; of one
/// file the version asked for.
async fn select(
    ledger: &Ledger,
    command: &ReplayCommand,
    path: Option<&str>,
    states: &[State],
) -> Result<Vec<Vec<Story>>, Failure> {
    let paths: BTreeSet<String> = match (path, &command.dataset) {
        (Some(path), _) => BTreeSet::from([path.to_owned()]),
        (None, Some(dataset)) => {
            let waiting = Counter::new("reading the ledger", None);
            let stories = ledger.stories_of_dataset(dataset, None).await?;
            drop(waiting);
            let wanted = stories.into_iter().filter(|story| states.contains(&story.entry.state));
            wanted.map(|story| story.entry.key.path).collect()
        }
        (None, None) => BTreeSet::new(),
    };
    let mut selected = Vec::new();
    let counter = Counter::new("reading versions", Some(paths.len()));
    for path in paths {
        let mut versions = ledger.stories_of_path(&path).await?;
        if let Some(version) = &command.object_version {
            versions.retain(|story| is_version(&story.entry, version));
        }
        if versions.iter().any(|story| states.contains(&story.entry.state)) {
            selected.push(versions);
        }
        counter.advance();
    }
    Ok(selected)
}

fn asks_somebody() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Shows what is about to start, and asks. Only a yes is one.
fn is_confirmed(plan: &Plan) -> Result<bool, Failure> {
    let report = Report::of_plan(plan, true);
    let files = plan.starts.iter().map(|start| start.candidates.len()).sum();
    let mut err = io::stderr().lock();
    report.print_text(&mut err).map_err(Failure::Output)?;
    let executions = counted(plan.starts.len(), "execution");
    write!(err, "Start {executions} for {}? [y/N] ", counted(files, "file"))
        .and_then(|()| err.flush())
        .map_err(Failure::Output)?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|source| Failure::Unreadable { path: "the answer".into(), source })?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Starts one execution after the other, until one fails: what is told is what was done.
async fn start_all(services: &Services<ExecutionOwners>, plan: Plan) -> (Report, Option<Failure>) {
    let mut report = Report { left_out: shown(plan.left_out), ..Report::default() };
    let counter = Counter::new("starting executions", Some(plan.starts.len()));
    for planned in plan.starts {
        let dataset = planned.input.batch.dataset.clone();
        let contract = contract_of(&planned);
        match start::start(services, planned).await {
            Ok(Started { name, arn, candidates, left_out }) => {
                report.left_out.extend(shown(left_out));
                if !candidates.is_empty() {
                    let files = candidates.iter().map(ReplayedFile::of).collect();
                    report.executions.push(Replay { name, arn, dataset, contract, files });
                }
            }
            Err(failure) => return (report, Some(failure)),
        }
        counter.advance();
    }
    (report, None)
}

/// What was started, or would be.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    dry_run: bool,
    executions: Vec<Replay>,
    left_out: Vec<FileLeftOut>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replay {
    name: String,
    arn: String,
    dataset: String,
    contract: String,
    files: Vec<ReplayedFile>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplayedFile {
    path: String,
    version: String,
    state: &'static str,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FileLeftOut {
    path: String,
    version: String,
    reason: String,
    #[serde(skip)]
    is_problem: bool,
}

impl ReplayedFile {
    fn of(candidate: &Candidate) -> Self {
        let entry = &candidate.story.entry;
        Self {
            path: entry.key.path.clone(),
            version: entry.key.version.clone(),
            state: entry.state.name(),
            reason: entry.reason.clone(),
        }
    }
}

fn shown(left_out: Vec<LeftOut>) -> Vec<FileLeftOut> {
    let shown = |left: LeftOut| FileLeftOut {
        path: left.path,
        version: left.version,
        reason: left.reason,
        is_problem: left.is_problem,
    };
    left_out.into_iter().map(shown).collect()
}

fn contract_of(start: &Start) -> String {
    let contract = &start.input.batch.contract;
    format!("s3://{}/{}", contract.bucket, contract.key)
}

impl Report {
    fn of_plan(plan: &Plan, dry_run: bool) -> Self {
        let executions = plan.starts.iter().map(|start| Replay {
            name: start.owner.batch_id.clone(),
            arn: start.owner.execution_arn.clone(),
            dataset: start.input.batch.dataset.clone(),
            contract: contract_of(start),
            files: start.candidates.iter().map(ReplayedFile::of).collect(),
        });
        let executions = executions.collect();
        Self { dry_run, executions, left_out: shown(plan.left_out.clone()) }
    }

    fn outcome(&self) -> Outcome {
        let stuck = self.left_out.iter().any(|left| left.is_problem);
        if self.executions.is_empty() || stuck { Outcome::Rejected } else { Outcome::Accepted }
    }

    fn print(&self, json: bool) -> Result<(), Failure> {
        output::print(|out| match json {
            true => print_json(self, out),
            false => self.print_text(out),
        })
    }

    fn print_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for replay in &self.executions {
            let verb = if self.dry_run { "would start" } else { "started" };
            let files = counted(replay.files.len(), "file");
            writeln!(out, "{verb} {}: {files}, by {}", replay.name, replay.contract)?;
            let rows: Vec<[String; 4]> = replay.files.iter().map(ReplayedFile::row).collect();
            table::print(["  STATE", "FILE", "VERSION", "REASON"], &rows, out)?;
        }
        if !self.left_out.is_empty() {
            writeln!(out, "left out: {}", counted(self.left_out.len(), "file"))?;
            let rows: Vec<[String; 3]> = self.left_out.iter().map(FileLeftOut::row).collect();
            table::print(["  FILE", "VERSION", "WHY"], &rows, out)?;
        }
        if self.executions.is_empty() {
            writeln!(out, "nothing to replay")?;
        }
        Ok(())
    }
}

impl ReplayedFile {
    fn row(&self) -> [String; 4] {
        let reason = self.reason.as_deref().map(shortened).unwrap_or_default();
        [format!("  {}", self.state), self.path.clone(), self.version.clone(), reason]
    }
}

impl FileLeftOut {
    fn row(&self) -> [String; 3] {
        [format!("  {}", self.path), self.version.clone(), self.reason.clone()]
    }
}
