//! Avro object container files, as a stream
//! (<https://avro.apache.org/docs/1.12.0/specification/#object-container-files>).

use std::io::Read;

use super::datum::Reader;

/// Bytes of a block, as stored and as decompressed.
pub(crate) const MAX_BLOCK_BYTES: usize = 64 << 20;

/// Bytes of the header.
const MAX_HEADER_BYTES: usize = 16 << 20;

/// Bytes of the schema: as JSON it takes many times its size.
const MAX_SCHEMA_BYTES: usize = 4 << 20;

const MAGIC: [u8; 4] = *b"Obj\x01";

/// Bytes of the marker after every block.
pub(crate) const SYNC_BYTES: usize = 16;

/// What precedes the blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The schema, as JSON.
    pub(crate) schema: Vec<u8>,
    pub(crate) codec: Codec,
    /// What every block ends with.
    pub(crate) sync: [u8; SYNC_BYTES],
}

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
    Bzip2,
}

/// A block as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) records: u64,
    pub(crate) data: &'a [u8],
}

/// Takes the parts of a file in order. An error ends the scan.
pub(crate) trait Parts {
    type Error: From<String>;
    fn header(&mut self, header: &Header) -> Result<(), Self::Error>;
    fn block(&mut self, block: Block<'_>) -> Result<(), Self::Error>;
}

/// Cuts a stream of chunks of any size into header and blocks.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// The beginning of a part that is not whole.
    pending: Vec<u8>,
    /// Bytes that `pending` needs before it is worth looking at again.
    needed: usize,
    sync: Option<[u8; SYNC_BYTES]>,
    /// Blocks before the one at hand.
    blocks: u64,
    consumed: u64,
}

/// What the beginning of a stream is.
enum Part<'a> {
    /// Not whole: at least that many bytes are needed.
    Needs(usize),
    Header(Header, usize),
    Block {
        records: u64,
        data: &'a [u8],
        length: usize,
    },
}

impl Scanner {
    /// Bytes of the parts that were whole.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Takes the next bytes.
    pub(crate) fn feed<P: Parts>(
        &mut self,
        mut chunk: &[u8],
        parts: &mut P,
    ) -> Result<(), P::Error> {
        while !chunk.is_empty() {
            if self.pending.is_empty() {
                // A part that is whole in the chunk is not copied.
                match self.part(chunk).map_err(P::Error::from)? {
                    Part::Needs(needed) => {
                        self.needed = needed;
                        self.pending.extend_from_slice(chunk);
                        return Ok(());
                    }
                    part => {
                        let length = self.deliver(part, parts)?;
                        chunk = chunk.get(length..).unwrap_or_default();
                    }
                }
                continue;
            }
            let missing = self.needed.saturating_sub(self.pending.len()).min(chunk.len());
            let (taken, rest) = chunk.split_at(missing);
            self.pending.extend_from_slice(taken);
            chunk = rest;
            if self.pending.len() < self.needed {
                return Ok(());
            }
            let mut pending = std::mem::take(&mut self.pending);
            match self.part(&pending).map_err(P::Error::from)? {
                Part::Needs(needed) => self.needed = needed,
                part => {
                    self.deliver(part, parts)?;
                    pending.clear();
                }
            }
            self.pending = pending;
        }
        Ok(())
    }

    /// Takes the end of the file.
    pub(crate) fn finish(&self) -> Result<(), String> {
        match (self.sync, self.pending.len()) {
            (Some(_), 0) => Ok(()),
            (Some(_), _) => Err(format!(
                "the file ends within its block {}; upload it again, whole",
                self.blocks + 1
            )),
            (None, _) => Err("the file ends within its header; upload it again, whole".into()),
        }
    }

    fn deliver<P: Parts>(&mut self, part: Part<'_>, parts: &mut P) -> Result<usize, P::Error> {
        let length = match part {
            Part::Needs(_) => 0,
            Part::Header(header, length) => {
                self.sync = Some(header.sync);
                parts.header(&header)?;
                length
            }
            Part::Block { records, data, length } => {
                self.blocks += 1;
                parts.block(Block { number: self.blocks, records, data })?;
                length
            }
        };
        self.consumed += length as u64;
        Ok(length)
    }

