//! One row group: the wanted column chunks arrive in windows, and rows are read as soon as
//! all of their pages are there.
//!
//! What is in memory does not grow with the row group: a window of every chunk, the pages in
//! it that are not decoded, one decoded page and one dictionary of every leaf.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::schema::types::ColumnDescPtr;

use super::footer::{Chunk, Codec, Footer};
use super::leaves::LeafReader;
use super::pages::{self, MAX_LEVELS, PageKind, PageQueue};

/// How much of a row group is in memory at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    /// Bytes of all windows together, unless single pages are larger. Default 32 MiB.
    pub(crate) bytes: u64,
    /// Bytes of the smallest window. Default 64 KiB.
    pub(crate) least: u64,
}

impl Default for Windows {
    fn default() -> Self {
        Self { bytes: 32 << 20, least: 64 << 10 }
    }
}

/// Bytes between two ranges that are rather read than asked for apart.
const MAX_GAP_BYTES: u64 = 64 << 10;

/// Bytes of a chunk of lists whose pages do not say how many rows they have: it is read
/// whole.
const MAX_WHOLE_CHUNK_BYTES: u64 = 64 << 20;

/// Bytes of decoded pages and dictionaries of all leaves.
const MAX_OPEN_BYTES: usize = 256 << 20;

/// Most rows that are read at once.
const MAX_STEP_ROWS: u64 = 1024;

/// Bytes of values that are decoded at once, by what the footer says of their size.
const STEP_BYTES: u64 = 4 << 20;

impl Windows {
    /// Bytes of the window of one of the chunks, which together have `stored` bytes.
    fn of(self, chunk: &Chunk, stored: u64) -> u64 {
        let length = chunk.range.end - chunk.range.start;
        if stored <= self.bytes {
            return length;
        }
        // Rows are read at one pace, so every chunk gets its share.
        let share = u128::from(length) * u128::from(self.bytes) / u128::from(stored);
        u64::try_from(share).unwrap_or(self.bytes).max(self.least)
    }
}

/// A row group that is being read.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) number: usize,
    rows: u64,
    done: u64,
    step: u64,
    streams: Vec<Stream>,
    /// By their places among the file's leaves; absent where the leaf is not read.
    pub(crate) leaves: Vec<Option<LeafReader>>,
}

/// The pages of one chunk, as they arrive.
#[derive(Debug)]
struct Stream {
    leaf: usize,
    descriptor: ColumnDescPtr,
    codec: Codec,
    queue: PageQueue,
    chunk: Range<u64>,
    /// Where the next window starts.
    next: u64,
    window: u64,
    /// What was asked for and is not there.
    wanted: Option<Range<u64>>,
    /// The beginning of a page that is not whole.
    held: Vec<u8>,
    /// Bytes that are missing of it.
    missing: u64,
    values: u64,
    seen: u64,
    /// Rows whose pages are all there.
    ready: u64,
    /// A page did not say how many rows it has, so that all are counted at the end.
    uncounted: bool,
    dictionary: usize,
    largest: usize,
}

impl Group {
    /// A row group of the file by its index, of which those leaves are read.
    pub(crate) fn new(
        footer: &Footer,
        index: usize,
        wanted: &[bool],
        windows: Windows,
    ) -> Result<Self, String> {
        let group = footer.row_groups.get(index).ok_or("its row group is missing")?;
        let is_wanted = |leaf: usize| wanted.get(leaf).copied().unwrap_or_default();
        let chunks = || group.chunks.iter().enumerate().filter(|(leaf, _)| is_wanted(*leaf));
        let stored: u64 = chunks().map(|(_, chunk)| chunk.range.end - chunk.range.start).sum();
        let size = chunks().fold(0, |sum: u64, (_, chunk)| sum.saturating_add(chunk.uncompressed));
        let levels = chunks().map(|(_, chunk)| chunk.values).max().unwrap_or(0);
        let rows = group.rows;
        let step = (STEP_BYTES / (size / rows.max(1)).max(1))
            .min(MAX_LEVELS / 16 / (levels / rows.max(1)).max(1))
            .clamp(1, MAX_STEP_ROWS);
        let mut streams = Vec::new();
        let mut leaves: Vec<Option<LeafReader>> = group.chunks.iter().map(|_| None).collect();
        for (leaf, chunk) in chunks() {
            let descriptor =
                footer.descriptor.columns().get(leaf).ok_or("its column is missing")?;
            let queue = PageQueue::default();
            if let Some(place) = leaves.get_mut(leaf) {
                *place = Some(LeafReader::new(queue.clone(), descriptor, chunk.codec));
            }
            streams.push(Stream::new(leaf, descriptor, queue, chunk, windows.of(chunk, stored)));
        }
        let mut group = Self { number: index + 1, rows, done: 0, step, streams, leaves };
        for stream in &mut group.streams {
            if let Codec::Other(name) = stream.codec {
                let place = stream.place(group.number);
                return Err(format!(
                    "{place}: its codec is {name}, and Snappy, gzip, zstd and LZ4_RAW can be read"
                ));
            }
        }
        group.ask();
        Ok(group)
    }

