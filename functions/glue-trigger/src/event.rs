//! Who calls: the state machine; or, through EventBridge, Glue or Step Functions.

use landfall_messages::{
    EXECUTION_STATUS_DETAIL_TYPE, EventBridgeEvent, ExecutionStatusChange, GlueJobStateChange,
    GlueRunRequest,
};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// The events of this function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The state machine asks for a run.
    Request(Box<GlueRunRequest>),
    /// Glue says that a run changed its state.
    StateChange(EventBridgeEvent<GlueJobStateChange>),
    /// Step Functions says that an execution ended without success.
    ExecutionEnded(EventBridgeEvent<ExecutionStatusChange>),
}

impl<'de> Deserialize<'de> for Event {
    /// The field that only events have decides; serde's untagged enums would not say which field
    /// of which event is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Value::deserialize(deserializer)?;
        match event.get("detail-type").and_then(Value::as_str) {
            Some(EXECUTION_STATUS_DETAIL_TYPE) => {
                serde_json::from_value(event).map(Self::ExecutionEnded)
            }
            Some(_) => serde_json::from_value(event).map(Self::StateChange),
            None => serde_json::from_value(event).map(Self::Request),
        }
        .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// The example of
    /// <https://docs.aws.amazon.com/glue/latest/dg/automating-awsglue-with-cloudwatch-events.html>.
    const STATE_CHANGE: &str = r#"{"version":"0","id":"abcdef00","detail-type":"Glue Job State Change",
        "source":"aws.glue","account":"123456789012","time":"2017-09-07T18:57:21Z","region":"us-east-1","resources":[],
        "detail":{"jobName":"MyJob","severity":"INFO","state":"SUCCEEDED","jobRunId":"jr_abcdef","message":"Job run succeeded"}}"#;

    #[test]
    fn glues_own_event_is_read() {
        let Event::StateChange(event) = serde_json::from_str(STATE_CHANGE).unwrap() else {
            panic!("a state change is not a request");
        };
        assert_eq!(event.detail.job_run_id, "jr_abcdef");
        assert_eq!(event.detail.state, "SUCCEEDED");
    }

    #[test]
    fn the_end_of_an_execution_is_read() {
        let event = r#"{"detail-type":"Step Functions Execution Status Change","source":"aws.states","time":"t",
            "detail":{"executionArn":"arn:1","name":"orders-1","status":"ABORTED","input":null}}"#;
        let Event::ExecutionEnded(event) = serde_json::from_str(event).unwrap() else {
            panic!("it is the end of an execution");
        };
        assert_eq!(event.detail.status, "ABORTED");
    }

    #[test]
    fn a_broken_event_names_the_field() {
        let missing_token = r#"{"batch":{"id":"b","dataset":"d","contract":{"bucket":"c","key":"k","etag":"e"},"objects":[]},
            "load":[],"executionArn":"arn"}"#;
        let error = serde_json::from_str::<Event>(missing_token).unwrap_err();
        assert!(error.to_string().contains("taskToken"), "{error}");
        let missing_run = r#"{"detail-type":"Glue Job State Change","source":"aws.glue","time":"t","detail":{"jobName":"j","state":"FAILED"}}"#;
        let error = serde_json::from_str::<Event>(missing_run).unwrap_err();
        assert!(error.to_string().contains("jobRunId"), "{error}");
    }
}
