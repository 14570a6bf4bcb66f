//! How two types relate: which values of the one are values of the other, and which field of
//! the one is which of the other. Drift names it, the conversion does it.

use std::collections::HashMap;

use landfall_contract::{FieldType, StructField};

use crate::header::normal_name;

/// Whether Iceberg reads files of the one type as the other
/// (<https://iceberg.apache.org/spec/#schema-evolution>).
pub fn is_widening(from: FieldType, to: FieldType) -> bool {
    match (from, to) {
        (FieldType::Int, FieldType::Long) | (FieldType::Float, FieldType::Double) => true,
        (
            FieldType::Decimal { precision: from, scale: from_scale },
            FieldType::Decimal { precision: to, scale: to_scale },
        ) => from < to && from_scale == to_scale,
        _ => false,
    }
}

/// How values of a file's own type become values of the wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// The types are the same.
    Same,
    /// Every value becomes one, and nothing is lost.
    All,
    /// Each value does or does not: those that do not are bad values.
    Some,
    /// None does.
    None,
}

/// How a file's primitive type fits the wanted one.
///
/// All: what Iceberg calls a promotion, and whole numbers and decimals as a decimal with room
/// for all their digits on both sides of the point. Some: the promotions backwards, and text
/// as a uuid, where the writer knew no better type. Nothing else is converted: a text that
/// looks like a date is a text.
pub(crate) fn fit(file: FieldType, wanted: FieldType) -> Fit {
    use FieldType::{Decimal, Int, Long, String, Uuid};
    let holds = |whole_digits: u8, scale: u8| match wanted {
        Decimal { precision, scale: wanted_scale } => {
            wanted_scale >= scale && precision.saturating_sub(wanted_scale) >= whole_digits
        }
        _ => false,
    };
    let all = is_widening(file, wanted)
        || match file {
            // The longest numbers have 10 and 19 digits.
            Int => holds(10, 0),
            Long => holds(19, 0),
            Decimal { precision, scale } => holds(precision.saturating_sub(scale), scale),
            _ => false,
        };
    match (file, wanted) {
        (file, wanted) if file == wanted => Fit::Same,
        _ if all => Fit::All,
        (String, Uuid) => Fit::Some,
        (file, wanted) if is_widening(wanted, file) => Fit::Some,
        _ => Fit::None,
    }
}

/// Where a field of the wanted struct is in the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Under the same name, at this index.
    Exact(usize),
    /// Under a name that differs by case or blanks only, at this index.
    Alike(usize),
    /// Nowhere.
    Nowhere,
}

/// For each field of `wanted`, where it is in `other`; and what else `other` has. Takes time
/// in proportion to the fields, however many a file has.
pub(crate) fn match_fields(
    other: &[StructField],
    wanted: &[StructField],
) -> (Vec<Found>, Vec<usize>) {
    let mut free: Vec<bool> = vec![true; other.len()];
    let mut found = vec![Found::Nowhere; wanted.len()];
    for by_normal_name in [false, true] {
        let key = |name: &str| if by_normal_name { normal_name(name) } else { name.to_owned() };
        let mut places: HashMap<String, usize> = HashMap::new();
        for (index, field) in other.iter().enumerate() {
            if free.get(index) == Some(&true) {
                places.entry(key(&field.name)).or_insert(index);
            }
        }
        for (field, found) in wanted.iter().zip(&mut found) {
            if *found == Found::Nowhere
                && let Some(index) = places.remove(&key(&field.name))
            {
                *found = if by_normal_name { Found::Alike(index) } else { Found::Exact(index) };
                if let Some(free) = free.get_mut(index) {
                    *free = false;
                }
            }
        }
    }
    let left = free.iter().enumerate().filter(|(_, free)| **free).map(|(index, _)| index);
    (found, left.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use landfall_contract::DataType;

    use super::*;

    fn fields(names: &[&str]) -> Vec<StructField> {
        let field = |name: &&str| StructField {
            name: (*name).to_owned(),
            data_type: DataType::Primitive(FieldType::Int),
            required: false,
        };
        names.iter().map(field).collect()
    }

    #[test]
    fn an_exact_name_comes_before_one_that_is_alike() {
        let (found, left) = match_fields(&fields(&["A", "a", "x", " b "]), &fields(&["a", "B"]));
        assert_eq!(found, [Found::Exact(1), Found::Alike(3)]);
        assert_eq!(left, [0, 2]);
        let (found, left) = match_fields(&[], &fields(&["a"]));
        assert_eq!((found, left), (vec![Found::Nowhere], vec![]));
        // A name that stands twice is one field.
        let (found, left) = match_fields(&fields(&["a", "a"]), &fields(&["a"]));
        assert_eq!((found, left), (vec![Found::Exact(0)], vec![1]));
    }
}
