//! Decompression as a stream, bounded against archives that are made to explode.
//!
//! gzip (RFC 1952), zstd (RFC 8878) and bzip2, each any number of members one after the other,
//! as their own tools take them. What is not compressed passes through without being copied.

use std::fmt;

use landfall_contract::Compression;
use zstd::stream::raw::Operation;

/// Bytes that come out at once: with what the check makes of them they stay in the second
/// level cache.
const PIECE_BYTES: usize = 128 << 10;

/// Compressed bytes that are decompressed at once, whatever chunks they come in: what comes
/// out before damage is found, or a limit is reached, then depends on the file alone.
const BLOCK_BYTES: usize = 32 << 10;

/// Bytes that tell the compressions apart: bzip2 needs most, `BZh9` and a block's magic.
const MAGIC_BYTES: usize = 10;

/// The largest zstd window, 2^26 bytes or 64 MiB: what `zstd -19` and every level below use
/// fits, and so does the decompressor into the memory that a check may take. Only `--ultra`
/// and `--long=27` ask for more.
const ZSTD_WINDOW_LOG: u32 = 26;

/// How much may come out of a compressed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecompressLimits {
    /// Bytes in all. Default 256 GiB: more than a Lambda reads in its longest invocation, and
    /// memory does not grow with it.
    pub max_bytes: u64,
    /// Bytes out for each byte in, once more than [`Self::grace_bytes`] have come out. Default
    /// 500: text that people and programs write compresses a hundredfold at the very most,
    /// and the most that gzip can do is 1,032.
    pub max_ratio: u64,
    /// Bytes of output from which on the ratio counts. Default 64 MiB.
    pub grace_bytes: u64,
}

impl Default for DecompressLimits {
    fn default() -> Self {
        Self { max_bytes: 256 << 30, max_ratio: 500, grace_bytes: 64 << 20 }
    }
}

/// Why a file cannot be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecompressFault {
    /// The file ends before its last member does.
    #[error("the {0} data ends too early; the upload was probably cut off, upload it again")]
    Truncated(Codec),
    /// The bytes are not what the compression writes.
    #[error("the {codec} data is damaged: {reason}; compress and upload it again")]
    Corrupt {
        /// The compression.
        codec: Codec,
        /// What is wrong with them. Not the decompressor's own words, which depend on how the
        /// bytes were cut into chunks.
        reason: &'static str,
    },
    /// The contract states a compression that the file does not have.
    #[error("the contract says {0}, and the file is not compressed so")]
    OtherCompression(Codec),
    /// It grows out of all proportion.
    #[error(
        "{out} bytes came out of {read}, more than {limit} for each; nothing that a table is \
         made of is so regular"
    )]
    Bomb {
        /// Bytes read.
        read: u64,
        /// Bytes that came out.
        out: u64,
        /// The most that one byte may become.
        limit: u64,
    },
    /// More comes out than is checked.
    #[error("more than {0} bytes come out of it; split the file")]
    TooLong(u64),
    /// Decompressing needs more memory than there is.
    #[error(
        "the zstd window is larger than 64 MiB; compress without --long and --ultra, or with \
         --long=26 at most"
    )]
    WindowTooLarge,
}

/// The compressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// bzip2.
    Bzip2,
}

impl Codec {
    /// The name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Decompresses a stream of chunks of any size.
pub struct Decompressor {
    wanted: Compression,
    limits: DecompressLimits,
    state: State,
    /// Compressed bytes taken.
    read: u64,
    /// Bytes given out.
    out: u64,
    piece: Vec<u8>,
}

enum State {
    /// The first bytes, until they say what the file is.
    Undecided(Vec<u8>),
    /// Not compressed; these first bytes are still to be given out.
    Plain(Vec<u8>),
    /// Compressed; the block at hand.
    Compressed(Stream, Block),
}

/// Compressed bytes of which the first are decompressed.
struct Block {
    bytes: Vec<u8>,
    used: usize,
}

impl Block {
    /// Moves bytes in from a chunk until it is full, when all of it is used up or it never was
    /// full; gives their number.
    fn fill(&mut self, chunk: &mut &[u8]) -> usize {
        if self.used > 0 && self.used == self.bytes.len() {
            self.bytes.clear();
            self.used = 0;
        }
        let missing = if self.used == 0 { BLOCK_BYTES.saturating_sub(self.bytes.len()) } else { 0 };
        let (first, rest) = chunk.split_at(missing.min(chunk.len()));
        self.bytes.extend_from_slice(first);
        *chunk = rest;
        first.len()
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK_BYTES
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }
}

/// One compressed stream, which may have several members.
struct Stream {
    codec: Codec,
    member: Option<Member>,
    /// After a gzip member, zeros may fill the last block of a tape or a disk.
    padding: bool,
}

enum Member {
    Gzip(Box<flate2::Decompress>),
    Zstd(Box<zstd::stream::raw::Decoder<'static>>),
    Bzip2(Box<bzip2::Decompress>),
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("codec", &self.codec())
            .field("read", &self.read)
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}

impl Decompressor {
    /// A decompressor at the start of a file.
    pub fn new(wanted: Compression, limits: DecompressLimits) -> Self {
        let state = match wanted {
            Compression::None => State::Plain(Vec::new()),
            _ => State::Undecided(Vec::new()),
        };
        Self { wanted, limits, state, read: 0, out: 0, piece: Vec::new() }
    }

