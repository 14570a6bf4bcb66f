//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::stack::StackOptions;

/// Checks files against their data contract, as Landfall does before it loads them, and tells
/// what became of those that were uploaded.
///
/// Exit codes: 0 accepted, 1 rejected (or a person must review it), 2 could not be checked. Of
/// what asks the pipeline: 0 settled or done, 1 not so or nothing found, 2 nobody could be asked.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check files against a contract
    Check(CheckCommand),
    /// Check contracts, or draft one
    Contract {
        #[command(subcommand)]
        command: ContractCommand,
    },
    /// Tell what became of an uploaded file, version by version
    Status(StatusCommand),
    /// List the files of a dataset, the one that changed last first
    Files(FilesCommand),
    /// Load refused or failed files again, under today's contracts
    Replay(ReplayCommand),
    /// Load files that are in the bucket already, with an estimate first
    Backfill(BackfillCommand),
    /// Write down again what the table says was committed
    RebuildLedger(RebuildCommand),
    /// Print a completion script for a shell
    ///
    /// For instance: landfall completions bash > ~/.local/share/bash-completion/completions/landfall
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// `landfall check`.
#[derive(Debug, Args)]
pub(crate) struct CheckCommand {
    /// Files: paths, s3://bucket/key, or - for standard input
    ///
    /// Several files are one batch: a key that must be unique occurs once in all of them.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,

    /// The contract: an Open Data Contract Standard document, a path or s3://bucket/key
    #[arg(short, long, value_name = "CONTRACT")]
    pub(crate) contract: String,

    /// Put VALUE where the contract says NAME, for contracts that are filled in on deployment
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) substitutions: Vec<String>,

    /// What to print
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Bad values to show for each column and rule; totals are exact whatever it is
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) examples: usize,

    /// Memory for keys that must be unique, in MiB; beyond it the file cannot be checked
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub(crate) key_memory: usize,

    /// Show no progress bar, which is shown for large files on a terminal
    #[arg(long)]
    pub(crate) no_progress: bool,
}

/// What `landfall check` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, with the bad lines in context
    Text,
    /// One JSON document
    Json,
    /// JUnit XML, for CI systems
    Junit,
    /// GitHub workflow commands, which annotate the lines of a pull request
    Github,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContractCommand {
    /// Check contracts, also against each other: no two may claim the same file
    Lint(LintCommand),
    /// Draft a contract from a sample file
    Infer(InferCommand),
}

/// `landfall contract lint`.
#[derive(Debug, Args)]
pub(crate) struct LintCommand {
    /// Contracts: Open Data Contract Standard documents, YAML or JSON
    #[arg(required = true, value_name = "CONTRACT")]
    pub(crate) contracts: Vec<PathBuf>,

    /// Put VALUE where the contracts say NAME, for contracts that are filled in on deployment
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) substitutions: Vec<String>,

    /// What to print
    #[arg(short, long, value_enum, default_value_t = LintFormat::Text)]
    pub(crate) format: LintFormat,
}

/// What `landfall contract lint` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintFormat {
    /// For people and editors: path:line:column: place: reason
    Text,
    /// One JSON document
    Json,
    /// GitHub workflow commands
    Github,
}

/// `landfall contract infer`.
#[derive(Debug, Args)]
pub(crate) struct InferCommand {
    /// The sample: a path, s3://bucket/key, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    /// Name of the dataset and its table; default: the file's name
    #[arg(short, long)]
    pub(crate) name: Option<String>,

    /// Where such files will land
    #[arg(short, long, value_name = "S3_LOCATION")]
    pub(crate) location: Option<String>,
}

/// `landfall status`.
#[derive(Debug, Args)]
pub(crate) struct StatusCommand {
    /// The file: s3://bucket/key
    #[arg(value_name = "S3_ADDRESS")]
    pub(crate) object: String,

    /// This version alone: S3's version id
    #[arg(long = "version", value_name = "VERSION")]
    pub(crate) object_version: Option<String>,

    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) stack: StackOptions,
}

