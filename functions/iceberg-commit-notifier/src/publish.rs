//! Putting the event on the bus.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use landfall_messages::{COMMIT_EVENT_DETAIL_TYPE, COMMIT_EVENT_SOURCE, CommitEvent};

use crate::Deps;
use crate::announcement::table_arn;
use crate::error::Error;

/// Puts the event.
///
/// `PutEvents` answers 200 for entries that it did not take; the answer's entry says why
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
pub(crate) async fn put(deps: &Deps, event: &CommitEvent) -> Result<(), Error> {
    let bus = &deps.config.event_bus;
    let detail = serde_json::to_string(event).map_err(Error::Event)?;
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source(COMMIT_EVENT_SOURCE)
        .detail_type(COMMIT_EVENT_DETAIL_TYPE)
        .set_resources(table_arn(bus, &event.table).map(|arn| vec![arn]))
        .detail(detail)
        .build();
    let response = deps
        .events
        .put_events()
        .entries(entry)
        .send()
        .await
        .map_err(|error| Error::of_request(bus, error))?;
    if response.failed_entry_count() == 0 {
        return Ok(());
    }
    let failed = response.entries().iter().find(|entry| entry.error_code().is_some());
    let said = |text: Option<&str>| text.unwrap_or("nothing").to_owned();
    Err(Error::of_entry(
        bus,
        said(failed.and_then(|entry| entry.error_code())),
        said(failed.and_then(|entry| entry.error_message())),
    ))
}