    fn part<'a>(&self, bytes: &'a [u8]) -> Result<Part<'a>, String> {
        match self.sync {
            None => header(bytes),
            Some(sync) => block(bytes, sync)
                .map_err(|what| format!("block {}: {what}; write the file again", self.blocks + 1)),
        }
    }
}

fn header(bytes: &[u8]) -> Result<Part<'_>, String> {
    let known = bytes.len().min(MAGIC.len());
    if bytes.get(..known) != MAGIC.get(..known) {
        return Err("it does not start as an Avro file (Obj, 1); write it as an Avro object \
                    container file, or name its format in the contract"
            .into());
    }
    let Some(map) = bytes.get(MAGIC.len()..) else { return Ok(Part::Needs(MAGIC.len())) };
    let mut reader = Reader::new(map);
    let place = |reader: &Reader<'_>| bytes.len() - reader.rest().len();
    let within = |end: usize| {
        if end > MAX_HEADER_BYTES {
            return Err(format!("its header is larger than {} MiB", MAX_HEADER_BYTES >> 20));
        }
        Ok(())
    };
    // A number or the bytes after it may not be whole; what is missing is known or one byte.
    macro_rules! number {
        () => {{
            within(place(&reader))?;
            match reader.long() {
                Ok(number) => number,
                Err(_) if reader.rest().len() < 10 => return Ok(Part::Needs(bytes.len() + 1)),
                Err(fault) => return Err(format!("its header is malformed: {fault}")),
            }
        }};
    }
    macro_rules! sized {
        () => {{
            let length = number!();
            let length = usize::try_from(length).map_err(|_| "its header has a negative length")?;
            within(place(&reader).saturating_add(length))?;
            match reader.rest().get(..length) {
                Some(value) => {
                    reader = Reader::new(reader.rest().get(length..).unwrap_or_default());
                    value
                }
                None => return Ok(Part::Needs(place(&reader) + length)),
            }
        }};
    }
    let (mut schema, mut codec) = (None, None);
    loop {
        let mut count = number!();
        if count < 0 {
            number!();
            count = count.checked_neg().ok_or("its header has a count that cannot be")?;
        }
        if count == 0 {
            break;
        }
        for _ in 0..count {
            let key = sized!();
            let value = sized!();
            match key {
                b"avro.schema" => schema = Some(value),
                b"avro.codec" => codec = Some(value),
                _ => {}
            }
        }
    }
    within(place(&reader) + SYNC_BYTES)?;
    let Some(sync) = reader.rest().first_chunk::<SYNC_BYTES>() else {
        return Ok(Part::Needs(place(&reader) + SYNC_BYTES));
    };
    let schema = schema.ok_or("its header has no schema")?;
    if schema.len() > MAX_SCHEMA_BYTES {
        return Err(format!("its schema is larger than {} MiB", MAX_SCHEMA_BYTES >> 20));
    }
    let codec = match codec {
        None | Some(b"" | b"null") => Codec::Null,
        Some(b"deflate") => Codec::Deflate,
        Some(b"snappy") => Codec::Snappy,
        Some(b"zstandard") => Codec::Zstandard,
        Some(b"bzip2") => Codec::Bzip2,
        Some(other) => {
            return Err(format!(
                "its codec is {}, and null, deflate, snappy, zstandard and bzip2 can be read",
                crate::show::show_name(&String::from_utf8_lossy(other))
            ));
        }
    };
    let header = Header { schema: schema.to_vec(), codec, sync: *sync };
    Ok(Part::Header(header, place(&reader) + SYNC_BYTES))
}

fn block(bytes: &[u8], sync: [u8; SYNC_BYTES]) -> Result<Part<'_>, String> {
    let mut reader = Reader::new(bytes);
    let mut numbers = [0_i64; 2];
    for number in &mut numbers {
        *number = match reader.long() {
            Ok(number) => number,
            Err(_) if reader.rest().len() < 10 => return Ok(Part::Needs(bytes.len() + 1)),
            Err(fault) => return Err(fault.into()),
        };
    }
    let [records, size] = numbers;
    let records = u64::try_from(records).map_err(|_| "it has a negative count of records")?;
    let size = usize::try_from(size).map_err(|_| "it has a negative size")?;
    if size > MAX_BLOCK_BYTES {
        return Err(format!(
            "it has {size} bytes, and at most {MAX_BLOCK_BYTES} can be read in one block"
        ));
    }
    let start = bytes.len() - reader.rest().len();
    let end = start + size;
    let (Some(data), Some(marker)) = (bytes.get(start..end), bytes.get(end..end + SYNC_BYTES))
    else {
        return Ok(Part::Needs(end + SYNC_BYTES));
    };
    if marker != sync {
        return Err("it does not end with the file's sync marker, so bytes before it are lost \
                    or changed"
            .into());
    }
    Ok(Part::Block { records, data, length: end + SYNC_BYTES })
}

