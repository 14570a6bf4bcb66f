//! Structured logs.

use tracing::level_filters::LevelFilter;

/// JSON lines on standard output, which Lambda sends to the function's log group.
///
/// `RUST_LOG` sets the level (`error`, `warn` or `info`); `info` without it. Release builds have
/// no finer events at all. Time stamps come from CloudWatch.
pub fn init_tracing() {
    let level = std::env::var("RUST_LOG")
        .ok()
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_target(false)
        .without_time()
        .with_max_level(level)
        .init();
}
