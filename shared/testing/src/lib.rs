//! Stand-ins for what Landfall calls and no local cloud has. For tests and the local cloud
//! only: no function depends on this crate outside its tests.

#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[cfg(feature = "glue")]
pub mod glue;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "service")]
pub mod service;
pub mod snowflake;

/// The throw-away private key of the tests, PKCS#8 in PEM.
pub const TEST_PRIVATE_KEY: &str = include_str!("../fixtures/throwaway-snowflake-test-key.p8");

/// Its public half, SubjectPublicKeyInfo in PEM.
pub const TEST_PUBLIC_KEY: &str = include_str!("../fixtures/throwaway-snowflake-test-key.pub");

/// SHA-256 of the public half's DER, in base64, as `openssl dgst -sha256` computed it.
pub const TEST_KEY_FINGERPRINT: &str = "4+kQPE2aQMVQUoKeCVDIMTt2OGmpMx06ejuGRoBL9DU=";
