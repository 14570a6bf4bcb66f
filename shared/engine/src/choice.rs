//! The choice.

use std::fmt;

use landfall_contract::EnginePolicy;
use landfall_messages::{Engine, EngineChoice, Workload, WriteKind};

use crate::glue::{GlueLimits, Sizing};
use crate::lambda::{self, LambdaLimits};
use crate::words::{count, dollars, seconds, size};

/// What the choice depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// What there is to load: bytes stored and after decompression, objects, rows, format, write
    /// mode.
    pub workload: Workload,
    /// Partitions that the rows fall into, when it is known.
    pub partitions: Option<u64>,
    /// Whether a file has more keys that must be unique than the check has memory for.
    pub keys_beyond_memory: bool,
    /// Objects that replace older versions of theirs, whose rows have to leave the table.
    pub replaces_older: usize,
    /// Whether the table's schema is changed before the load. Neither engine rewrites anything
    /// for that, so it takes time and does not decide.
    pub changes_schema: bool,
    /// A column of the rows or the table that has a time of day, which Spark cannot write
    /// ([`landfall_contract::time_of_day_column`]).
    pub time_of_day: Option<&'a str>,
    /// The contract's `engine`.
    pub policy: EnginePolicy,
    /// What the Lambda engine has.
    pub lambda: LambdaLimits,
    /// What a Glue run may have.
    pub glue: GlueLimits,
}

/// No engine loads the batch: the Lambda engine for this reason, and Glue for a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoEngine {
    /// How many files, and how large.
    load: String,
    /// What the Lambda engine lacks.
    reason: String,
    /// The column.
    column: String,
    /// What to do, but for the column's type.
    advice: &'static str,
}

impl fmt::Display for NoEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { load, reason, column, advice } = self;
        write!(
            f,
            "{load}: {reason}; and Glue cannot load them, because the column {column} has a time \
             of day, which Spark cannot write. {advice}, or make the column a timestamp or a \
             string, in a new table"
        )
    }
}

impl std::error::Error for NoEngine {}

/// What helps when less at a time would do.
const UPLOAD_LESS: &str = "Upload smaller files, or fewer at a time";

/// What helps when size is not the reason.
const DROP_THE_COLUMN: &str = "Take the column out of the table";

/// The engine and why, in this order:
///
/// 1. what only Glue can do: look for repeated keys beyond the check's memory, delete the rows of
///    older versions, upsert;
/// 2. what only the Lambda engine can do: write times of day;
/// 3. what the contract wants;
/// 4. Lambda where it fits: within the deployment's most bytes, and by estimate within
///    [its share](crate::figures::LAMBDA_MEMORY_SHARE) of the function's memory and
///    [of its time](crate::figures::LAMBDA_TIME_SHARE). Glue is never cheaper then: a run is
///    billed two DPUs for a minute at least, which buys more Lambda than its timeout lets run;
/// 5. else Glue.
///
/// # Errors
/// [`NoEngine`] when only Glue could do it, and a column has a time of day.
pub fn choose_engine(facts: &Facts<'_>) -> Result<EngineChoice, NoEngine> {
    let workload = &facts.workload;
    // Where there is nothing to load, nothing is in the way.
    let time_of_day = facts.time_of_day.filter(|_| workload.objects > 0);
    let no_engine = |column: &str, reason: String, advice: &'static str| {
        let (load, column) = (load_of(workload), column.to_owned());
        Err(NoEngine { load, reason, column, advice })
    };
    let (engine, reason) = match (only_glue(facts), time_of_day) {
        (Some(only), Some(column)) => return no_engine(column, only.reason, only.advice),
        (Some(only), None) => (Engine::Glue, only.sentence),
        (None, Some(column)) => match (facts.policy, beyond_lambda(facts)) {
            (EnginePolicy::Auto | EnginePolicy::Glue, Some(why)) => {
                return no_engine(column, why, UPLOAD_LESS);
            }
            (EnginePolicy::Auto | EnginePolicy::Glue, None) => {
                (Engine::Lambda, by_lambda_alone(facts, column))
            }
            (EnginePolicy::Lambda, why) => (Engine::Lambda, as_wished(workload, why)),
        },
        (None, None) => by_wish_or_size(facts),
    };
    Ok(EngineChoice { engine, reason, workload: Some(*workload) })
}

