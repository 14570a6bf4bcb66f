//! End to end on the local cloud: the real template, the real binaries, roles enforced, and
//! the tables read back by PyIceberg.
//!
//! Run by `make e2e`, which starts the stack and sets `LANDFALL_STACK`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod abort;
mod backfill;
mod bad_input;
mod cli;
mod contracts;
mod ended;
mod engine;
mod formats;
mod glue;
mod load;
mod refusal;
mod review;
mod stack;
mod storm;
