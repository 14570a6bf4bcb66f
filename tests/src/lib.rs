//! Tests of the whole: conformance of template and state machine, and end to end.
