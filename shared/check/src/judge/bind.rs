//! Which column each part of a file is.

use std::collections::HashMap;

use landfall_contract::{Column, ColumnType, Contract, DataType};

use super::{Judge, MAX_UNDECLARED};
use crate::column::ColumnCheck;
use crate::header::{Binding, bind, duplicate, normal_name};
use crate::infer::Inference;
use crate::report::{FileProblem, UNKNOWN_HEADER, UndeclaredColumn};
use crate::show::show_name;
use crate::table::TableType;
use crate::typed::FileSchemaColumn;

/// The longest column name that the Glue Data Catalog takes
/// (<https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html>).
const MAX_NAME_BYTES: usize = 255;

/// The names of a file whose columns appear one by one.
#[derive(Debug, Default)]
pub(super) struct OpenNames {
    /// Places of the names met so far.
    places: HashMap<String, usize>,
    /// Places of the columns that contract and table have, by their own names.
    known: HashMap<String, usize>,
    /// The same by normal names; the first of those that are alike.
    known_alike: HashMap<String, usize>,
    /// Names met so far, by normal name, and whether each is a column known by just that name.
    met: HashMap<String, bool>,
    /// Columns of the contract.
    of_contract: usize,
}

impl Judge {
    /// Binds a header. The file's columns have the places of their names in it.
    ///
    /// # Errors
    /// When a table could not have such columns, or none of them is the contract's. The
    /// columns are bound all the same, so that the report has them; except where they may be
    /// the values of a first row, and the contract has sensitive columns.
    pub(crate) fn bind_header(&mut self, names: Vec<String>) -> Result<(), FileProblem> {
        let bound = bind(&names, &self.contract, self.table.as_ref());
        self.hides_names =
            self.is_unknown(&bound) && self.contract.columns.iter().any(is_sensitive);
        let problem = self.judge_names(&names, &bound, "header");
        self.compile(names, &bound, None);
        problem.map_or(Ok(()), Err)
    }

    /// Binds the fields of a file's own schema, top level, in its order.
    ///
    /// # Errors
    /// As [`Judge::bind_header`].
    pub(crate) fn bind_schema(&mut self, fields: Vec<FileSchemaColumn>) -> Result<(), FileProblem> {
        let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
        let bound = bind(&names, &self.contract, self.table.as_ref());
        let problem = self.judge_names(&names, &bound, "schema");
        self.compile(names, &bound, Some(&fields));
        self.schema = Some(fields);
        problem.map_or(Ok(()), Err)
    }

    /// Binds the contract's columns in their order, for a file that names none.
    pub(crate) fn bind_contract(&mut self) {
        let names: Vec<String> = self.contract.columns.iter().map(|c| c.name.clone()).collect();
        let bound: Vec<Binding> = (0..names.len()).map(Binding::Contract).collect();
        self.compile(names, &bound, None);
    }

    /// Prepares for columns that appear one by one. The contract's columns have the first
    /// places, in its order; then those that only the table has; then the others as they come.
    pub(crate) fn bind_open(&mut self) {
        let mut names: Vec<String> = self.contract.columns.iter().map(|c| c.name.clone()).collect();
        let mut bound: Vec<Binding> = (0..names.len()).map(Binding::Contract).collect();
        for (index, column) in self.table.iter().flat_map(|t| t.columns.iter().enumerate()) {
            if self.contract.column(&column.name).is_none() {
                names.push(column.name.clone());
                bound.push(Binding::Table(index));
            }
        }
        let mut open =
            OpenNames { of_contract: self.contract.columns.len(), ..OpenNames::default() };
        for (place, name) in names.iter().enumerate() {
            open.known.entry(name.clone()).or_insert(place);
            open.known_alike.entry(normal_name(name)).or_insert(place);
        }
        self.compile(names, &bound, None);
        // None of them was met yet.
        self.spelled.iter_mut().for_each(|spelled| *spelled = None);
        self.open = Some(open);
    }

    /// The place of a name, after [`Judge::bind_open`]; a new one is bound. A reader may
    /// remember places: they never change.
    ///
    /// # Errors
    /// When a table could not have such a column, or not one more.
    #[inline]
    pub(crate) fn place_of(&mut self, name: &str) -> Result<usize, FileProblem> {
        match self.open.as_ref().and_then(|open| open.places.get(name)) {
            Some(place) => Ok(*place),
            None => self.place_of_new(name),
        }
    }

