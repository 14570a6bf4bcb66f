//! The ledger: what happened to each object version, one DynamoDB item each.
//!
//! The ledger says who may load an object and how its story ended. It is not the judge of
//! what was committed: the table's snapshots are, and the ledger is settled from them.

mod backfill;
mod claims;
mod deletion;
mod entry;
mod error;
mod first;
mod latest;
mod listed;
mod owners;
mod reopen;
mod runs;
mod story;

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use chrono::{SecondsFormat, Utc};
use landfall_messages::{LedgerKey, ObjectVersion};

pub use backfill::BackfillNote;
pub use claims::Claims;
pub use deletion::Deletion;
pub use entry::{Arrival, Entry, Owner, Settlement, State};
pub use error::LedgerError;
pub use latest::{Latest, superseded};
pub use listed::{ANNOUNCED, LISTED};
pub use owners::{ExecutionOwners, OwnerState, OwnerStatus};
pub use reopen::Reopening;
pub use runs::*;
pub use story::Story;

/// Attribute names of an object version's item, in one place because the state machine's
/// `Record failure` writes the same item.
pub(crate) mod attribute {
    pub(crate) const PATH: &str = "path";
    pub(crate) const VERSION: &str = "version";
    pub(crate) const DATASET: &str = "dataset";
    pub(crate) const STATE: &str = "state";
    pub(crate) const BATCH_ID: &str = "batchId";
    pub(crate) const EXECUTION_ARN: &str = "executionArn";
    pub(crate) const PREVIOUS_BATCH_IDS: &str = "previousBatchIds";
    pub(crate) const REASON: &str = "reason";
    pub(crate) const ROWS: &str = "rows";
    pub(crate) const PARSED_ROWS: &str = "parsedRows";
    pub(crate) const REJECTED_ROWS: &str = "rejectedRows";
    pub(crate) const SNAPSHOT_ID: &str = "snapshotId";
    pub(crate) const RECEIVED_AT: &str = "receivedAt";
    pub(crate) const UPDATED_AT: &str = "updatedAt";
    pub(crate) const DELIVERIES: &str = "deliveries";
    pub(crate) const ETAG: &str = "etag";
    pub(crate) const SIZE: &str = "size";
    pub(crate) const SEQUENCER: &str = "sequencer";
    pub(crate) const EVENT_TIME: &str = "eventTime";
}

/// The ledger table.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) table: String,
}

