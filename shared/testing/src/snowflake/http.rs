//! As much of HTTP/1.1 as one known client needs: requests with a length, kept alive.

use std::collections::HashMap;
use std::io;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A statement's text fits many times over.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Reads the next request; `None` when the client closed the connection.
pub(crate) async fn read_request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(invalid("no request line"));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (method, path) = (method.to_owned(), path.to_owned());
    // UUIDs and booleans: nothing in these queries is percent-encoded.
    let query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();

    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(invalid("the headers have no end"));
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("not a header"))?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }

    let length = match headers.get("content-length") {
        Some(length) => length.parse().map_err(|_| invalid("content-length is not a number"))?,
        None => 0,
    };
    if length > MAX_BODY_BYTES || headers.contains_key("transfer-encoding") {
        return Err(invalid("the body is too large, or its length is not given"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Request { method, path, query, headers, body }))
}

/// Answers with a JSON document.
pub(crate) async fn write_reply(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    body: &Value,
) -> io::Result<()> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Stand-in\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    stream.get_mut().flush().await
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}