/// What only Glue can do of a batch.
struct OnlyGlue {
    /// The sentence of the choice.
    sentence: String,
    /// What the Lambda engine lacks.
    reason: String,
    /// What to do where Glue cannot.
    advice: &'static str,
}

fn only_glue(facts: &Facts<'_>) -> Option<OnlyGlue> {
    let workload = &facts.workload;
    let load = load_of(workload);
    if facts.keys_beyond_memory {
        let reason = "more keys that must be unique than the check has memory for".to_owned();
        let sentence = format!("{load}: {reason}, so Glue looks for the ones that repeat");
        Some(OnlyGlue { sentence, reason, advice: UPLOAD_LESS })
    } else if facts.replaces_older > 0 {
        let reason = format!(
            "{} of them replace older versions, whose rows only Glue can delete",
            facts.replaces_older
        );
        Some(OnlyGlue { sentence: format!("{load}: {reason}"), reason, advice: DROP_THE_COLUMN })
    } else if workload.write == WriteKind::Upsert {
        let reason = "the contract upserts, which only Glue can do".to_owned();
        let sentence = match facts.policy {
            EnginePolicy::Lambda => {
                "the contract asks for the Lambda engine, but it upserts, which only Glue can do"
                    .to_owned()
            }
            _ => reason.clone(),
        };
        Some(OnlyGlue { sentence, reason, advice: DROP_THE_COLUMN })
    } else {
        None
    }
}

/// Why the Lambda engine loads what Glue was wished for, or might have been chosen for.
fn by_lambda_alone(facts: &Facts<'_>, column: &str) -> String {
    let load = load_of(&facts.workload);
    let why = format!("the column {column} has a time of day, which Spark cannot write");
    match facts.policy {
        EnginePolicy::Glue => {
            format!("the contract asks for the Glue engine, but {why} ({load})")
        }
        _ => format!("{load}, fits the Lambda engine, and {why}"),
    }
}

/// What the contract that asks for the Lambda engine is told.
fn as_wished(workload: &Workload, beyond: Option<String>) -> String {
    let load = load_of(workload);
    match beyond {
        None => format!("the contract asks for the Lambda engine ({load})"),
        Some(why) => format!("the contract asks for the Lambda engine, although {why} ({load})"),
    }
}

/// The choice where both engines could.
fn by_wish_or_size(facts: &Facts<'_>) -> (Engine, String) {
    let load = load_of(&facts.workload);
    let figures = || figures_of(facts);
    match (facts.policy, beyond_lambda(facts)) {
        (EnginePolicy::Glue, _) => {
            let reason = format!("the contract asks for the Glue engine ({load}; {})", figures());
            (Engine::Glue, reason)
        }
        (EnginePolicy::Lambda, why) => (Engine::Lambda, as_wished(&facts.workload, why)),
        (EnginePolicy::Auto, Some(why)) => (Engine::Glue, format!("{load}: {why} ({})", figures())),
        (EnginePolicy::Auto, None) => {
            (Engine::Lambda, format!("{load}, fits the Lambda engine: {}", figures()))
        }
    }
}

/// Why the Lambda engine will not do, if so.
fn beyond_lambda(facts: &Facts<'_>) -> Option<String> {
    let Facts { workload, partitions, lambda, .. } = facts;
    if workload.bytes > lambda.max_bytes {
        return Some(format!(
            "more than the {} that the Lambda engine takes",
            size(lambda.max_bytes)
        ));
    }
    let memory = lambda::memory_bytes(workload, *partitions);
    if memory > lambda.memory_bytes() {
        let files = match partitions {
            Some(known) => format!("{known} partitions"),
            None => "a number of partitions that is not known".to_owned(),
        };
        return Some(format!(
            "with {files} the Lambda engine would need {} of memory, more than the {} that it may \
             plan with",
            size(memory as u64),
            size(lambda.memory_bytes() as u64)
        ));
    }
    let time = lambda::estimate(workload, *partitions, facts.changes_schema, lambda).seconds;
    (time > lambda.seconds()).then(|| {
        format!(
            "the Lambda engine would need {}, more than the {} that it may plan with",
            seconds(time),
            seconds(lambda.seconds())
        )
    })
}

