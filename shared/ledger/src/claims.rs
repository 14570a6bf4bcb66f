//! Claims: step 1 and step 4 of the exactly-once protocol.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use landfall_messages::ObjectVersion;

use crate::entry::{Entry, Owner, State};
use crate::error::LedgerError;
use crate::listed::{ANNOUNCED, LISTED};
use crate::owners::{OwnerState, OwnerStatus};
use crate::{Ledger, RETURN_OLD, attribute, key, now, text};

/// How often an object is claimed whose item another writer changes between its reading and its
/// takeover. A redelivered event does so, and ends.
const ROUNDS: usize = 5;

/// What a batch may load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Objects this batch owns. One that it has already committed is among them: the table's
    /// marker, not the ledger, says so.
    pub ours: Vec<ObjectVersion>,
    /// Of ours, those that the ledger says this batch has committed. They are not written again,
    /// also when the snapshot with their marker has expired.
    pub committed: Vec<ObjectVersion>,
    /// Objects that are settled by another batch, or being loaded by one.
    pub duplicates: Vec<ObjectVersion>,
    /// By object id, the batches that owned one of ours before. A commit of theirs may
    /// already stand in the table, so their markers must be looked for too.
    pub previous_owners: HashMap<String, Vec<String>>,
}

/// What became of one conditional write.
enum Attempt {
    Ours(Entry),
    Theirs(Entry),
}

/// Whether the object belongs to the owner's batch.
fn is_of(entry: &Entry, owner: &Owner) -> bool {
    entry.batch_id.as_deref() == Some(&owner.batch_id)
}

impl Ledger {
    /// Claims each object for the owner.
    ///
    /// An object can be claimed when nobody owns it, when this owner does, or when its owner's
    /// execution is over and did not settle it. Of two names of one write, only the one that was
    /// not given up ([`Entry::is_given_up`]).
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB, Step Functions or Glue cannot be asked or refuse.
    pub async fn claim(
        &self,
        owners: &impl OwnerStatus,
        objects: &[ObjectVersion],
        owner: &Owner,
    ) -> Result<Claims, LedgerError> {
        let mut claims = Claims::default();
        for object in objects {
            match self.claim_one(owners, object, owner).await? {
                Attempt::Ours(entry) => {
                    if !entry.previous_batch_ids.is_empty() {
                        claims.previous_owners.insert(object.id(), entry.previous_batch_ids);
                    }
                    if entry.state == State::Committed {
                        claims.committed.push(object.clone());
                    }
                    claims.ours.push(object.clone());
                }
                Attempt::Theirs(_) => claims.duplicates.push(object.clone()),
            }
        }
        Ok(claims)
    }

