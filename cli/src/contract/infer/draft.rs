//! A contract document, written out.

use std::fmt;

use landfall_contract::{DataType, FieldType, Format};

/// A contract to be.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// Dataset and table.
    pub(super) name: String,
    /// `s3://bucket/prefix/`.
    pub(super) bucket_location: String,
    pub(super) format: &'a Format,
    pub(super) columns: Vec<DraftColumn>,
}

/// A column to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DraftColumn {
    pub(super) name: String,
    pub(super) data_type: DataType,
    pub(super) required: bool,
}

/// A dataset's name from a file's: its stem in lower case, everything else than letters and
/// digits an underscore.
pub(super) fn dataset_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split('.').find(|part| !part.is_empty()).unwrap_or("dataset");
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    match name.trim_matches('_') {
        "" => "dataset".to_owned(),
        name => name.to_owned(),
    }
}

impl fmt::Display for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = scalar(&self.name);
        writeln!(f, "# A draft, by the values of one file. Read it, then say what values mean:")?;
        writeln!(f, "# which are unique, which bounds and patterns hold, which are personal.")?;
        writeln!(f, "apiVersion: v3.1.0")?;
        writeln!(f, "kind: DataContract")?;
        writeln!(f, "id: {name}")?;
        writeln!(f, "version: 0.1.0")?;
        writeln!(f, "status: draft")?;
        writeln!(f, "\nservers:")?;
        writeln!(f, "  - server: landing")?;
        writeln!(f, "    type: s3")?;
        writeln!(f, "    location: {}", scalar(&self.bucket_location))?;
        match self.format {
            Format::Csv(csv) => {
                writeln!(f, "    format: csv")?;
                match csv.delimiter {
                    b',' => {}
                    b'\t' => writeln!(f, "    delimiter: tab")?,
                    other => writeln!(f, "    delimiter: \"{}\"", char::from(other))?,
                }
            }
            Format::Json(_) => writeln!(f, "    format: json")?,
            Format::Parquet => writeln!(f, "    format: parquet")?,
            Format::Avro => writeln!(f, "    format: avro")?,
        }
        writeln!(f, "\nschema:")?;
        writeln!(f, "  - name: {name}")?;
        writeln!(f, "    properties:")?;
        for column in &self.columns {
            writeln!(f, "      - name: {}", scalar(&column.name))?;
            type_lines(f, &column.data_type, 8)?;
            if column.required {
                writeln!(f, "        required: true")?;
            }
        }
        Ok(())
    }
}

/// The lines that state a type, each with so many blanks before it.
fn type_lines(f: &mut fmt::Formatter<'_>, data_type: &DataType, indent: usize) -> fmt::Result {
    let blank = "";
    match data_type {
        DataType::Primitive(field_type) => {
            let (logical, physical) = names(*field_type);
            writeln!(f, "{blank:indent$}logicalType: {logical}")?;
            match physical {
                Some(physical) => writeln!(f, "{blank:indent$}physicalType: {physical}"),
                None => Ok(()),
            }
        }
        DataType::Struct(fields) => {
            writeln!(f, "{blank:indent$}logicalType: object")?;
            writeln!(f, "{blank:indent$}properties:")?;
            for field in fields {
                writeln!(f, "{blank:indent$}  - name: {}", scalar(&field.name))?;
                type_lines(f, &field.data_type, indent + 4)?;
                if field.required {
                    writeln!(f, "{blank:indent$}    required: true")?;
                }
            }
            Ok(())
        }
        DataType::List { element, required } => {
            writeln!(f, "{blank:indent$}logicalType: array")?;
            writeln!(f, "{blank:indent$}items:")?;
            type_lines(f, element, indent + 2)?;
            if *required {
                writeln!(f, "{blank:indent$}  required: true")?;
            }
            Ok(())
        }
        DataType::Map { .. } => {
            writeln!(f, "{blank:indent$}logicalType: object")?;
            writeln!(f, "{blank:indent$}physicalType: {}", scalar(&data_type.to_string()))
        }
    }
}

/// The logical type, and the physical one where that says more.
fn names(field_type: FieldType) -> (&'static str, Option<String>) {
    let physical = Some(field_type.to_string());
    match field_type {
        FieldType::Boolean => ("boolean", None),
        FieldType::Int => ("integer", physical),
        FieldType::Long => ("integer", None),
        FieldType::Float => ("number", physical),
        FieldType::Double => ("number", None),
        FieldType::Decimal { .. } => ("number", physical),
        FieldType::Date => ("date", None),
        FieldType::Time => ("time", None),
        FieldType::Timestamp => ("timestamp", None),
        FieldType::TimestampTz => ("timestamp", physical),
        FieldType::String => ("string", None),
        FieldType::Uuid => ("string", physical),
    }
}

/// Text as YAML reads it back: plain where it cannot be anything else, else in quotes as JSON
/// writes them, which YAML 1.2 takes.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.'))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word));
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use landfall_contract::StructField;

    use super::*;

    #[test]
    fn a_draft_is_a_contract() {
        let column = |name: &str, data_type: DataType| DraftColumn {
            name: name.into(),
            data_type,
            required: true,
        };
        let types = [
            FieldType::Boolean,
            FieldType::Int,
            FieldType::Long,
            FieldType::Float,
            FieldType::Double,
            FieldType::Decimal { precision: 12, scale: 2 },
            FieldType::Date,
            FieldType::Time,
            FieldType::Timestamp,
            FieldType::TimestampTz,
            FieldType::String,
            FieldType::Uuid,
        ];
        let mut columns: Vec<DraftColumn> = types
            .iter()
            .enumerate()
            .map(|(index, field_type)| {
                column(&format!("c{index}"), DataType::Primitive(*field_type))
            })
            .collect();
        columns.push(column("no: \"way\"", DataType::Primitive(FieldType::String)));
        let city = StructField {
            name: "city".into(),
            data_type: DataType::Primitive(FieldType::String),
            required: true,
        };
        columns.push(column(
            "stops",
            DataType::List { element: Box::new(DataType::Struct(vec![city])), required: true },
        ));
        let expected: Vec<_> =
            columns.iter().map(|c| (c.name.clone(), c.data_type.clone())).collect();
        let draft = Draft {
            name: "orders".into(),
            bucket_location: "s3://landing/orders/".into(),
            format: &Format::Json(Default::default()),
            columns,
        };
        let contract = landfall_contract::lint(&draft.to_string()).unwrap();
        let read: Vec<_> =
            contract.columns.iter().map(|c| (c.name.clone(), c.data_type())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn names_come_from_files() {
        assert_eq!(dataset_name("s3://b/x/Orders 2026-01.csv.gz"), "orders_2026_01");
        assert_eq!(dataset_name("-"), "dataset");
        assert_eq!(dataset_name(".hidden"), "hidden");
    }
}
