//! The file of the rows that are set aside: the same schema, and the same values, levels and
//! all.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::Compression;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray,
    FixedLenByteArrayType, FloatType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};

use super::footer::Footer;
use super::leaves::{LeafReader, Levels, Values};

/// Rows of a row group.
const GROUP_ROWS: usize = 16 << 10;

/// Values of a row group, of all leaves.
const GROUP_VALUES: usize = 1 << 20;

/// Bytes of texts of a row group.
const GROUP_BYTES: usize = 16 << 20;

/// Writes one file.
pub(crate) struct RejectedFile {
    out: Shared,
    writer: SerializedFileWriter<Shared>,
    leaves: Vec<Kept>,
    rows: usize,
}

/// Values of one leaf for the next row group.
#[derive(Debug)]
struct Kept {
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    values: KeptValues,
    bytes: usize,
}

#[derive(Debug)]
enum KeptValues {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

/// What was written and not yet taken.
#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RejectedFile {
    /// Begins a file of that footer's schema.
    pub(crate) fn new(footer: &Footer) -> Result<Self, String> {
        let out = Shared::default();
        let pair = |(key, value): &(String, Option<String>)| KeyValue {
            key: key.clone(),
            value: value.clone(),
        };
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_key_value_metadata(Some(footer.key_values.iter().map(pair).collect()))
            .build();
        let root = footer.descriptor.root_schema_ptr();
        let writer = SerializedFileWriter::new(out.clone(), root, Arc::new(properties))
            .map_err(|error| error.to_string())?;
        Ok(Self { out, writer, leaves: Vec::new(), rows: 0 })
    }

    /// Takes rows out of those that were read last: the ones that `set_aside` says, all of
    /// whose leaves were read.
    pub(crate) fn take(
        &mut self,
        leaves: &[Option<LeafReader>],
        set_aside: &[bool],
    ) -> Result<Vec<u8>, String> {
        if self.leaves.is_empty() {
            self.leaves = leaves.iter().flatten().map(|leaf| Kept::new(leaf.values())).collect();
        }
        for (leaf, kept) in leaves.iter().flatten().zip(&mut self.leaves) {
            kept.take(&leaf.levels, leaf.values(), set_aside);
        }
        self.rows += set_aside.iter().filter(|row| **row).count();
        let values: usize = self.leaves.iter().map(|kept| kept.values.len()).sum();
        let bytes: usize = self.leaves.iter().map(|kept| kept.bytes).sum();
        if self.rows >= GROUP_ROWS || values >= GROUP_VALUES || bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(self.out.take())
    }

    fn write_group(&mut self) -> Result<(), String> {
        let mut work = || -> ParquetResult<()> {
            let mut group = self.writer.next_row_group()?;
            for kept in &mut self.leaves {
                if let Some(column) = group.next_column()? {
                    kept.write(column)?;
                }
            }
            group.close()?;
            self.writer.flush()?;
            Ok(())
        };
        self.rows = 0;
        work().map_err(|error| format!("the rows set aside cannot be written: {error}"))
    }

    /// Ends the file, and gives back what is left of it.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, String> {
        if self.rows > 0 {
            self.write_group()?;
        }
        let closed = self.writer.close();
        closed.map_err(|error| format!("the rows set aside cannot be written: {error}"))?;
        Ok(self.out.take())
    }
}

impl Kept {
    fn new(like: Values<'_>) -> Self {
        let values = match like {
            Values::Boolean(_) => KeptValues::Boolean(Vec::new()),
            Values::Int32(_) => KeptValues::Int32(Vec::new()),
            Values::Int64(_) => KeptValues::Int64(Vec::new()),
            Values::Int96(_) => KeptValues::Int96(Vec::new()),
            Values::Float(_) => KeptValues::Float(Vec::new()),
            Values::Double(_) => KeptValues::Double(Vec::new()),
            Values::Bytes(_) => KeptValues::Bytes(Vec::new()),
            Values::Fixed(_) => KeptValues::Fixed(Vec::new()),
        };
        Self { definitions: Vec::new(), repetitions: Vec::new(), values, bytes: 0 }
    }

