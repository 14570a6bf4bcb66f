//! Four services in memory that number their calls together, and invocations of the append on
//! them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_sfn::types::ExecutionStatus;
use iceberg_append::{Deps, Error, handle};
use landfall_lake::Lake;
use landfall_ledger::{ExecutionOwners, Ledger};
use landfall_messages::{
    AppendOutput, AppendTask, Batch, ColumnAddition, ContractRef, ObjectVersion,
};
use landfall_objects::ObjectReader;
use landfall_runtime::NamedError;
use landfall_testing::dynamodb::InMemoryTable;
use landfall_testing::glue::InMemoryCatalog;
use landfall_testing::s3::InMemoryBuckets;
use landfall_testing::service::Calls;
use landfall_testing::stepfunctions::InMemoryExecutions;
use tokio::sync::Notify;

use crate::table::Parsed;

/// Two partitions, so that a batch has more than one data file.
const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
servers:
  - server: landing
    type: s3
    location: s3://landing/orders/
    format: csv
schema:
  - name: orders
    properties:
      - name: id
        logicalType: integer
        required: true
      - name: region
        logicalType: string
        required: true
        partitioned: true
";

/// What makes the append ask for other versions of each key.
pub(crate) const REPLACE: &str =
    "customProperties:\n  - { property: onOverwrite, value: replace }\n";

/// How often the SDK sends a call, as in the functions.
pub(crate) const ATTEMPTS: u32 = 4;
/// Name of the Glue job.
pub(crate) const JOB: &str = "load";
/// The table as calls name it.
pub(crate) const TABLE: &str = "lake.orders";

/// A world of its own.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) calls: Calls,
    pub(crate) glue: InMemoryCatalog,
    pub(crate) s3: InMemoryBuckets,
    pub(crate) ledger: InMemoryTable,
    pub(crate) executions: InMemoryExecutions,
    pub(crate) deps: Arc<Deps>,
    pub(crate) parsed: Rc<RefCell<Parsed>>,
    contract: ContractRef,
}

/// A landing object and the ids of its rows.
#[derive(Debug, Clone)]
pub(crate) struct Landed {
    pub(crate) object: ObjectVersion,
    pub(crate) ids: Vec<i64>,
}

/// What an execution has to do.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) batch: Batch,
    pub(crate) additions: Vec<ColumnAddition>,
    /// Settles what another engine committed instead of appending.
    pub(crate) settles: bool,
}

/// How one invocation ended.
#[derive(Debug)]
pub(crate) enum Invocation {
    Answered(AppendOutput),
    Failed { error: String, transient: bool },
    Died,
}

impl Cloud {
    /// With these lines at the end of the contract.
    pub(crate) fn new(knobs: &str) -> Self {
        let calls = Calls::default();
        let retry = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(Duration::from_micros(10));
        let glue = InMemoryCatalog::with_calls(calls.clone());
        let s3 = InMemoryBuckets::with_calls(calls.clone());
        let ledger = InMemoryTable::with_calls(calls.clone());
        let executions = InMemoryExecutions::with_calls(calls.clone());
        let stored = s3.put("s3://config/contracts/orders.yaml", format!("{CONTRACT}{knobs}"));
        let (glue_client, s3_client) = (glue.client(retry.clone()), s3.client(retry.clone()));
        let deps = Deps {
            lake: Lake::new(glue_client.clone(), s3_client.clone(), "s3://warehouse"),
            ledger: Ledger::new(ledger.retrying_client(retry.clone()), "ledger"),
            reader: ObjectReader::new(s3_client.clone()),
            s3: s3_client,
            owners: ExecutionOwners {
                sfn: executions.client(retry),
                glue: glue_client,
                job_name: JOB.into(),
            },
            default_database: "lake".into(),
            memory: iceberg_append::Memory::unbounded(),
        };
        let contract = ContractRef {
            bucket: "config".into(),
            key: "contracts/orders.yaml".into(),
            etag: stored.etag,
            version_id: Some(stored.version_id),
        };
        let (deps, parsed) = (Arc::new(deps), Rc::default());
        Self { calls, glue, s3, ledger, executions, deps, parsed, contract }
    }

    /// A landing object of the name with rows of these ids, whose event intake has received.
    pub(crate) async fn land(&self, name: &str, ids: &[i64]) -> Landed {
        let rows = ids.iter().map(|id| format!("{id},{}\n", region(*id))).collect::<String>();
        self.land_file(name, ids, format!("id,region\n{rows}")).await
    }

    /// As [`Self::land`], with a column that neither contract nor table has.
    pub(crate) async fn land_with_note(&self, name: &str, ids: &[i64]) -> Landed {
        let row = |id: &i64| format!("{id},{},hello\n", region(*id));
        let rows = ids.iter().map(row).collect::<String>();
        self.land_file(name, ids, format!("id,region,note\n{rows}")).await
    }

