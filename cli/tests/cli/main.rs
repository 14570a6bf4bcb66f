//! The `landfall` command as people and CI systems run it: the binary, its exit codes, and what
//! it prints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod compressed;
mod contract;
mod folder;
mod formats;
mod hostile;
mod ledger;
mod s3;
mod streams;
mod xml;
