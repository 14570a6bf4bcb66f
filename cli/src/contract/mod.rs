//! Contracts on the command line.

pub(crate) mod infer;
pub(crate) mod lint;

use landfall_contract::Contract;

use crate::failure::Failure;
use crate::input::{Input, Location, S3};

/// Bytes of a contract, at most: the reader takes no more either.
const MAX_BYTES: usize = 1 << 20;

/// The text of a contract.
///
/// # Errors
/// When it cannot be read, is too long or is not UTF-8.
pub(crate) fn read_text(path: &str, s3: &S3) -> Result<String, Failure> {
    let mut input = Input::open(&Location::of(path)?, s3)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = input.next_chunk()? {
        bytes.extend_from_slice(chunk);
        if bytes.len() > MAX_BYTES {
            return Err(unusable(path, "it has more than 1 MiB; is it a contract?"));
        }
    }
    String::from_utf8(bytes).map_err(|_| unusable(path, "it is not UTF-8"))
}

/// A contract to check files against.
///
/// # Errors
/// With every problem it has.
pub(crate) fn read_contract(path: &str, s3: &S3) -> Result<Contract, Failure> {
    let text = read_text(path, s3)?;
    landfall_contract::parse(&text).map_err(|errors| unusable(path, &errors.to_string()))
}

fn unusable(path: &str, problems: &str) -> Failure {
    Failure::Contract { path: path.to_owned(), problems: problems.to_owned() }
}
