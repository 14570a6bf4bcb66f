//! The file's columns against those that it is loaded as: the contract's, and the table's
//! where only the table has them.

use std::fmt;

use landfall_contract::{
    Column, DataType, FieldType, OnDrift, OnOverwrite, StructField, WriteMode,
};
use landfall_messages::Verdict;

use super::comparison::{Comparison, FromTo, NO_TYPES, Path, first_out_of_order, from_to};
use super::in_words::{cut, in_words};
use super::{ChangeKind, FileColumn};
use crate::fit::{Fit, Found, fit, match_fields};
use crate::header::normal_name;
use crate::table::TableType;

/// Who has the column that a file's column is loaded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Contract,
    Table,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Contract => "contract",
            Self::Table => "table",
        })
    }
}

/// Characters of a name in a change; Parquet and Avro know no bound.
const MAX_NAME_CHARACTERS: usize = 255;

const NULL_PARTITION: &str =
    "the file lacks that column; all of its rows would go to the null partition";

impl Comparison<'_> {
    /// A column of the contract against the file's column for it.
    pub(super) fn contract_in_file(&mut self, column: &Column, in_file: Option<&FileColumn>) {
        let path = Path::of_column(&column.name);
        // Under `evolve` the table stops requiring what the contract does not.
        let required_by_table = self.contract.policy.on_drift != OnDrift::Evolve
            && self
                .table
                .and_then(|table| table.columns.iter().find(|c| c.name == column.name))
                .is_some_and(|column| column.required);
        let required = column.required || required_by_table;
        let Some(in_file) = in_file else { return self.missing(&path, required) };
        self.renamed_in_file(&path, &column.name, &in_file.name);
        let wanted = column.data_type();
        if let Some(stated) = &in_file.stated {
            self.stated(&path, stated.data_type.as_ref(), &wanted, Side::Contract);
            self.null_in_file(&path, stated.required, column.required, Side::Contract);
        }
        self.added_inside(&column.name, &wanted, in_file, Side::Contract);
    }

    /// A column of the table alone against the file's column for it.
    pub(super) fn table_in_file(&mut self, index: usize, in_file: Option<&FileColumn>) {
        let Some(column) = self.table.and_then(|table| table.columns.get(index)) else { return };
        let path = Path::of_column(&column.name);
        let Some(in_file) = in_file else { return self.missing(&path, column.required) };
        self.renamed_in_file(&path, &column.name, &in_file.name);
        let wanted = match &column.data_type {
            TableType::Known(wanted) => wanted,
            TableType::Other(has) => {
                let message = format!(
                    "column {path} is {has} in the table, which Landfall does not write; drop it \
                     from the file"
                );
                let in_file = match &in_file.stated {
                    Some(stated) => words_of(stated.data_type.as_ref()),
                    None => FieldType::String.to_string(),
                };
                let types = from_to(in_file, cut(has, 200));
                return self.add(ChangeKind::TypeChanged, &path, types, Verdict::Reject, message);
            }
        };
        if let Some(stated) = &in_file.stated {
            self.stated(&path, stated.data_type.as_ref(), wanted, Side::Table);
            self.null_in_file(&path, stated.required, column.required, Side::Table);
        }
        self.added_inside(&column.name, wanted, in_file, Side::Table);
    }

    fn renamed_in_file(&mut self, path: &Path, name: &str, in_file: &str) {
        if name == in_file {
            return;
        }
        let in_file = cut(in_file, MAX_NAME_CHARACTERS);
        let message = format!(
            "the file calls column {path} {in_file:?}; approve to load it as {path}, or rename it \
             in the file"
        );
        let names = from_to(name, in_file);
        self.add(ChangeKind::RenamedByCase, path, names, self.review(), message);
    }

    /// A member of JSON objects whose name differs by case or blanks only. JSON objects may
    /// well have both, so members are found by their exact name, and nobody can approve it.
    fn renamed_member(&mut self, path: &Path, name: &str, in_file: &str) {
        let in_file = cut(in_file, MAX_NAME_CHARACTERS);
        let message = format!(
            "the file calls column {path} {in_file:?}, and inside JSON objects names are exact; \
             rename it in the file"
        );
        let names = from_to(name, in_file);
        self.add(ChangeKind::RenamedByCase, path, names, Verdict::Reject, message);
    }

    fn missing(&mut self, path: &Path, required: bool) {
        if required {
            let kind = ChangeKind::RequiredColumnMissing;
            let message = format!("the required column {path} is not in the file; add it");
            return self.add(kind, path, NO_TYPES, Verdict::Reject, message);
        }
        let kind = ChangeKind::OptionalColumnMissing;
        let message = format!("column {path} is not in the file; its rows get null");
        self.add(kind, path, NO_TYPES, Verdict::Accept, message);
        self.touches_partition(path, NULL_PARTITION);
    }

    /// A column's type as the file states it.
    fn stated(
        &mut self,
        path: &Path,
        in_file: Result<&DataType, &String>,
        wanted: &DataType,
        side: Side,
    ) {
        match in_file {
            Ok(in_file) => self.type_in_file(path, in_file, wanted, side),
            Err(name) => {
                let name = cut(name, 200);
                let message = format!(
                    "column {path} is {name} in the file, a type that is never loaded, and \
                     {wanted} in the {side}; write it as {wanted}",
                    wanted = in_words(wanted)
                );
                let types = from_to(name, in_words(wanted));
                self.add(ChangeKind::TypeChanged, path, types, Verdict::Reject, message);
            }
        }
    }

    fn type_in_file(&mut self, path: &Path, in_file: &DataType, wanted: &DataType, side: Side) {
        match (in_file, wanted) {
            (DataType::Primitive(in_file), DataType::Primitive(wanted)) => {
                self.primitive_in_file(path, *in_file, *wanted, side);
            }
            (DataType::Struct(in_file), DataType::Struct(wanted)) => {
                let (found, left) = match_fields(in_file, wanted);
                if found.iter().all(|found| *found == Found::Nowhere) {
                    let whole = |fields: &[_]| in_words(&DataType::Struct(fields.to_vec()));
                    return self.unlike_file(path, whole(in_file), whole(wanted), side);
                }
                for (field, found) in wanted.iter().zip(&found) {
                    let path = path.part(&field.name);
                    match found {
                        Found::Exact(index) | Found::Alike(index) => {
                            if let Some(own) = in_file.get(*index) {
                                self.renamed_in_file(&path, &field.name, &own.name);
                                self.type_in_file(&path, &own.data_type, &field.data_type, side);
                                self.null_in_file(&path, own.required, field.required, side);
                            }
                        }
                        Found::Nowhere => self.missing(&path, field.required),
                    }
                }
                self.order_inside(path, in_file.len(), &found, |index| {
                    in_file.get(index).map_or("", |own| own.name.as_str())
                });
                for own in left.into_iter().filter_map(|index| in_file.get(index)) {
                    self.not_loaded(&path.part(&own.name), Some(in_words(&own.data_type)), side);
                }
            }
            (
                DataType::List { element: in_file, required: own_required },
                DataType::List { element: wanted, required },
            ) => {
                let path = path.part("element");
                self.type_in_file(&path, in_file, wanted, side);
                self.null_in_file(&path, *own_required, *required, side);
            }
            (
                DataType::Map { key: own_key, value: in_file, required: own_required },
                DataType::Map { key, value: wanted, required },
            ) => {
                self.primitive_in_file(&path.part("key"), *own_key, *key, side);
                let path = path.part("value");
                self.type_in_file(&path, in_file, wanted, side);
                self.null_in_file(&path, *own_required, *required, side);
            }
            _ => self.unlike_file(path, in_words(in_file), in_words(wanted), side),
        }
    }

    fn primitive_in_file(
        &mut self,
        path: &Path,
        in_file: FieldType,
        wanted: FieldType,
        side: Side,
    ) {
        let types = || from_to(in_file.to_string(), wanted.to_string());
        match fit(in_file, wanted) {
            Fit::Same => {}
            Fit::All => {
                let message = format!(
                    "column {path} is {in_file} in the file and is read as {wanted}, which holds \
                     every {in_file}"
                );
                self.add(ChangeKind::Widened, path, types(), Verdict::Accept, message);
            }
            Fit::Some => self.wider_in_file(path, types(), side),
            Fit::None => self.unlike_file(path, in_file.to_string(), wanted.to_string(), side),
        }
    }

    fn wider_in_file(&mut self, path: &Path, types: FromTo, side: Side) {
        let (in_file, wanted) =
            (types.0.clone().unwrap_or_default(), types.1.clone().unwrap_or_default());
        let difference = format!(
            "column {path} is {in_file} in the file and {wanted} in the {side}, which does not \
             hold every {in_file}"
        );
        let verdict = self.review();
        let message = if verdict == Verdict::Reject {
            format!("{difference}; write it as {wanted}, or declare {in_file} in the contract")
        } else {
            format!(
                "{difference}; approve to load the rows whose values fit, or write it as {wanted}"
            )
        };
        self.add(ChangeKind::Narrowed, path, types, verdict, message);
    }

    fn unlike_file(&mut self, path: &Path, in_file: String, wanted: String, side: Side) {
        let message = format!(
            "column {path} is {in_file} in the file and {wanted} in the {side}, and the one is \
             not read as the other; write it as {wanted}"
        );
        let types = from_to(in_file, wanted);
        self.add(ChangeKind::TypeChanged, path, types, Verdict::Reject, message);
    }

    fn null_in_file(&mut self, path: &Path, in_file: bool, required: bool, side: Side) {
        if required && !in_file {
            let message = format!(
                "the file allows null in column {path} and the {side} requires it; every value is \
                 checked"
            );
            let states = from_to("optional", "required");
            self.add(ChangeKind::NullabilityChanged, path, states, Verdict::Accept, message);
        }
    }

    /// The order of a struct's known fields in the file.
    fn order_inside<'n>(
        &mut self,
        path: &Path,
        fields: usize,
        found: &[Found],
        name: impl Fn(usize) -> &'n str,
    ) {
        let mut places = vec![None; fields];
        for (wanted, found) in found.iter().enumerate() {
            if let Found::Exact(index) | Found::Alike(index) = found
                && let Some(place) = places.get_mut(*index)
            {
                *place = Some(wanted);
            }
        }
        let known = places.into_iter().enumerate();
        let known = known.filter_map(|(index, wanted)| Some((index, wanted?)));
        if let Some(late) = first_out_of_order(known) {
            let message = format!(
                "the file has the fields of column {path} in another order, {} is the first that \
                 comes late; they are loaded by name",
                cut(name(late), MAX_NAME_CHARACTERS)
            );
            self.add(ChangeKind::Reordered, path, NO_TYPES, Verdict::Accept, message);
        }
    }

    /// A column of the file that nobody knows.
    pub(super) fn added(&mut self, column: &FileColumn) {
        let path = Path::of_column(&column.name);
        let Some(data_type) = column.addable_type() else {
            let stated = column.stated.as_ref();
            let stated = stated.map(|stated| words_of(stated.data_type.as_ref()));
            return self.not_loaded(&path, stated, Side::Contract);
        };
        let how = if column.stated.is_some() { "" } else { " by its values" };
        if let Some(why) = self.never_added(&column.name, data_type) {
            let message = format!(
                "column {path} ({data_type}{how}) is in the file and not in the contract, {why}"
            );
            let types = (None, Some(data_type.to_string()));
            return self.add(ChangeKind::ColumnAdded, &path, types, Verdict::Reject, message);
        }
        let verdict = self.by_policy();
        let next = match verdict {
            Verdict::Reject => {
                "onDrift refuses new columns; drop it from the file or add it to the contract"
            }
            Verdict::Review => "approve to add it to the table",
            _ => "it is added to the table",
        };
        let message = format!(
            "column {path} ({data_type}{how}) is in the file and not in the contract; {next}"
        );
        let types = (None, Some(data_type.to_string()));
        self.add(ChangeKind::ColumnAdded, &path, types, verdict, message);
    }

    /// Why a new column could not be loaded even if a person approved, and what to do, if so.
    fn never_added(&self, name: &str, data_type: FieldType) -> Option<String> {
        if self.is_partition_name(name) {
            return Some(
                "and a partition field of the table has its name, which Iceberg then gives to no \
                 column; rename it in the file"
                    .to_owned(),
            );
        }
        let policy = &self.contract.policy;
        let knob = match (policy.write_mode, policy.on_overwrite) {
            _ if data_type != FieldType::Time => return None,
            (WriteMode::Upsert, _) => "writeMode: upsert",
            (WriteMode::Append, OnOverwrite::Replace) => "onOverwrite: replace",
            (WriteMode::Append, OnOverwrite::Append | OnOverwrite::Ignore) => return None,
        };
        Some(format!(
            "and `{knob}` is Glue's to do, which cannot load a table that has a time of day; write \
             it as a timestamp or a string in the file, or drop it"
        ))
    }

    /// A column of the file that nobody knows and that is never added by itself: a nested one,
    /// one inside another column, or one of a type that no table has.
    fn not_loaded(&mut self, path: &Path, data_type: Option<String>, side: Side) {
        let verdict = self.review();
        let shown = data_type.as_deref().unwrap_or("objects or arrays");
        let advice = match verdict {
            Verdict::Reject => {
                "onDrift refuses new columns; drop it from the file or add it to the contract"
            }
            _ => {
                "it is not added by itself: add it to the contract to load it, or approve to load \
                 the file without it"
            }
        };
        let message =
            format!("column {path} ({shown}) is in the file and not in the {side}; {advice}");
        self.add(ChangeKind::ColumnAdded, path, (None, data_type), verdict, message);
    }

    /// What JSON objects in a known column have beyond its type, by the reader's paths:
    /// `items[].sku`.
    fn added_inside(&mut self, name: &str, wanted: &DataType, in_file: &FileColumn, side: Side) {
        for inside in &in_file.inside {
            let Some(rest) = inside.name.strip_prefix(name) else { continue };
            let Some((parent, fields, member)) = parent_of(name, wanted, rest) else { continue };
            let alike = |name: &str| normal_name(name) == normal_name(member);
            match fields.iter().find(|field| alike(&field.name)) {
                Some(field) => {
                    self.renamed_member(&parent.part(&field.name), &field.name, member);
                }
                None => {
                    let data_type = inside.addable_type().map(|own| own.to_string());
                    self.not_loaded(&parent.part(member), data_type, side);
                }
            }
        }
    }
}

