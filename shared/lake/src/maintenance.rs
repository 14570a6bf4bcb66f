//! Glue's table optimizers by contract: compaction, snapshot retention and orphan file deletion.
//!
//! They are arranged after a load, when the setting that the table remembers is not the
//! contract's. A load never fails because of them: what keeps them from being arranged is a
//! warning, and the next load tries again. `docs/maintenance.md` says what they may remove.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_glue::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_glue::types::{
    CompactionConfiguration, CompactionStrategy, IcebergCompactionConfiguration,
    IcebergOrphanFileDeletionConfiguration, IcebergRetentionConfiguration,
    OrphanFileDeletionConfiguration, RetentionConfiguration, TableOptimizerConfiguration,
    TableOptimizerType,
};
use landfall_contract::{Contract, MINIMUM_SNAPSHOT_RETENTION_DAYS, Maintenance};
use landfall_runtime::{HttpStatus, NamedError, describe, is_denied, is_transient};

use crate::catalog::{Lake, LoadedTable};
use crate::commit::CommitOutcome;
use crate::error::LakeError;

/// Table property: the maintenance that was arranged last.
const ARRANGED: &str = "landfall.maintenance";

/// Table property that everybody's `expire_snapshots` reads; five days when it is not there.
const MAX_SNAPSHOT_AGE: &str = "history.expire.max-snapshot-age-ms";
const SNAPSHOTS_TO_KEEP: &str = "history.expire.min-snapshots-to-keep";

/// What Athena's `VACUUM` reads instead; five days when it is not there
/// (<https://docs.aws.amazon.com/athena/latest/ug/vacuum-statement.html>).
const ATHENA_MAX_SNAPSHOT_AGE: &str = "vacuum_max_snapshot_age_seconds";

/// Snapshots that stay whatever their age, so that a table that is loaded once a quarter can
/// still be rolled back.
const SNAPSHOTS_KEPT: i32 = 10;

/// Days before a file that no snapshot names may be removed. A data file is written hours
/// before its commit at the most (a Glue run ends after eight), and a commit whose outcome is
/// unknown arrives within minutes, or never.
const ORPHAN_DAYS: i32 = 3;

/// With so many snapshots the metadata file has eight megabytes or more, and every commit reads
/// and writes it (`docs/growth.md`).
const MANY_SNAPSHOTS: usize = 10_000;

/// The invocation has an answer to give: what takes longer waits for the next load.
const PATIENCE: Duration = Duration::from_secs(8);

const ALL: [TableOptimizerType; 3] = [
    TableOptimizerType::Compaction,
    TableOptimizerType::Retention,
    TableOptimizerType::OrphanFileDeletion,
];

/// Why the optimizers are not as the contract wants them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MaintenanceWarning {
    /// Nobody said whose permissions the optimizers should have.
    #[error(
        "no role is configured that Glue's optimizers could take; deploy this release's template"
    )]
    NoRole,
    /// The role may not do it.
    #[error(
        "{operation} for {optimizer} was denied; compare the function's role, and what it may \
         pass on, with the template"
    )]
    Denied {
        /// API operation.
        operation: &'static str,
        /// `compaction`, `retention` or `orphan_file_deletion`.
        optimizer: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// Glue did not answer.
    #[error("Glue did not answer {operation} for {optimizer}; nothing is to be done")]
    Unavailable {
        /// API operation.
        operation: &'static str,
        /// `compaction`, `retention` or `orphan_file_deletion`.
        optimizer: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// Glue does not do it, here or for this table.
    #[error(
        "Glue refused {operation} for {optimizer}; see the cause, and set `maintenance: none` \
         where Glue has no table optimizers"
    )]
    Refused {
        /// API operation.
        operation: &'static str,
        /// `compaction`, `retention` or `orphan_file_deletion`.
        optimizer: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// The optimizers are arranged, and the table could not be told.
    #[error(
        "the optimizers are arranged, but the table does not remember it; nothing is to be done"
    )]
    NotRemembered(#[source] Box<LakeError>),
    /// It took too long.
    #[error("Glue took too long; nothing is to be done")]
    TooSlow,
}

