//! The values of a page
//! (<https://parquet.apache.org/docs/file-format/data-pages/encodings/>).

use bytes::Bytes;
use parquet::basic::{Encoding, Type as Physical};
use parquet::schema::types::ColumnDescPtr;

use super::bits::{Deltas, Fault, Runs, cut};
use super::pages::{MAX_LEVELS, MAX_PAGE_BYTES};

const ENDS: Fault = "its values end early";

/// Values without nulls.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<[u8; 12]>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<Bytes>),
    /// Values of that many bytes, one after the other.
    Fixed(Vec<u8>, usize),
}

impl Values {
    /// None, of the type of a leaf.
    pub(crate) fn none(leaf: &ColumnDescPtr) -> Self {
        match leaf.physical_type() {
            Physical::BOOLEAN => Self::Boolean(Vec::new()),
            Physical::INT32 => Self::Int32(Vec::new()),
            Physical::INT64 => Self::Int64(Vec::new()),
            Physical::INT96 => Self::Int96(Vec::new()),
            Physical::FLOAT => Self::Float(Vec::new()),
            Physical::DOUBLE => Self::Double(Vec::new()),
            Physical::BYTE_ARRAY => Self::Bytes(Vec::new()),
            Physical::FIXED_LEN_BYTE_ARRAY => {
                Self::Fixed(Vec::new(), usize::try_from(leaf.type_length()).unwrap_or(1).max(1))
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Boolean(values) => values.len(),
            Self::Int32(values) => values.len(),
            Self::Int64(values) => values.len(),
            Self::Int96(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::Fixed(bytes, width) => bytes.len() / width,
        }
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Boolean(values) => values.clear(),
            Self::Int32(values) => values.clear(),
            Self::Int64(values) => values.clear(),
            Self::Int96(values) => values.clear(),
            Self::Float(values) => values.clear(),
            Self::Double(values) => values.clear(),
            Self::Bytes(values) => values.clear(),
            Self::Fixed(bytes, _) => bytes.clear(),
        }
    }

    /// Adds one of some others of the same type; false if it is not among them.
    #[inline]
    pub(crate) fn push_from(&mut self, others: &Self, place: usize) -> bool {
        fn push<T: Clone>(to: &mut Vec<T>, from: &[T], place: usize) -> bool {
            from.get(place).map(|value| to.push(value.clone())).is_some()
        }
        match (self, others) {
            (Self::Boolean(to), Self::Boolean(from)) => push(to, from, place),
            (Self::Int32(to), Self::Int32(from)) => push(to, from, place),
            (Self::Int64(to), Self::Int64(from)) => push(to, from, place),
            (Self::Int96(to), Self::Int96(from)) => push(to, from, place),
            (Self::Float(to), Self::Float(from)) => push(to, from, place),
            (Self::Double(to), Self::Double(from)) => push(to, from, place),
            (Self::Bytes(to), Self::Bytes(from)) => push(to, from, place),
            (Self::Fixed(to, width), Self::Fixed(from, _)) => {
                let value = place.checked_mul(*width).and_then(|at| from.get(at..at + *width));
                value.map(|value| to.extend_from_slice(value)).is_some()
            }
            _ => false,
        }
    }

    /// Adds values that are plain: as they are, one after the other.
    fn push_plain(&mut self, rest: &mut Bytes, count: usize) -> Result<(), Fault> {
        fn push<T, const N: usize>(
            to: &mut Vec<T>,
            rest: &mut Bytes,
            count: usize,
            of: impl Fn([u8; N]) -> T,
        ) -> Result<(), Fault> {
            let bytes = cut(rest, count.checked_mul(N).ok_or(ENDS)?)?;
            let (values, _) = bytes.as_chunks::<N>();
            to.extend(values.iter().map(|value| of(*value)));
            Ok(())
        }
        match self {
            // Bits are taken elsewhere.
            Self::Boolean(_) => Err("it has booleans where there can be none"),
            Self::Int32(to) => push(to, rest, count, i32::from_le_bytes),
            Self::Int64(to) => push(to, rest, count, i64::from_le_bytes),
            Self::Int96(to) => push(to, rest, count, |value| value),
            Self::Float(to) => push(to, rest, count, f32::from_le_bytes),
            Self::Double(to) => push(to, rest, count, f64::from_le_bytes),
            Self::Bytes(to) => {
                for _ in 0..count {
                    let length = *rest.first_chunk::<4>().ok_or(ENDS)?;
                    drop(rest.split_to(4));
                    let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| ENDS)?;
                    to.push(cut(rest, length)?);
                }
                Ok(())
            }
            Self::Fixed(to, width) => {
                to.extend_from_slice(&cut(rest, count.checked_mul(*width).ok_or(ENDS)?)?);
                Ok(())
            }
        }
    }