    async fn land_file(&self, name: &str, ids: &[i64], content: String) -> Landed {
        let key = format!("orders/{name}.csv");
        let size = content.len() as u64;
        let stored = self.s3.put(&format!("s3://landing/{key}"), content);
        let object = ObjectVersion {
            bucket: "landing".into(),
            key,
            version: format!("v#{}", stored.version_id),
            version_id: Some(stored.version_id),
            etag: stored.etag,
            size,
            event_time: "2026-11-21T08:00:00Z".into(),
            sequencer: "0A".into(),
        };
        self.deps.ledger.receive("orders", &object).await.unwrap();
        Landed { object, ids: ids.to_vec() }
    }

    /// An append of these objects.
    pub(crate) fn work(&self, batch_id: &str, objects: &[&Landed]) -> Work {
        let batch = Batch {
            id: batch_id.into(),
            dataset: "orders".into(),
            contract: self.contract.clone(),
            objects: objects.iter().map(|landed| landed.object.clone()).collect(),
        };
        Work { batch, additions: Vec::new(), settles: false }
    }

    /// One invocation.
    pub(crate) async fn invoke(&self, work: &Work) -> Invocation {
        let (batch, load) = (work.batch.clone(), (0..work.batch.objects.len()).collect());
        let execution_arn = arn(&batch.id);
        let task = if work.settles {
            AppendTask::Settle {
                batch,
                load,
                execution_arn,
                checked: Vec::new(),
                job_is_over: false,
            }
        } else {
            let additions = work.additions.clone();
            AppendTask::Append { batch, load, execution_arn, additions, bad_rows: Vec::new() }
        };
        let deadline = SystemTime::now() + Duration::from_secs(60);
        match Box::pin(handle(&self.deps, task, deadline)).await {
            // The state machine announces what is committed, and fails.
            Ok(output) if !output.unanswered.is_empty() => Invocation::Failed {
                transient: false,
                error: format!("{} objects have no answer", output.unanswered.len()),
            },
            Ok(output) => Invocation::Answered(output),
            Err(error) => Invocation::Failed {
                transient: is_transient(error.name()),
                error: format!("{}: {}", error.name(), landfall_runtime::describe(&error)),
            },
        }
    }

    /// One invocation by a process of its own, which ends with everything that it has begun:
    /// at its answer, or when `dies` says so.
    pub(crate) fn process(&self, work: &Work, dies: &Notify) -> Invocation {
        alone(async {
            tokio::select! {
                biased;
                () = dies.notified() => Invocation::Died,
                invocation = self.invoke(work) => invocation,
            }
        })
    }

    /// An execution that nothing happens to: its invocations, with Step Functions' retries.
    ///
    /// # Errors
    /// The error that ended it.
    pub(crate) async fn execute(&self, work: &Work) -> Result<AppendOutput, String> {
        let mut last = String::new();
        for _ in 0..7 {
            match self.invoke(work).await {
                Invocation::Answered(output) => {
                    self.end(&work.batch.id, ExecutionStatus::Succeeded);
                    return Ok(output);
                }
                Invocation::Failed { error, transient: true } => last = error,
                Invocation::Failed { error, transient: false } => return Err(error),
                Invocation::Died => return Err("died".to_owned()),
            }
        }
        Err(format!("retries are used up: {last}"))
    }

    /// The batch's execution has ended so.
    pub(crate) fn end(&self, batch_id: &str, status: ExecutionStatus) {
        self.executions.end(&arn(batch_id), status);
    }

    /// A copy of what there is now.
    pub(crate) fn copy(&self) -> Self {
        Self {
            glue: self.glue.copy(),
            s3: self.s3.copy(),
            ledger: self.ledger.copy(),
            executions: self.executions.copy(),
            ..self.clone()
        }
    }

    /// Makes everything as it was when the copy was made, and forgets all calls.
    pub(crate) fn restore(&self, copy: &Self) {
        self.calls.clear();
        self.glue.restore(&copy.glue);
        self.s3.restore(&copy.s3);
        self.ledger.restore(&copy.ledger);
        self.executions.restore(&copy.executions);
    }

    /// Lets everything arrive that went astray.
    pub(crate) fn deliver(&self) {
        self.s3.deliver();
        self.glue.deliver();
        self.ledger.deliver();
        self.executions.deliver();
    }
}

/// Runs the future on a runtime of its own, and ends everything that it has begun.
pub(crate) fn alone<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// The batch's execution.
pub(crate) fn arn(batch_id: &str) -> String {
    format!("arn:aws:states:eu-west-1:111122223333:execution:ingest:{batch_id}")
}

fn region(id: i64) -> &'static str {
    if id % 2 == 0 { "east" } else { "west" }
}

fn is_transient(name: &str) -> bool {
    Error::error_names().iter().any(|error| error.name == name && error.transient)
}