/// People look for these names in the log; no state machine sees them.
impl NamedError for MaintenanceWarning {
    fn name(&self) -> &'static str {
        match self {
            Self::NoRole => "Maintenance.NoRole",
            Self::Denied { .. } => "Maintenance.Denied",
            Self::Unavailable { .. } => "Maintenance.Unavailable",
            Self::Refused { .. } => "Maintenance.Refused",
            Self::NotRemembered(_) => "Maintenance.NotRemembered",
            Self::TooSlow => "Maintenance.TooSlow",
        }
    }
}

/// Properties of a new table that say how long its snapshots are needed, for everybody who
/// expires them.
pub(crate) fn expiry_properties(maintenance: Maintenance) -> [(String, String); 3] {
    let days = match maintenance {
        Maintenance::None => MINIMUM_SNAPSHOT_RETENTION_DAYS,
        Maintenance::Glue { snapshot_retention_days } => snapshot_retention_days,
    };
    let seconds = u64::from(days) * 24 * 60 * 60;
    [
        (MAX_SNAPSHOT_AGE.to_owned(), (seconds * 1000).to_string()),
        (SNAPSHOTS_TO_KEEP.to_owned(), SNAPSHOTS_KEPT.to_string()),
        (ATHENA_MAX_SNAPSHOT_AGE.to_owned(), seconds.to_string()),
    ]
}

impl Lake {
    /// Turns Glue's optimizers of the table on or off, when the contract's wish is not what the
    /// table remembers. A setting that somebody changed in the console stays until the
    /// contract changes. Whatever is in the way is logged as a warning with a stable name.
    pub async fn arrange_maintenance(&self, loaded: &LoadedTable, contract: &Contract) {
        let arranged = tokio::time::timeout(PATIENCE, self.arrange(loaded, contract)).await;
        match arranged.unwrap_or(Err(MaintenanceWarning::TooSlow)) {
            Ok(false) => {
                let snapshots = loaded.metadata().snapshots().len();
                if let Some(advice) = advice(contract.policy.maintenance, snapshots) {
                    tracing::warn!(
                        name = "Maintenance.Advised",
                        table = loaded.name(),
                        snapshots,
                        "{advice}"
                    );
                }
            }
            Ok(true) => tracing::info!(
                table = loaded.name(),
                maintenance = ?contract.policy.maintenance,
                "maintenance of the table arranged"
            ),
            Err(warning) => tracing::warn!(
                name = warning.name(),
                table = loaded.name(),
                "{}",
                describe(&warning)
            ),
        }
    }

    /// Whether anything had to be arranged.
    async fn arrange(
        &self,
        loaded: &LoadedTable,
        contract: &Contract,
    ) -> Result<bool, MaintenanceWarning> {
        let maintenance = contract.policy.maintenance;
        let role = self.optimizer_role.as_deref();
        let wanted = setting(maintenance, role);
        let arranged = loaded.metadata().properties().get(ARRANGED).map(String::as_str);
        if arranged.unwrap_or(NOTHING) == wanted {
            return Ok(false);
        }
        let role = role.ok_or(MaintenanceWarning::NoRole)?;
        let account = role.split(':').nth(4).ok_or(MaintenanceWarning::NoRole)?;
        let account = loaded.glue_table.catalog_id().unwrap_or(account);
        for optimizer in ALL {
            match maintenance {
                Maintenance::None => self.delete_optimizer(loaded, account, optimizer).await?,
                Maintenance::Glue { snapshot_retention_days } => {
                    let configuration = configuration(&optimizer, role, snapshot_retention_days);
                    self.put_optimizer(loaded, account, optimizer, configuration).await?;
                }
            }
        }
        self.remember(loaded, maintenance, wanted)
            .await
            .map_err(|error| MaintenanceWarning::NotRemembered(Box::new(error)))?;
        Ok(true)
    }