    #[cold]
    fn place_of_new(&mut self, name: &str) -> Result<usize, FileProblem> {
        if name.trim().is_empty() {
            return Err(FileProblem::new(
                "File.ColumnInvalid",
                "a key is empty, and a column needs a name; name it or drop it",
            ));
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(FileProblem::new(
                "File.ColumnInvalid",
                format!(
                    "the key {} is longer than the {MAX_NAME_BYTES} bytes that a column name may \
                     have",
                    show_name(name)
                ),
            ));
        }
        let normal = normal_name(name);
        let undeclared = self.undeclared.len();
        let next = self.columns.len();
        let open = self.open.get_or_insert_default();
        let exact = open.known.get(name).copied();
        let earlier = open.met.get(&normal).copied();
        if earlier.is_some_and(|known| !(known && exact.is_some())) {
            return Err(FileProblem::new(
                "File.DuplicateColumn",
                format!(
                    "the file has the key {} in two spellings (case and blanks do not count); \
                     keep one",
                    show_name(name)
                ),
            ));
        }
        let spelled = &self.spelled;
        let alike = || {
            let place = open.known_alike.get(&normal).copied();
            place.filter(|place| spelled.get(*place).is_some_and(Option::is_none))
        };
        let place = exact.or_else(alike);
        if place.is_none() && undeclared >= MAX_UNDECLARED {
            return Err(too_many(name));
        }
        open.met.insert(normal, exact.is_some());
        open.places.insert(name.to_owned(), place.unwrap_or(next));
        match place {
            Some(place) => {
                if let Some(spelled) = self.spelled.get_mut(place) {
                    *spelled = Some(name.to_owned());
                }
                Ok(place)
            }
            None => {
                let column = self.undeclared_column(next, name, None);
                self.columns.push(column);
                self.spelled.push(Some(name.to_owned()));
                Ok(next)
            }
        }
    }

    /// Whether rows came and none of them had a key of the contract's.
    pub(super) fn has_unknown_keys_only(&self) -> bool {
        self.open.as_ref().is_some_and(|open| {
            // What could not be parsed has no keys.
            let has_other_keys = self.spelled.len() > open.of_contract;
            let is_read = has_other_keys || self.bad_rows < self.rows;
            is_read && !self.spelled.iter().take(open.of_contract).any(Option::is_some)
        })
    }

    /// What makes names unusable. They stand in a `header` or a `schema`.
    fn judge_names(&self, names: &[String], bound: &[Binding], place: &str) -> Option<FileProblem> {
        if let Some(at) = names.iter().position(|name| name.trim().is_empty()) {
            return Some(FileProblem::new(
                "File.HeaderInvalid",
                format!("column {} of the {place} has no name; name it or drop it", at + 1),
            ));
        }
        if let Some(at) = names.iter().position(|name| name.len() > MAX_NAME_BYTES) {
            return Some(FileProblem::new(
                "File.HeaderInvalid",
                format!(
                    "the name of column {} of the {place} is longer than {MAX_NAME_BYTES} bytes; \
                     is the first line a header?",
                    at + 1
                ),
            ));
        }
        if self.is_unknown(bound) {
            return Some(self.unknown_header(names, place));
        }
        if let Some(name) = duplicate(names, bound, &self.contract, self.table.as_ref()) {
            return Some(FileProblem::new(
                "File.DuplicateColumn",
                format!(
                    "the {place} has the column {} twice (case and blanks do not count); keep one",
                    show_name(name)
                ),
            ));
        }
        None
    }

    /// Whether the contract has columns, and none of these is one of them. One without columns
    /// asks for nothing, as the draft of a contract does.
    fn is_unknown(&self, bound: &[Binding]) -> bool {
        !self.contract.columns.is_empty()
            && !bound.iter().any(|binding| matches!(binding, Binding::Contract(_)))
    }

    /// None of the names is the contract's.
    fn unknown_header(&self, names: &[String], place: &str) -> FileProblem {
        let count = self.contract.columns.len();
        let mut message = format!("the {place} has none of the contract's {count} columns");
        if self.hides_names {
            let fields = match names.len() {
                1 => "1 field, which is".to_owned(),
                fields => format!("{fields} fields, which are"),
            };
            message.push_str(&format!(
                "; it has {fields} not shown, because the contract has sensitive columns"
            ));
        } else {
            let first = show_name(names.first().map_or("", String::as_str));
            message.push_str(&format!(", it starts with {first}"));
        }
        message.push_str("; is it another dataset's file");
        if place == "header" {
            message.push_str(", or a file without a header");
        }
        message.push('?');
        FileProblem::new(UNKNOWN_HEADER, message)
    }

