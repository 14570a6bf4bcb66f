//! Where bytes come from: files, standard input, objects in S3.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Stdin};
use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use landfall_messages::ObjectVersion;
use landfall_objects::{ObjectBody, ObjectReader};
use tokio::runtime::Runtime;

use crate::connection::Connection;
use crate::failure::Failure;

/// Bytes that are read at once: a chunk and what is made of it stay in the second level cache.
const CHUNK_BYTES: usize = 256 << 10;

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// `-`.
    StandardInput,
    /// A path.
    Path(PathBuf),
    /// `s3://bucket/key`.
    Object { bucket: String, key: String },
}

impl Location {
    /// Reads an argument.
    ///
    /// # Errors
    /// When it starts as an S3 address and is none.
    pub(crate) fn of(text: &str) -> Result<Self, Failure> {
        if text == "-" {
            return Ok(Self::StandardInput);
        }
        let Some(address) = text.strip_prefix("s3://") else {
            return Ok(Self::Path(PathBuf::from(text)));
        };
        match address.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                Ok(Self::Object { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            _ => Err(Failure::Usage(format!("{text} is not an object: write s3://bucket/key"))),
        }
    }

    /// As on the command line.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::StandardInput => "-".to_owned(),
            Self::Path(path) => path.display().to_string(),
            Self::Object { bucket, key } => format!("s3://{bucket}/{key}"),
        }
    }
}

/// S3, connected when it is first needed: most checks never are.
#[derive(Debug, Default)]
pub(crate) struct S3 {
    connected: OnceCell<Connected>,
}

#[derive(Debug)]
struct Connected {
    runtime: Runtime,
    reader: ObjectReader,
}

impl S3 {
    fn connect(&self) -> Result<&Connected, Failure> {
        if let Some(connected) = self.connected.get() {
            return Ok(connected);
        }
        let connection = Connection::open(None)?;
        let reader = ObjectReader::new(connection.s3());
        let connected = Connected { runtime: connection.runtime, reader };
        Ok(self.connected.get_or_init(|| connected))
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    name: String,
    bytes: Option<u64>,
    body: Body<'a>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Body<'a> {
    File(File),
    StandardInput(Stdin),
    Object(Box<OpenObject<'a>>),
}

#[derive(Debug)]
struct OpenObject<'a> {
    s3: &'a Connected,
    object: ObjectVersion,
    body: Option<ObjectBody>,
    chunk: Bytes,
}

impl<'a> Input<'a> {
    /// Opens the file.
    ///
    /// # Errors
    /// When it is not there or may not be read.
    pub(crate) fn open(location: &Location, s3: &'a S3) -> Result<Self, Failure> {
        let name = location.name();
        let unreadable = |source| Failure::Unreadable { path: name.clone(), source };
        let (bytes, body) = match location {
            Location::StandardInput => (None, Body::StandardInput(io::stdin())),
            Location::Path(path) => {
                let file = File::open(path).map_err(unreadable)?;
                let metadata = file.metadata().map_err(unreadable)?;
                if metadata.is_dir() {
                    return Err(Failure::Usage(format!("{name} is a directory: name its files")));
                }
                // A pipe has no size that means anything.
                (metadata.is_file().then_some(metadata.len()), Body::File(file))
            }
            Location::Object { bucket, key } => {
                let s3 = s3.connect()?;
                let object = s3
                    .runtime
                    .block_on(s3.reader.current(bucket, key))
                    .map_err(|error| object_failure(&name, &error))?;
                let open = OpenObject { s3, object, body: None, chunk: Bytes::new() };
                (Some(open.object.size), Body::Object(Box::new(open)))
            }
        };
        Ok(Self { name, bytes, body, buffer: Vec::new() })
    }

    /// Size in bytes, where it is known beforehand.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// Whether the file can be opened a second time and has the same bytes: a pipe has none
    /// left, and opening one may wait for ever.
    pub(crate) fn is_there_again(&self) -> bool {
        self.bytes.is_some()
    }

    /// Whether it can be read by ranges, as Parquet is.
    ///
    /// # Errors
    /// Of standard input and other pipes.
    pub(crate) fn has_an_end(&self) -> Result<(), Failure> {
        self.bytes.map(|_| ()).ok_or_else(no_end)
    }

    /// The next bytes in order; `None` at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<&[u8]>, Failure> {
        let name = &self.name;
        let buffer = &mut self.buffer;
        let read = match &mut self.body {
            Body::File(file) => read_some(file, buffer),
            Body::StandardInput(stdin) => read_some(&mut stdin.lock(), buffer),
            Body::Object(open) => return open.next_chunk().map_err(|e| object_failure(name, &e)),
        };
        let read = read.map_err(|source| Failure::Unreadable { path: name.clone(), source })?;
        Ok(buffer.get(..read).filter(|chunk| !chunk.is_empty()))
    }

    /// The bytes of some ranges, which lie within the file.
    ///
    /// # Errors
    /// When they cannot be read, or the input has no places to read from.
    pub(crate) fn read_ranges(&mut self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Failure> {
        let name = &self.name;
        match &mut self.body {
            Body::File(file) => ranges
                .iter()
                .map(|range| read_range(file, range))
                .collect::<io::Result<_>>()
                .map_err(|source| Failure::Unreadable { path: name.clone(), source }),
            Body::StandardInput(_) => Err(no_end()),
            Body::Object(open) => open
                .s3
                .runtime
                .block_on(open.s3.reader.read_ranges(&open.object, ranges))
                .map_err(|error| object_failure(name, &error)),
        }
    }
}

impl OpenObject<'_> {
    fn next_chunk(&mut self) -> Result<Option<&[u8]>, landfall_objects::ObjectError> {
        let runtime = &self.s3.runtime;
        if self.body.is_none() {
            self.body = Some(runtime.block_on(self.s3.reader.open(&self.object))?);
        }
        let Some(body) = &mut self.body else { return Ok(None) };
        match runtime.block_on(body.next_chunk())? {
            None => Ok(None),
            Some(chunk) => {
                self.chunk = chunk;
                Ok(Some(&self.chunk))
            }
        }
    }
}

fn no_end() -> Failure {
    let message = "a Parquet file is read from its end, which standard input and pipes do not \
                   have: save it to a file";
    Failure::Usage(message.into())
}

fn object_failure(name: &str, error: &landfall_objects::ObjectError) -> Failure {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        reason = format!("{reason}: {error}");
        cause = error.source();
    }
    Failure::Object { path: name.to_owned(), reason }
}

fn read_some(from: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<usize> {
    buffer.resize(CHUNK_BYTES, 0);
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn read_range(file: &mut File, range: &Range<u64>) -> io::Result<Bytes> {
    let too_long = || io::Error::from(io::ErrorKind::OutOfMemory);
    let length = range.end.saturating_sub(range.start);
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| too_long())?];
    file.seek(SeekFrom::Start(range.start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arguments_are_paths_objects_or_standard_input() {
        assert_eq!(Location::of("-").unwrap(), Location::StandardInput);
        assert_eq!(Location::of("a/b.csv").unwrap(), Location::Path("a/b.csv".into()));
        assert_eq!(
            Location::of("s3://b/a b/c.csv").unwrap(),
            Location::Object { bucket: "b".into(), key: "a b/c.csv".into() }
        );
        assert!(Location::of("s3://b").is_err());
        assert!(Location::of("s3://b/").is_err());
    }
}
