//! Pages: what their headers claim is checked before the library decodes them, and they are
//! handed to it as they arrive
//! (<https://parquet.apache.org/docs/file-format/data-pages/>).

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type as Physical};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::footer::Codec;
use super::thrift::{Fault, Kind, Reader};

/// Bytes of a page, before and after decompression.
pub(crate) const MAX_PAGE_BYTES: usize = 64 << 20;

/// Bytes of a page's header: it may have the page's least and greatest value in it.
const MAX_HEADER_BYTES: usize = 4 << 20;

/// Values of the pages that one step opens, where rows can have several: their levels are in
/// memory together.
pub(crate) const MAX_LEVELS: u64 = 4 << 20;

/// What a page's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: PageKind,
    /// Bytes after the header, as stored.
    pub(crate) stored: usize,
    /// Bytes after decompression.
    pub(crate) size: usize,
    /// Values, nulls among them.
    pub(crate) values: u32,
    encoding: i32,
}

/// Kinds of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageKind {
    Dictionary,
    Data {
        definition: i32,
        repetition: i32,
    },
    DataV2 {
        rows: u32,
        nulls: u32,
        definition_bytes: u32,
        repetition_bytes: u32,
        compressed: bool,
    },
    /// Of no use to a reader of values.
    Other,
}

impl Header {
    /// Rows of a data page, where the header says it: a page of the second version does, and
    /// where there are no repeated values, every value is a row.
    pub(crate) fn rows(&self, is_repeated: bool) -> Option<u64> {
        match self.kind {
            PageKind::DataV2 { rows, .. } => Some(u64::from(rows)),
            PageKind::Data { .. } if !is_repeated => Some(u64::from(self.values)),
            _ => None,
        }
    }
}

/// Reads a header, and says how long it is; nothing if the bytes end before it does.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn header(
    bytes: &[u8],
    leaf: &ColumnDescPtr,
    codec: Codec,
) -> Result<Option<(Header, usize)>, String> {
    let mut reader = Reader::new(bytes);
    match raw_header(&mut reader) {
        Ok(raw) => {
            let header = raw.checked(leaf, codec)?;
            Ok(Some((header, bytes.len() - reader.rest().len())))
        }
        Err(Fault::Ends) if bytes.len() < MAX_HEADER_BYTES => Ok(None),
        Err(Fault::Ends) => Err(format!("a page header has more than {MAX_HEADER_BYTES} bytes")),
        Err(Fault::Malformed(what)) => Err(format!("a page header is malformed: {what}")),
    }
}

#[derive(Debug, Default)]
struct RawHeader {
    kind: Option<i32>,
    size: Option<i32>,
    stored: Option<i32>,
    part: Option<RawPart>,
}

#[derive(Debug, Default)]
struct RawPart {
    field: i16,
    /// The fields of all three kinds that are numbers, by their ids from 1.
    numbers: [Option<i32>; 6],
    uncompressed: bool,
}

fn raw_header(reader: &mut Reader<'_>) -> Result<RawHeader, Fault> {
    let mut raw = RawHeader::default();
    let mut fields = Reader::fields(Kind::Struct)?;
    while let Some((id, kind)) = fields.next(reader)? {
        match id {
            1 => raw.kind = Some(reader.int(kind)?),
            2 => raw.size = Some(reader.int(kind)?),
            3 => raw.stored = Some(reader.int(kind)?),
            5 | 7 | 8 => {
                let mut part = RawPart { field: id, ..RawPart::default() };
                let mut fields = Reader::fields(kind)?;
                while let Some((id, kind)) = fields.next(reader)? {
                    let place =
                        usize::try_from(id - 1).ok().and_then(|id| part.numbers.get_mut(id));
                    match (place, kind) {
                        (Some(place), Kind::Integer) => *place = Some(reader.int(kind)?),
                        (None, Kind::False) if id == 7 => part.uncompressed = true,
                        _ => reader.skip(kind)?,
                    }
                }
                raw.part = Some(part);
            }
            _ => reader.skip(kind)?,
        }
    }
    Ok(raw)
}