    /// The values of a dictionary, which are plain.
    pub(crate) fn dictionary(
        leaf: &ColumnDescPtr,
        mut bytes: Bytes,
        count: u32,
    ) -> Result<Self, Fault> {
        let mut values = Self::none(leaf);
        values.push_plain(&mut bytes, usize::try_from(count).map_err(|_| ENDS)?)?;
        Ok(values)
    }
}

/// Values of a page that are to come.
#[derive(Debug)]
pub(crate) enum Decoder {
    Plain(Bytes),
    /// Booleans, a bit each.
    Bits {
        bytes: Bytes,
        bit: usize,
    },
    /// Booleans in runs.
    Runs(Runs),
    /// Places in the dictionary.
    Places(Runs),
    Deltas(Deltas),
    /// Lengths, and the bytes one after the other.
    Lengths {
        lengths: std::vec::IntoIter<usize>,
        rest: Bytes,
    },
    /// What each value has in common with the one before, and how it goes on.
    Suffixes {
        prefixes: std::vec::IntoIter<usize>,
        lengths: std::vec::IntoIter<usize>,
        rest: Bytes,
        before: Bytes,
    },
    /// The first bytes of all values, then the second ones...
    Split {
        bytes: Bytes,
        count: usize,
        next: usize,
    },
}

impl Decoder {
    /// A decoder of values in that encoding.
    pub(crate) fn new(leaf: &ColumnDescPtr, encoding: i32, bytes: Bytes) -> Result<Self, Fault> {
        const PLAIN: i32 = Encoding::PLAIN as i32;
        const PLAIN_DICTIONARY: i32 = Encoding::PLAIN_DICTIONARY as i32;
        const RLE: i32 = Encoding::RLE as i32;
        const DELTA_BINARY_PACKED: i32 = Encoding::DELTA_BINARY_PACKED as i32;
        const DELTA_LENGTH_BYTE_ARRAY: i32 = Encoding::DELTA_LENGTH_BYTE_ARRAY as i32;
        const DELTA_BYTE_ARRAY: i32 = Encoding::DELTA_BYTE_ARRAY as i32;
        const RLE_DICTIONARY: i32 = Encoding::RLE_DICTIONARY as i32;
        const BYTE_STREAM_SPLIT: i32 = Encoding::BYTE_STREAM_SPLIT as i32;
        let physical = leaf.physical_type();
        let mut bytes = bytes;
        Ok(match (encoding, physical) {
            (PLAIN, Physical::BOOLEAN) => Self::Bits { bytes, bit: 0 },
            (PLAIN, _) => Self::Plain(bytes),
            (PLAIN_DICTIONARY | RLE_DICTIONARY, _) => {
                // A page of nulls has not even a width.
                let width = bytes.first().map_or(0, |width| u32::from(*width));
                let length = bytes.len().min(1);
                drop(bytes.split_to(length));
                Self::Places(Runs::new(bytes, width)?)
            }
            (RLE, Physical::BOOLEAN) => {
                let length = cut(&mut bytes, 4)?;
                let length = length.first_chunk::<4>().map_or(0, |it| u32::from_le_bytes(*it));
                let runs = cut(&mut bytes, usize::try_from(length).map_err(|_| ENDS)?)?;
                Self::Runs(Runs::new(runs, 1)?)
            }
            (DELTA_BINARY_PACKED, Physical::INT32 | Physical::INT64) => {
                Self::Deltas(Deltas::new(bytes)?)
            }
            (DELTA_LENGTH_BYTE_ARRAY, Physical::BYTE_ARRAY) => {
                let (lengths, rest) = lengths(bytes)?;
                Self::Lengths { lengths: lengths.into_iter(), rest }
            }
            (DELTA_BYTE_ARRAY, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY) => {
                let (prefixes, rest) = lengths(bytes)?;
                let (suffixes, rest) = lengths(rest)?;
                Self::Suffixes {
                    prefixes: prefixes.into_iter(),
                    lengths: suffixes.into_iter(),
                    rest,
                    before: Bytes::new(),
                }
            }
            (
                BYTE_STREAM_SPLIT,
                Physical::INT32
                | Physical::INT64
                | Physical::FLOAT
                | Physical::DOUBLE
                | Physical::FIXED_LEN_BYTE_ARRAY,
            ) => {
                let width = match physical {
                    Physical::INT32 | Physical::FLOAT => 4,
                    Physical::INT64 | Physical::DOUBLE => 8,
                    _ => usize::try_from(leaf.type_length()).unwrap_or(1).max(1),
                };
                Self::Split { count: bytes.len() / width, bytes, next: 0 }
            }
            _ => return Err("it has an encoding that its type cannot have"),
        })
    }