/// `5 files, 1.2 GiB`, with the bytes after decompression.
fn load_of(workload: &Workload) -> String {
    let load = format!("{}, {}", count(workload.objects, "file"), size(workload.stored_bytes));
    if workload.bytes > workload.stored_bytes {
        format!("{load} ({} uncompressed)", size(workload.bytes))
    } else {
        load
    }
}

/// What both would take, in words.
fn figures_of(facts: &Facts<'_>) -> String {
    let workload = &facts.workload;
    let lambda = lambda::estimate(workload, facts.partitions, facts.changes_schema, &facts.lambda);
    let memory = lambda::memory_bytes(workload, facts.partitions);
    let sizing = Sizing::of(workload, &facts.glue);
    let glue = sizing.estimate(workload);
    format!(
        "about {}, {} and {} of memory there, {} and {} with {} Glue workers",
        seconds(lambda.seconds),
        dollars(lambda.dollars),
        size(memory as u64),
        seconds(glue.seconds),
        dollars(glue.dollars),
        sizing.workers
    )
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use landfall_messages::{FileFormat, Latency};

    /// One CSV file to append, of rows of 100 bytes.
    pub(crate) fn workload(bytes: u64) -> Workload {
        Workload {
            objects: 1,
            stored_bytes: bytes,
            bytes,
            largest_bytes: bytes,
            rows: bytes / 100,
            format: FileFormat::Csv,
            write: WriteKind::Append,
            latency: Latency::Prompt,
        }
    }

    const MB: u64 = 1_000_000;

    fn facts(workload: Workload) -> Facts<'static> {
        Facts {
            workload,
            partitions: Some(1),
            keys_beyond_memory: false,
            replaces_older: 0,
            changes_schema: false,
            time_of_day: None,
            policy: EnginePolicy::Auto,
            lambda: LambdaLimits { max_bytes: u64::MAX, memory_mib: 1769, timeout_seconds: 900 },
            glue: GlueLimits { max_workers: 10 },
        }
    }

    #[test]
    fn the_rule() {
        let small = facts(workload(MB));
        let upsert = Workload { write: WriteKind::Upsert, ..workload(MB) };
        let replace = Workload { write: WriteKind::Replace, ..workload(MB) };
        let compressed = Workload { stored_bytes: 200 * MB, ..workload(200_000 * MB) };
        let small_lambda = LambdaLimits { memory_mib: 128, ..small.lambda };
        let short_lambda = LambdaLimits { timeout_seconds: 6, ..small.lambda };
        let limited = LambdaLimits { max_bytes: MB, ..small.lambda };
        let (lambda, glue) = (Engine::Lambda, Engine::Glue);
        for (what, facts, engine, words) in [
            ("small", small, lambda, "fits the Lambda engine"),
            ("keys", Facts { keys_beyond_memory: true, ..small }, glue, "more keys"),
            (
                "keys beat the contract",
                Facts { keys_beyond_memory: true, policy: EnginePolicy::Lambda, ..small },
                glue,
                "more keys",
            ),
            ("older", Facts { replaces_older: 1, ..small }, glue, "1 of them replace older"),
            ("first versions", facts(replace), lambda, "fits"),
            ("upsert", facts(upsert), glue, "upserts"),
            (
                "upsert beats the contract",
                Facts { policy: EnginePolicy::Lambda, ..facts(upsert) },
                glue,
                "asks for the Lambda engine, but it upserts",
            ),
            (
                "contract: Glue",
                Facts { policy: EnginePolicy::Glue, ..small },
                glue,
                "asks for the Glue engine",
            ),
            (
                "contract: Lambda",
                Facts { policy: EnginePolicy::Lambda, ..facts(workload(1 << 40)) },
                lambda,
                "asks for the Lambda engine, although the Lambda engine would need",
            ),
            ("at the limit", Facts { lambda: limited, ..small }, lambda, "fits"),
            (
                "beyond the limit",
                Facts { lambda: limited, ..facts(workload(MB + 1)) },
                glue,
                "more than the 976.6 KiB that the Lambda engine takes",
            ),
            ("too long", facts(workload(100_000 * MB)), glue, "min, more than the 450 s"),
            ("what comes out counts", facts(compressed), glue, "(186.3 GiB uncompressed)"),
            (
                "a short timeout",
                Facts { lambda: short_lambda, ..facts(workload(100 * MB)) },
                glue,
                "more than the 3.0 s",
            ),
            (
                "many partitions",
                Facts { partitions: Some(1000), ..facts(workload(8000 * MB)) },
                glue,
                "with 1000 partitions",
            ),
            ("few partitions", facts(workload(8000 * MB)), lambda, "fits"),
            (
                "partitions not known",
                Facts { partitions: None, lambda: small_lambda, ..facts(workload(900 * MB)) },
                glue,
                "not known",
            ),
            (
                "times of day",
                Facts { time_of_day: Some("clock"), ..small },
                lambda,
                "fits the Lambda engine, and the column clock has a time of day, which Spark",
            ),
            (
                "times of day beat the contract",
                Facts { time_of_day: Some("clock"), policy: EnginePolicy::Glue, ..small },
                lambda,
                "asks for the Glue engine, but the column clock has a time of day",
            ),
            (
                "times of day, and the contract takes the risk",
                Facts {
                    time_of_day: Some("clock"),
                    policy: EnginePolicy::Lambda,
                    ..facts(workload(1 << 40))
                },
                lambda,
                "although the Lambda engine would need",
            ),
            (
                "nothing to upsert",
                Facts {
                    time_of_day: Some("clock"),
                    ..facts(Workload { objects: 0, write: WriteKind::Upsert, ..workload(0) })
                },
                glue,
                "upserts",
            ),
            ("a schema change alone", Facts { changes_schema: true, ..small }, lambda, "fits"),
        ] {
            let choice = choose_engine(&facts).unwrap();
            assert_eq!(choice.engine, engine, "{what}: {}", choice.reason);
            assert!(choice.reason.contains(words), "{what}: {}", choice.reason);
            assert_eq!(choice.workload, Some(facts.workload), "{what}");
        }
    }

    #[test]
    fn no_engine_loads_times_of_day_that_are_glues_to_load() {
        let small = Facts { time_of_day: Some("clock"), ..facts(workload(MB)) };
        let upsert = Workload { write: WriteKind::Upsert, ..workload(MB) };
        let (less, column) = ("Upload smaller files", "Take the column out of the table");
        for (facts, why, advice) in [
            (Facts { keys_beyond_memory: true, ..small }, "more keys that must be unique", less),
            (Facts { replaces_older: 2, ..small }, "2 of them replace older versions", column),
            (Facts { workload: upsert, ..small }, "the contract upserts", column),
            (Facts { workload: workload(1 << 40), ..small }, "would need", less),
            (
                Facts { workload: workload(1 << 40), policy: EnginePolicy::Glue, ..small },
                "would need",
                less,
            ),
            (
                Facts { lambda: LambdaLimits { max_bytes: 1, ..small.lambda }, ..small },
                "more than the 1 bytes that the Lambda engine takes",
                less,
            ),
        ] {
            let error = choose_engine(&facts).unwrap_err().to_string();
            assert!(error.starts_with("1 file, "), "{error}");
            for part in [why, advice, "because the column clock has a time of day"] {
                assert!(error.contains(part), "{part}: {error}");
            }
        }
    }

    #[test]
    fn the_sentence_compares_both() {
        let choice = choose_engine(&facts(Workload { objects: 3, ..workload(12 * MB) })).unwrap();
        for part in [
            "3 files, 11.4 MiB",
            "11.4 MiB, fits the Lambda engine: about ",
            "of memory there",
            "2 Glue workers",
        ] {
            assert!(choice.reason.contains(part), "{part}: {}", choice.reason);
        }
    }

    /// What the rule leans on when it does not compare dollars.
    #[test]
    fn whatever_fits_the_lambda_engine_costs_more_on_glue() {
        for megabytes in [0, 1, 10, 100, 1000, 5_000, 10_000, 13_000] {
            for objects in [1, 10, 100, 250] {
                let workload = Workload { objects, ..workload(megabytes * MB) };
                let facts = facts(workload);
                let choice = choose_engine(&facts).unwrap();
                if choice.engine == Engine::Lambda {
                    let lambda = lambda::estimate(&workload, Some(1), false, &facts.lambda);
                    let glue = Sizing::of(&workload, &facts.glue).estimate(&workload);
                    assert!(lambda.dollars < glue.dollars, "{lambda:?} {glue:?}");
                }
            }
        }
    }
}
