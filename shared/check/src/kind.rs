//! A column's type with its bounds, compiled.

use landfall_contract::{Bound, FieldType, Rules};

use crate::moment::MomentReader;
use crate::nested::{ListCheck, MapCheck, StructCheck};
use crate::rule::{Rule, RuleSet};
use crate::value::{self, Value};

/// Inclusive bounds of integers, days and microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) min: i64,
    pub(crate) max: i64,
}

impl Range {
    const ALL: Self = Self { min: i64::MIN, max: i64::MAX };

    pub(crate) fn is_all(self) -> bool {
        self.min == i64::MIN && self.max == i64::MAX
    }

    #[inline(always)]
    pub(crate) fn holds(self, value: i64) -> bool {
        self.min <= value && value <= self.max
    }
}

/// Inclusive bounds of unscaled decimals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecimalRange {
    pub(crate) scale: u8,
    /// Magnitudes are below it.
    pub(crate) limit: i128,
    pub(crate) min: i128,
    pub(crate) max: i128,
}

impl DecimalRange {
    #[inline(always)]
    pub(crate) fn holds(&self, value: i128) -> bool {
        self.min <= value && value <= self.max
    }
}

/// Bounds of floating-point numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FloatRange {
    min: f64,
    min_exclusive: bool,
    max: f64,
    max_exclusive: bool,
}

impl FloatRange {
    const ALL: Self = Self {
        min: f64::NEG_INFINITY,
        min_exclusive: false,
        max: f64::INFINITY,
        max_exclusive: false,
    };

    pub(crate) fn is_all(&self) -> bool {
        self.min == f64::NEG_INFINITY && self.max == f64::INFINITY
    }

    #[inline]
    pub(crate) fn holds(&self, value: f64) -> bool {
        self.above(value) && self.below(value)
    }

    /// NaN is only in a range without a bound.
    #[inline]
    pub(crate) fn above(&self, value: f64) -> bool {
        value > self.min
            || (value == self.min && !self.min_exclusive)
            || (value.is_nan() && self.min == f64::NEG_INFINITY)
    }

    #[inline]
    pub(crate) fn below(&self, value: f64) -> bool {
        value < self.max
            || (value == self.max && !self.max_exclusive)
            || (value.is_nan() && self.max == f64::INFINITY)
    }
}

/// A date or time that is read in its own way, and bounded as any other.
#[derive(Debug)]
pub(crate) struct MomentCheck {
    pub(crate) reader: MomentReader,
    base: Kind,
}

impl MomentCheck {
    fn accepts_text(&self, bytes: &[u8]) -> bool {
        self.reader.value(bytes).is_some_and(|value| {
            let mut broken = RuleSet::default();
            self.base.bounds(&value, &mut broken);
            broken.is_empty()
        })
    }
}

/// A column's type with its bounds.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Nothing is known of the column: any text.
    Any,
    Boolean,
    Int(Range),
    Long(Range),
    Float(FloatRange),
    Double(FloatRange),
    Decimal(DecimalRange),
    Date(Range),
    Time(Range),
    Timestamp(Range),
    TimestampTz(Range),
    String,
    Uuid,
    /// A date or time that is not simply ISO 8601.
    Moment(Box<MomentCheck>),
    Struct(Box<StructCheck>),
    List(Box<ListCheck>),
    Map(Box<MapCheck>),
}

