//! One column's type and rules, compiled once, and what they say of a text.

use landfall_contract::{Bound, Column, ColumnType, DataType, FieldType};

use crate::document::Json;
use crate::faults::Faults;
use crate::kind::Kind;
use crate::nested::{ListCheck, MapCheck, StructCheck};
use crate::partition::TruncatedPartition;
use crate::rule::{CompileError, Rule, RuleSet};
use crate::show::{shorten, show};
use crate::store::Store;
use crate::table::{TableColumn, TableType};
use crate::text_rules::TextRules;
use crate::value::{self, Value};

/// One column, or a part of a nested one: a tree whose inner nodes are [`Kind::Struct`],
/// [`Kind::List`] and [`Kind::Map`].
#[derive(Debug)]
pub(crate) struct ColumnCheck {
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    /// The contract does not have the column, so of JSON it takes scalars of any kind that
    /// its type can be read from, and as text any value at all.
    lenient: bool,
    pub(crate) text: Option<Box<TextRules>>,
    /// Of a column that a table is partitioned by.
    partition: Option<TruncatedPartition>,
    /// Where the value goes in the output, for a loading check.
    pub(crate) output: Option<usize>,
    store: Store,
    /// What is only needed to say what is wrong.
    words: Box<Words>,
}

/// What must be known of a column's values, before it is known that they are all good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// That none of them is null.
    pub(crate) no_nulls: bool,
    /// And this of those that are not null.
    pub(crate) evidence: Evidence,
}

/// What must be known of a column's values that are not null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Nothing: any value of the file's type is good.
    None,
    /// Their least and greatest: if both are good, all of them are.
    Range,
    /// Each of them.
    Values,
}

#[derive(Debug)]
struct Words {
    name: String,
    path: String,
    sensitive: bool,
    data_type: DataType,
    minimum: Option<Bound>,
    maximum: Option<Bound>,
}

impl ColumnCheck {
    /// The rules of a column of the contract.
    pub(crate) fn of_contract(column: &Column) -> Result<Self, CompileError> {
        Self::of_part(column, column.name.clone(), column.sensitive)
    }

    /// The rules of a column of the contract, or of a part of one, at that path. The parts of
    /// a sensitive column are sensitive.
    fn of_part(column: &Column, path: String, sensitive: bool) -> Result<Self, CompileError> {
        let wrong = |reason: String| CompileError::Rule {
            column: path.clone(),
            pointer: column.pointer.clone(),
            reason,
        };
        let part =
            |part: &Column, path: String| Self::of_part(part, path, sensitive || part.sensitive);
        let rules = &column.rules;
        let kind = match &column.column_type {
            ColumnType::Primitive(field_type) => Kind::new(*field_type, rules).map_err(wrong)?,
            ColumnType::Struct(fields) => {
                let fields = fields
                    .iter()
                    .map(|field| part(field, format!("{path}.{}", field.name)))
                    .collect::<Result<Vec<_>, _>>()?;
                Kind::Struct(Box::new(StructCheck::new(fields, rules)))
            }
            ColumnType::List(element) => {
                let element = part(element, format!("{path}[]"))?;
                Kind::List(Box::new(ListCheck::new(element, rules)))
            }
            ColumnType::Map(entry) => Kind::Map(Box::new(MapCheck::new(
                part(&entry.key, format!("{path}[].key"))?,
                part(&entry.value, format!("{path}[].value"))?,
                rules,
            ))),
        };
        let text = match column.column_type {
            ColumnType::Primitive(_) => TextRules::new(rules, &kind).map_err(wrong)?,
            _ => None,
        };
        Ok(Self {
            kind,
            required: column.required,
            lenient: false,
            text,
            partition: None,
            output: None,
            store: Store::AsIs,
            words: Box::new(Words {
                name: column.name.clone(),
                path,
                sensitive,
                data_type: column.data_type(),
                minimum: rules.minimum.clone(),
                maximum: rules.maximum.clone(),
            }),
        })
    }

    /// A column of which only the type is known, or nothing.
    pub(crate) fn of_type(name: &str, data_type: Option<&DataType>, required: bool) -> Self {
        Self::of_bare(name, name.to_owned(), data_type, required)
    }

