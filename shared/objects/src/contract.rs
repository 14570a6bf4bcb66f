//! Contracts out of the config bucket.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::BoxError;
use landfall_contract::Contract;
use landfall_messages::ContractRef;

use crate::error::ObjectError;

/// The contract, read as the version that the batch was started with.
///
/// # Errors
/// [`ObjectError::ContractGone`] when that version is not there, or has been replaced where
/// the bucket keeps no versions; [`ObjectError::ContractInvalid`] with every problem's line
/// when it does not parse; else as for any object.
pub async fn load_contract(
    client: &Client,
    contract: &ContractRef,
) -> Result<Contract, ObjectError> {
    let path = format!("s3://{}/{}", contract.bucket, contract.key);
    let mut request = client.get_object().bucket(&contract.bucket).key(&contract.key);
    request = match &contract.version_id {
        Some(version_id) => request.version_id(version_id),
        None => request.if_match(format!("\"{}\"", contract.etag)),
    };
    let response =
        request.send().await.map_err(|error| match ObjectError::of(&path, 0, error) {
            ObjectError::Gone(path) | ObjectError::Changed(path) => ObjectError::ContractGone(path),
            other => other,
        })?;
    let bytes = response.body.collect().await.map_err(|error| ObjectError::Unreadable {
        path: path.clone(),
        read: 0,
        source: BoxError::from(error),
    })?;
    let invalid = |problems: String| ObjectError::ContractInvalid { path: path.clone(), problems };
    let text = String::from_utf8(bytes.to_vec()).map_err(|error| invalid(error.to_string()))?;
    landfall_contract::parse(&text).map_err(|problems| invalid(problems.to_string()))
}
