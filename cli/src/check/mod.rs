//! `landfall check`.

pub(crate) mod context;

use std::time::Instant;

use landfall_check::{
    CheckPlan, ChunkSource, FeedError, FileCheck, KeysChecked, Options, ReportOnly, SeenKeys,
    Wants, compare, decide, file_columns,
};
use landfall_contract::{Contract, Format, Source};
use landfall_messages::NotEnforced;

use crate::Outcome;
use crate::arguments::{CheckCommand, Format as OutputFormat};
use crate::contract::read_contract;
use crate::failure::Failure;
use crate::input::{Input, Location, S3};
use crate::output;
use crate::progress::Progress;
use crate::report::{self, CheckReport, CheckedFile, Finding};

/// Bad values that people are shown of a file, unless they ask for more of each rule.
const SHOWN: usize = 20;

/// Endings that come after the one that says the format.
const COMPRESSED: [&str; 3] = [".gz", ".zst", ".bz2"];

/// Checks every file, prints the report, and says what it came to.
pub(crate) fn run(command: &CheckCommand) -> Result<Outcome, Failure> {
    let s3 = S3::default();
    let inputs = command.files.iter().chain([&command.contract]);
    if inputs.filter(|name| *name == "-").count() > 1 {
        return Err(Failure::Usage("standard input can be read once: name - once".into()));
    }
    let contract = match read_contract(&command.contract, &command.substitutions, &s3) {
        Ok(contract) => contract,
        Err(failure) => return nothing_checked(command, failure),
    };
    let mut files = Vec::with_capacity(command.files.len());
    let mut keys = SeenKeys::default();
    for path in &command.files {
        let result = check_file(command, &contract, path, &s3, &mut keys);
        files.push(CheckedFile {
            path: path.clone(),
            result: result.map_err(|failure| failure.to_string()),
        });
    }
    let not_enforced = contract
        .not_enforced
        .iter()
        .map(|(path, reason)| NotEnforced { path: path.clone(), reason: reason.clone() })
        .collect();
    let report = CheckReport {
        contract: command.contract.clone(),
        unusable: None,
        files,
        not_enforced,
        max_shown: max_shown(command),
    };
    output::print(|out| report::print(&report, command.format, out))?;
    Ok(report.outcome())
}

/// Says of every file that it was not checked, where a program reads the report; people read
/// why on standard error.
fn nothing_checked(command: &CheckCommand, failure: Failure) -> Result<Outcome, Failure> {
    let reason = failure.to_string();
    if command.format != OutputFormat::Text {
        let files = command
            .files
            .iter()
            .map(|path| CheckedFile { path: path.clone(), result: Err(reason.clone()) });
        let report = CheckReport {
            contract: command.contract.clone(),
            files: files.collect(),
            not_enforced: Vec::new(),
            max_shown: 0,
            unusable: Some(reason),
        };
        output::print(|out| report::print(&report, command.format, out))?;
    }
    Err(failure)
}

/// Bad values of a file that people are shown.
fn max_shown(command: &CheckCommand) -> usize {
    command.examples.max(SHOWN)
}

