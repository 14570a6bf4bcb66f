//! What the columns are: our types, with the levels that tell nulls and lists apart
//! (<https://github.com/apache/parquet-format/blob/master/LogicalTypes.md>).

use std::ops::Range;

use landfall_contract::{DataType, FieldType, StructField};
use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};

use super::schema::Element;
use crate::typed::{FileSchemaColumn, Unit};

/// A top-level column.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) stated: FileSchemaColumn,
    /// Its leaves among those of the file.
    pub(crate) leaves: Range<usize>,
    /// How levels and leaves make its values; absent for a type that no table of ours has.
    pub(crate) node: Option<Node>,
}

/// A part of a column.
#[derive(Debug)]
pub(crate) struct Node {
    name: String,
    nullable: bool,
    /// The definition level from which on it is there.
    pub(crate) definition: i16,
    /// Its leaves among those of the file.
    pub(crate) leaves: Range<usize>,
    pub(crate) shape: Shape,
}

/// What a part is made of.
#[derive(Debug)]
pub(crate) enum Shape {
    Leaf { leaf: usize, kind: Leaf },
    Struct(Vec<Node>),
    List { element: Box<Node>, repeated: Repeated },
    Map { entry: Box<[Node; 2]>, repeated: Repeated },
}

/// The levels of something repeated: the definition level from which on there is an item, and
/// the repetition level of every item but the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeated {
    pub(crate) definition: i16,
    pub(crate) repetition: i16,
}

/// What a leaf's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    Boolean,
    /// Up to 32 bits, in 32.
    Int,
    /// 32 bits without sign.
    Unsigned32,
    Long,
    /// 64 bits without sign.
    Unsigned64,
    /// binary16, in two bytes.
    Float16,
    Float,
    Double,
    Text,
    Uuid,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Date,
    Time(Unit),
    Timestamp {
        unit: Unit,
        utc: bool,
    },
    /// Nanoseconds of a Julian day, in 12 bytes.
    Int96,
}