/// The struct that a member is in, by the rest of the reader's path for it after the column's
/// name: its path, its fields and the member's name.
fn parent_of<'t, 'p>(
    name: &str,
    wanted: &'t DataType,
    mut rest: &'p str,
) -> Option<(Path, &'t [StructField], &'p str)> {
    let mut path = Path::of_column(name);
    let mut here = wanted;
    loop {
        match here {
            DataType::Primitive(_) => return None,
            DataType::Struct(fields) => {
                let names = rest.strip_prefix('.')?;
                let known = fields
                    .iter()
                    .filter_map(|field| Some((field, names.strip_prefix(&*field.name)?)))
                    .filter(|(_, rest)| rest.starts_with(['.', '[']))
                    .max_by_key(|(field, _)| field.name.len());
                let Some((field, after)) = known else { return Some((path, fields, names)) };
                path = path.part(&field.name);
                here = &field.data_type;
                rest = after;
            }
            DataType::List { element, .. } => {
                path = path.part("element");
                here = element;
                rest = rest.strip_prefix("[]")?;
            }
            DataType::Map { value, .. } => {
                path = path.part("value");
                here = value;
                rest = rest.strip_prefix("[].value")?;
            }
        }
    }
}

/// A type that a file states, in words.
fn words_of(data_type: Result<&DataType, &String>) -> String {
    match data_type {
        Ok(data_type) => in_words(data_type),
        Err(name) => cut(name, 200),
    }
}
