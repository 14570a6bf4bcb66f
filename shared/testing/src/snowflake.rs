//! A stand-in for Snowflake: a server on loopback that speaks the SQL API v2 for the
//! statements Landfall sends.
//!
//! It is strict where Snowflake is: it checks the JWT's signature, claims and expiry, runs a
//! resubmitted request once, answers an asynchronous submission with 202, and refuses to
//! refresh a table that does not exist.
//! <https://docs.snowflake.com/en/developer-guide/sql-api/reference>

mod http;
mod jwt;
mod server;
mod statement;

pub use jwt::PublicKey;
pub use server::{ExecutedStatement, Options, ReceivedRequest, ScriptedReply, SnowflakeStandIn};
