//! The footer: what the file holds, and where
//! (<https://parquet.apache.org/docs/file-format/metadata/>).

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{SortOrder, Type};
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

use super::schema::{self, Element};
use super::thrift::{Fault, Kind, Reader};

/// Bytes of a footer. Ten thousand columns in a thousand row groups take about as many.
const MAX_FOOTER_BYTES: u64 = 64 << 20;

/// Column chunks of all row groups: a thousand columns in a thousand row groups.
const MAX_CHUNKS: usize = 1 << 20;

/// Notes of the writer for its readers.
const MAX_KEY_VALUES: usize = 1 << 16;

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
    /// The two mean nothing unless the footer says in what order values are.
    needs_order: bool,
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
    let (mut schema, mut row_groups, mut rows) = (None, None, None);
    let (mut key_values, mut is_ordered) = (Vec::new(), false);
    while let Some((id, kind)) = fields.next(&mut reader)? {
        match id {
            2 => {
                let root = schema::tree(schema::elements(&mut reader, kind)?)?;
                let group = root.to_parquet(true)?;
                schema = Some((root, Arc::new(SchemaDescriptor::new(Arc::new(group)))));
            }
            3 => rows = Some(reader.long(kind)?),
            4 => {
                let (_, descriptor) =
                    schema.as_ref().ok_or("its footer has row groups before the schema")?;
                row_groups = Some(groups(&mut reader, kind, footer, range.start, descriptor)?);
            }
            5 => {
                let (count, kind) = reader.list(kind)?;
                if count > MAX_KEY_VALUES {
                    return Err(format!(
                        "its footer has {count} notes, more than {MAX_KEY_VALUES}"
                    ));
                }
                for _ in 0..count {
                    key_values.push(key_value(&mut reader, kind)?);
                }
            }
            7 => {
                is_ordered = true;
                reader.skip(kind)?;
            }
            _ => reader.skip(kind)?,
        }
    }
    let (Some((schema, descriptor)), Some(rows), Some(mut row_groups)) = (schema, rows, row_groups)
    else {
        return Err("its footer has no schema, no count of rows or no row groups".into());
    };
    let rows = u64::try_from(rows).map_err(|_| "its footer has a negative count of rows")?;
    let counted = row_groups.iter().fold(0, |sum: u64, group| sum.saturating_add(group.rows));
    if counted != rows {
        return Err(format!("its footer says {rows} rows, and its row groups have {counted}"));
    }
    if !is_ordered {
        let chunks = row_groups.iter_mut().flat_map(|group| &mut group.chunks);
        for chunk in chunks.filter(|chunk| chunk.needs_order) {
            (chunk.min, chunk.max) = (None, None);
        }
    }
    Ok(Footer { schema, descriptor, rows, row_groups, key_values })
}

fn groups(
    reader: &mut Reader<'_>,
    kind: Kind,
    footer: &Bytes,
    end: u64,
    descriptor: &SchemaDescriptor,
) -> Result<Vec<RowGroup>, String> {
    let (count, kind) = reader.list(kind)?;
    if count.saturating_mul(descriptor.num_columns()) > MAX_CHUNKS {
        return Err(format!(
            "its footer has {count} row groups of {} columns, more than {MAX_CHUNKS} chunks; \
             write fewer row groups or columns to a file",
            descriptor.num_columns()
        ));
    }
    (1..=count)
        .map(|number| {
            row_group(reader, kind, footer, end, descriptor)
                .map_err(|what| format!("row group {number}: {what}"))
        })
        .collect()
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

/// A chunk before it is held against the schema.
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

fn row_group(
    reader: &mut Reader<'_>,
    kind: Kind,
    footer: &Bytes,
    end: u64,
    descriptor: &SchemaDescriptor,
) -> Result<RowGroup, String> {
    let leaves = descriptor.columns();
    let (mut rows, mut chunks) = (None, Vec::new());
    let mut fields = Reader::fields(kind)?;
    while let Some((id, kind)) = fields.next(reader)? {
        match id {
            1 => {
                let (count, kind) = reader.list(kind)?;
                if count != leaves.len() {
                    let leaves = leaves.len();
                    return Err(format!(
                        "it has {count} column chunks, and the schema {leaves} columns"
                    ));
                }
                for leaf in leaves {
                    let raw = chunk(reader, kind, footer)?;
                    chunks.push(raw.checked(leaf, end).map_err(|what| in_column(leaf, &what))?);
                }
            }
            3 => rows = u64::try_from(reader.long(kind)?).ok(),
            _ => reader.skip(kind)?,
        }
    }
    let rows = rows.ok_or("it has no count of rows")?;
    if chunks.len() != leaves.len() {
        return Err("it has no column chunks".into());
    }
    let flat = leaves
        .iter()
        .zip(&chunks)
        .find(|(leaf, chunk)| leaf.max_rep_level() == 0 && chunk.values != rows);
    if let Some((leaf, chunk)) = flat {
        let what = format!("it has {} values, and the row group {rows} rows", chunk.values);
        return Err(in_column(leaf, &what));
    }
    Ok(RowGroup { rows, chunks })
}

fn in_column(leaf: &ColumnDescPtr, what: &str) -> String {
    format!("column {}: {what}", crate::show::show_name(&leaf.path().string()))
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

impl RawChunk {
    /// The chunk of a leaf, in a file whose footer starts at `end`.
    fn checked(self, leaf: &ColumnDescPtr, end: u64) -> Result<Chunk, String> {
        if self.encrypted {
            return Err("it is encrypted; upload the file without encryption of its own".into());
        }
        if self.elsewhere {
            return Err("its values are in another file".into());
        }
        let physical = leaf.physical_type();
        if self.physical != Some(schema::number_of(physical)) {
            return Err(format!("its values are not {physical}, as its schema says"));
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
        let Statistics { nulls, min, max, old_min, old_max } = self.statistics;
        // The order of signed numbers was always the right one.
        let is_signed =
            matches!(physical, Type::INT32 | Type::INT64) && leaf.sort_order() == SortOrder::SIGNED;
        let (min, max) = if is_signed { (min.or(old_min), max.or(old_max)) } else { (min, max) };
        Ok(Chunk {
            range: start..stop,
            codec: Codec::of(self.codec),
            values,
            uncompressed: u64::try_from(self.uncompressed).unwrap_or(0).max(length),
            nulls: nulls.and_then(|nulls| u64::try_from(nulls).ok()),
            min,
            max,
            needs_order: !is_signed,
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