impl Element {
    /// The top-level columns.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut next = 0;
        let columns = self.children.iter().map(|element| {
            let leaves = next..next + element.leaves();
            let mut leaf = next;
            next = leaves.end;
            let node = element.node(0, 0, &mut leaf);
            let data_type = node.as_ref().map(Node::data_type).map_err(Clone::clone);
            let required = element.repetition == Some(Repetition::REQUIRED);
            let stated = FileSchemaColumn { name: element.name.clone(), data_type, required };
            Column { stated, leaves, node: node.ok() }
        });
        columns.collect()
    }

    fn leaves(&self) -> usize {
        match self.physical {
            Some(_) => 1,
            None => self.children.iter().map(Self::leaves).sum(),
        }
    }

    fn is_repeated(&self) -> bool {
        self.repetition == Some(Repetition::REPEATED)
    }

    /// The part that this element is, under those levels; `leaf` counts the leaves. Or the
    /// name of a type that no table of ours has.
    fn node(&self, definition: i16, repetition: i16, leaf: &mut usize) -> Result<Node, String> {
        if self.is_repeated() {
            // A list without a group around it, as protocol buffers have them.
            let repeated = Repeated { definition: definition + 1, repetition: repetition + 1 };
            let element = Box::new(self.item(repeated, leaf)?);
            let (name, leaves) = (self.name.clone(), element.leaves.clone());
            let shape = Shape::List { element, repeated };
            return Ok(Node { name, nullable: false, definition, leaves, shape });
        }
        let nullable = self.repetition == Some(Repetition::OPTIONAL);
        let definition = definition + i16::from(nullable);
        let first = *leaf;
        let shape = self.shape(definition, repetition, leaf)?;
        Ok(Node { name: self.name.clone(), nullable, definition, leaves: first..*leaf, shape })
    }

    /// A repeated element as the item of a list.
    fn item(&self, repeated: Repeated, leaf: &mut usize) -> Result<Node, String> {
        let Repeated { definition, repetition } = repeated;
        let first = *leaf;
        let shape = self.shape(definition, repetition, leaf).map_err(|it| format!("list<{it}>"))?;
        let leaves = first..*leaf;
        Ok(Node { name: "element".into(), nullable: false, definition, leaves, shape })
    }

    fn shape(&self, definition: i16, repetition: i16, leaf: &mut usize) -> Result<Shape, String> {
        if let Some(physical) = self.physical {
            let kind = self.leaf(physical)?;
            let place = *leaf;
            *leaf += 1;
            return Ok(Shape::Leaf { leaf: place, kind });
        }
        let repeated = Repeated { definition: definition + 1, repetition: repetition + 1 };
        let inner = match self.children.as_slice() {
            [only] if only.is_repeated() => Some(only),
            _ => None,
        };
        match (self.annotation(), inner) {
            (Some(LogicalType::List), Some(inner)) => {
                let element = match inner.children.as_slice() {
                    [element]
                        if !element.is_repeated()
                            && inner.name != "array"
                            && inner.name != format!("{}_tuple", self.name) =>
                    {
                        let node = element.node(repeated.definition, repeated.repetition, leaf);
                        node.map_err(|it| format!("list<{it}>"))?
                    }
                    // Older writers have the element itself repeated.
                    _ => inner.item(repeated, leaf)?,
                };
                Ok(Shape::List { element: Box::new(element), repeated })
            }
            (Some(LogicalType::Map), Some(inner)) => match inner.children.as_slice() {
                [key, value] => {
                    let mut part = |element: &Self| {
                        element
                            .node(repeated.definition, repeated.repetition, leaf)
                            .map_err(|it| format!("map<{it}>"))
                    };
                    let entry = Box::new([part(key)?, part(value)?]);
                    match entry[0].shape {
                        Shape::Leaf { .. } => Ok(Shape::Map { entry, repeated }),
                        _ => Err("map with nested keys".into()),
                    }
                }
                _ => Err("map without values".into()),
            },
            (Some(LogicalType::Variant { .. }), _) => Err("variant".into()),
            _ => {
                let field = |field: &Self| {
                    let node = field.node(definition, repetition, leaf);
                    node.map_err(|it| format!("struct<{}: {it}>", field.name))
                };
                let fields: Vec<_> = self.children.iter().map(field).collect::<Result<_, _>>()?;
                Ok(Shape::Struct(fields))
            }
        }
    }

    /// The annotation, by its present name.
    fn annotation(&self) -> Option<LogicalType> {
        let integer = |bit_width, is_signed| LogicalType::Integer { bit_width, is_signed };
        let time = |unit| LogicalType::Time { is_adjusted_to_u_t_c: true, unit };
        let timestamp = |unit| LogicalType::Timestamp { is_adjusted_to_u_t_c: true, unit };
        if self.logical.is_some() {
            return self.logical.clone();
        }
        Some(match self.converted {
            ConvertedType::NONE | ConvertedType::INTERVAL => return None,
            ConvertedType::UTF8 => LogicalType::String,
            ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE => LogicalType::Map,
            ConvertedType::LIST => LogicalType::List,
            ConvertedType::ENUM => LogicalType::Enum,
            ConvertedType::DECIMAL => {
                LogicalType::Decimal { scale: self.scale, precision: self.precision }
            }
            ConvertedType::DATE => LogicalType::Date,
            ConvertedType::TIME_MILLIS => time(TimeUnit::MILLIS),
            ConvertedType::TIME_MICROS => time(TimeUnit::MICROS),
            ConvertedType::TIMESTAMP_MILLIS => timestamp(TimeUnit::MILLIS),
            ConvertedType::TIMESTAMP_MICROS => timestamp(TimeUnit::MICROS),
            ConvertedType::UINT_8 => integer(8, false),
            ConvertedType::UINT_16 => integer(16, false),
            ConvertedType::UINT_32 => integer(32, false),
            ConvertedType::UINT_64 => integer(64, false),
            ConvertedType::INT_8 => integer(8, true),
            ConvertedType::INT_16 => integer(16, true),
            ConvertedType::INT_32 => integer(32, true),
            ConvertedType::INT_64 => integer(64, true),
            ConvertedType::JSON => LogicalType::Json,
            ConvertedType::BSON => LogicalType::Bson,
        })
    }

    /// What the values of a leaf are, or their type's name.
    fn leaf(&self, physical: Physical) -> Result<Leaf, String> {
        let unit = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => Unit::Millis,
            TimeUnit::MICROS => Unit::Micros,
            TimeUnit::NANOS => Unit::Nanos,
        };
        let annotation = self.annotation();
        Ok(match (physical, &annotation) {
            (_, Some(LogicalType::Unknown)) => return Err("null".into()),
            (Physical::BOOLEAN, _) => Leaf::Boolean,
            (Physical::FLOAT, _) => Leaf::Float,
            (Physical::DOUBLE, _) => Leaf::Double,
            (Physical::INT96, _) => Leaf::Int96,
            (Physical::INT32, Some(LogicalType::Integer { bit_width: 32, is_signed: false })) => {
                Leaf::Unsigned32
            }
            (Physical::INT32, None | Some(LogicalType::Integer { .. })) => Leaf::Int,
            (Physical::INT32, Some(LogicalType::Date)) => Leaf::Date,
            (Physical::INT64, Some(LogicalType::Integer { is_signed: false, .. })) => {
                Leaf::Unsigned64
            }
            (Physical::INT64, None | Some(LogicalType::Integer { .. })) => Leaf::Long,
            (Physical::INT32 | Physical::INT64, Some(LogicalType::Time { unit: of, .. })) => {
                Leaf::Time(unit(of))
            }
            (
                Physical::INT64,
                Some(LogicalType::Timestamp { is_adjusted_to_u_t_c: utc, unit: of }),
            ) => Leaf::Timestamp { unit: unit(of), utc: *utc },
            (
                Physical::BYTE_ARRAY,
                Some(LogicalType::String | LogicalType::Enum | LogicalType::Json),
            ) => Leaf::Text,
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)) if self.length == 16 => {
                Leaf::Uuid
            }
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16)) if self.length == 2 => {
                Leaf::Float16
            }
            (_, Some(LogicalType::Decimal { scale, precision })) => {
                match (u8::try_from(*precision), u8::try_from(*scale)) {
                    (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
                        Leaf::Decimal { precision, scale }
                    }
                    _ => return Err(format!("decimal({precision},{scale})")),
                }
            }
            (Physical::BYTE_ARRAY, None) => return Err("binary".into()),
            (Physical::FIXED_LEN_BYTE_ARRAY, None) => {
                return Err(match self.converted {
                    ConvertedType::INTERVAL => "interval".into(),
                    _ => format!("fixed({})", self.length),
                });
            }
            (_, Some(LogicalType::Bson)) => return Err("bson".into()),
            (_, Some(LogicalType::Geometry { .. })) => return Err("geometry".into()),
            (_, Some(LogicalType::Geography { .. })) => return Err("geography".into()),
            (_, Some(_)) => {
                return Err(format!("annotated {}", physical.to_string().to_lowercase()));
            }
        })
    }
}