impl Kind {
    /// A primitive type with the bounds of the rules, or why these make no sense.
    pub(crate) fn new(field_type: FieldType, rules: &Rules) -> Result<Self, String> {
        let (minimum, maximum) = (rules.minimum.as_ref(), rules.maximum.as_ref());
        fn read(field_type: FieldType, bound: &Bound) -> Result<Value<'_>, String> {
            value::parse(field_type, bound.text.as_bytes()).map_err(|reason| {
                format!("its bound {} is not a {field_type}: {reason}", bound.text)
            })
        }
        // Bounds of everything that is counted in whole steps become inclusive.
        let integer = |value: Value<'_>| match value {
            Value::Int(v) | Value::Date(v) => i128::from(v),
            Value::Long(v) | Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v) => {
                i128::from(v)
            }
            Value::Decimal(v) => v,
            _ => 0,
        };
        let steps = || -> Result<(i128, i128), String> {
            let min = match minimum {
                None => i128::MIN,
                Some(bound) => integer(read(field_type, bound)?) + i128::from(bound.exclusive),
            };
            let max = match maximum {
                None => i128::MAX,
                Some(bound) => integer(read(field_type, bound)?) - i128::from(bound.exclusive),
            };
            Ok((min, max))
        };
        let range = || -> Result<Range, String> {
            if minimum.is_none() && maximum.is_none() {
                return Ok(Range::ALL);
            }
            let (min, max) = steps()?;
            let clamp = |v: i128| v.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
            if min > i128::from(i64::MAX) || max < i128::from(i64::MIN) {
                return Err("no value can satisfy its bounds".into());
            }
            Ok(Range { min: clamp(min), max: clamp(max) })
        };
        let floats = || -> Result<FloatRange, String> {
            let number = |value| match value {
                Value::Float(v) => f64::from(v),
                Value::Double(v) => v,
                _ => 0.0,
            };
            let mut range = FloatRange::ALL;
            if let Some(bound) = minimum {
                (range.min, range.min_exclusive) =
                    (number(read(field_type, bound)?), bound.exclusive);
            }
            if let Some(bound) = maximum {
                (range.max, range.max_exclusive) =
                    (number(read(field_type, bound)?), bound.exclusive);
            }
            Ok(range)
        };
        let unbounded = |kind: Self| match minimum.or(maximum) {
            None => Ok(kind),
            Some(_) => Err(format!("a {field_type} has no minimum and no maximum")),
        };
        let base = match field_type {
            FieldType::Boolean => unbounded(Self::Boolean)?,
            FieldType::String => unbounded(Self::String)?,
            FieldType::Uuid => unbounded(Self::Uuid)?,
            FieldType::Int => Self::Int(range()?),
            FieldType::Long => Self::Long(range()?),
            FieldType::Date => Self::Date(range()?),
            FieldType::Time => Self::Time(range()?),
            FieldType::Timestamp => Self::Timestamp(range()?),
            FieldType::TimestampTz => Self::TimestampTz(range()?),
            FieldType::Float => Self::Float(floats()?),
            FieldType::Double => Self::Double(floats()?),
            FieldType::Decimal { precision, scale } => {
                let (min, max) = steps()?;
                let limit = value::decimal_limit(precision);
                Self::Decimal(DecimalRange { scale, limit, min, max })
            }
        };
        Ok(match MomentReader::new(field_type, rules)? {
            None => base,
            Some(reader) => Self::Moment(Box::new(MomentCheck { reader, base })),
        })
    }

    /// The type itself, however its texts are written.
    pub(crate) fn base(&self) -> &Self {
        match self {
            Self::Moment(moment) => &moment.base,
            kind => kind,
        }
    }

    /// Whether the text, which is not null, is a value of the type within its bounds. No text
    /// is a value of a nested type.
    #[inline]
    pub(crate) fn accepts_text(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Any | Self::String => true,
            Self::Boolean => value::boolean(bytes).is_some(),
            Self::Int(range) => value::int(bytes).is_some_and(|v| range.holds(i64::from(v))),
            Self::Long(range) => value::long(bytes).is_some_and(|v| range.holds(v)),
            Self::Float(range) => value::float(bytes).is_some_and(|v| range.holds(f64::from(v))),
            Self::Double(range) if range.is_all() => value::is_double(bytes),
            Self::Double(range) => value::double(bytes).is_some_and(|v| range.holds(v)),
            Self::Decimal(range) => {
                value::decimal(bytes, range.scale, range.limit).is_some_and(|v| range.holds(v))
            }
            Self::Date(range) => value::date(bytes).is_some_and(|v| range.holds(i64::from(v))),
            Self::Time(range) => value::time(bytes).is_some_and(|v| range.holds(v)),
            Self::Timestamp(range) => value::timestamp(bytes).is_some_and(|v| range.holds(v)),
            Self::TimestampTz(range) => value::timestamptz(bytes).is_some_and(|v| range.holds(v)),
            Self::Uuid => value::uuid(bytes).is_some(),
            Self::Moment(moment) => moment.accepts_text(bytes),
            Self::Struct(_) | Self::List(_) | Self::Map(_) => false,
        }
    }

    /// The value of a text, whatever the bounds; absent where it is none of the type.
    #[inline]
    pub(crate) fn of_text<'a>(&self, bytes: &'a [u8]) -> Option<Value<'a>> {
        match self {
            Self::Any | Self::String => std::str::from_utf8(bytes).ok().map(Value::Str),
            Self::Boolean => value::boolean(bytes).map(Value::Boolean),
            Self::Int(_) => value::int(bytes).map(Value::Int),
            Self::Long(_) => value::long(bytes).map(Value::Long),
            Self::Float(_) => value::float(bytes).map(Value::Float),
            Self::Double(_) => value::double(bytes).map(Value::Double),
            Self::Decimal(range) => {
                value::decimal(bytes, range.scale, range.limit).map(Value::Decimal)
            }
            Self::Date(_) => value::date(bytes).map(Value::Date),
            Self::Time(_) => value::time(bytes).map(Value::Time),
            Self::Timestamp(_) => value::timestamp(bytes).map(Value::Timestamp),
            Self::TimestampTz(_) => value::timestamptz(bytes).map(Value::TimestampTz),
            Self::Uuid => value::uuid(bytes).map(Value::Uuid),
            Self::Moment(moment) => moment.reader.value(bytes),
            Self::Struct(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// A scalar of a typed file as a value of this type: itself, or one that the type holds
    /// exactly. Absent where it is none of the type.
    pub(crate) fn of_value<'a>(&self, value: &Value<'a>) -> Option<Value<'a>> {
        Some(match (self, value) {
            (Self::Any, _)
            | (Self::Boolean, Value::Boolean(_))
            | (Self::Int(_), Value::Int(_))
            | (Self::Long(_), Value::Long(_))
            | (Self::Float(_), Value::Float(_))
            | (Self::Double(_), Value::Double(_))
            | (Self::Date(_), Value::Date(_))
            | (Self::Time(_), Value::Time(_))
            | (Self::Timestamp(_), Value::Timestamp(_))
            | (Self::TimestampTz(_), Value::TimestampTz(_))
            | (Self::String, Value::Str(_))
            | (Self::Uuid, Value::Uuid(_)) => value.clone(),
            (Self::Int(_), Value::Long(v)) => Value::Int(i32::try_from(*v).ok()?),
            (Self::Long(_), Value::Int(v)) => Value::Long(i64::from(*v)),
            (Self::Double(_), Value::Float(v)) => Value::Double(f64::from(*v)),
            (Self::Float(_), Value::Double(v)) => {
                let narrow = *v as f32;
                let exact = f64::from(narrow) == *v || v.is_nan();
                exact.then_some(Value::Float(narrow))?
            }
            (Self::Decimal(range), Value::Decimal(v)) => {
                (v.unsigned_abs() < range.limit.unsigned_abs()).then_some(Value::Decimal(*v))?
            }
            (Self::Moment(moment), value) => {
                moment.reader.in_zone(value).or_else(|| moment.base.of_value(value))?
            }
            (Self::Uuid, Value::Str(text)) => Value::Uuid(value::uuid(text.as_bytes())?),
            _ => return None,
        })
    }

    /// Lets nothing pass that is below, whatever the bounds of the rules.
    pub(crate) fn raise_minimum(&mut self, least: i128) {
        match self {
            Self::Int(range) | Self::Long(range) => {
                let least = least.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
                range.min = range.min.max(least);
            }
            Self::Decimal(range) => range.min = range.min.max(least),
            _ => {}
        }
    }

    /// Adds the bounds that the value, one of this type, breaks.
    pub(crate) fn bounds(&self, value: &Value<'_>, broken: &mut RuleSet) {
        let (min, max) = match (self.base(), value) {
            (Self::Int(range) | Self::Date(range), Value::Int(v) | Value::Date(v)) => {
                (range.min <= i64::from(*v), i64::from(*v) <= range.max)
            }
            (
                Self::Long(range)
                | Self::Time(range)
                | Self::Timestamp(range)
                | Self::TimestampTz(range),
                Value::Long(v) | Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v),
            ) => (range.min <= *v, *v <= range.max),
            (Self::Decimal(range), Value::Decimal(v)) => (range.min <= *v, *v <= range.max),
            (Self::Float(range), Value::Float(v)) => {
                (range.above(f64::from(*v)), range.below(f64::from(*v)))
            }
            (Self::Double(range), Value::Double(v)) => (range.above(*v), range.below(*v)),
            _ => (true, true),
        };
        if !min {
            broken.insert(Rule::Minimum);
        }
        if !max {
            broken.insert(Rule::Maximum);
        }
    }

    /// Whether the type has texts of any form, the empty one too.
    #[inline(always)]
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::String | Self::Any)
    }

    /// Whether the type is a struct, a list or a map.
    pub(crate) fn is_nested(&self) -> bool {
        matches!(self, Self::Struct(_) | Self::List(_) | Self::Map(_))
    }
}
