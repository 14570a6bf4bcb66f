//! The values of some rows of one leaf, with their levels.

use std::fmt;

use parquet::basic::Type as Physical;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray,
    FixedLenByteArrayType, FloatType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::schema::types::ColumnDescPtr;

use super::footer::Codec;
use super::pages::PageQueue;

/// The levels of the rows at hand. A level that the schema rules out is not there: its list
/// is empty.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    pub(crate) max_definition: i16,
    pub(crate) definitions: Vec<i16>,
    pub(crate) repetitions: Vec<i16>,
    /// Levels; values where there are none.
    pub(crate) count: usize,
}

/// The values of the rows at hand, without nulls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    Boolean(&'a [bool]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Int96(&'a [Int96]),
    Float(&'a [f32]),
    Double(&'a [f64]),
    Bytes(&'a [ByteArray]),
    Fixed(&'a [FixedLenByteArray]),
}

/// Decodes one leaf of one row group, some rows at a time.
pub(crate) struct LeafReader {
    queue: PageQueue,
    pub(crate) levels: Levels,
    decoder: AnyDecoder,
    /// Rows that were asked to be passed and are not yet.
    behind: usize,
}

/// One variant per physical type.
enum AnyDecoder {
    Boolean(Decoder<BoolType>),
    Int32(Decoder<Int32Type>),
    Int64(Decoder<Int64Type>),
    Int96(Decoder<Int96Type>),
    Float(Decoder<FloatType>),
    Double(Decoder<DoubleType>),
    Bytes(Decoder<ByteArrayType>),
    Fixed(Decoder<FixedLenByteArrayType>),
}

struct Decoder<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
}

/// Does the same with the decoder of every type.
macro_rules! each {
    ($any:expr, $decoder:ident => $work:expr) => {
        match $any {
            AnyDecoder::Boolean($decoder) => $work,
            AnyDecoder::Int32($decoder) => $work,
            AnyDecoder::Int64($decoder) => $work,
            AnyDecoder::Int96($decoder) => $work,
            AnyDecoder::Float($decoder) => $work,
            AnyDecoder::Double($decoder) => $work,
            AnyDecoder::Bytes($decoder) => $work,
            AnyDecoder::Fixed($decoder) => $work,
        }
    };
}

impl<T: DataType> Decoder<T> {
    fn new(queue: &PageQueue, leaf: &ColumnDescPtr, codec: Codec) -> Self {
        let pages = Box::new(queue.reader(leaf.clone(), codec));
        Self { reader: ColumnReaderImpl::new(leaf.clone(), pages), values: Vec::new() }
    }
}

impl LeafReader {
    pub(crate) fn new(queue: PageQueue, leaf: &ColumnDescPtr, codec: Codec) -> Self {
        let decoder = match leaf.physical_type() {
            Physical::BOOLEAN => AnyDecoder::Boolean(Decoder::new(&queue, leaf, codec)),
            Physical::INT32 => AnyDecoder::Int32(Decoder::new(&queue, leaf, codec)),
            Physical::INT64 => AnyDecoder::Int64(Decoder::new(&queue, leaf, codec)),
            Physical::INT96 => AnyDecoder::Int96(Decoder::new(&queue, leaf, codec)),
            Physical::FLOAT => AnyDecoder::Float(Decoder::new(&queue, leaf, codec)),
            Physical::DOUBLE => AnyDecoder::Double(Decoder::new(&queue, leaf, codec)),
            Physical::BYTE_ARRAY => AnyDecoder::Bytes(Decoder::new(&queue, leaf, codec)),
            Physical::FIXED_LEN_BYTE_ARRAY => AnyDecoder::Fixed(Decoder::new(&queue, leaf, codec)),
        };
        let levels = Levels { max_definition: leaf.max_def_level(), ..Levels::default() };
        Self { queue, levels, decoder, behind: 0 }
    }

    /// Reads so many rows, all of whose pages have arrived.
    ///
    /// # Errors
    /// For people, why they cannot be decoded.
    pub(crate) fn read(&mut self, rows: usize) -> Result<(), String> {
        self.catch_up()?;
        self.queue.begin();
        let levels = &mut self.levels;
        levels.definitions.clear();
        levels.repetitions.clear();
        let (found, values, count) = each!(&mut self.decoder, decoder => {
            decoder.values.clear();
            decoder.reader.read_records(
                rows,
                Some(&mut levels.definitions),
                Some(&mut levels.repetitions),
                &mut decoder.values,
            )
        })
        .map_err(|error| error.to_string())?;
        levels.count = if levels.max_definition > 0 { count } else { values };
        if found != rows {
            return Err(format!("its pages have {found} of {rows} rows that they should have"));
        }
        Ok(())
    }

    /// Passes so many rows, as late as can be: whole pages need not be decoded.
    pub(crate) fn pass(&mut self, rows: usize) {
        self.behind += rows;
    }

    /// Passes the rows that are to be passed, so that no page is kept for them.
    ///
    /// # Errors
    /// As [`LeafReader::read`].
    pub(crate) fn catch_up(&mut self) -> Result<(), String> {
        let rows = std::mem::take(&mut self.behind);
        if rows == 0 {
            return Ok(());
        }
        self.queue.begin();
        let passed = each!(&mut self.decoder, decoder => decoder.reader.skip_records(rows));
        match passed.map_err(|error| error.to_string())? {
            passed if passed == rows => Ok(()),
            passed => Err(format!("its pages have {passed} of {rows} rows that they should have")),
        }
    }

    /// The values of the rows that were read last.
    pub(crate) fn values(&self) -> Values<'_> {
        match &self.decoder {
            AnyDecoder::Boolean(decoder) => Values::Boolean(&decoder.values),
            AnyDecoder::Int32(decoder) => Values::Int32(&decoder.values),
            AnyDecoder::Int64(decoder) => Values::Int64(&decoder.values),
            AnyDecoder::Int96(decoder) => Values::Int96(&decoder.values),
            AnyDecoder::Float(decoder) => Values::Float(&decoder.values),
            AnyDecoder::Double(decoder) => Values::Double(&decoder.values),
            AnyDecoder::Bytes(decoder) => Values::Bytes(&decoder.values),
            AnyDecoder::Fixed(decoder) => Values::Fixed(&decoder.values),
        }
    }
}

impl Values<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Boolean(values) => values.len(),
            Self::Int32(values) => values.len(),
            Self::Int64(values) => values.len(),
            Self::Int96(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::Fixed(values) => values.len(),
        }
    }
}

impl fmt::Debug for LeafReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeafReader").field("levels", &self.levels.count).finish_non_exhaustive()
    }
}
