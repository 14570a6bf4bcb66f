//! The schema: as the footer has it, and as the Parquet library wants it
//! (<https://parquet.apache.org/docs/file-format/metadata/>).

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::schema::types::Type;

use super::thrift::{Kind, Reader};
use crate::csv::MAX_FIELDS;

/// Levels of nesting.
const MAX_DEPTH: usize = 64;

/// One element of the schema, with the elements inside once [`tree`] has put them there.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) physical: Option<Physical>,
    pub(crate) length: i32,
    pub(crate) repetition: Option<Repetition>,
    pub(crate) converted: ConvertedType,
    pub(crate) logical: Option<LogicalType>,
    pub(crate) scale: i32,
    pub(crate) precision: i32,
    id: Option<i32>,
    /// Elements inside, as claimed.
    claimed: i32,
    pub(crate) children: Vec<Element>,
}

/// Reads the list of elements, which is the tree in depth-first order.
pub(crate) fn elements(reader: &mut Reader<'_>, kind: Kind) -> Result<Vec<Element>, String> {
    let (count, kind) = reader.list(kind)?;
    if count > MAX_FIELDS {
        return Err(format!("its schema has {count} elements, more than {MAX_FIELDS}"));
    }
    (0..count).map(|_| element(reader, kind)).collect()
}

fn element(reader: &mut Reader<'_>, kind: Kind) -> Result<Element, String> {
    let mut element = Element {
        name: String::new(),
        physical: None,
        length: -1,
        repetition: None,
        converted: ConvertedType::NONE,
        logical: None,
        scale: -1,
        precision: -1,
        id: None,
        claimed: 0,
        children: Vec::new(),
    };
    let mut fields = Reader::fields(kind)?;
    while let Some((id, kind)) = fields.next(reader)? {
        match id {
            1 => element.physical = Some(physical(reader.int(kind)?)?),
            2 => element.length = reader.int(kind)?,
            3 => {
                element.repetition = Some(match reader.int(kind)? {
                    0 => Repetition::REQUIRED,
                    1 => Repetition::OPTIONAL,
                    2 => Repetition::REPEATED,
                    _ => return Err("its schema has an unknown repetition".into()),
                });
            }
            4 => element.name = reader.text(kind)?,
            5 => element.claimed = reader.int(kind)?,
            6 => element.converted = converted(reader.int(kind)?),
            7 => element.scale = reader.int(kind)?,
            8 => element.precision = reader.int(kind)?,
            9 => element.id = Some(reader.int(kind)?),
            10 => element.logical = logical(reader, kind)?,
            _ => reader.skip(kind)?,
        }
    }
    if let Some(LogicalType::Decimal { scale, precision }) = element.logical
        && (element.scale, element.precision) == (-1, -1)
    {
        // The older fields may be left out.
        (element.scale, element.precision) = (scale, precision);
    }
    Ok(element)
}

/// Physical types by their numbers in the format.
const PHYSICAL: [Physical; 8] = [
    Physical::BOOLEAN,
    Physical::INT32,
    Physical::INT64,
    Physical::INT96,
    Physical::FLOAT,
    Physical::DOUBLE,
    Physical::BYTE_ARRAY,
    Physical::FIXED_LEN_BYTE_ARRAY,
];

fn physical(number: i32) -> Result<Physical, String> {
    let found = usize::try_from(number).ok().and_then(|number| PHYSICAL.get(number));
    found.copied().ok_or_else(|| "its schema has an unknown physical type".into())
}

/// A physical type's number in the format.
pub(crate) fn number_of(physical: Physical) -> i32 {
    PHYSICAL.iter().position(|other| *other == physical).map_or(-1, |number| number as i32)
}

fn converted(number: i32) -> ConvertedType {
    match number {
        0 => ConvertedType::UTF8,
        1 => ConvertedType::MAP,
        2 => ConvertedType::MAP_KEY_VALUE,
        3 => ConvertedType::LIST,
        4 => ConvertedType::ENUM,
        5 => ConvertedType::DECIMAL,
        6 => ConvertedType::DATE,
        7 => ConvertedType::TIME_MILLIS,
        8 => ConvertedType::TIME_MICROS,
        9 => ConvertedType::TIMESTAMP_MILLIS,
        10 => ConvertedType::TIMESTAMP_MICROS,
        11 => ConvertedType::UINT_8,
        12 => ConvertedType::UINT_16,
        13 => ConvertedType::UINT_32,
        14 => ConvertedType::UINT_64,
        15 => ConvertedType::INT_8,
        16 => ConvertedType::INT_16,
        17 => ConvertedType::INT_32,
        18 => ConvertedType::INT_64,
        19 => ConvertedType::JSON,
        20 => ConvertedType::BSON,
        21 => ConvertedType::INTERVAL,
        _ => ConvertedType::NONE,
    }
}