    /// Creates the optimizer, or gives the one that is there this configuration.
    async fn put_optimizer(
        &self,
        loaded: &LoadedTable,
        account: &str,
        optimizer: TableOptimizerType,
        configuration: TableOptimizerConfiguration,
    ) -> Result<(), MaintenanceWarning> {
        let created = self
            .glue
            .create_table_optimizer()
            .catalog_id(account)
            .database_name(&loaded.identity.database)
            .table_name(&loaded.identity.table)
            .r#type(optimizer.clone())
            .table_optimizer_configuration(configuration.clone())
            .send()
            .await;
        match created {
            Ok(_) => return Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_already_exists_exception()) => {}
            Err(error) => return Err(warning("glue:CreateTableOptimizer", &optimizer, error)),
        }
        self.glue
            .update_table_optimizer()
            .catalog_id(account)
            .database_name(&loaded.identity.database)
            .table_name(&loaded.identity.table)
            .r#type(optimizer.clone())
            .table_optimizer_configuration(configuration)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| warning("glue:UpdateTableOptimizer", &optimizer, error))
    }

    async fn delete_optimizer(
        &self,
        loaded: &LoadedTable,
        account: &str,
        optimizer: TableOptimizerType,
    ) -> Result<(), MaintenanceWarning> {
        let deleted = self
            .glue
            .delete_table_optimizer()
            .catalog_id(account)
            .database_name(&loaded.identity.database)
            .table_name(&loaded.identity.table)
            .r#type(optimizer.clone())
            .send()
            .await;
        match deleted {
            Err(error)
                if !error
                    .as_service_error()
                    .is_some_and(|error| error.is_entity_not_found_exception()) =>
            {
                Err(warning("glue:DeleteTableOptimizer", &optimizer, error))
            }
            _ => Ok(()),
        }
    }

    /// Notes the setting in the table, with how long its snapshots are needed. When another
    /// writer comes in between, the next load arranges the same once more.
    async fn remember(
        &self,
        loaded: &LoadedTable,
        maintenance: Maintenance,
        setting: String,
    ) -> Result<(), LakeError> {
        let Some(now) = self.load(&loaded.identity).await? else { return Ok(()) };
        let mut properties = HashMap::from(expiry_properties(maintenance));
        properties.insert(ARRANGED.to_owned(), setting);
        match self.commit_properties(&now, properties).await? {
            CommitOutcome::Unknown(source) => {
                Err(LakeError::CommitUnknown { table: loaded.name(), source })
            }
            CommitOutcome::Conflict => {
                Err(LakeError::CommitConflict { table: loaded.name(), attempts: 1 })
            }
            CommitOutcome::NothingToDo | CommitOutcome::Committed(_) => Ok(()),
        }
    }
}

/// What a table remembers for which nothing was ever arranged.
const NOTHING: &str = "none";

/// The maintenance as the table remembers it. The role is part of it: a stack that was made
/// anew has another one, and the optimizers must take that.
fn setting(maintenance: Maintenance, role: Option<&str>) -> String {
    match maintenance {
        Maintenance::None => NOTHING.to_owned(),
        Maintenance::Glue { snapshot_retention_days } => {
            let role = role.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
            format!("glue;snapshotRetentionDays={snapshot_retention_days};role={role}")
        }
    }
}

/// What a table needs whose snapshots nobody expires.
fn advice(maintenance: Maintenance, snapshots: usize) -> Option<&'static str> {
    (maintenance == Maintenance::None && snapshots >= MANY_SNAPSHOTS).then_some(
        "the table has so many snapshots that they slow down every commit; set `maintenance: glue` \
         in its contract, or expire snapshots that are older than 30 days",
    )
}

fn configuration(
    optimizer: &TableOptimizerType,
    role: &str,
    snapshot_retention_days: u32,
) -> TableOptimizerConfiguration {
    let configuration = TableOptimizerConfiguration::builder().role_arn(role).enabled(true);
    match optimizer {
        TableOptimizerType::Compaction => configuration.compaction_configuration(
            CompactionConfiguration::builder()
                .iceberg_configuration(
                    IcebergCompactionConfiguration::builder()
                        .strategy(CompactionStrategy::Binpack)
                        .build(),
                )
                .build(),
        ),
        TableOptimizerType::Retention => configuration.retention_configuration(
            RetentionConfiguration::builder()
                .iceberg_configuration(
                    IcebergRetentionConfiguration::builder()
                        .snapshot_retention_period_in_days(
                            i32::try_from(snapshot_retention_days).unwrap_or(i32::MAX),
                        )
                        .number_of_snapshots_to_retain(SNAPSHOTS_KEPT)
                        .clean_expired_files(true)
                        .build(),
                )
                .build(),
        ),
        _ => configuration.orphan_file_deletion_configuration(
            OrphanFileDeletionConfiguration::builder()
                .iceberg_configuration(
                    IcebergOrphanFileDeletionConfiguration::builder()
                        .orphan_file_retention_period_in_days(ORPHAN_DAYS)
                        .build(),
                )
                .build(),
        ),
    }
    .build()
}

