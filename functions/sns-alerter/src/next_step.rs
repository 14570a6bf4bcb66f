//! What a person does after a failure, by family of error name.

/// The next step after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextStep {
    /// What to do, in whole sentences.
    pub(crate) text: &'static str,
    /// Whether starting the batch over with the same input is part of it. Never for faults
    /// that the same input meets again.
    pub(crate) run_again: bool,
}

const fn fix(text: &'static str) -> NextStep {
    NextStep { text, run_again: false }
}

const fn fix_then_run_again(text: &'static str) -> NextStep {
    NextStep { text, run_again: true }
}

/// What to do about an error. Every name has an answer: an unknown one gets its family's, an
/// unknown family the general one.
pub(crate) fn next_step(error: &str) -> NextStep {
    match error {
        "Contract.NotFound" => {
            fix("Upload a contract whose s3 server location matches these keys to the contracts/ \
             prefix of the config bucket, or move the files under a location that a contract \
             names. Then run landfall replay --dataset unclaimed, or upload the files again.")
        }
        "Contract.Ambiguous" => {
            fix("Change the s3 server locations so that only one of the contracts matches these \
             keys, and upload the contract. Then run landfall replay on the dataset named above, \
             or upload the files again.")
        }
        "Contract.Invalid" => fix(
            "Correct the contract where the message points and upload it again. Then run landfall \
             replay on the dataset named above, or upload the files again.",
        ),
        "Contract.Gone" => fix(
            "The version of the contract that claimed these files no longer exists. Upload the \
             contract again, then the files.",
        ),
        "Iceberg.CommitConflict" => fix_then_run_again(
            "Other writers kept changing the table. Run the batch again when they are done; \
             rows that are in the table are never loaded twice.",
        ),
        "Iceberg.AccessDenied" => fix_then_run_again(
            "Grant the function's role what the message names, on the catalog, the warehouse \
             bucket or its key. Then run the batch again.",
        ),
        "Iceberg.SchemaMismatch" => fix_then_run_again(
            "The table changed after the check. Run the batch again, so that the files are \
             checked against the table as it is now.",
        ),
        "Iceberg.TableInvalid" => fix_then_run_again(
            "Compare the table in the Glue Data Catalog with the contract, correct the one that \
             is wrong, then run the batch again.",
        ),
        "Iceberg.RowsDoNotFit" => {
            fix("The rows passed the check and do not fit the table. Compare the table's columns \
             with the contract, correct the one that is wrong, then upload the file again.")
        }
        "Engine.NoneFits" => fix(
            "No engine loads these files together, for the reasons in the message. Upload them \
             again smaller or fewer at a time, or give the column of times of day another type \
             in the contract, for a new table.",
        ),
        "Claim.Lost" => {
            fix("Another execution took these files over and loads them. Nothing is to be done \
             unless that execution fails too.")
        }
        "Object.NotAsChecked" => fix_then_run_again(
            "The object is not what it was when it was checked. Run the batch again, so that it \
             is checked as it is now. When it fails the same way again, the file contradicts its \
             own types or statistics: have it written anew, and upload that.",
        ),
        "Iceberg.SnapshotNotFound" => fix_then_run_again(
            "The engine reported success and no snapshot of the table has these files. Read the \
             engine's log, then run the batch again.",
        ),
        "Glue.Busy" => fix_then_run_again(
            "Glue runs as many jobs as the account or the job allows. Raise the job's maximum \
             concurrency or the account's quota, or wait, then run the batch again.",
        ),
        "Overwrite.OlderVersionLoading" => fix_then_run_again(
            "Another batch has not ended that loads an older version of a file. See why it \
             lasts, or stop its execution; then run the batch again.",
        ),
        "Glue.JobNotFound" => fix_then_run_again(
            "The Glue job of this stack does not exist. Deploy the stack again, then run the \
             batch again.",
        ),
        "Snowflake.Unauthorized" => fix_then_run_again(
            "The rows are in the Iceberg table; only Snowflake did not refresh. Check that the \
             user of the secret has the key's public half as RSA_PUBLIC_KEY, and the account \
             name. The next commit refreshes the table too; to do it now, run the batch again.",
        ),
        "Snowflake.SecretUnreadable" | "Snowflake.SecretInvalid" | "Snowflake.NotConfigured" => {
            fix_then_run_again(
                "The rows are in the Iceberg table; only Snowflake did not refresh. Correct the \
                 Snowflake secret or the contract's Snowflake server as the message says. The \
                 next commit refreshes the table too; to do it now, run the batch again.",
            )
        }
        "Object.Gone" => fix(
            "The object was deleted before it was loaded. Upload it again if its rows are still \
             wanted.",
        ),
        "Object.Changed" => {
            fix("The object was overwritten before it was loaded. The newer version has its own \
             execution; nothing is to be done unless the older rows are wanted.")
        }
        "Object.AccessDenied" => fix_then_run_again(
            "Allow the function's role to read the object: bucket policy, object ownership, or \
             the KMS key it is encrypted with. Then run the batch again.",
        ),
        "States.Timeout" => fix_then_run_again(
            "A step took longer than it may. Run the batch again; if it happens again, give the \
             dataset the Glue engine in its contract (engine: glue).",
        ),
        "States.DataLimitExceeded" => fix(
            "The batch's documents are larger than Step Functions carries. Upload the files in \
             smaller batches.",
        ),
        "Event.Invalid" => {
            fix("State machine and functions are not of one version. Deploy the stack again, then \
             upload the files again.")
        }
        _ => match error.split('.').next().unwrap_or_default() {
            "Contract" => fix(
                "Correct the contract as the message says and upload it again. Then upload the \
                 files again.",
            ),
            "Iceberg" => fix_then_run_again(
                "The catalog or the warehouse bucket did not answer as it should, in spite of \
                 retries. Check the service's health, then run the batch again; rows that are \
                 in the table are never loaded twice.",
            ),
            "Glue" => fix_then_run_again(
                "Open the job run in the Glue console, correct what its message says, then run \
                 the batch again.",
            ),
            "Snowflake" => fix_then_run_again(
                "The rows are in the Iceberg table; only Snowflake did not refresh. Correct what \
                 the message says. The next commit refreshes the table too; to do it now, run \
                 the batch again.",
            ),
            "Object" => fix_then_run_again(
                "The object could not be read, in spite of retries. Check that it exists and can \
                 be read, then run the batch again.",
            ),
            "Ledger" => fix_then_run_again(
                "The ledger table did not answer as it should. Check the table and the \
                 function's permissions on it, then run the batch again.",
            ),
            "Lambda" | "Sandbox" | "Runtime" => fix_then_run_again(
                "The function did not finish. Read its log from the execution's page, then run \
                 the batch again.",
            ),
            _ => fix_then_run_again(
                "Read the failed step on the execution's page, correct the cause, then run the \
                 batch again; rows that are in the table are never loaded twice.",
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 27] = [
        "Contract.NotFound",
        "Contract.Ambiguous",
        "Contract.Invalid",
        "Contract.Gone",
        "Iceberg.CommitConflict",
        "Iceberg.AccessDenied",
        "Iceberg.SchemaMismatch",
        "Iceberg.TableInvalid",
        "Iceberg.SnapshotNotFound",
        "Iceberg.RowsDoNotFit",
        "Engine.NoneFits",
        "Claim.Lost",
        "Object.NotAsChecked",
        "Iceberg.Other",
        "Glue.Busy",
        "Glue.RunFailed",
        "Overwrite.OlderVersionLoading",
        "Snowflake.Unauthorized",
        "Snowflake.SecretInvalid",
        "Snowflake.SqlFailed",
        "Object.Gone",
        "Object.AccessDenied",
        "States.Timeout",
        "States.DataLimitExceeded",
        "Lambda.Unknown",
        "Ledger.Refused",
        "Event.Invalid",
    ];

    #[test]
    fn intake_problems_are_never_run_again_with_the_same_input() {
        for error in ["Contract.NotFound", "Contract.Ambiguous", "Contract.Invalid", "Contract.X"] {
            assert!(!next_step(error).run_again, "{error}");
            assert!(next_step(error).text.contains("files again"), "{error}");
        }
    }

    #[test]
    fn families_have_their_own_step() {
        let general = next_step("Whatever");
        for family in ["Contract", "Iceberg", "Glue", "Snowflake", "Object", "Ledger", "Lambda"] {
            let step = next_step(&format!("{family}.NeverHeardOf"));
            assert_ne!(step, general, "{family}");
        }
        assert_eq!(next_step("States.TaskFailed"), general);
        assert_eq!(next_step(""), general);
    }

    #[test]
    fn a_snowflake_failure_says_that_the_rows_are_safe() {
        for error in ["Snowflake.Unauthorized", "Snowflake.SqlFailed", "Snowflake.NotConfigured"] {
            assert!(next_step(error).text.contains("rows are in the Iceberg table"), "{error}");
        }
    }

    #[test]
    fn no_step_is_cut_in_chat() {
        for error in NAMES {
            assert!(
                next_step(error).text.chars().count() <= crate::limits::NEXT_STEP_CHARS,
                "{error}"
            );
        }
    }

    #[test]
    fn a_step_that_is_run_again_says_so_and_the_others_do_not() {
        for error in NAMES {
            let step = next_step(error);
            assert_eq!(
                step.text.to_lowercase().contains("run the batch again"),
                step.run_again,
                "{error}"
            );
        }
    }
}
