//! Values as bytes that are equal exactly when the values are.

use crate::value::Value;

/// Appends the value's bytes. Where all values have one type, no value's bytes are the start
/// of another's, so that the bytes of several values in a row are as exact.
pub(crate) fn push(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Boolean(v) => out.push(u8::from(*v)),
        Value::Int(v) | Value::Date(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::Long(v) | Value::Time(v) | Value::Timestamp(v) | Value::TimestampTz(v) => {
            out.extend_from_slice(&v.to_le_bytes());
        }
        // Zero is equal to minus zero, and every NaN to every other: SQL's `GROUP BY` sees
        // them so.
        Value::Float(v) => {
            let v = if v.is_nan() { f32::NAN } else { *v + 0.0 };
            out.extend_from_slice(&v.to_bits().to_le_bytes());
        }
        Value::Double(v) => {
            let v = if v.is_nan() { f64::NAN } else { *v + 0.0 };
            out.extend_from_slice(&v.to_bits().to_le_bytes());
        }
        Value::Decimal(v) => push_decimal(*v, out),
        Value::Str(text) | Value::Unfit(text) => push_sized(text.as_bytes(), out),
        Value::Uuid(v) => out.extend_from_slice(v),
        Value::List(elements) | Value::Struct(elements) => {
            push_count(elements.len(), out);
            for element in elements {
                push_nullable(element, out);
            }
        }
        Value::Map(entries) => {
            // Maps are equal whatever the order of their entries.
            let mut sorted: Vec<Vec<u8>> = entries
                .iter()
                .map(|(key, value)| {
                    let mut entry = Vec::new();
                    push_nullable(key, &mut entry);
                    push_nullable(value, &mut entry);
                    entry
                })
                .collect();
            sorted.sort_unstable();
            push_count(sorted.len(), out);
            for entry in sorted {
                push_sized(&entry, out);
            }
        }
    }
}

fn push_nullable(value: &Value<'_>, out: &mut Vec<u8>) {
    out.push(u8::from(*value != Value::Null));
    push(value, out);
}

/// The shortest two's complement bytes behind their count: most decimals are short.
fn push_decimal(value: i128, out: &mut Vec<u8>) {
    let significant = 128 - if value < 0 { value.leading_ones() } else { value.leading_zeros() };
    let bytes = significant as usize / 8 + 1;
    let le = value.to_le_bytes();
    out.push(bytes as u8);
    out.extend_from_slice(le.get(..bytes).unwrap_or(&le));
}

fn push_sized(bytes: &[u8], out: &mut Vec<u8>) {
    push_count(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// LEB128.
fn push_count(mut count: usize, out: &mut Vec<u8>) {
    while count >= 0x80 {
        out.push(count as u8 | 0x80);
        count >>= 7;
    }
    out.push(count as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(values: &[Value<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        values.iter().for_each(|value| push(value, &mut out));
        out
    }

    #[test]
    fn equal_values_have_equal_bytes() {
        let pairs = [
            (Value::Double(0.0), Value::Double(-0.0)),
            (Value::Float(f32::NAN), Value::Float(-f32::NAN)),
            (
                Value::Map(vec![(Value::Int(1), Value::Null), (Value::Int(2), Value::Int(3))]),
                Value::Map(vec![(Value::Int(2), Value::Int(3)), (Value::Int(1), Value::Null)]),
            ),
        ];
        for (a, b) in pairs {
            assert_eq!(bytes(&[a]), bytes(&[b]));
        }
    }

    #[test]
    fn values_that_differ_have_other_bytes_wherever_they_are_cut() {
        let lists: Vec<Vec<Value<'_>>> = vec![
            vec![Value::Str("a"), Value::Str("bc")],
            vec![Value::Str("ab"), Value::Str("c")],
            vec![Value::Str(""), Value::Str("abc")],
            vec![Value::Decimal(1), Value::Decimal(256)],
            vec![Value::Decimal(257), Value::Decimal(0)],
            vec![Value::Decimal(-1), Value::Decimal(255)],
            vec![Value::Decimal(i128::MAX), Value::Decimal(i128::MIN)],
            vec![Value::List(vec![Value::Null, Value::Str("")]), Value::List(vec![])],
            vec![Value::List(vec![Value::Str(""), Value::Null]), Value::List(vec![])],
        ];
        for (at, a) in lists.iter().enumerate() {
            for b in &lists[at + 1..] {
                assert_ne!(bytes(a), bytes(b), "{a:?} {b:?}");
            }
        }
        let long = "x".repeat(300);
        assert_eq!(bytes(&[Value::Str(&long)]).len(), 302);
    }
}