/// The annotation: a union, of which one field is there.
fn logical(reader: &mut Reader<'_>, kind: Kind) -> Result<Option<LogicalType>, String> {
    let mut found = None;
    let mut fields = Reader::fields(kind)?;
    while let Some((id, kind)) = fields.next(reader)? {
        found = Some(match id {
            5 => {
                let [scale, precision] = two_numbers(reader, kind)?;
                LogicalType::Decimal { scale, precision }
            }
            7 | 8 => {
                let (is_adjusted_to_u_t_c, unit) = moment(reader, kind)?;
                match id {
                    7 => LogicalType::Time { is_adjusted_to_u_t_c, unit },
                    _ => LogicalType::Timestamp { is_adjusted_to_u_t_c, unit },
                }
            }
            10 => {
                let (mut bit_width, mut is_signed) = (0, false);
                let mut fields = Reader::fields(kind)?;
                while let Some((id, kind)) = fields.next(reader)? {
                    match id {
                        1 => bit_width = i8::try_from(reader.long(kind)?).unwrap_or(0),
                        2 => is_signed = Reader::boolean(kind)?,
                        _ => reader.skip(kind)?,
                    }
                }
                if !matches!(bit_width, 8 | 16 | 32 | 64) {
                    return Err("its schema has integers of an unknown width".into());
                }
                LogicalType::Integer { bit_width, is_signed }
            }
            _ => {
                reader.skip(kind)?;
                match id {
                    1 => LogicalType::String,
                    2 => LogicalType::Map,
                    3 => LogicalType::List,
                    4 => LogicalType::Enum,
                    6 => LogicalType::Date,
                    11 => LogicalType::Unknown,
                    12 => LogicalType::Json,
                    13 => LogicalType::Bson,
                    14 => LogicalType::Uuid,
                    15 => LogicalType::Float16,
                    16 => LogicalType::Variant { specification_version: None },
                    17 => LogicalType::Geometry { crs: None },
                    18 => LogicalType::Geography { crs: None, algorithm: None },
                    field_id => LogicalType::_Unknown { field_id },
                }
            }
        });
    }
    Ok(found)
}

fn two_numbers(reader: &mut Reader<'_>, kind: Kind) -> Result<[i32; 2], String> {
    let mut numbers = [-1; 2];
    let mut fields = Reader::fields(kind)?;
    while let Some((id, kind)) = fields.next(reader)? {
        match id {
            1 => numbers[0] = reader.int(kind)?,
            2 => numbers[1] = reader.int(kind)?,
            _ => reader.skip(kind)?,
        }
    }
    Ok(numbers)
}

fn moment(reader: &mut Reader<'_>, kind: Kind) -> Result<(bool, TimeUnit), String> {
    let (mut utc, mut unit) = (false, None);
    let mut fields = Reader::fields(kind)?;
    while let Some((id, kind)) = fields.next(reader)? {
        match id {
            1 => utc = Reader::boolean(kind)?,
            2 => {
                let mut fields = Reader::fields(kind)?;
                while let Some((id, kind)) = fields.next(reader)? {
                    reader.skip(kind)?;
                    unit = Some(match id {
                        1 => TimeUnit::MILLIS,
                        2 => TimeUnit::MICROS,
                        3 => TimeUnit::NANOS,
                        _ => return Err("its schema has an unknown unit of time".into()),
                    });
                }
            }
            _ => reader.skip(kind)?,
        }
    }
    Ok((utc, unit.ok_or("its schema has a time without a unit")?))
}

/// Puts the elements into each other: the root, whose children are the columns.
pub(crate) fn tree(elements: Vec<Element>) -> Result<Element, String> {
    let mut rest = elements.into_iter();
    let mut root = rest.next().ok_or("its schema has no elements")?;
    fill(&mut root, &mut rest, MAX_DEPTH)?;
    if rest.next().is_some() {
        return Err("its schema has elements that belong to nothing".into());
    }
    if root.children.is_empty() {
        return Err("its schema has no columns".into());
    }
    Ok(root)
}

fn fill(
    element: &mut Element,
    rest: &mut std::vec::IntoIter<Element>,
    depth: usize,
) -> Result<(), String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(format!("its schema is nested more than {MAX_DEPTH} deep"));
    };
    for _ in 0..element.claimed {
        let mut child = rest.next().ok_or("its schema lacks elements that it claims")?;
        if child.repetition.is_none() {
            return Err("its schema has an element without a repetition".into());
        }
        fill(&mut child, rest, depth)?;
        element.children.push(child);
    }
    if element.children.is_empty() == element.physical.is_none() && depth + 1 < MAX_DEPTH {
        return Err("its schema has an element that is neither a value nor a group".into());
    }
    Ok(())
}

impl Element {
    /// The element as the library has it.
    pub(crate) fn to_parquet(&self, is_root: bool) -> Result<Type, String> {
        let built = match self.physical {
            Some(physical) if !is_root => {
                if physical == Physical::FIXED_LEN_BYTE_ARRAY && self.length < 1 {
                    return Err("its schema has values of no bytes".into());
                }
                Type::primitive_type_builder(&self.name, physical)
                    .with_repetition(self.repetition.unwrap_or(Repetition::REQUIRED))
                    .with_converted_type(self.converted)
                    .with_logical_type(self.logical.clone())
                    .with_length(self.length)
                    .with_precision(self.precision)
                    .with_scale(self.scale)
                    .with_id(self.id)
                    .build()
            }
            _ => {
                let fields = self
                    .children
                    .iter()
                    .map(|child| child.to_parquet(false).map(Arc::new))
                    .collect::<Result<Vec<_>, _>>()?;
                let mut builder = Type::group_type_builder(&self.name).with_fields(fields);
                if !is_root {
                    builder = builder
                        .with_repetition(self.repetition.unwrap_or(Repetition::REQUIRED))
                        .with_converted_type(self.converted)
                        .with_logical_type(self.logical.clone())
                        .with_id(self.id);
                }
                builder.build()
            }
        };
        built.map_err(|error| {
            let name = crate::show::show_name(&self.name);
            let error: String =
                error.to_string().chars().filter(|c| !c.is_control()).take(300).collect();
            format!("its schema has the element {name}, which makes no sense: {error}")
        })
    }
}
