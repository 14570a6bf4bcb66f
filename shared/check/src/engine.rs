//! Which engine loads a batch.

use landfall_contract::{EnginePolicy, WriteMode};
use landfall_messages::{Engine, EngineChoice};

/// What the choice depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Bytes to load.
    pub bytes: u64,
    /// Objects to load.
    pub objects: usize,
    /// Whether a file has more keys that must be unique than the check has memory for.
    pub keys_beyond_memory: bool,
    /// Objects that take the place of older versions of their keys, whose rows may be in the
    /// table.
    pub replaces_older: usize,
    /// The contract's `writeMode`.
    pub write_mode: WriteMode,
    /// The contract's `engine`.
    pub policy: EnginePolicy,
    /// Most bytes that `iceberg-append` is given when the contract leaves the choice.
    pub max_lambda_bytes: u64,
}

/// The engine and why, in this order: what only Glue can do, what the contract wants, size.
pub fn choose_engine(facts: &Facts) -> EngineChoice {
    let files = if facts.objects == 1 { "1 file" } else { &format!("{} files", facts.objects) };
    let load = format!("{files}, {}", size(facts.bytes));
    let limit = size(facts.max_lambda_bytes);
    if facts.keys_beyond_memory {
        let reason = format!(
            "{load}: more keys that must be unique than the check has memory for, so Glue looks \
             for the ones that repeat"
        );
        return EngineChoice { engine: Engine::Glue, reason };
    }
    if facts.replaces_older > 0 {
        let (replacing, versions) = match facts.replaces_older {
            1 => ("1 of them takes".to_owned(), "an older version"),
            count => (format!("{count} of them take"), "older versions"),
        };
        let reason = format!(
            "{load}: {replacing} the place of {versions}, whose rows only Glue can take out of the \
             table"
        );
        return EngineChoice { engine: Engine::Glue, reason };
    }
    let (engine, reason) = match (facts.write_mode, facts.policy) {
        (WriteMode::Upsert, EnginePolicy::Lambda) => (
            Engine::Glue,
            "the contract asks for the Lambda engine, but it upserts, which only Glue can do"
                .to_owned(),
        ),
        (WriteMode::Upsert, _) => {
            (Engine::Glue, "the contract upserts, which only Glue can do".to_owned())
        }
        (_, EnginePolicy::Lambda) => {
            (Engine::Lambda, format!("the contract asks for the Lambda engine ({load})"))
        }
        (_, EnginePolicy::Glue) => {
            (Engine::Glue, format!("the contract asks for the Glue engine ({load})"))
        }
        (_, EnginePolicy::Auto) if facts.bytes > facts.max_lambda_bytes => {
            (Engine::Glue, format!("{load}: more than the {limit} that the Lambda engine takes"))
        }
        (_, EnginePolicy::Auto) => {
            (Engine::Lambda, format!("{load}: within the {limit} that the Lambda engine takes"))
        }
    };
    EngineChoice { engine, reason }
}

/// Bytes for people: `512 bytes`, `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // A value that would be shown as 1024.0 belongs to the next unit.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(bytes: u64, write_mode: WriteMode, policy: EnginePolicy) -> (Engine, String) {
        let facts = Facts {
            bytes,
            objects: 2,
            keys_beyond_memory: false,
            replaces_older: 0,
            write_mode,
            policy,
            max_lambda_bytes: 1 << 20,
        };
        let choice = choose_engine(&facts);
        (choice.engine, choice.reason)
    }

    #[test]
    fn size_decides_where_the_contract_leaves_the_choice() {
        let (engine, reason) = choose(1 << 20, WriteMode::Append, EnginePolicy::Auto);
        assert_eq!(engine, Engine::Lambda);
        assert_eq!(reason, "2 files, 1.0 MiB: within the 1.0 MiB that the Lambda engine takes");
        let (engine, reason) = choose((1 << 20) + 1, WriteMode::Append, EnginePolicy::Auto);
        assert_eq!(engine, Engine::Glue);
        assert!(reason.contains("more than the 1.0 MiB"));
    }

    #[test]
    fn the_contract_decides_over_size() {
        assert_eq!(choose(1 << 40, WriteMode::Append, EnginePolicy::Lambda).0, Engine::Lambda);
        assert_eq!(choose(1, WriteMode::Append, EnginePolicy::Glue).0, Engine::Glue);
    }

    #[test]
    fn upserts_go_to_glue_whatever_the_contract_asks() {
        for policy in [EnginePolicy::Auto, EnginePolicy::Lambda, EnginePolicy::Glue] {
            let (engine, reason) = choose(1, WriteMode::Upsert, policy);
            assert_eq!(engine, Engine::Glue);
            assert!(reason.contains("upserts"));
        }
    }

    #[test]
    fn keys_beyond_memory_go_to_glue_whatever_the_contract_asks() {
        let facts = Facts {
            bytes: 1,
            objects: 1,
            keys_beyond_memory: true,
            replaces_older: 0,
            write_mode: WriteMode::Append,
            policy: EnginePolicy::Lambda,
            max_lambda_bytes: 1 << 20,
        };
        let choice = choose_engine(&facts);
        assert_eq!(choice.engine, Engine::Glue);
        assert!(choice.reason.contains("more keys"));
    }

    #[test]
    fn rows_of_older_versions_are_replaced_by_glue_whatever_the_contract_asks() {
        let choose = |replaces_older| {
            choose_engine(&Facts {
                bytes: 1,
                objects: 3,
                keys_beyond_memory: false,
                replaces_older,
                write_mode: WriteMode::Append,
                policy: EnginePolicy::Lambda,
                max_lambda_bytes: 1 << 20,
            })
        };
        assert_eq!(choose(0).engine, Engine::Lambda);
        for (count, words) in
            [(1, "1 of them takes the place of an older version"), (2, "2 of them")]
        {
            let choice = choose(count);
            assert_eq!(choice.engine, Engine::Glue);
            assert!(choice.reason.contains(words), "{}", choice.reason);
        }
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size((1 << 20) - 1), "1.0 MiB");
        assert_eq!(size(5 << 40), "5.0 TiB");
    }
}