    /// Whether every row was read.
    pub(crate) fn is_done(&self) -> bool {
        self.done >= self.rows
    }

    /// The ranges that are missing, in order, near ones as one.
    pub(crate) fn wants(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> =
            self.streams.iter().filter_map(|stream| stream.wanted.clone()).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end.saturating_add(MAX_GAP_BYTES) => {
                    last.end = last.end.max(range.end);
                }
                _ => merged.push(range),
            }
        }
        merged
    }

    /// Takes the bytes of a range.
    pub(crate) fn supply(&mut self, range: &Range<u64>, bytes: &Bytes) -> Result<(), String> {
        for stream in &mut self.streams {
            let Some(wanted) = stream.wanted.clone() else { continue };
            if wanted.start < range.start || wanted.end > range.end {
                continue;
            }
            let start = usize::try_from(wanted.start - range.start).unwrap_or(usize::MAX);
            let length = usize::try_from(wanted.end - wanted.start).unwrap_or(usize::MAX);
            if start.checked_add(length).is_none_or(|end| end > bytes.len()) {
                return Err(format!(
                    "the bytes from {} on are not all there; did the file change?",
                    wanted.start
                ));
            }
            stream.wanted = None;
            let place = stream.place(self.number);
            stream
                .take(bytes.slice(start..start + length), self.rows)
                .map_err(|what| format!("{place}: {what}"))?;
        }
        let open: usize = self.streams.iter().map(|s| s.dictionary + s.largest).sum();
        if open > MAX_OPEN_BYTES {
            return Err(format!(
                "row group {}: its pages take {open} bytes together, and at most \
                 {MAX_OPEN_BYTES} can be read at once; write smaller pages",
                self.number
            ));
        }
        Ok(())
    }

    /// Rows that can be read now, at most as many as one step takes. With none, more is
    /// wanted, or the row group is done.
    pub(crate) fn ready(&mut self) -> Result<usize, String> {
        if self.streams.iter().any(|stream| stream.wanted.is_some()) || self.is_done() {
            return Ok(0);
        }
        let ready = self.streams.iter().map(|stream| stream.ready).min().unwrap_or(self.rows);
        if ready > self.done {
            return Ok(usize::try_from((ready - self.done).min(self.step)).unwrap_or(1));
        }
        for stream in &self.streams {
            if stream.ready <= self.done && stream.next >= stream.chunk.end {
                return Err(format!(
                    "{}: its pages have fewer rows than the row group",
                    stream.place(self.number)
                ));
            }
        }
        // Pages of rows that are passed are let go before more come.
        for leaf in self.leaves.iter_mut().flatten() {
            leaf.catch_up()?;
        }
        self.ask();
        Ok(0)
    }

    /// Reads the next rows of some leaves.
    pub(crate) fn read(
        &mut self,
        rows: usize,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<(), String> {
        for (place, leaf) in self.leaves.iter_mut().enumerate() {
            if let Some(leaf) = leaf
                && wanted(place)
                && let Err(what) = leaf.read(rows)
            {
                return Err(format!("{}: {what}", self.place(place)));
            }
        }
        Ok(())
    }

    /// Passes the next rows of some leaves.
    pub(crate) fn pass(&mut self, rows: usize, wanted: impl Fn(usize) -> bool) {
        for (place, leaf) in self.leaves.iter_mut().enumerate() {
            if let Some(leaf) = leaf
                && wanted(place)
            {
                leaf.pass(rows);
            }
        }
    }

    /// Notes that so many rows were read or passed.
    pub(crate) fn advance(&mut self, rows: usize) {
        self.done += rows as u64;
    }

    /// Asks for the next window of every chunk that holds the others up.
    fn ask(&mut self) {
        for stream in &mut self.streams {
            if stream.ready <= self.done && stream.next < stream.chunk.end {
                let length = stream.window.max(stream.missing);
                let end = stream.chunk.end.min(stream.next.saturating_add(length));
                stream.wanted = Some(stream.next..end);
                stream.next = end;
            }
        }
    }

    /// Where a leaf is, for people.
    fn place(&self, leaf: usize) -> String {
        match self.streams.iter().find(|stream| stream.leaf == leaf) {
            Some(stream) => stream.place(self.number),
            None => format!("row group {}", self.number),
        }
    }
}

