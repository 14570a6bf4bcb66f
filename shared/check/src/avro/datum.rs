//! Avro datums in the binary encoding, as values
//! (<https://avro.apache.org/docs/1.12.0/specification/#binary-encoding>).

use super::schema::{Kind, Node};
use crate::typed::{Texts, Unit, unscaled};
use crate::value::{Value, uuid};

/// Values in one record: lists and maps of them take memory that their bytes do not show.
const MAX_VALUES: usize = 1 << 20;

/// What is wrong with the bytes, for people: a clause about a value.
pub(crate) type Fault = &'static str;

const ENDS: Fault = "it goes beyond the end of its block";

/// Reads datums from a block.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Values that the record at hand may still have.
    budget: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(block: &'a [u8]) -> Self {
        Self { rest: block, budget: MAX_VALUES }
    }

    /// Begins a record.
    pub(crate) fn begin(&mut self) {
        self.budget = MAX_VALUES;
    }

    /// Bytes that are left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ENDS)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(ENDS)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A zigzag variable-length integer.
    #[inline]
    pub(crate) fn long(&mut self) -> Result<i64, Fault> {
        let mut number = 0_u64;
        for (index, &byte) in self.rest.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7F);
            // The tenth byte has room for the top bit only.
            if index == 9 && byte > 1 {
                break;
            }
            number |= bits << (7 * index);
            if byte < 0x80 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(if self.rest.len() < 10 { ENDS } else { "it has a number of more than 64 bits" })
    }

    fn int(&mut self) -> Result<i32, Fault> {
        i32::try_from(self.long()?).map_err(|_| "it has an int of more than 32 bits")
    }

    /// A length that precedes bytes.
    fn sized(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.long()?).map_err(|_| "it has a negative length")?;
        self.take(length)
    }

    /// The count of the next block of a list or map, zero at its end, and its size in bytes
    /// where the writer says it.
    fn block(&mut self) -> Result<(u64, Option<usize>), Fault> {
        let count = self.long()?;
        if count >= 0 {
            return Ok((count.unsigned_abs(), None));
        }
        let size = usize::try_from(self.long()?).map_err(|_| "it has a negative length")?;
        Ok((count.unsigned_abs(), Some(size)))
    }

    fn branch<'n>(&mut self, branches: &'n [std::sync::Arc<Node>]) -> Result<&'n Node, Fault> {
        let index = usize::try_from(self.long()?).ok();
        index
            .and_then(|index| branches.get(index))
            .map(AsRef::as_ref)
            .ok_or("it has a branch that its union does not have")
    }

    fn spend(&mut self) -> Result<(), Fault> {
        self.budget = self.budget.checked_sub(1).ok_or("it has more than 1,048,576 values")?;
        Ok(())
    }

    /// The next value, which is of a type of ours.
    pub(crate) fn value<'v>(&mut self, node: &'v Node, texts: &'v Texts) -> Result<Value<'v>, Fault>
    where
        'a: 'v,
    {
        self.spend()?;
        Ok(match &node.kind {
            Kind::Null => Value::Null,
            Kind::Boolean => match self.array()? {
                [0] => Value::Boolean(false),
                [1] => Value::Boolean(true),
                _ => return Err("it has a boolean that is neither 0 nor 1"),
            },
            Kind::Int => Value::Int(self.int()?),
            Kind::Long => Value::Long(self.long()?),
            Kind::Float => Value::Float(f32::from_le_bytes(self.array()?)),
            Kind::Double => Value::Double(f64::from_le_bytes(self.array()?)),
            Kind::Text => texts.text(self.sized()?),
            Kind::Enum(symbols) => {
                let index = usize::try_from(self.long()?).ok();
                let symbol = index.and_then(|index| symbols.get(index));
                Value::Str(symbol.ok_or("it has a symbol that its enum does not have")?)
            }
            Kind::Date => Value::Date(self.int()?),
            Kind::Time(unit) => {
                let count = match unit {
                    Unit::Millis => i64::from(self.int()?),
                    Unit::Micros | Unit::Nanos => self.long()?,
                };
                texts.time(count, *unit)
            }
            Kind::Timestamp { unit, utc } => {
                let count = self.long()?;
                texts.timestamp(count, *unit, *utc)
            }
            Kind::Uuid { text: false } => Value::Uuid(self.array()?),
            Kind::Uuid { text: true } => {
                let bytes = self.sized()?;
                match uuid(bytes) {
                    Some(uuid) => Value::Uuid(uuid),
                    None => texts.unfit(|| String::from_utf8_lossy(bytes).into_owned()),
                }
            }
            Kind::Decimal { precision, size, .. } => {
                let bytes = match size {
                    Some(size) => self.take(*size)?,
                    None => self.sized()?,
                };
                texts.decimal(unscaled(bytes), *precision)
            }
            Kind::Array(element) => {
                let mut elements = Vec::new();
                self.blocks(|reader| {
                    elements.push(reader.value(element, texts)?);
                    Ok(())
                })?;
                Value::List(elements)
            }
            Kind::Map(value) => {
                let mut entries = Vec::new();
                self.blocks(|reader| {
                    let key = reader.sized()?;
                    let key = texts.text(key);
                    entries.push((key, reader.value(value, texts)?));
                    Ok(())
                })?;
                Value::Map(entries)
            }
            Kind::Record(fields) => Value::Struct(
                fields
                    .iter()
                    .map(|field| self.value(&field.node, texts))
                    .collect::<Result<Vec<_>, _>>()?,
            ),
            Kind::Union(branches) => {
                let branch = self.branch(branches)?;
                self.value(branch, texts)?
            }
            Kind::Bytes | Kind::Fixed(_) => {
                self.skip(node)?;
                Value::Null
            }
        })
    }

    /// Calls `item` for every item of a list or map.
    fn blocks(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        loop {
            let (count, _) = self.block()?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                item(self)?;
            }
        }
    }

    /// Goes past a value of any type.
    pub(crate) fn skip(&mut self, node: &Node) -> Result<(), Fault> {
        match &node.kind {
            Kind::Null => {}
            Kind::Boolean => drop(self.take(1)?),
            Kind::Float => drop(self.take(4)?),
            Kind::Double => drop(self.take(8)?),
            Kind::Fixed(size) | Kind::Decimal { size: Some(size), .. } => drop(self.take(*size)?),
            Kind::Uuid { text: false } => drop(self.take(16)?),
            Kind::Int
            | Kind::Long
            | Kind::Enum(_)
            | Kind::Date
            | Kind::Time(_)
            | Kind::Timestamp { .. } => drop(self.long()?),
            Kind::Bytes | Kind::Text | Kind::Uuid { text: true } | Kind::Decimal { .. } => {
                self.sized()?;
            }
            Kind::Record(fields) => {
                for field in fields {
                    self.skip(&field.node)?;
                }
            }
            Kind::Union(branches) => {
                let branch = self.branch(branches)?;
                self.skip(branch)?;
            }
            Kind::Array(element) => self.skip_blocks(element, false)?,
            Kind::Map(value) => self.skip_blocks(value, true)?,
        }
        Ok(())
    }

    fn skip_blocks(&mut self, item: &Node, keyed: bool) -> Result<(), Fault> {
        loop {
            match self.block()? {
                (0, _) => return Ok(()),
                (_, Some(size)) => drop(self.take(size)?),
                // Items without bytes are past already, however many there are.
                (_, None) if !keyed && item.min_bytes == 0 => {}
                (count, None) => {
                    for _ in 0..count {
                        if keyed {
                            self.sized()?;
                        }
                        self.skip(item)?;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