    /// Puts the columns' rules in the file's order.
    fn compile(
        &mut self,
        names: Vec<String>,
        bound: &[Binding],
        types: Option<&[FileSchemaColumn]>,
    ) {
        let mut columns = Vec::with_capacity(names.len());
        for (place, (name, binding)) in names.iter().zip(bound).enumerate() {
            let of_contract = match binding {
                Binding::Contract(index) => self.compiled.get_mut(*index).and_then(std::mem::take),
                _ => None,
            };
            columns.push(match (of_contract, binding) {
                (Some(column), _) => column,
                (None, Binding::Table(index)) => self.of_table(*index, name),
                (None, _) => {
                    let declared = types.and_then(|types| types.get(place));
                    self.undeclared_column(place, name, declared)
                }
            });
        }
        self.columns = columns;
        if let Some(watch) = &mut self.watch {
            watch.bind(&self.columns);
        }
        self.spelled = names.into_iter().map(Some).collect();
        self.bound = true;
    }

    /// A column that neither contract nor table has.
    fn undeclared_column(
        &mut self,
        place: usize,
        name: &str,
        declared: Option<&FileSchemaColumn>,
    ) -> ColumnCheck {
        let declared = declared.and_then(|column| column.data_type.clone().ok());
        let data_type =
            declared.clone().or_else(|| self.wanted(name).map(|(_, wanted)| wanted.clone()));
        let inference = Inference::default();
        self.undeclared
            .push((place, UndeclaredColumn { name: name.to_owned(), inference, declared }));
        self.send(name, ColumnCheck::of_type(name, data_type.as_ref(), false))
    }

    /// Where the output wants a column that the contract does not have: by its name, else by
    /// a name that differs only by case or blanks.
    fn wanted(&self, name: &str) -> Option<(usize, &DataType)> {
        let places = || self.output.iter().enumerate();
        let alike = |column: &str| {
            self.contract.column(column).is_none() && normal_name(column) == normal_name(name)
        };
        places()
            .find(|(_, wanted)| wanted.name == name)
            .or_else(|| places().find(|(_, wanted)| alike(&wanted.name)))
            .map(|(place, wanted)| (place, &wanted.data_type))
    }

    fn of_table(&self, index: usize, name: &str) -> ColumnCheck {
        match self.table.as_ref().and_then(|table| table.columns.get(index)) {
            None => ColumnCheck::of_type(name, None, false),
            Some(column) => {
                let data_type = match &column.data_type {
                    TableType::Known(data_type) => Some(data_type),
                    TableType::Other(_) => None,
                };
                let check = ColumnCheck::of_type(&column.name, data_type, column.required);
                self.send(&column.name, check)
            }
        }
    }

    /// Sends a column to its place in the output, if it is wanted there in a type it has.
    fn send(&self, name: &str, mut check: ColumnCheck) -> ColumnCheck {
        if let Some((place, data_type)) = self.wanted(name)
            && check.send_to(place, data_type).is_err()
        {
            check.output = None;
        }
        check
    }
}

pub(super) fn too_many(name: &str) -> FileProblem {
    FileProblem::new(
        "File.TooManyColumns",
        format!(
            "the file has more than {MAX_UNDECLARED} keys that the contract does not have, the \
             last is {}; are they data? Put them in a map column",
            show_name(name)
        ),
    )
}

/// Whether the column, or any part of it, is sensitive.
fn is_sensitive(column: &Column) -> bool {
    column.sensitive
        || match &column.column_type {
            ColumnType::Primitive(_) => false,
            ColumnType::Struct(fields) => fields.iter().any(is_sensitive),
            ColumnType::List(element) => is_sensitive(element),
            ColumnType::Map(entry) => is_sensitive(&entry.key) || is_sensitive(&entry.value),
        }
}

pub(super) fn unknown_keys(contract: &Contract) -> FileProblem {
    FileProblem::new(
        UNKNOWN_HEADER,
        format!(
            "no record has a key of the contract's {} columns; is it another dataset's file?",
            contract.columns.len()
        ),
    )
}