    fn of_bare(name: &str, path: String, data_type: Option<&DataType>, required: bool) -> Self {
        let none = landfall_contract::Rules::default();
        let kind = match data_type {
            None => Kind::Any,
            Some(DataType::Primitive(field_type)) => {
                Kind::new(*field_type, &none).unwrap_or(Kind::Any)
            }
            Some(DataType::Struct(fields)) => {
                let field = |field: &landfall_contract::StructField| {
                    let path = format!("{path}.{}", field.name);
                    Self::of_bare(&field.name, path, Some(&field.data_type), field.required)
                };
                Kind::Struct(Box::new(StructCheck::new(fields.iter().map(field).collect(), &none)))
            }
            Some(DataType::List { element, required }) => {
                let element =
                    Self::of_bare("element", format!("{path}[]"), Some(element), *required);
                Kind::List(Box::new(ListCheck::new(element, &none)))
            }
            Some(DataType::Map { key, value, required }) => {
                let key_type = DataType::Primitive(*key);
                Kind::Map(Box::new(MapCheck::new(
                    Self::of_bare("key", format!("{path}[].key"), Some(&key_type), true),
                    Self::of_bare("value", format!("{path}[].value"), Some(value), *required),
                    &none,
                )))
            }
        };
        Self {
            kind,
            required,
            lenient: true,
            text: None,
            partition: None,
            output: None,
            store: Store::AsIs,
            words: Box::new(Words {
                name: name.to_owned(),
                path,
                sensitive: false,
                data_type: data_type.cloned().unwrap_or(DataType::Primitive(FieldType::String)),
                minimum: None,
                maximum: None,
            }),
        }
    }

    /// Requires what the table requires, whatever the contract allows: the table refuses it.
    pub(crate) fn require_as_table(&mut self, column: &TableColumn) {
        match &column.data_type {
            TableType::Known(data_type) => self.require_as(column.required, data_type),
            TableType::Other(_) => self.required |= column.required,
        }
    }

    fn require_as(&mut self, required: bool, data_type: &DataType) {
        self.required |= required;
        match (&mut self.kind, data_type) {
            (Kind::Struct(check), DataType::Struct(fields)) => {
                for field in fields {
                    if let Some(own) =
                        check.fields.iter_mut().find(|own| own.words.name == field.name)
                    {
                        own.require_as(field.required, &field.data_type);
                    }
                }
            }
            (Kind::List(check), DataType::List { element, required }) => {
                check.element.require_as(*required, element);
            }
            (Kind::Map(check), DataType::Map { value, required, .. }) => {
                check.value.require_as(*required, value);
            }
            _ => {}
        }
    }

    /// Takes no value that has no partition: the table is partitioned by this column, truncated.
    pub(crate) fn keep_to(&mut self, partition: TruncatedPartition) {
        self.kind.raise_minimum(partition.least);
        self.partition = Some(partition);
    }

    /// Whether the value, one of the column's type, has no partition.
    fn is_beyond_partitions(&self, value: &Value<'_>) -> bool {
        self.partition.is_some_and(|partition| !partition.takes(value))
    }

    /// Adds the rules of its type that the value breaks, which is one of it, and says whether
    /// the other rules have a say as well.
    pub(crate) fn bounds(&self, value: &Value<'_>, broken: &mut RuleSet) -> bool {
        if self.is_beyond_partitions(value) {
            broken.insert(Rule::Type);
            return false;
        }
        self.kind.bounds(value, broken);
        true
    }

    /// Sends the values to a place in the output, as values of the wanted type.
    pub(crate) fn send_to(&mut self, output: usize, wanted: &DataType) -> Result<(), CompileError> {
        self.output = Some(output);
        self.store =
            Store::between(&self.words.data_type, wanted).ok_or_else(|| CompileError::Output {
                column: self.words.name.clone(),
                from: self.words.data_type.clone(),
                to: wanted.clone(),
            })?;
        Ok(())
    }

    /// Name as the contract, the table, or else the file has it.
    pub(crate) fn name(&self) -> &str {
        &self.words.name
    }

    /// Where it stands, without indexes: `items[].price`. A top-level column's name.
    pub(crate) fn path(&self) -> &str {
        &self.words.path
    }

    /// The type its values are read as.
    pub(crate) fn data_type(&self) -> &DataType {
        &self.words.data_type
    }

    /// Whether its values are UUIDs.
    pub(crate) fn is_uuid(&self) -> bool {
        matches!(self.kind, Kind::Uuid)
    }

    /// Whether it takes a JSON array or object as text.
    pub(crate) fn takes_text(&self) -> bool {
        self.lenient && self.kind.is_text()
    }