impl Ledger {
    /// The ledger in the DynamoDB table of that name.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Records that an object version arrived, and counts the delivery.
    ///
    /// One write, whether the item is new or known, so that two deliveries racing each other
    /// cannot both be the first.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn receive(
        &self,
        dataset: &str,
        object: &ObjectVersion,
    ) -> Result<Arrival, LedgerError> {
        // A list knows none, and does not take away what an event has said.
        let sequencer = match object.sequencer.is_empty() {
            true => "if_not_exists(#sequencer, :sequencer)",
            false => ":sequencer",
        };
        let response = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&object.ledger_key())))
            .update_expression(
                "SET #deliveries = if_not_exists(#deliveries, :zero) + :one, \
                 #state = if_not_exists(#state, :received), \
                 #dataset = :dataset, \
                 #receivedAt = if_not_exists(#receivedAt, :now), #updatedAt = :now, \
                 #etag = :etag, #size = :size, #eventTime = :eventTime, #sequencer = "
                    .to_owned()
                    + sequencer,
            )
            .expression_attribute_names("#deliveries", attribute::DELIVERIES)
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_names("#dataset", attribute::DATASET)
            .expression_attribute_names("#receivedAt", attribute::RECEIVED_AT)
            .expression_attribute_names("#updatedAt", attribute::UPDATED_AT)
            .expression_attribute_names("#etag", attribute::ETAG)
            .expression_attribute_names("#size", attribute::SIZE)
            .expression_attribute_names("#sequencer", attribute::SEQUENCER)
            .expression_attribute_names("#eventTime", attribute::EVENT_TIME)
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":received", text(State::Received.name()))
            .expression_attribute_values(":dataset", text(dataset))
            .expression_attribute_values(":now", text(now()))
            .expression_attribute_values(":etag", text(&object.etag))
            .expression_attribute_values(":size", number(object.size))
            .expression_attribute_values(":sequencer", text(&object.sequencer))
            .expression_attribute_values(":eventTime", text(&object.event_time))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(|error| LedgerError::of("UpdateItem", &self.table, error))?;
        let entry = Entry::of(response.attributes.unwrap_or_default())?;
        Ok(if entry.deliveries <= 1 { Arrival::New } else { Arrival::Known(entry) })
    }

    /// The item of an object version, read strongly consistently.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked, refuses, or holds an item that is not
    /// one of ours.
    pub async fn find(&self, ledger_key: &LedgerKey) -> Result<Option<Entry>, LedgerError> {
        self.item(ledger_key).await?.map(Entry::of).transpose()
    }

    /// Writes how an object version's story ended.
    ///
    /// `owner` is the batch that may say so: the item must have no owner, or this one.
    /// Returns false when another batch owns the object by now, or when the object is
    /// committed, or goes by another name ([`Entry::is_given_up`]), and the settlement says
    /// otherwise: the word that is there stands then.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn settle(
        &self,
        ledger_key: &LedgerKey,
        owner: &str,
        settlement: &Settlement,
    ) -> Result<bool, LedgerError> {
        let mut expression =
            "SET #state = :state, #batch = :batch, #rows = :rows, #updatedAt = :now".to_owned();
        let mut request = self
            .update(ledger_key)
            .condition_expression(if settlement.state == State::Committed {
                "attribute_not_exists(#batch) OR #batch = :owner"
            } else {
                // What is in the table is in the table, whatever a later attempt met.
                "(attribute_not_exists(#batch) OR #batch = :owner) AND \
                 (attribute_not_exists(#state) OR #state <> :committed) AND \
                 NOT begins_with(#reason, :listed) AND NOT begins_with(#reason, :announced)"
            })
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_names("#batch", attribute::BATCH_ID)
            .expression_attribute_names("#rows", attribute::ROWS)
            .expression_attribute_names("#reason", attribute::REASON)
            .expression_attribute_values(":owner", text(owner))
            .expression_attribute_values(":state", text(settlement.state.name()))
            .expression_attribute_values(":batch", text(&settlement.batch_id))
            .expression_attribute_values(":rows", number(settlement.rows));
        if settlement.state != State::Committed {
            request = request
                .expression_attribute_values(":committed", text(State::Committed.name()))
                .expression_attribute_values(":listed", text(LISTED))
                .expression_attribute_values(":announced", text(ANNOUNCED));
        }
        for (name, count) in [
            (attribute::PARSED_ROWS, settlement.parsed_rows),
            (attribute::REJECTED_ROWS, settlement.rejected_rows),
        ] {
            // What an earlier attempt of the batch counted stays.
            let Some(count) = count else { continue };
            expression.push_str(&format!(", #{name} = :{name}"));
            request = request
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), number(count));
        }
        if let Some(snapshot_id) = &settlement.snapshot_id {
            expression.push_str(", #snapshotId = :snapshotId");
            request = request
                .expression_attribute_names("#snapshotId", attribute::SNAPSHOT_ID)
                .expression_attribute_values(":snapshotId", text(snapshot_id));
        }
        // The reason of a failure that was overcome does not stay.
        match &settlement.reason {
            Some(reason) => {
                expression.push_str(", #reason = :reason");
                request = request.expression_attribute_values(":reason", text(reason));
            }
            None => expression.push_str(" REMOVE #reason"),
        }
        self.applies(request.update_expression(expression)).await
    }

    /// The item of that key, by a strongly consistent read.
    async fn item(
        &self,
        ledger_key: &LedgerKey,
    ) -> Result<Option<HashMap<String, AttributeValue>>, LedgerError> {
        let response = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(ledger_key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| LedgerError::of("GetItem", &self.table, error))?;
        Ok(response.item)
    }

    /// An update that sets `#updatedAt` to `:now`, among others.
    fn update(&self, ledger_key: &LedgerKey) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(ledger_key)))
            .expression_attribute_names("#updatedAt", attribute::UPDATED_AT)
            .expression_attribute_values(":now", text(now()))
    }

    /// Writes, unless the condition does not hold: somebody else has moved on already.
    async fn write_if_it_holds(&self, request: UpdateItemFluentBuilder) -> Result<(), LedgerError> {
        self.applies(request).await.map(|_| ())
    }

    /// Whether the write went through: false when its condition does not hold.
    async fn applies(&self, request: UpdateItemFluentBuilder) -> Result<bool, LedgerError> {
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(LedgerError::of("UpdateItem", &self.table, error)),
        }
    }
}

/// A conditional update returns what stands in its way, which saves a read.
pub(crate) const RETURN_OLD: ReturnValuesOnConditionCheckFailure =
    ReturnValuesOnConditionCheckFailure::AllOld;

pub(crate) fn key(ledger_key: &LedgerKey) -> HashMap<String, AttributeValue> {
    HashMap::from([
        (attribute::PATH.to_owned(), text(&ledger_key.path)),
        (attribute::VERSION.to_owned(), text(&ledger_key.version)),
    ])
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn string(item: &HashMap<String, AttributeValue>, name: &str) -> Option<String> {
    item.get(name).and_then(|value| value.as_s().ok()).cloned()
}

pub(crate) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}