impl RawHeader {
    fn checked(self, leaf: &ColumnDescPtr, codec: Codec) -> Result<Header, String> {
        let bytes = |number: Option<i32>| number.and_then(|number| usize::try_from(number).ok());
        let (Some(kind), Some(size), Some(stored)) =
            (self.kind, bytes(self.size), bytes(self.stored))
        else {
            return Err("a page header has no kind or no size".into());
        };
        if size > MAX_PAGE_BYTES || stored > MAX_PAGE_BYTES {
            return Err(format!(
                "a page has {} bytes, and at most {MAX_PAGE_BYTES} can be read at once",
                size.max(stored)
            ));
        }
        let part = self.part.unwrap_or_default();
        let absent = || "a page header lacks its counts".to_owned();
        let count = |place: usize| {
            let number = part.numbers.get(place).copied().flatten();
            number.and_then(|number| u32::try_from(number).ok()).ok_or_else(absent)
        };
        let encoding = |place: usize| part.numbers.get(place).copied().flatten().unwrap_or(-1);
        let header = |kind, values, encoding| Header { kind, stored, size, values, encoding };
        match (kind, part.field) {
            (0, 5) => {
                let kind = PageKind::Data { definition: encoding(2), repetition: encoding(3) };
                let header = header(kind, count(0)?, encoding(1));
                let is_rle = |used: bool, number: i32| !used || number == Encoding::RLE as i32;
                if !is_rle(leaf.max_def_level() > 0, encoding(2))
                    || !is_rle(leaf.max_rep_level() > 0, encoding(3))
                {
                    return Err("a page has its levels in an encoding that was retired".into());
                }
                header.check_levels(leaf)?;
                Ok(header)
            }
            (3, 8) => {
                let (definition_bytes, repetition_bytes) = (count(4)?, count(5)?);
                let kind = PageKind::DataV2 {
                    nulls: count(1)?,
                    rows: count(2)?,
                    definition_bytes,
                    repetition_bytes,
                    compressed: !part.uncompressed,
                };
                let header = header(kind, count(0)?, encoding(3));
                let levels = u64::from(definition_bytes) + u64::from(repetition_bytes);
                if levels > stored.min(size) as u64 {
                    return Err("a page's levels have more bytes than the page".into());
                }
                let is_plain = part.uncompressed || codec == Codec::None;
                if is_plain && size != stored {
                    return Err("a page without compression has two sizes".into());
                }
                if let PageKind::DataV2 { rows, nulls, .. } = kind
                    && (nulls > header.values
                        || (leaf.max_rep_level() == 0 && rows != header.values)
                        || (leaf.max_rep_level() > 0 && rows > header.values))
                {
                    return Err("a page has more rows or nulls than values".into());
                }
                header.check_levels(leaf)?;
                Ok(header)
            }
            (2, 7) => {
                let header = header(PageKind::Dictionary, count(0)?, encoding(1));
                // The decoder allocates what is claimed.
                let least = match leaf.physical_type() {
                    Physical::BOOLEAN => 1,
                    Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => 4,
                    Physical::INT64 | Physical::DOUBLE => 8,
                    Physical::INT96 => 12,
                    Physical::FIXED_LEN_BYTE_ARRAY => {
                        u64::try_from(leaf.type_length()).unwrap_or(1)
                    }
                };
                if u64::from(header.values).saturating_mul(least) > size as u64 {
                    return Err("a dictionary has more values than bytes for them".into());
                }
                Ok(header)
            }
            (1, _) => Ok(header(PageKind::Other, 0, -1)),
            _ => Err(format!("a page header is of no known kind ({kind})")),
        }
    }
}

impl Header {
    fn check_levels(&self, leaf: &ColumnDescPtr) -> Result<(), String> {
        if leaf.max_rep_level() > 0 && u64::from(self.values) > MAX_LEVELS {
            return Err(format!(
                "a page has {} values of lists, and at most {MAX_LEVELS} can be read at once",
                self.values
            ));
        }
        Ok(())
    }
}

/// A page as it is stored.
#[derive(Debug)]
struct Queued {
    header: Header,
    /// The header and what comes after it.
    bytes: Bytes,
    header_bytes: usize,
}

/// Pages of one leaf that have arrived and are not decoded: the decoder's side takes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageQueue(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    queued: VecDeque<Queued>,
    /// Values of the pages opened in this step.
    opened: u64,
}

impl PageQueue {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        // No one panics while holding it, and a queue is whole whenever it is let go.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a page.
    pub(crate) fn push(&self, header: Header, header_bytes: usize, bytes: Bytes) {
        self.pages().queued.push_back(Queued { header, bytes, header_bytes });
    }

    /// Begins a step.
    pub(crate) fn begin(&self) {
        self.pages().opened = 0;
    }