    /// What must be known of the values of a file's column of that type, before it is known
    /// that they are all good.
    pub(crate) fn needs(&self, in_file: &DataType) -> Needs {
        let same = self.data_type() == in_file;
        let evidence = match self.kind.base() {
            Kind::Any => Evidence::None,
            _ if self.text.is_some() => Evidence::Values,
            Kind::Boolean | Kind::String | Kind::Uuid if same => Evidence::None,
            // Statistics leave NaN out, which is in no range.
            Kind::Float(range) | Kind::Double(range) if same && range.is_all() => Evidence::None,
            Kind::Int(range)
            | Kind::Long(range)
            | Kind::Date(range)
            | Kind::Time(range)
            | Kind::Timestamp(range)
            | Kind::TimestampTz(range)
                if same && range.is_all() =>
            {
                Evidence::None
            }
            Kind::Int(_) | Kind::Long(_) => Evidence::Range,
            Kind::Decimal(_) | Kind::Date(_) | Kind::Time(_) if same => Evidence::Range,
            Kind::Timestamp(_) | Kind::TimestampTz(_) if same => Evidence::Range,
            Kind::Struct(_) | Kind::List(_) | Kind::Map(_) if same && !self.has_rules_inside() => {
                Evidence::None
            }
            _ => Evidence::Values,
        };
        Needs { no_nulls: self.required, evidence }
    }

    /// Whether a part of a nested column has a rule.
    fn has_rules_inside(&self) -> bool {
        let part_has = |part: &Self| {
            let needs = part.needs(part.data_type());
            needs.no_nulls || needs.evidence != Evidence::None
        };
        match &self.kind {
            Kind::Struct(check) => check.properties.is_bound() || check.fields.iter().any(part_has),
            Kind::List(check) => check.items.is_bound() || check.unique || part_has(&check.element),
            // A key is required as such.
            Kind::Map(check) => {
                check.properties.is_bound()
                    || check.key.needs(check.key.data_type()).evidence != Evidence::None
                    || part_has(&check.value)
            }
            _ => false,
        }
    }

    /// A value's text for a report, unless the column is sensitive.
    pub(crate) fn repeat(&self, value: &[u8]) -> Option<String> {
        (!self.words.sensitive).then(|| shorten(value))
    }

    /// A value in a message.
    pub(crate) fn shown(&self, value: &[u8]) -> String {
        if self.words.sensitive { "the value".to_owned() } else { show(value) }
    }

    /// Whether a text means null. An empty quoted field is the empty string of a string
    /// column; no other type has an empty text, so there it is null, as writers that quote
    /// every field mean it.
    #[inline(always)]
    pub(crate) fn is_null(&self, bytes: &[u8], quoted: bool, null_value: Option<&[u8]>) -> bool {
        if bytes.is_empty() {
            !quoted || !self.kind.is_text()
        } else {
            !quoted && null_value == Some(bytes)
        }
    }

    /// Whether the text breaks no rule. It is not null, and is UTF-8.
    #[inline]
    pub(crate) fn accepts(&self, bytes: &[u8], ascii: bool) -> bool {
        self.kind.accepts_text(bytes)
            && match &self.text {
                None => true,
                Some(rules) => rules.accept(&self.kind, bytes, ascii),
            }
    }