fn warning<E, R>(
    operation: &'static str,
    optimizer: &TableOptimizerType,
    error: SdkError<E, R>,
) -> MaintenanceWarning
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: HttpStatus + std::fmt::Debug + Send + Sync + 'static,
{
    let optimizer = optimizer.as_str().to_owned();
    let (denied, transient) = (is_denied(&error), is_transient(&error));
    let source = error.into_source().unwrap_or_else(BoxError::from);
    if denied {
        MaintenanceWarning::Denied { operation, optimizer, source }
    } else if transient {
        MaintenanceWarning::Unavailable { operation, optimizer, source }
    } else {
        MaintenanceWarning::Refused { operation, optimizer, source }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use aws_sdk_glue::Client;
    use aws_sdk_glue::error::ErrorMetadata;
    use aws_sdk_glue::operation::create_table_optimizer::{
        CreateTableOptimizerError, CreateTableOptimizerOutput,
    };
    use aws_sdk_glue::operation::delete_table_optimizer::DeleteTableOptimizerError;
    use aws_sdk_glue::operation::update_table_optimizer::UpdateTableOptimizerOutput;
    use aws_sdk_glue::types::error::{AlreadyExistsException, EntityNotFoundException};
    use aws_smithy_mocks::{Rule, mock};
    use iceberg::TableCreation;
    use iceberg::spec::{Schema, TableMetadataBuilder};
    use landfall_messages::TableIdentity;
    use landfall_testing::stub_client;

    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/landfall-TableOptimizerRole-X";
    const KEPT: Maintenance = Maintenance::Glue { snapshot_retention_days: 90 };

    fn lake(rules: &[&Rule]) -> Lake {
        let glue = match rules {
            [] => stub_client!(aws_sdk_glue, []),
            [one] => stub_client!(aws_sdk_glue, [**one]),
            [one, two] => stub_client!(aws_sdk_glue, [**one, **two]),
            _ => panic!("more rules than a test needs"),
        };
        let s3 = stub_client!(aws_sdk_s3, []);
        Lake::new(glue, s3, "s3://warehouse").with_optimizer_role(Some(ROLE.to_owned()))
    }

    fn loaded(lake: &Lake) -> LoadedTable {
        let identity = TableIdentity { database: "lake".into(), table: "orders".into() };
        let creation = TableCreation::builder()
            .name("orders".into())
            .location("s3://warehouse/lake/orders".into())
            .schema(Schema::builder().build().unwrap())
            .build();
        let metadata = TableMetadataBuilder::from_table_creation(creation).unwrap().build();
        let location = "s3://warehouse/lake/orders/metadata/0.metadata.json";
        let table = lake.table(&identity, metadata.unwrap().metadata, location).unwrap();
        let glue_table = aws_sdk_glue::types::Table::builder().name("orders").build().unwrap();
        LoadedTable::new(identity, table, glue_table)
    }

    async fn put(lake: &Lake, optimizer: TableOptimizerType) -> Result<(), MaintenanceWarning> {
        let configuration = configuration(&optimizer, ROLE, 90);
        lake.put_optimizer(&loaded(lake), "111122223333", optimizer, configuration).await
    }

    #[tokio::test]
    async fn an_optimizer_is_created_with_the_contracts_numbers() {
        let create = mock!(Client::create_table_optimizer)
            .match_requests(|request| {
                let configuration = request.table_optimizer_configuration().unwrap();
                let retention = configuration.retention_configuration().unwrap();
                let retention = retention.iceberg_configuration().unwrap();
                request.catalog_id() == Some("111122223333")
                    && request.database_name() == Some("lake")
                    && request.table_name() == Some("orders")
                    && request.r#type() == Some(&TableOptimizerType::Retention)
                    && configuration.role_arn() == Some(ROLE)
                    && configuration.enabled() == Some(true)
                    && retention.snapshot_retention_period_in_days() == Some(90)
                    && retention.number_of_snapshots_to_retain() == Some(10)
                    && retention.clean_expired_files() == Some(true)
            })
            .then_output(|| CreateTableOptimizerOutput::builder().build());
        put(&lake(&[&create]), TableOptimizerType::Retention).await.unwrap();
        assert_eq!(create.num_calls(), 1);
    }

    #[tokio::test]
    async fn an_optimizer_that_is_there_gets_the_configuration() {
        let create = mock!(Client::create_table_optimizer).then_error(|| {
            CreateTableOptimizerError::AlreadyExistsException(
                AlreadyExistsException::builder().build(),
            )
        });
        let update = mock!(Client::update_table_optimizer)
            .match_requests(|request| {
                let configuration = request.table_optimizer_configuration().unwrap();
                let orphans = configuration.orphan_file_deletion_configuration().unwrap();
                let orphans = orphans.iceberg_configuration().unwrap();
                orphans.orphan_file_retention_period_in_days() == Some(3)
            })
            .then_output(|| UpdateTableOptimizerOutput::builder().build());
        let lake = lake(&[&create, &update]);
        put(&lake, TableOptimizerType::OrphanFileDeletion).await.unwrap();
        assert_eq!((create.num_calls(), update.num_calls()), (1, 1));
    }

    #[tokio::test]
    async fn what_glue_answers_has_a_name_and_says_what_to_do() {
        for (code, name, advice) in [
            ("AccessDeniedException", "Maintenance.Denied", "compare the function's role"),
            ("ThrottlingException", "Maintenance.Unavailable", "nothing is to be done"),
            ("InvalidAction", "Maintenance.Refused", "set `maintenance: none`"),
        ] {
            let create = mock!(Client::create_table_optimizer).then_error(move || {
                CreateTableOptimizerError::generic(ErrorMetadata::builder().code(code).build())
            });
            let warning = put(&lake(&[&create]), TableOptimizerType::Compaction).await.unwrap_err();
            let told = warning.to_string();
            assert_eq!(warning.name(), name, "{told}");
            assert!(told.contains(advice) && told.contains("compaction"), "{told}");
        }
    }

    #[tokio::test]
    async fn an_optimizer_that_is_not_there_needs_no_deletion() {
        let delete = mock!(Client::delete_table_optimizer).then_error(|| {
            DeleteTableOptimizerError::EntityNotFoundException(
                EntityNotFoundException::builder().build(),
            )
        });
        let lake = lake(&[&delete]);
        let loaded = loaded(&lake);
        lake.delete_optimizer(&loaded, "111122223333", TableOptimizerType::Retention)
            .await
            .unwrap();
        assert_eq!(delete.num_calls(), 1);
    }

    #[test]
    fn another_retention_or_role_is_another_setting() {
        let by_glue = setting(KEPT, Some(ROLE));
        assert_eq!(by_glue, "glue;snapshotRetentionDays=90;role=landfall-TableOptimizerRole-X");
        let longer = Maintenance::Glue { snapshot_retention_days: 91 };
        let other_role = "arn:aws:iam::111122223333:role/landfall-TableOptimizerRole-Y";
        for other in [
            setting(longer, Some(ROLE)),
            setting(KEPT, Some(other_role)),
            setting(Maintenance::None, Some(ROLE)),
        ] {
            assert_ne!(by_glue, other);
        }
        assert_eq!(setting(Maintenance::None, None), NOTHING);
    }

    #[test]
    fn a_table_that_nobody_maintains_is_told_of() {
        assert_eq!(advice(Maintenance::None, 9_999), None);
        assert!(advice(Maintenance::None, 10_000).is_some_and(|text| text.contains("glue")));
        assert_eq!(advice(KEPT, 1_000_000), None, "Glue has its own pace");
    }

    #[test]
    fn everybody_who_expires_snapshots_keeps_them_long_enough() {
        let thirty_days = [
            ("history.expire.max-snapshot-age-ms", "2592000000"),
            ("history.expire.min-snapshots-to-keep", "10"),
            ("vacuum_max_snapshot_age_seconds", "2592000"),
        ];
        let properties = expiry_properties(Maintenance::None);
        let properties = properties.each_ref().map(|(key, value)| (key.as_str(), value.as_str()));
        assert_eq!(properties, thirty_days);
        assert_eq!(expiry_properties(KEPT)[0].1, "7776000000", "90 days");
    }
}
