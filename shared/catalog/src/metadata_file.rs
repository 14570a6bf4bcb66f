//! The metadata file of a table.

use std::io::Read;

use aws_sdk_s3::error::{BoxError, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use landfall_messages::TableIdentity;
use landfall_runtime::{is_denied, is_transient};

use crate::error::CatalogError;
use crate::name_of;

/// Most bytes of JSON that are read, compressed or not. A metadata file is read in one piece, and
/// the smallest function that does it has 512 MB, for the JSON and for what is made of it.
const MAX_BYTES: u64 = 128 << 20;

/// How a gzip member starts (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

const SCHEMES: [&str; 3] = ["s3://", "s3a://", "s3n://"];

pub(crate) async fn read(
    s3: &aws_sdk_s3::Client,
    identity: &TableIdentity,
    location: &str,
) -> Result<Vec<u8>, CatalogError> {
    let address = SCHEMES.iter().find_map(|scheme| location.strip_prefix(scheme));
    let Some((bucket, key)) = address.and_then(|address| address.split_once('/')) else {
        return Err(CatalogError::invalid(
            identity,
            format!("its metadata file {location} is not in S3"),
        ));
    };
    let response = match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(response) => response,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
            return Err(CatalogError::invalid(
                identity,
                format!("its metadata file {location} is gone from S3"),
            ));
        }
        Err(error) => return Err(of_get(identity, error)),
    };
    let too_large = || {
        let most = MAX_BYTES >> 20;
        let reason = format!(
            "its metadata file {location} has more than {most} MiB; expire snapshots, and the \
             next one is smaller"
        );
        CatalogError::invalid(identity, reason)
    };
    let length = response.content_length.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    if length > MAX_BYTES {
        return Err(too_large());
    }
    let bytes = collect(response.body, length).await.map_err(|error| {
        CatalogError::StorageUnavailable { table: name_of(identity), source: error.into() }
    })?;
    let json = if bytes.starts_with(&GZIP_MAGIC) {
        decompress(&bytes)
            .map_err(|reason| CatalogError::unusable_metadata(identity, location, &reason))?
    } else {
        bytes
    };
    if json.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    Ok(json)
}

/// The body in one piece, without a second copy of it. What is beyond the limit is left.
async fn collect(
    mut body: ByteStream,
    length: u64,
) -> Result<Vec<u8>, aws_sdk_s3::primitives::ByteStreamError> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    while let Some(chunk) = body.try_next().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > MAX_BYTES {
            break;
        }
    }
    Ok(bytes)
}

fn of_get<E, R>(identity: &TableIdentity, error: SdkError<E, R>) -> CatalogError
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: landfall_runtime::HttpStatus + std::fmt::Debug + Send + Sync + 'static,
{
    let table = name_of(identity);
    let (transient, denied) = (is_transient(&error), is_denied(&error));
    let source = error.into_source().unwrap_or_else(BoxError::from);
    if denied {
        CatalogError::AccessDenied { operation: "s3:GetObject", table, source }
    } else if transient {
        CatalogError::StorageUnavailable { table, source }
    } else {
        CatalogError::Refused { table, source }
    }
}

/// The JSON, or its beginning when it has more than is read.
fn decompress(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut json = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(MAX_BYTES + 1)
        .read_to_end(&mut json)
        .map_err(|error| format!("it is no whole gzip file ({error})"))?;
    Ok(json)
}
