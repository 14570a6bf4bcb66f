//! The footer: what the file holds, and where
//! (<https://parquet.apache.org/docs/file-format/metadata/>).

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{SortOrder, Type};
use parquet::schema::types::SchemaDescriptor;

use super::schema::{self, Element};
use super::thrift::{Fault, Kind, Reader};

/// Bytes of a footer. Ten thousand columns in a thousand row groups take about as many.
const MAX_FOOTER_BYTES: u64 = 64 << 20;

/// Bytes that say how long the footer is, and the magic number.
pub(crate) const TAIL_BYTES: u64 = 8;

const MAGIC: &[u8; 4] = b"PAR1";
const ENCRYPTED: &[u8; 4] = b"PARE";

/// What the footer says.
#[derive(Debug)]
pub(crate) struct Footer {
    pub(crate) schema: Element,
    pub(crate) descriptor: Arc<SchemaDescriptor>,
    pub(crate) rows: u64,
    pub(crate) row_groups: Vec<RowGroup>,
    /// What the writer left for its readers, for instance the schema as Arrow has it.
    pub(crate) key_values: Vec<(String, Option<String>)>,
}

/// Some of the rows: a chunk of each column.
#[derive(Debug, Default)]
pub(crate) struct RowGroup {
    pub(crate) rows: u64,
    /// In the order of the schema's leaves.
    pub(crate) chunks: Vec<Chunk>,
}

/// The values of one leaf in one row group.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    /// Where it is in the file.
    pub(crate) range: Range<u64>,
    pub(crate) codec: Codec,
    /// Values, nulls among them, of all the pages.
    pub(crate) values: u64,
    /// Bytes before compression, as claimed.
    pub(crate) uncompressed: u64,
    pub(crate) nulls: Option<u64>,
    /// The least value, plain. Or a lower bound of it.
    pub(crate) min: Option<Bytes>,
    /// The greatest value, or an upper bound.
    pub(crate) max: Option<Bytes>,
}

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Snappy,
    Gzip,
    Zstd,
    Lz4Raw,
    /// One that cannot be read here, by name.
    Other(&'static str),
}

/// Where the footer is, by the end of the file.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn locate(tail: &[u8], size: u64) -> Result<Range<u64>, String> {
    let Some((length, magic)) =
        tail.last_chunk::<8>().and_then(|tail| tail.split_first_chunk::<4>())
    else {
        return Err(format!("it has {size} bytes, fewer than any Parquet file"));
    };
    if magic == ENCRYPTED {
        return Err("its footer is encrypted; upload it without encryption of its own".into());
    }
    if magic != MAGIC {
        return Err("it does not end as a Parquet file (PAR1), so it is cut off or of another \
                    format; upload it again, whole"
            .into());
    }
    let length = u64::from(u32::from_le_bytes(*length));
    let end = size.saturating_sub(TAIL_BYTES);
    // The file starts with the magic number too.
    let room = end.saturating_sub(MAGIC.len() as u64);
    if length == 0 || length > room {
        return Err(format!(
            "its footer says that it has {length} bytes, and the file has {room} for it; upload \
             it again, whole"
        ));
    }
    if length > MAX_FOOTER_BYTES {
        return Err(format!(
            "its footer has {length} bytes, more than the {MAX_FOOTER_BYTES} that are read; \
             write fewer row groups or columns to a file"
        ));
    }
    Ok(end - length..end)
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Ends => "its footer ends within a value; upload it again, whole".into(),
            Fault::Malformed(what) => format!("its footer is malformed: {what}"),
        }
    }
}