impl Stream {
    fn new(
        leaf: usize,
        descriptor: &ColumnDescPtr,
        queue: PageQueue,
        chunk: &Chunk,
        window: u64,
    ) -> Self {
        Self {
            leaf,
            descriptor: Arc::clone(descriptor),
            codec: chunk.codec,
            queue,
            chunk: chunk.range.clone(),
            next: chunk.range.start,
            window,
            wanted: None,
            held: Vec::new(),
            missing: 0,
            values: chunk.values,
            seen: 0,
            ready: 0,
            uncounted: false,
            dictionary: 0,
            largest: 0,
        }
    }

    fn place(&self, group: usize) -> String {
        let name = crate::show::show_name(&self.descriptor.path().string());
        format!("row group {group}, column {name}")
    }

    /// Takes the next window, of a row group of so many rows.
    fn take(&mut self, window: Bytes, rows: u64) -> Result<(), String> {
        let bytes = if self.held.is_empty() {
            window
        } else {
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(&window);
            Bytes::from(joined)
        };
        let rest = self.cut(bytes)?;
        if self.seen == self.values {
            if !self.uncounted && self.ready != rows {
                return Err(format!(
                    "its pages have {} rows, and the row group {rows}",
                    self.ready
                ));
            }
            // What comes after the last page is of no use.
            (self.ready, self.next, self.missing) = (rows, self.chunk.end, 0);
            return Ok(());
        }
        if self.next >= self.chunk.end {
            return Err("it ends within a page".into());
        }
        let whole = self.chunk.end - self.chunk.start;
        if self.uncounted && whole > MAX_WHOLE_CHUNK_BYTES {
            return Err(format!(
                "it has {whole} bytes of lists in pages that do not say how many rows they have, \
                 and at most {MAX_WHOLE_CHUNK_BYTES} can be read; write smaller row groups, or \
                 data pages of version 2"
            ));
        }
        self.held = rest.to_vec();
        Ok(())
    }

    /// Cuts whole pages off, and gives back the rest.
    fn cut(&mut self, mut bytes: Bytes) -> Result<Bytes, String> {
        self.missing = 0;
        while self.seen < self.values && !bytes.is_empty() {
            let Some((header, length)) = pages::header(&bytes, &self.descriptor, self.codec)?
            else {
                // A header is hardly ever larger.
                self.missing = bytes.len() as u64 + 4096;
                break;
            };
            let end = length + header.stored;
            if end > bytes.len() {
                self.missing = (end - bytes.len()) as u64;
                break;
            }
            let page = bytes.split_to(end);
            match header.kind {
                PageKind::Other => continue,
                PageKind::Dictionary => {
                    if self.seen > 0 || self.dictionary > 0 {
                        return Err("it has a dictionary that does not come first".into());
                    }
                    self.dictionary = header.size.max(1);
                }
                PageKind::Data { .. } | PageKind::DataV2 { .. } => {
                    self.seen += u64::from(header.values);
                    self.largest = self.largest.max(header.size);
                    match header.rows(self.descriptor.max_rep_level() > 0) {
                        Some(rows) if !self.uncounted => self.ready += rows,
                        _ => self.uncounted = true,
                    }
                }
            }
            self.queue.push(header, length, page);
        }
        if self.seen > self.values {
            return Err(format!(
                "its pages have more than the {} values that the footer says",
                self.values
            ));
        }
        Ok(bytes)
    }
}