    /// The decoder's side. It ends when the queue is empty, and goes on when it no longer is.
    pub(crate) fn reader(&self, leaf: ColumnDescPtr, codec: Codec) -> QueueReader {
        QueueReader { queue: self.clone(), leaf, codec }
    }
}

/// Takes pages from a queue.
#[derive(Debug)]
pub(crate) struct QueueReader {
    queue: PageQueue,
    leaf: ColumnDescPtr,
    codec: Codec,
}

impl QueueReader {
    fn open(&self, queued: &Queued) -> ParquetResult<Page> {
        let codec = match self.codec {
            Codec::Gzip => return gunzip(queued),
            Codec::None => Compression::UNCOMPRESSED,
            Codec::Snappy => Compression::SNAPPY,
            Codec::Zstd => Compression::ZSTD(Default::default()),
            Codec::Lz4Raw => Compression::LZ4_RAW,
            Codec::Other(name) => {
                return Err(ParquetError::General(format!("its codec is {name}")));
            }
        };
        let length = i64::try_from(queued.bytes.len()).unwrap_or(i64::MAX);
        let page = ColumnChunkMetaData::builder(Arc::clone(&self.leaf))
            .set_compression(codec)
            .set_num_values(i64::from(queued.header.values))
            .set_data_page_offset(0)
            .set_total_compressed_size(length)
            .set_total_uncompressed_size(length)
            .build()?;
        let bytes = Arc::new(queued.bytes.clone());
        let page = SerializedPageReader::new(bytes, &page, 0, None)?.get_next_page()?;
        page.ok_or_else(|| ParquetError::General("a page has no bytes".into()))
    }
}

/// Opens a page that is compressed with gzip. The library's own way knows no bounds.
fn gunzip(queued: &Queued) -> ParquetResult<Page> {
    let Header { kind, size, values: num_values, encoding, .. } = queued.header;
    let body = queued.bytes.slice(queued.header_bytes..);
    let (levels, is_compressed) = match kind {
        PageKind::DataV2 { definition_bytes, repetition_bytes, compressed, .. } => {
            ((definition_bytes + repetition_bytes) as usize, compressed)
        }
        _ => (0, true),
    };
    let buf = if is_compressed {
        let mut buffer = body.get(..levels).unwrap_or_default().to_vec();
        if size > levels {
            let rest = body.get(levels..).unwrap_or_default();
            let limit = (size - levels) as u64 + 1;
            flate2::read::MultiGzDecoder::new(rest).take(limit).read_to_end(&mut buffer)?;
        }
        if buffer.len() != size {
            return Err(ParquetError::General(
                "a page has another size when it is decompressed than its header says".into(),
            ));
        }
        Bytes::from(buffer)
    } else {
        body
    };
    let encoding = self::encoding(encoding)?;
    Ok(match kind {
        PageKind::Dictionary => {
            Page::DictionaryPage { buf, num_values, encoding, is_sorted: false }
        }
        PageKind::DataV2 { rows, nulls, definition_bytes, repetition_bytes, .. } => {
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                num_nulls: nulls,
                num_rows: rows,
                def_levels_byte_len: definition_bytes,
                rep_levels_byte_len: repetition_bytes,
                is_compressed: false,
                statistics: None,
            }
        }
        PageKind::Data { .. } | PageKind::Other => Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        },
    })
}

fn encoding(number: i32) -> ParquetResult<Encoding> {
    Ok(match number {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return Err(ParquetError::General("a page has an unknown encoding".into())),
    })
}

impl PageReader for QueueReader {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let queued = {
            let mut pages = self.queue.pages();
            let Some(queued) = pages.queued.pop_front() else { return Ok(None) };
            pages.opened += u64::from(queued.header.values);
            if self.leaf.max_rep_level() > 0 && pages.opened > 2 * MAX_LEVELS {
                return Err(ParquetError::General(format!(
                    "a few rows have more than {MAX_LEVELS} values, which cannot be read at once"
                )));
            }
            queued
        };
        self.open(&queued).map(Some)
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        Ok(self.queue.pages().queued.front().map(|queued| PageMetadata {
            num_rows: match queued.header.kind {
                PageKind::DataV2 { rows, .. } => Some(rows as usize),
                _ => None,
            },
            num_levels: Some(queued.header.values as usize),
            is_dict: queued.header.kind == PageKind::Dictionary,
        }))
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        self.queue.pages().queued.pop_front();
        Ok(())
    }
}

impl Iterator for QueueReader {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