/// States of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileState {
    /// Its event arrived
    Received,
    /// An execution is loading it
    Claimed,
    /// Its rows are in the table
    Committed,
    /// It was refused and copied to the quarantine
    Quarantined,
    /// It was refused and there was nothing to copy
    Rejected,
    /// Its rows were not loaded again
    Duplicate,
    /// Its execution failed
    Failed,
}

/// `landfall files`.
#[derive(Debug, Args)]
pub(crate) struct FilesCommand {
    /// The dataset: the table's name, or unclaimed for files that no contract claimed
    #[arg(short, long)]
    pub(crate) dataset: String,

    /// Only what changed since: 90s, 30m, 24h, 7d, or a time as 2026-11-21T08:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,

    /// Only files in this state; more than one if need be
    #[arg(long = "state", value_enum, value_name = "STATE", value_delimiter = ',')]
    pub(crate) states: Vec<FileState>,

    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) stack: StackOptions,
}

/// States that a replay starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplayState {
    /// Refused and copied to the quarantine
    Quarantined,
    /// Refused, and there was nothing to copy
    Rejected,
    /// Its execution failed
    Failed,
}

/// `landfall replay`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct ReplayCommand {
    /// One file: s3://bucket/key
    #[arg(value_name = "S3_ADDRESS", group = "what")]
    pub(crate) object: Option<String>,

    /// All files of a dataset; unclaimed for those that no contract claimed
    #[arg(short, long, group = "what")]
    pub(crate) dataset: Option<String>,

    /// Only files in this state; without it quarantined, rejected and failed
    #[arg(long = "state", value_enum, value_name = "STATE", value_delimiter = ',')]
    pub(crate) states: Vec<ReplayState>,

    /// This version of the file, S3's version id; without it the newest one, and older ones that
    /// failed where the contract adds the rows of each
    #[arg(long = "version", value_name = "VERSION", requires = "object")]
    pub(crate) object_version: Option<String>,

    /// Load files also where snapshots of the table have expired that might have had their rows
    #[arg(long)]
    pub(crate) ignore_expired_snapshots: bool,

    /// Print what would be started, and start nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) stack: StackOptions,
}

/// `landfall backfill`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("list").required(true))]
pub(crate) struct BackfillCommand {
    /// The files: s3://bucket/prefix in the landing bucket
    #[arg(value_name = "S3_PREFIX", group = "list")]
    pub(crate) address: Option<String>,

    /// The files of an S3 inventory of the landing bucket: s3://bucket/key of its manifest.json,
    /// under inventory/ of the config bucket
    #[arg(long, value_name = "S3_ADDRESS", group = "list")]
    pub(crate) manifest: Option<String>,

    /// Follow a backfill that was started before, and print its summary
    #[arg(long, value_name = "EXECUTION_ARN", group = "list")]
    pub(crate) follow: Option<String>,

    /// Count and estimate, and start nothing
    #[arg(long, conflicts_with = "follow")]
    pub(crate) dry_run: bool,

    /// Executions at one time, at most
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) max_concurrency: u32,

    /// Go on until more than so many percent of the executions have failed
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percentage)]
    pub(crate) tolerate: f64,

    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) stack: StackOptions,
}

fn percentage(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.trim_end_matches('%').trim_end().parse().ok();
    number
        .filter(|number| (0.0..=100.0).contains(number))
        .ok_or_else(|| "write a number from 0 to 100".to_owned())
}

/// `landfall rebuild-ledger`.
#[derive(Debug, Args)]
pub(crate) struct RebuildCommand {
    /// The dataset: the table's name
    #[arg(short, long)]
    pub(crate) dataset: String,

    /// Where else files of the dataset lie, or lay, than where its contract says: s3://bucket/prefix
    #[arg(long = "location", value_name = "S3_PREFIX")]
    pub(crate) locations: Vec<String>,

    /// Print what would be written, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) stack: StackOptions,
}