impl Node {
    /// Whether every value of a well-formed file is one of ours.
    pub(crate) fn is_exact(&self) -> bool {
        match &self.shape {
            Shape::Leaf { kind, .. } => kind.is_exact(),
            Shape::Struct(fields) => fields.iter().all(Self::is_exact),
            Shape::List { element, .. } => element.is_exact(),
            Shape::Map { entry, .. } => entry.iter().all(Self::is_exact),
        }
    }

    /// Our type.
    pub(crate) fn data_type(&self) -> DataType {
        match &self.shape {
            Shape::Leaf { kind, .. } => DataType::Primitive(kind.field_type()),
            Shape::Struct(fields) => {
                let field = |field: &Self| StructField {
                    name: field.name.clone(),
                    data_type: field.data_type(),
                    required: !field.nullable,
                };
                DataType::Struct(fields.iter().map(field).collect())
            }
            Shape::List { element, .. } => DataType::List {
                element: Box::new(element.data_type()),
                required: !element.nullable,
            },
            Shape::Map { entry, .. } => {
                let [key, value] = entry.as_ref();
                let key = match &key.shape {
                    Shape::Leaf { kind, .. } => kind.field_type(),
                    _ => FieldType::String,
                };
                DataType::Map { key, value: Box::new(value.data_type()), required: !value.nullable }
            }
        }
    }
}

impl Leaf {
    /// Whether every value of a well-formed file is one of ours: there are no nanoseconds that
    /// could be lost.
    pub(crate) fn is_exact(self) -> bool {
        !matches!(
            self,
            Self::Int96 | Self::Time(Unit::Nanos) | Self::Timestamp { unit: Unit::Nanos, .. }
        )
    }

    fn field_type(self) -> FieldType {
        match self {
            Self::Boolean => FieldType::Boolean,
            Self::Int => FieldType::Int,
            Self::Unsigned32 | Self::Long => FieldType::Long,
            Self::Unsigned64 => FieldType::Decimal { precision: 20, scale: 0 },
            Self::Float16 | Self::Float => FieldType::Float,
            Self::Double => FieldType::Double,
            Self::Text => FieldType::String,
            Self::Uuid => FieldType::Uuid,
            Self::Decimal { precision, scale } => FieldType::Decimal { precision, scale },
            Self::Date => FieldType::Date,
            Self::Time(_) => FieldType::Time,
            Self::Timestamp { utc: true, .. } => FieldType::TimestampTz,
            Self::Timestamp { utc: false, .. } | Self::Int96 => FieldType::Timestamp,
        }
    }
}
