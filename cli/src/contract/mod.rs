//! Contracts on the command line.

pub(crate) mod infer;
pub(crate) mod lint;

use landfall_contract::Contract;

use crate::failure::Failure;
use crate::input::{Input, Location, S3};

/// Bytes of a contract, at most: the reader takes no more either.
const MAX_BYTES: usize = 1 << 20;

/// The text of a contract, with every `NAME=VALUE` put in.
///
/// # Errors
/// When it cannot be read, is too long or is not UTF-8.
pub(crate) fn read_text(path: &str, substitutions: &[String], s3: &S3) -> Result<String, Failure> {
    let mut input = Input::open(&Location::of(path)?, s3)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = input.next_chunk()? {
        bytes.extend_from_slice(chunk);
        if bytes.len() > MAX_BYTES {
            return Err(unusable(path, "it has more than 1 MiB; is it a contract?"));
        }
    }
    let mut text = String::from_utf8(bytes).map_err(|_| unusable(path, "it is not UTF-8"))?;
    for substitution in substitutions {
        match substitution.split_once('=') {
            Some((name, value)) if !name.is_empty() => text = text.replace(name, value),
            _ => return Err(Failure::Usage(format!("--set {substitution}: write NAME=VALUE"))),
        }
    }
    Ok(text)
}

/// A contract to check files against.
///
/// # Errors
/// With every problem it has.
pub(crate) fn read_contract(
    path: &str,
    substitutions: &[String],
    s3: &S3,
) -> Result<Contract, Failure> {
    let text = read_text(path, substitutions, s3)?;
    landfall_contract::parse(&text).map_err(|errors| unusable(path, &errors.to_string()))
}

fn unusable(path: &str, problems: &str) -> Failure {
    Failure::Contract { path: path.to_owned(), problems: problems.to_owned() }
}