    /// The compression that was found; `None` while it is not known, or there is none.
    pub fn codec(&self) -> Option<Codec> {
        match &self.state {
            State::Compressed(stream, _) => Some(stream.codec),
            State::Undecided(_) | State::Plain(_) => None,
        }
    }

    /// Bytes of the stored file taken so far.
    pub fn bytes_read(&self) -> u64 {
        self.read
    }

    /// Takes from the chunk and gives the next piece; `None` once the chunk is used up.
    ///
    /// # Errors
    /// [`DecompressFault`]; the decompressor is of no use after one.
    pub fn next<'a, 'b: 'a>(
        &'a mut self,
        chunk: &mut &'b [u8],
    ) -> Result<Option<&'a [u8]>, DecompressFault> {
        if let State::Undecided(head) = &mut self.state {
            let missing = MAGIC_BYTES.saturating_sub(head.len()).min(chunk.len());
            let (first, rest) = chunk.split_at(missing);
            head.extend_from_slice(first);
            self.read += first.len() as u64;
            *chunk = rest;
            if head.len() < MAGIC_BYTES {
                return Ok(None);
            }
            self.decide()?;
        }
        match &mut self.state {
            State::Undecided(_) => Ok(None),
            State::Plain(head) => {
                if !head.is_empty() {
                    self.piece = std::mem::take(head);
                    return Ok(Some(&self.piece));
                }
                let piece = std::mem::take(chunk);
                self.read += piece.len() as u64;
                Ok((!piece.is_empty()).then_some(piece))
            }
            State::Compressed(..) => self.next_decompressed(chunk),
        }
    }

    /// As [`Decompressor::next`], with the piece in a buffer to keep. The spare buffer is used
    /// for what follows.
    ///
    /// # Errors
    /// As [`Decompressor::next`].
    pub(crate) fn next_in(
        &mut self,
        chunk: &mut &[u8],
        mut spare: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, DecompressFault> {
        let is_own = matches!(self.state, State::Compressed(..));
        let Some(piece) = self.next(chunk)? else { return Ok(None) };
        if !is_own {
            return Ok(Some(piece.to_vec()));
        }
        let filled = piece.len();
        std::mem::swap(&mut self.piece, &mut spare);
        spare.truncate(filled);
        Ok(Some(spare))
    }

    /// Takes the end of the file, and gives what is left of it: until there is nothing.
    ///
    /// # Errors
    /// [`DecompressFault`] when the file ends too early, and as [`Decompressor::next`].
    pub fn finish(&mut self) -> Result<Option<&[u8]>, DecompressFault> {
        if matches!(self.state, State::Undecided(_)) {
            self.decide()?;
        }
        match &mut self.state {
            State::Undecided(_) => Ok(None),
            State::Plain(head) if head.is_empty() => Ok(None),
            State::Plain(head) => {
                self.piece = std::mem::take(head);
                Ok(Some(&self.piece))
            }
            State::Compressed(..) => {
                let filled = self.decompress_block()?;
                if filled > 0 {
                    return Ok(self.piece.get(..filled));
                }
                match &self.state {
                    State::Compressed(Stream { member: Some(_), codec, .. }, _) => {
                        Err(DecompressFault::Truncated(*codec))
                    }
                    _ => Ok(None),
                }
            }
        }
    }

    /// Says what the file is by its first bytes, of which there are ten, or all.
    fn decide(&mut self) -> Result<(), DecompressFault> {
        let State::Undecided(head) = &mut self.state else { return Ok(()) };
        let head = std::mem::take(head);
        let found = sniff(&head);
        let wanted = match self.wanted {
            Compression::Auto => found,
            Compression::None => None,
            Compression::Gzip => Some(Codec::Gzip),
            Compression::Zstd => Some(Codec::Zstd),
            Compression::Bzip2 => Some(Codec::Bzip2),
        };
        self.state = match wanted {
            // An empty file has no compression, and a name for itself.
            _ if head.is_empty() => State::Plain(head),
            None => State::Plain(head),
            Some(codec) if found != Some(codec) => {
                return Err(DecompressFault::OtherCompression(codec));
            }
            Some(codec) => {
                let stream = Stream { codec, member: Some(Member::new(codec)?), padding: false };
                State::Compressed(stream, Block { bytes: head, used: 0 })
            }
        };
        Ok(())
    }

    fn next_decompressed(&mut self, chunk: &mut &[u8]) -> Result<Option<&[u8]>, DecompressFault> {
        loop {
            let State::Compressed(_, block) = &mut self.state else { return Ok(None) };
            self.read += block.fill(chunk) as u64;
            if !block.is_full() {
                return Ok(None);
            }
            let filled = self.decompress_block()?;
            if filled > 0 {
                return Ok(self.piece.get(..filled));
            }
            if let State::Compressed(stream, block) = &self.state
                && !block.rest().is_empty()
            {
                let codec = stream.codec;
                return Err(DecompressFault::Corrupt { codec, reason: "it leads nowhere" });
            }
            if chunk.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Decompresses what is left of the block at hand, as far as it goes into a piece: bytes
    /// of the piece. None are left in the block when there are none.
    fn decompress_block(&mut self) -> Result<usize, DecompressFault> {
        let State::Compressed(stream, block) = &mut self.state else { return Ok(0) };
        self.piece.resize(PIECE_BYTES, 0);
        let mut filled = 0;
        loop {
            let room = self.piece.get_mut(filled..).unwrap_or_default();
            let (taken, made) = stream.step(block.rest(), room)?;
            block.used += taken;
            filled += made;
            // A decompressor may hold output back until it is asked again without input.
            if filled == PIECE_BYTES || (made == 0 && (taken == 0 || block.rest().is_empty())) {
                break;
            }
        }
        self.out += filled as u64;
        self.within_limits()?;
        Ok(filled)
    }

    fn within_limits(&self) -> Result<(), DecompressFault> {
        let DecompressLimits { max_bytes, max_ratio, grace_bytes } = self.limits;
        if self.out > max_bytes {
            return Err(DecompressFault::TooLong(max_bytes));
        }
        if self.out > grace_bytes && self.out / max_ratio.max(1) > self.read {
            let (read, out) = (self.read, self.out);
            return Err(DecompressFault::Bomb { read, out, limit: max_ratio });
        }
        Ok(())
    }
}

/// What the first bytes say.
fn sniff(head: &[u8]) -> Option<Codec> {
    const BLOCK: [u8; 6] = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
    const END: [u8; 6] = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];
    match head {
        [0x1F, 0x8B, ..] => Some(Codec::Gzip),
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Codec::Zstd),
        [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]
            if !rest.is_empty() && (BLOCK.starts_with(rest) || END.starts_with(rest)) =>
        {
            Some(Codec::Bzip2)
        }
        _ => None,
    }
}

impl Member {
    fn new(codec: Codec) -> Result<Self, DecompressFault> {
        Ok(match codec {
            Codec::Gzip => Self::Gzip(Box::new(flate2::Decompress::new_gzip(15))),
            Codec::Zstd => {
                let no_memory = |_| DecompressFault::WindowTooLarge;
                let mut decoder = zstd::stream::raw::Decoder::new().map_err(no_memory)?;
                decoder
                    .set_parameter(zstd::stream::raw::DParameter::WindowLogMax(ZSTD_WINDOW_LOG))
                    .map_err(no_memory)?;
                Self::Zstd(Box::new(decoder))
            }
            Codec::Bzip2 => Self::Bzip2(Box::new(bzip2::Decompress::new(false))),
        })
    }