/// Reads a footer, which lies in `range` of the file.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn parse(footer: &Bytes, range: &Range<u64>) -> Result<Footer, String> {
    let mut reader = Reader::new(footer);
    let mut fields = Reader::fields(Kind::Struct)?;
    let (mut elements, mut groups, mut rows) = (None, None, None);
    let (mut key_values, mut ordered) = (Vec::new(), false);
    while let Some((id, kind)) = fields.next(&mut reader)? {
        match id {
            2 => elements = Some(schema::elements(&mut reader, kind)?),
            3 => rows = Some(reader.long(kind)?),
            4 => {
                let (count, kind) = reader.list(kind)?;
                let mut read = Vec::new();
                for _ in 0..count {
                    read.push(row_group(&mut reader, kind, footer)?);
                }
                groups = Some(read);
            }
            5 => {
                let (count, kind) = reader.list(kind)?;
                for _ in 0..count {
                    key_values.push(key_value(&mut reader, kind)?);
                }
            }
            // Without it nobody knows what order the bounds are in.
            7 => {
                ordered = true;
                reader.skip(kind)?;
            }
            _ => reader.skip(kind)?,
        }
    }
    let (Some(elements), Some(rows), Some(groups)) = (elements, rows, groups) else {
        return Err("its footer has no schema, no count of rows or no row groups".into());
    };
    let schema = schema::tree(elements)?;
    let root = schema.to_parquet(true)?;
    let descriptor = Arc::new(SchemaDescriptor::new(Arc::new(root)));
    let rows = u64::try_from(rows).map_err(|_| "its footer has a negative count of rows")?;
    let mut row_groups = Vec::with_capacity(groups.len());
    for (index, group) in groups.into_iter().enumerate() {
        let place = |what: String| format!("row group {}: {what}", index + 1);
        row_groups.push(group.checked(&descriptor, range.start, ordered).map_err(place)?);
    }
    let counted = row_groups.iter().fold(0, |sum: u64, group| sum.saturating_add(group.rows));
    if counted != rows {
        return Err(format!("its footer says {rows} rows, and its row groups have {counted}"));
    }
    Ok(Footer { schema, descriptor, rows, row_groups, key_values })
}

fn key_value(reader: &mut Reader<'_>, kind: Kind) -> Result<(String, Option<String>), String> {
    let (mut key, mut value) = (String::new(), None);
    let mut fields = Reader::fields(kind)?;
    while let Some((id, kind)) = fields.next(reader)? {
        match id {
            1 => key = reader.text(kind)?,
            2 => value = Some(reader.text(kind)?),
            _ => reader.skip(kind)?,
        }
    }
    Ok((key, value))
}

/// A row group before it is held against the schema.
#[derive(Debug, Default)]
struct RawGroup {
    rows: i64,
    chunks: Vec<RawChunk>,
}

#[derive(Debug, Default)]
struct RawChunk {
    elsewhere: bool,
    encrypted: bool,
    physical: Option<i32>,
    codec: i32,
    values: i64,
    uncompressed: i64,
    compressed: i64,
    data_page: i64,
    dictionary_page: Option<i64>,
    statistics: Statistics,
}

#[derive(Debug, Default)]
struct Statistics {
    nulls: Option<i64>,
    min: Option<Bytes>,
    max: Option<Bytes>,
    /// The fields that these two replace, whose order is that of signed bytes.
    old_min: Option<Bytes>,
    old_max: Option<Bytes>,
}

fn row_group(reader: &mut Reader<'_>, kind: Kind, footer: &Bytes) -> Result<RawGroup, String> {
    let mut group = RawGroup { rows: -1, chunks: Vec::new() };
    let mut fields = Reader::fields(kind)?;
    while let Some((id, kind)) = fields.next(reader)? {
        match id {
            1 => {
                let (count, kind) = reader.list(kind)?;
                for _ in 0..count {
                    group.chunks.push(chunk(reader, kind, footer)?);
                }
            }
            3 => group.rows = reader.long(kind)?,
            _ => reader.skip(kind)?,
        }
    }
    Ok(group)
}

fn chunk(reader: &mut Reader<'_>, kind: Kind, footer: &Bytes) -> Result<RawChunk, String> {
    let mut chunk = RawChunk { values: -1, compressed: -1, data_page: -1, ..RawChunk::default() };
    let mut fields = Reader::fields(kind)?;
    while let Some((id, kind)) = fields.next(reader)? {
        match id {
            1 => chunk.elsewhere = !reader.binary(kind)?.is_empty(),
            3 => {
                let mut fields = Reader::fields(kind)?;
                while let Some((id, kind)) = fields.next(reader)? {
                    match id {
                        1 => chunk.physical = Some(reader.int(kind)?),
                        4 => chunk.codec = reader.int(kind)?,
                        5 => chunk.values = reader.long(kind)?,
                        6 => chunk.uncompressed = reader.long(kind)?,
                        7 => chunk.compressed = reader.long(kind)?,
                        9 => chunk.data_page = reader.long(kind)?,
                        11 => chunk.dictionary_page = Some(reader.long(kind)?),
                        12 => chunk.statistics = statistics(reader, kind, footer)?,
                        _ => reader.skip(kind)?,
                    }
                }
            }
            8 => {
                chunk.encrypted = true;
                reader.skip(kind)?;
            }
            _ => reader.skip(kind)?,
        }
    }
    Ok(chunk)
}

