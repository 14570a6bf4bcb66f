//! The choice.

use landfall_contract::EnginePolicy;
use landfall_messages::{Engine, EngineChoice, Workload, WriteKind};

use crate::glue::{GlueLimits, Sizing};
use crate::lambda::{self, LambdaLimits};
use crate::words::{count, dollars, seconds, size};

/// What the choice depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
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
    /// The contract's `engine`.
    pub policy: EnginePolicy,
    /// What the Lambda engine has.
    pub lambda: LambdaLimits,
    /// What a Glue run may have.
    pub glue: GlueLimits,
}

/// The engine and why, in this order:
///
/// 1. what only Glue can do: look for repeated keys beyond the check's memory, delete the rows of
///    older versions, upsert;
/// 2. what the contract wants;
/// 3. Lambda where it fits: within the deployment's most bytes, and by estimate within
///    [its share](crate::figures::LAMBDA_MEMORY_SHARE) of the function's memory and
///    [of its time](crate::figures::LAMBDA_TIME_SHARE). Glue is never cheaper then: a run is
///    billed two DPUs for a minute at least, which buys more Lambda than its timeout lets run;
/// 4. else Glue.
pub fn choose_engine(facts: &Facts) -> EngineChoice {
    let workload = &facts.workload;
    let load = load_of(workload);
    let figures = || figures_of(facts);
    let glue = |reason: String| (Engine::Glue, reason);
    let (engine, reason) = if facts.keys_beyond_memory {
        glue(format!(
            "{load}: more keys that must be unique than the check has memory for, so Glue looks \
             for the ones that repeat"
        ))
    } else if facts.replaces_older > 0 {
        glue(format!(
            "{load}: {} of them replace older versions, whose rows only Glue can delete",
            facts.replaces_older
        ))
    } else if workload.write == WriteKind::Upsert {
        glue(match facts.policy {
            EnginePolicy::Lambda => {
                "the contract asks for the Lambda engine, but it upserts, which only Glue can do"
                    .to_owned()
            }
            _ => "the contract upserts, which only Glue can do".to_owned(),
        })
    } else {
        match (facts.policy, beyond_lambda(facts)) {
            (EnginePolicy::Glue, _) => {
                glue(format!("the contract asks for the Glue engine ({load}; {})", figures()))
            }
            (EnginePolicy::Lambda, None) => {
                (Engine::Lambda, format!("the contract asks for the Lambda engine ({load})"))
            }
            (EnginePolicy::Lambda, Some(why)) => (
                Engine::Lambda,
                format!("the contract asks for the Lambda engine, although {why} ({load})"),
            ),
            (EnginePolicy::Auto, Some(why)) => glue(format!("{load}: {why} ({})", figures())),
            (EnginePolicy::Auto, None) => {
                (Engine::Lambda, format!("{load}, fits the Lambda engine: {}", figures()))
            }
        }
    };
    EngineChoice { engine, reason, workload: Some(*workload) }
}

/// Why the Lambda engine will not do, if so.
fn beyond_lambda(facts: &Facts) -> Option<String> {
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
fn figures_of(facts: &Facts) -> String {
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

    fn facts(workload: Workload) -> Facts {
        Facts {
            workload,
            partitions: Some(1),
            keys_beyond_memory: false,
            replaces_older: 0,
            changes_schema: false,
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
            ("a schema change alone", Facts { changes_schema: true, ..small }, lambda, "fits"),
        ] {
            let choice = choose_engine(&facts);
            assert_eq!(choice.engine, engine, "{what}: {}", choice.reason);
            assert!(choice.reason.contains(words), "{what}: {}", choice.reason);
            assert_eq!(choice.workload, Some(facts.workload), "{what}");
        }
    }

    #[test]
    fn the_sentence_compares_both() {
        let choice = choose_engine(&facts(Workload { objects: 3, ..workload(12 * MB) }));
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
                let choice = choose_engine(&facts);
                if choice.engine == Engine::Lambda {
                    let lambda = lambda::estimate(&workload, Some(1), false, &facts.lambda);
                    let glue = Sizing::of(&workload, &facts.glue).estimate(&workload);
                    assert!(lambda.dollars < glue.dollars, "{lambda:?} {glue:?}");
                }
            }
        }
    }
}