    /// Bytes taken, bytes made, and whether the member has ended.
    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<(usize, usize, bool), String> {
        match self {
            Self::Gzip(decoder) => {
                let before = (decoder.total_in(), decoder.total_out());
                let status = decoder
                    .decompress(input, room, flate2::FlushDecompress::None)
                    .map_err(|error| error.to_string())?;
                let taken = (decoder.total_in() - before.0) as usize;
                let made = (decoder.total_out() - before.1) as usize;
                Ok((taken, made, status == flate2::Status::StreamEnd))
            }
            Self::Zstd(decoder) => {
                let status =
                    decoder.run_on_buffers(input, room).map_err(|error| error.to_string())?;
                Ok((status.bytes_read, status.bytes_written, status.remaining == 0))
            }
            Self::Bzip2(decoder) => {
                let before = (decoder.total_in(), decoder.total_out());
                let status = decoder.decompress(input, room).map_err(|error| error.to_string())?;
                let taken = (decoder.total_in() - before.0) as usize;
                let made = (decoder.total_out() - before.1) as usize;
                Ok((taken, made, status == bzip2::Status::StreamEnd))
            }
        }
    }
}

impl Stream {
    /// One step: bytes taken and bytes made. Between two members there is nothing to make.
    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<(usize, usize), DecompressFault> {
        let codec = self.codec;
        let corrupt = |reason| DecompressFault::Corrupt { codec, reason };
        if self.member.is_none() {
            if input.is_empty() {
                return Ok((0, 0));
            }
            let zeros = input.iter().take_while(|byte| **byte == 0).count();
            if codec == Codec::Gzip && zeros > 0 {
                self.padding = true;
                return Ok((zeros, 0));
            }
            if self.padding {
                return Err(corrupt("there is data after its padding"));
            }
            self.member = Some(Member::new(codec)?);
        }
        let Some(member) = &mut self.member else { return Ok((0, 0)) };
        let (taken, made, ended) = match member.step(input, room) {
            Ok(step) => step,
            Err(reason) if reason.contains("requires too much memory") => {
                return Err(DecompressFault::WindowTooLarge);
            }
            Err(_) => return Err(corrupt("its bytes make no sense, or a checksum is wrong")),
        };
        // zstd also says "ended" when it was given nothing at the start of a member.
        if ended && (taken > 0 || made > 0) {
            self.member = None;
        }
        Ok((taken, made))
    }
}

#[cfg(test)]
mod tests;
