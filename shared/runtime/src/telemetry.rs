//! Structured logs.

use tracing_subscriber::EnvFilter;

/// JSON lines on standard output, which Lambda sends to the function's log group.
///
/// `RUST_LOG` sets the level; `info` without it. Time stamps come from CloudWatch.
pub fn init_tracing() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_target(false)
        .without_time()
        .with_env_filter(filter)
        .init();
}