fn check_file(
    command: &CheckCommand,
    contract: &Contract,
    path: &str,
    s3: &S3,
    keys: &mut SeenKeys,
) -> Result<Finding, Failure> {
    let started = Instant::now();
    let location = Location::of(path)?;
    let source = source_of(contract, &location)?;
    let mut input = Input::open(&location, s3)?;
    if matches!(source.format, Format::Parquet) {
        input.has_an_end()?;
    }
    let plan = CheckPlan {
        compression: source.compression,
        size: input.bytes(),
        options: Options {
            max_details: command.examples.max(Options::default().max_details),
            max_details_per_rule: command.examples,
            max_key_bytes: command.key_memory.saturating_mul(1 << 20),
            ..Options::default()
        },
        keys: std::mem::take(keys),
        ..CheckPlan::new(contract, &source.format)
    };
    let mut check = FileCheck::new(plan).map_err(|error| Failure::Contract {
        path: command.contract.clone(),
        problems: error.to_string(),
    })?;
    let progress = Progress::new(path, input.bytes(), !command.no_progress);
    let read = feed(&mut check, &mut input, &progress);
    drop(progress);
    let Ok(mut report) = check.finish(&mut ReportOnly);
    if let Err(failure) = read {
        *keys = std::mem::take(&mut report.seen_keys);
        keys.discard();
        return Err(failure);
    }
    let drift = match file_columns(&report) {
        Some(columns) => compare(&columns, contract, None),
        None => Default::default(),
    };
    let decision = decide(&report, &drift, &contract.policy);
    // The next file of the batch is held against the keys of the files before it.
    *keys = std::mem::take(&mut report.seen_keys);
    if decision.may_load() {
        keys.commit();
    } else {
        keys.discard();
    }
    // What is refused anyway is refused whatever its keys are.
    if let KeysChecked::Beyond { rows } = report.keys
        && decision.may_load()
    {
        return Err(Failure::Usage(format!(
            "the keys of its first {rows} rows fill the {} MiB of --key-memory, so uniqueness \
             cannot be checked; allow more",
            command.key_memory
        )));
    }
    let again = input.is_there_again();
    drop(input);
    let excerpts = if again && command.format == OutputFormat::Text {
        context::excerpts(contract, source, &location, s3, &report, max_shown(command))
    } else {
        Vec::new()
    };
    Ok(Finding {
        verdict: decision.verdict,
        reason: decision.reason,
        message: decision.message,
        changes: drift.changes().cloned().collect(),
        excerpts,
        report,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// Gives the check what it wants until it has it.
fn feed(check: &mut FileCheck, input: &mut Input<'_>, progress: &Progress) -> Result<(), Failure> {
    let sink = &mut ReportOnly;
    loop {
        match check.wants() {
            Wants::Nothing => break,
            Wants::Stream if check.codec().is_some() => {
                let mut source = Read { input, progress };
                match check.feed_beside(&mut source, sink) {
                    Ok(()) => break,
                    Err(FeedError::Source(failure)) => return Err(failure),
                    Err(FeedError::Sink(never)) => match never {},
                }
            }
            Wants::Stream => {
                let Some(chunk) = input.next_chunk()? else { break };
                progress.advance(chunk.len());
                let Ok(()) = check.feed(chunk, sink);
            }
            Wants::Ranges(ranges) => {
                let bytes = input.read_ranges(&ranges)?;
                progress.advance(bytes.iter().map(|bytes| bytes.len()).sum());
                let Ok(()) = check.supply(&ranges, bytes, sink);
            }
        }
    }
    Ok(())
}

/// What is read of a compressed file, by the thread that decompresses it.
struct Read<'a, 'b> {
    input: &'a mut Input<'b>,
    progress: &'a Progress,
}

impl ChunkSource for Read<'_, '_> {
    type Error = Failure;

    fn next_chunk(&mut self) -> Result<Option<&[u8]>, Failure> {
        let chunk = self.input.next_chunk()?;
        self.progress.advance(chunk.map_or(0, <[u8]>::len));
        Ok(chunk)
    }
}

/// Which server of the contract says how the file is written: the one that claims the object,
/// else the only one, else the one whose format the file's name ends in.
fn source_of<'a>(contract: &'a Contract, location: &Location) -> Result<&'a Source, Failure> {
    if let Location::Object { bucket, key } = location
        && let Some(source) = contract.source_of(bucket, key)
    {
        return Ok(source);
    }
    let name = location.name().to_lowercase();
    let name = COMPRESSED
        .iter()
        .fold(name.as_str(), |name, ending| name.strip_suffix(ending).unwrap_or(name));
    let ends_in = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let fits = |source: &&Source| match &source.format {
        Format::Csv(csv) if csv.delimiter == b'\t' => ends_in(&[".tsv", ".tab"]),
        Format::Csv(_) => ends_in(&[".csv"]),
        Format::Json(_) => ends_in(&[".json", ".jsonl", ".ndjson"]),
        Format::Parquet => ends_in(&[".parquet"]),
        Format::Avro => ends_in(&[".avro"]),
    };
    let is_text =
        |source: &&Source| matches!(source.format, Format::Csv(_)) && ends_in(&[".tsv", ".txt"]);
    match contract.sources.as_slice() {
        [] => Err(Failure::Usage("the contract has no server of type s3".into())),
        [only] => Ok(only),
        [first, ..] => {
            let mut sources = contract.sources.iter();
            Ok(sources.clone().find(fits).or_else(|| sources.find(is_text)).unwrap_or(first))
        }
    }
}