    /// Adds the next values.
    pub(crate) fn take(
        &mut self,
        count: usize,
        dictionary: Option<&Values>,
        to: &mut Values,
    ) -> Result<(), Fault> {
        match (self, to) {
            (Self::Plain(rest), to) => to.push_plain(rest, count),
            (Self::Bits { bytes, bit }, Values::Boolean(to)) => {
                let end = bit.checked_add(count).filter(|end| *end <= 8 * bytes.len());
                let end = end.ok_or(ENDS)?;
                let is_set =
                    |bit: usize| bytes.get(bit / 8).is_some_and(|b| b >> (bit % 8) & 1 == 1);
                to.extend((*bit..end).map(is_set));
                *bit = end;
                Ok(())
            }
            (Self::Runs(runs), Values::Boolean(to)) => runs.take(count, |number| {
                to.push(number == 1);
                Ok(())
            }),
            (Self::Places(runs), to) => {
                let Some(dictionary) = dictionary else {
                    return if count == 0 { Ok(()) } else { Err("it lacks its dictionary") };
                };
                runs.take(count, |place| {
                    if to.push_from(dictionary, place as usize) {
                        Ok(())
                    } else {
                        Err("it has a value that is not in its dictionary")
                    }
                })
            }
            (Self::Deltas(deltas), Values::Int32(to)) => {
                for _ in 0..count {
                    // Differences of 32-bit numbers are modulo 32 bits.
                    to.push(deltas.next()? as i32);
                }
                Ok(())
            }
            (Self::Deltas(deltas), Values::Int64(to)) => {
                for _ in 0..count {
                    to.push(deltas.next()?);
                }
                Ok(())
            }
            (Self::Lengths { lengths, rest }, Values::Bytes(to)) => {
                for _ in 0..count {
                    to.push(cut(rest, lengths.next().ok_or(ENDS)?)?);
                }
                Ok(())
            }
            (Self::Suffixes { prefixes, lengths, rest, before }, to) => {
                // Values can be much longer than their suffixes.
                let mut room = MAX_PAGE_BYTES;
                for _ in 0..count {
                    let suffix = cut(rest, lengths.next().ok_or(ENDS)?)?;
                    let prefix = prefixes.next().ok_or(ENDS)?;
                    let prefix = before.get(..prefix).ok_or("a value shares more than there is")?;
                    let value = if prefix.is_empty() {
                        suffix
                    } else {
                        room = room
                            .checked_sub(prefix.len() + suffix.len())
                            .ok_or("a few of its values are too long together")?;
                        Bytes::from([prefix, &suffix].concat())
                    };
                    match to {
                        Values::Bytes(to) => to.push(value.clone()),
                        Values::Fixed(to, width) if value.len() == *width => {
                            to.extend_from_slice(&value);
                        }
                        _ => return Err("it has a value of another length than its type"),
                    }
                    *before = value;
                }
                Ok(())
            }
            (Self::Split { bytes, count: all, next }, to) => {
                let end = next.checked_add(count).filter(|end| end <= all).ok_or(ENDS)?;
                for place in *next..end {
                    let byte = |index: usize| bytes.get(index * *all + place).copied().unwrap_or(0);
                    match to {
                        Values::Int32(to) => {
                            to.push(i32::from_le_bytes(std::array::from_fn(byte)));
                        }
                        Values::Int64(to) => {
                            to.push(i64::from_le_bytes(std::array::from_fn(byte)));
                        }
                        Values::Float(to) => {
                            to.push(f32::from_le_bytes(std::array::from_fn(byte)));
                        }
                        Values::Double(to) => {
                            to.push(f64::from_le_bytes(std::array::from_fn(byte)));
                        }
                        Values::Fixed(to, width) => to.extend((0..*width).map(byte)),
                        _ => return Err("it has an encoding that its type cannot have"),
                    }
                }
                *next = end;
                Ok(())
            }
            _ => Err("it has an encoding that its type cannot have"),
        }
    }
}

/// Lengths as differences, and what comes after them.
fn lengths(bytes: Bytes) -> Result<(Vec<usize>, Bytes), Fault> {
    let mut deltas = Deltas::new(bytes)?;
    let count = deltas.left();
    if count > MAX_LEVELS {
        return Err("it has more texts than can be read at once");
    }
    let mut lengths = Vec::new();
    for _ in 0..count {
        lengths
            .push(usize::try_from(deltas.next()? as i32).map_err(|_| "it has a length below 0")?);
    }
    Ok((lengths, deltas.into_rest()))
}