    fn take(&mut self, levels: &Levels, values: Values<'_>, set_aside: &[bool]) {
        let mut value = 0;
        let mut row = None;
        for level in 0..levels.count {
            // A row begins wherever nothing is repeated.
            if levels.repetitions.get(level).is_none_or(|repetition| *repetition == 0) {
                row = Some(row.map_or(0, |row: usize| row + 1));
            }
            let definition = levels.definitions.get(level).copied();
            let is_value = definition.unwrap_or(0) == levels.max_definition;
            if row.and_then(|row| set_aside.get(row)) == Some(&true) {
                self.definitions.extend(definition);
                self.repetitions.extend(levels.repetitions.get(level));
                if is_value {
                    self.bytes += self.values.push(values, value);
                }
            }
            value += usize::from(is_value);
        }
    }

    fn write(&mut self, mut column: SerializedColumnWriter<'_>) -> ParquetResult<()> {
        let (definitions, repetitions) = (self.definitions.as_slice(), self.repetitions.as_slice());
        let levels = (
            (!definitions.is_empty()).then_some(definitions),
            (!repetitions.is_empty()).then_some(repetitions),
        );
        let column_writer = &mut column;
        match &self.values {
            KeptValues::Boolean(values) => write::<BoolType>(column_writer, values, levels),
            KeptValues::Int32(values) => write::<Int32Type>(column_writer, values, levels),
            KeptValues::Int64(values) => write::<Int64Type>(column_writer, values, levels),
            KeptValues::Int96(values) => write::<Int96Type>(column_writer, values, levels),
            KeptValues::Float(values) => write::<FloatType>(column_writer, values, levels),
            KeptValues::Double(values) => write::<DoubleType>(column_writer, values, levels),
            KeptValues::Bytes(values) => write::<ByteArrayType>(column_writer, values, levels),
            KeptValues::Fixed(values) => {
                write::<FixedLenByteArrayType>(column_writer, values, levels)
            }
        }?;
        self.definitions.clear();
        self.repetitions.clear();
        self.values.clear();
        self.bytes = 0;
        column.close()
    }
}

fn write<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    values: &[T::T],
    (definitions, repetitions): (Option<&[i16]>, Option<&[i16]>),
) -> ParquetResult<()> {
    column.typed::<T>().write_batch(values, definitions, repetitions).map(|_| ())
}

impl KeptValues {
    fn len(&self) -> usize {
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

    fn clear(&mut self) {
        match self {
            Self::Boolean(values) => values.clear(),
            Self::Int32(values) => values.clear(),
            Self::Int64(values) => values.clear(),
            Self::Int96(values) => values.clear(),
            Self::Float(values) => values.clear(),
            Self::Double(values) => values.clear(),
            Self::Bytes(values) => values.clear(),
            Self::Fixed(values) => values.clear(),
        }
    }

    /// Adds one of those values; how many bytes of texts it has.
    fn push(&mut self, from: Values<'_>, place: usize) -> usize {
        match (self, from) {
            (Self::Boolean(to), Values::Boolean(from)) => to.extend(from.get(place)),
            (Self::Int32(to), Values::Int32(from)) => to.extend(from.get(place)),
            (Self::Int64(to), Values::Int64(from)) => to.extend(from.get(place)),
            (Self::Int96(to), Values::Int96(from)) => to.extend(from.get(place)),
            (Self::Float(to), Values::Float(from)) => to.extend(from.get(place)),
            (Self::Double(to), Values::Double(from)) => to.extend(from.get(place)),
            // A copy: the value would keep its whole page.
            (Self::Bytes(to), Values::Bytes(from)) => {
                let Some(value) = from.get(place) else { return 0 };
                to.push(ByteArray::from(value.data()));
                return value.len();
            }
            (Self::Fixed(to), Values::Fixed(from)) => {
                let Some(value) = from.get(place) else { return 0 };
                to.push(FixedLenByteArray::from(ByteArray::from(value.data())));
                return value.len();
            }
            _ => {}
        }
        0
    }
}

impl std::fmt::Debug for RejectedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RejectedFile").field("rows", &self.rows).finish_non_exhaustive()
    }
}