impl Codec {
    /// The datums of a block; `buffer` is where they go if they are compressed.
    pub(crate) fn decompress<'b>(
        self,
        data: &'b [u8],
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], String> {
        buffer.clear();
        // One byte more than there may be shows that there is more.
        let limit = MAX_BLOCK_BYTES as u64 + 1;
        let read = match self {
            Self::Null => return Ok(data),
            Self::Snappy => {
                snappy(data, buffer)?;
                return Ok(buffer);
            }
            Self::Deflate => {
                flate2::read::DeflateDecoder::new(data).take(limit).read_to_end(buffer)
            }
            Self::Bzip2 => bzip2::read::MultiBzDecoder::new(data).take(limit).read_to_end(buffer),
            Self::Zstandard => {
                zstd::stream::read::Decoder::with_buffer(data).and_then(|mut decoder| {
                    decoder.window_log_max(MAX_BLOCK_BYTES.ilog2())?;
                    decoder.take(limit).read_to_end(buffer)
                })
            }
        };
        read.map_err(|error| format!("it cannot be decompressed: {error}"))?;
        if buffer.len() > MAX_BLOCK_BYTES {
            return Err(too_large());
        }
        Ok(buffer)
    }
}

fn too_large() -> String {
    format!("it has more than {MAX_BLOCK_BYTES} bytes when it is decompressed")
}

/// Snappy without framing, and the CRC-32 of what it decompresses to, big-endian.
fn snappy(data: &[u8], buffer: &mut Vec<u8>) -> Result<(), String> {
    let broken = |what: &str| format!("it cannot be decompressed: {what}");
    let (data, sum) = data.split_last_chunk::<4>().ok_or_else(|| broken("it is too short"))?;
    let claimed = snap::raw::decompress_len(data).map_err(|error| broken(&error.to_string()))?;
    if claimed > MAX_BLOCK_BYTES {
        return Err(too_large());
    }
    // No copy writes more than 64 bytes for 2, so nothing is allocated for a mere claim.
    if claimed > 64 * data.len() {
        return Err(broken("it is no Snappy data"));
    }
    buffer.resize(claimed, 0);
    let mut decoder = snap::raw::Decoder::new();
    decoder.decompress(data, buffer).map_err(|error| broken(&error.to_string()))?;
    let mut own = flate2::Crc::new();
    own.update(buffer);
    if own.sum() != u32::from_be_bytes(*sum) {
        return Err(broken("its checksum is another"));
    }
    Ok(())
}

/// Appends a variable-length zigzag integer.
pub(crate) fn push_long(number: i64, out: &mut Vec<u8>) {
    let mut bits = ((number << 1) ^ (number >> 63)) as u64;
    while bits >= 0x80 {
        out.push((bits as u8) | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

impl Header {
    /// The header of a file with the same schema and marker, without compression.
    pub(crate) fn uncompressed(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        push_long(2, &mut out);
        for (key, value) in [("avro.schema", self.schema.as_slice()), ("avro.codec", b"null")] {
            for part in [key.as_bytes(), value] {
                push_long(part.len() as i64, &mut out);
                out.extend_from_slice(part);
            }
        }
        push_long(0, &mut out);
        out.extend_from_slice(&self.sync);
        out
    }

    /// A block of such a file.
    pub(crate) fn push_block(&self, records: u64, data: &[u8], out: &mut Vec<u8>) {
        push_long(i64::try_from(records).unwrap_or(i64::MAX), out);
        push_long(data.len() as i64, out);
        out.extend_from_slice(data);
        out.extend_from_slice(&self.sync);
    }
}