fn statistics(reader: &mut Reader<'_>, kind: Kind, footer: &Bytes) -> Result<Statistics, Fault> {
    let mut read = Statistics::default();
    let mut fields = Reader::fields(kind)?;
    while let Some((id, kind)) = fields.next(reader)? {
        let place = match id {
            1 => &mut read.old_max,
            2 => &mut read.old_min,
            3 => {
                read.nulls = Some(reader.long(kind)?);
                continue;
            }
            5 => &mut read.max,
            6 => &mut read.min,
            _ => {
                reader.skip(kind)?;
                continue;
            }
        };
        *place = Some(footer.slice_ref(reader.binary(kind)?));
    }
    Ok(read)
}

impl RawGroup {
    fn checked(
        self,
        schema: &SchemaDescriptor,
        end: u64,
        ordered: bool,
    ) -> Result<RowGroup, String> {
        let rows = u64::try_from(self.rows).map_err(|_| "it has no count of rows")?;
        let leaves = schema.columns();
        if self.chunks.len() != leaves.len() {
            let (chunks, leaves) = (self.chunks.len(), leaves.len());
            return Err(format!("it has {chunks} column chunks, and the schema {leaves} columns"));
        }
        let mut chunks = Vec::with_capacity(self.chunks.len());
        for (chunk, leaf) in self.chunks.into_iter().zip(leaves) {
            let place = |what: String| {
                format!("column {}: {what}", crate::show::show_name(&leaf.path().string()))
            };
            let physical = leaf.physical_type();
            if chunk.physical != Some(schema::number_of(physical)) {
                return Err(place(format!("its values are not {physical}, as its schema says")));
            }
            let flat_rows = (leaf.max_rep_level() == 0).then_some(rows);
            let is_signed = leaf.sort_order() == SortOrder::SIGNED;
            let order = Order { ordered, is_signed };
            chunks.push(chunk.checked(physical, flat_rows, end, order).map_err(place)?);
        }
        Ok(RowGroup { rows, chunks })
    }
}

/// What is known of the order that bounds are in.
#[derive(Debug, Clone, Copy)]
struct Order {
    /// The footer says that it is the type's own.
    ordered: bool,
    /// The type's own is that of signed numbers.
    is_signed: bool,
}

impl RawChunk {
    fn checked(
        self,
        physical: Type,
        flat_rows: Option<u64>,
        end: u64,
        order: Order,
    ) -> Result<Chunk, String> {
        if self.encrypted {
            return Err("it is encrypted; upload the file without encryption of its own".into());
        }
        if self.elsewhere {
            return Err("its values are in another file".into());
        }
        let number = |number: i64, what: &str| {
            u64::try_from(number).map_err(|_| format!("it has no {what}"))
        };
        let values = number(self.values, "count of values")?;
        let length = number(self.compressed, "size")?;
        let data_page = number(self.data_page, "place")?;
        // Some writers put 0 where there is no dictionary.
        let start = match self.dictionary_page.map(u64::try_from) {
            Some(Ok(dictionary)) if dictionary > 0 && dictionary < data_page => dictionary,
            _ => data_page,
        };
        let stop = start.checked_add(length).filter(|stop| *stop <= end);
        let stop = stop.ok_or_else(|| {
            format!("its {length} bytes from byte {start} on are not all in the file")
        })?;
        if flat_rows.is_some_and(|rows| rows != values) {
            return Err(format!("it has {values} values, and the row group other rows"));
        }
        let Statistics { nulls, min, max, old_min, old_max } = self.statistics;
        let (min, max) = match physical {
            _ if order.ordered && (min.is_some() || max.is_some()) => (min, max),
            // The order of these was always the right one.
            Type::INT32 | Type::INT64 if order.is_signed => (min.or(old_min), max.or(old_max)),
            _ => (None, None),
        };
        Ok(Chunk {
            range: start..stop,
            codec: Codec::of(self.codec),
            values,
            uncompressed: u64::try_from(self.uncompressed).unwrap_or(0).max(length),
            nulls: nulls.and_then(|nulls| u64::try_from(nulls).ok()),
            min,
            max,
        })
    }
}

impl Codec {
    fn of(number: i32) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Snappy,
            2 => Self::Gzip,
            3 => Self::Other("LZO"),
            4 => Self::Other("Brotli"),
            5 => Self::Other("LZ4 with frames (use LZ4_RAW)"),
            6 => Self::Zstd,
            7 => Self::Lz4Raw,
            _ => Self::Other("unknown"),
        }
    }
}