    /// The value of a text that [`Self::accepts`] or that breaks only value rules, in the
    /// output's type; null where it is none.
    #[inline]
    pub(crate) fn value<'a>(&self, bytes: &'a [u8]) -> Value<'a> {
        self.stored(self.kind.of_text(bytes).unwrap_or(Value::Null))
    }

    /// The value of the column's type in the output's type.
    #[inline]
    pub(crate) fn stored<'a>(&self, value: Value<'a>) -> Value<'a> {
        match &self.store {
            Store::AsIs => value,
            store => store.convert(value),
        }
    }

    /// Every rule the text breaks, which is not null. A wrong type and a broken rule exclude
    /// each other.
    #[cold]
    pub(crate) fn broken(&self, bytes: &[u8]) -> RuleSet {
        let mut broken = RuleSet::default();
        if std::str::from_utf8(bytes).is_err() {
            broken.insert(Rule::Encoding);
            return broken;
        }
        let Some(value) = self.kind.of_text(bytes) else {
            broken.insert(Rule::Type);
            return broken;
        };
        if self.bounds(&value, &mut broken)
            && let Some(rules) = &self.text
        {
            rules.broken(&value, bytes, &mut broken);
        }
        broken
    }

    /// Reports what is wrong with a field of delimited text.
    #[cold]
    pub(crate) fn check_field(
        &self,
        bytes: &[u8],
        quoted: bool,
        null_value: Option<&[u8]>,
        faults: &mut Faults<'_>,
    ) {
        if self.is_null(bytes, quoted, null_value) {
            self.check_null(faults);
        } else {
            self.check_text(bytes, faults);
        }
    }

    /// Reports a null that may not be one.
    #[cold]
    pub(crate) fn check_null(&self, faults: &mut Faults<'_>) {
        if self.required {
            faults.value(self, Rule::Required, None, || self.message(Rule::Required, b""));
        }
    }

    /// Reports what is wrong with a text that is not null.
    #[cold]
    pub(crate) fn check_text(&self, bytes: &[u8], faults: &mut Faults<'_>) {
        for rule in self.broken(bytes).iter() {
            faults.value(self, rule, Some(bytes), || self.message(rule, bytes));
        }
    }

    /// The text of a JSON scalar of a kind that the type is written in; absent for any other
    /// value. Only a decimal is written in two kinds, number and string, because a number
    /// that passed through a binary double is no longer exact.
    #[inline]
    pub(crate) fn json_text<'b>(&self, json: &'b Json<'_>) -> Option<&'b [u8]> {
        match (json, &self.kind) {
            (Json::String(_), Kind::String | Kind::Any)
            | (
                Json::String(_),
                Kind::Uuid
                | Kind::Date(_)
                | Kind::Time(_)
                | Kind::Timestamp(_)
                | Kind::TimestampTz(_)
                | Kind::Moment(_)
                | Kind::Decimal(_),
            )
            | (
                Json::Number(_),
                Kind::Int(_) | Kind::Long(_) | Kind::Float(_) | Kind::Double(_) | Kind::Decimal(_),
            )
            | (Json::Bool(_), Kind::Boolean)
            | (_, Kind::Any) => json.scalar(),
            _ if self.takes_text() => json.scalar(),
            _ => None,
        }
    }

    /// Why a text is no moment, of a column that reads them in its own way.
    fn why_no_moment(&self, bytes: &[u8]) -> Option<String> {
        match &self.kind {
            Kind::Moment(moment) => moment.reader.explain(bytes),
            _ => None,
        }
    }

    /// What is wrong with a text, for people.
    #[cold]
    pub(crate) fn message(&self, rule: Rule, bytes: &[u8]) -> String {
        let shown = self.shown(bytes);
        if let Some(message) =
            self.text.as_ref().and_then(|rules| rules.message(rule, bytes, &shown))
        {
            return message;
        }
        let bound = |bound: &Option<Bound>| {
            bound.as_ref().map_or_else(String::new, |bound| bound.text.clone())
        };
        let exclusive = |bound: &Option<Bound>| bound.as_ref().is_some_and(|bound| bound.exclusive);
        let words = &self.words;
        match rule {
            Rule::Required => "there is no value and one is required".to_owned(),
            Rule::Encoding => {
                let at = std::str::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to());
                format!("{shown} is not UTF-8 from its byte {} on", at + 1)
            }
            Rule::Type => match &words.data_type {
                data_type if let Some(reason) = self.why_no_moment(bytes) => {
                    format!("{shown} is not a {data_type}: {reason}")
                }
                data_type
                    if let Some(partition) = self.partition
                        && self.kind.of_text(bytes).is_some_and(|v| !partition.takes(&v)) =>
                {
                    format!(
                        "{shown} has no partition: the multiple of {} below it is no {data_type}",
                        partition.width
                    )
                }
                DataType::Primitive(field_type) => match value::parse(*field_type, bytes) {
                    Err(reason) => format!("{shown} is not a {field_type}: {reason}"),
                    Ok(_) => format!("{shown} is not a {field_type}"),
                },
                nested => format!("{shown} is a text and a {nested} is wanted"),
            },
            Rule::Minimum if exclusive(&words.minimum) => {
                format!("{shown} is not above {}", bound(&words.minimum))
            }
            Rule::Minimum => format!("{shown} is below the minimum {}", bound(&words.minimum)),
            Rule::Maximum if exclusive(&words.maximum) => {
                format!("{shown} is not below {}", bound(&words.maximum))
            }
            Rule::Maximum => format!("{shown} is above the maximum {}", bound(&words.maximum)),
            _ => format!("{shown} breaks the rule {}", rule.name()),
        }
    }
}

#[cfg(test)]
mod tests;