    /// The claims read again, strongly consistently: the batches that owned the objects before, as
    /// [`Claims::previous_owners`] has them, or `None` when the owner no longer holds every object.
    ///
    /// A batch may lose an object and take it over again, by another attempt. Whoever had it in
    /// between may have committed it, and is among the batches before only now.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn held(
        &self,
        objects: &[ObjectVersion],
        owner: &Owner,
    ) -> Result<Option<HashMap<String, Vec<String>>>, LedgerError> {
        let mut previous_owners = HashMap::new();
        for object in objects {
            match self.find(&object.ledger_key()).await? {
                Some(entry) if entry.batch_id.as_ref() == Some(&owner.batch_id) => {
                    if !entry.previous_batch_ids.is_empty() {
                        previous_owners.insert(object.id(), entry.previous_batch_ids);
                    }
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(previous_owners))
    }

    /// By object id, the batches that owned each object before its owner of now.
    ///
    /// # Errors
    /// [`LedgerError`] when DynamoDB cannot be asked or refuses.
    pub async fn previous_owners(
        &self,
        objects: &[ObjectVersion],
    ) -> Result<HashMap<String, Vec<String>>, LedgerError> {
        let mut owners = HashMap::new();
        for object in objects {
            if let Some(entry) = self.find(&object.ledger_key()).await? {
                owners.insert(object.id(), entry.previous_batch_ids);
            }
        }
        Ok(owners)
    }

    async fn claim_one(
        &self,
        owners: &impl OwnerStatus,
        object: &ObjectVersion,
        owner: &Owner,
    ) -> Result<Attempt, LedgerError> {
        for _ in 0..ROUNDS {
            if let Some(attempt) = self.claim_as_it_is(owners, object, owner).await? {
                return Ok(attempt);
            }
        }
        Err(LedgerError::Unavailable {
            operation: "UpdateItem",
            subject: object.path(),
            source: "the item was written again each time before it could be taken over".into(),
        })
    }

    /// One round. `None` when the item has changed since it was read, and is open still: whether
    /// its owner lives must be asked again.
    async fn claim_as_it_is(
        &self,
        owners: &impl OwnerStatus,
        object: &ObjectVersion,
        owner: &Owner,
    ) -> Result<Option<Attempt>, LedgerError> {
        let entry = match self.claim_if_free(object, owner).await? {
            Attempt::Ours(entry) => return Ok(Some(Attempt::Ours(entry))),
            Attempt::Theirs(entry) => entry,
        };
        if is_of(&entry, owner) || entry.state.is_settled() {
            // Ours and committed: a retry after the commit. The append finds its marker.
            let ours = is_of(&entry, owner) && entry.state == State::Committed;
            return Ok(Some(if ours { Attempt::Ours(entry) } else { Attempt::Theirs(entry) }));
        }
        match self.state_of_owner(owners, &entry).await? {
            OwnerState::Alive => Ok(Some(Attempt::Theirs(entry))),
            // Nobody else will load the object once the run has stopped: ask again until then.
            OwnerState::Stopping => {
                Err(LedgerError::OwnerStopping(entry.batch_id.unwrap_or_default()))
            }
            OwnerState::Over => match self.take_over(object, owner, &entry).await? {
                // The request met its own first try, whose reply was lost, or another attempt of
                // this batch was faster. Left to others, nobody would load the object.
                Attempt::Theirs(entry)
                    if is_of(&entry, owner)
                        && matches!(entry.state, State::Claimed | State::Committed) =>
                {
                    Ok(Some(Attempt::Ours(entry)))
                }
                // Its event was delivered again, or somebody else has taken it over meanwhile.
                // Left to others as it is, an object whose owner is dead would be nobody's.
                Attempt::Theirs(entry) if matches!(entry.state, State::Claimed | State::Failed) => {
                    Ok(None)
                }
                attempt => Ok(Some(attempt)),
            },
        }
    }

    async fn claim_if_free(
        &self,
        object: &ObjectVersion,
        owner: &Owner,
    ) -> Result<Attempt, LedgerError> {
        let request = self
            .claim_request(object, owner, "")
            .condition_expression(
                "(attribute_not_exists(#batch) AND NOT begins_with(#reason, :listed) \
                 AND NOT begins_with(#reason, :announced)) \
                 OR (#batch = :batch AND #state IN (:received, :claimed, :failed))",
            )
            .expression_attribute_names("#reason", attribute::REASON)
            .expression_attribute_values(":listed", text(LISTED))
            .expression_attribute_values(":announced", text(ANNOUNCED))
            .expression_attribute_values(":received", text(State::Received.name()))
            .expression_attribute_values(":failed", text(State::Failed.name()));
        self.attempt(object, request).await
    }

    /// The condition names the item as it was when its owner was found over: two takers cannot
    /// both succeed, and an owner that came back has written the item since.
    async fn take_over(
        &self,
        object: &ObjectVersion,
        owner: &Owner,
        entry: &Entry,
    ) -> Result<Attempt, LedgerError> {
        let previous_batch = entry.batch_id.clone().unwrap_or_default();
        let request = self
            .claim_request(
                object,
                owner,
                ", #previous = list_append(if_not_exists(#previous, :none), :previous)",
            )
            .condition_expression(
                "#batch = :previousBatch AND #updatedAt = :seen AND #state IN (:claimed, :failed)",
            )
            .expression_attribute_values(":seen", text(&entry.updated_at))
            .expression_attribute_names("#previous", attribute::PREVIOUS_BATCH_IDS)
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(
                ":previous",
                AttributeValue::L(vec![text(&previous_batch)]),
            )
            .expression_attribute_values(":previousBatch", text(&previous_batch))
            .expression_attribute_values(":failed", text(State::Failed.name()));
        self.attempt(object, request).await
    }

    fn claim_request(
        &self,
        object: &ObjectVersion,
        owner: &Owner,
        also: &str,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&object.ledger_key())))
            .update_expression(format!(
                "SET #state = :claimed, #batch = :batch, #execution = :execution, \
                 #updatedAt = :now{also}"
            ))
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_names("#batch", attribute::BATCH_ID)
            .expression_attribute_names("#execution", attribute::EXECUTION_ARN)
            .expression_attribute_names("#updatedAt", attribute::UPDATED_AT)
            .expression_attribute_values(":claimed", text(State::Claimed.name()))
            .expression_attribute_values(":batch", text(&owner.batch_id))
            .expression_attribute_values(":execution", text(&owner.execution_arn))
            .expression_attribute_values(":now", text(now()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(RETURN_OLD)
    }

    async fn attempt(
        &self,
        object: &ObjectVersion,
        request: aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder,
    ) -> Result<Attempt, LedgerError> {
        use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
        let error = match request.send().await {
            Ok(response) => {
                return Entry::of(response.attributes.unwrap_or_default()).map(Attempt::Ours);
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                match refusal.item.clone() {
                    Some(item) => Entry::of(item).map(Attempt::Theirs),
                    None => self.find_theirs(object).await,
                }
            }
            _ => Err(LedgerError::of("UpdateItem", &self.table, error)),
        }
    }

    /// Some DynamoDB stand-ins do not return the item with a failed condition.
    async fn find_theirs(&self, object: &ObjectVersion) -> Result<Attempt, LedgerError> {
        self.find(&object.ledger_key())
            .await?
            .map(Attempt::Theirs)
            .ok_or(LedgerError::Foreign { item: object.path(), attribute: attribute::STATE })
    }
}
