//! Structs, lists and maps: JSON documents and typed values against the tree of a column's
//! parts.
//!
//! Two questions are asked of every value: does it break a rule (`accepts_…`: the usual case,
//! which builds nothing), and if so, which ones, where (`check_…`: the rare case, which
//! reports them all).

use std::borrow::Cow;
use std::collections::HashSet;

use landfall_contract::Rules;

use crate::canonical;
use crate::column::ColumnCheck;
use crate::document::Json;
use crate::faults::{Faults, Step};
use crate::kind::Kind;
use crate::rule::{Rule, RuleSet};
use crate::show::text_of;
use crate::value::Value;

/// How many there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    min: u64,
    max: u64,
}

impl Count {
    fn new(min: Option<u64>, max: Option<u64>) -> Self {
        Self { min: min.unwrap_or(0), max: max.unwrap_or(u64::MAX) }
    }

    /// Whether any count is out of bounds.
    pub(crate) fn is_bound(self) -> bool {
        self.min > 0 || self.max < u64::MAX
    }

    fn holds(self, count: usize) -> bool {
        (self.min..=self.max).contains(&(count as u64))
    }

    /// Reports a count out of bounds, of `things` such as `elements`.
    fn check(
        self,
        column: &ColumnCheck,
        count: usize,
        things: &str,
        rules: (Rule, Rule),
        faults: &mut Faults<'_>,
    ) {
        if (count as u64) < self.min {
            faults.value(column, rules.0, None, || {
                format!("it has {count} {things}, fewer than {}", self.min)
            });
        }
        if (count as u64) > self.max {
            faults.value(column, rules.1, None, || {
                format!("it has {count} {things}, more than {}", self.max)
            });
        }
    }
}

/// A struct: its fields in the type's order.
#[derive(Debug)]
pub(crate) struct StructCheck {
    pub(crate) fields: Vec<ColumnCheck>,
    pub(crate) properties: Count,
}

/// A list.
#[derive(Debug)]
pub(crate) struct ListCheck {
    pub(crate) element: ColumnCheck,
    pub(crate) items: Count,
    pub(crate) unique: bool,
}

/// A map.
#[derive(Debug)]
pub(crate) struct MapCheck {
    pub(crate) key: ColumnCheck,
    pub(crate) value: ColumnCheck,
    pub(crate) properties: Count,
}

const ITEMS: (Rule, Rule) = (Rule::MinItems, Rule::MaxItems);
const PROPERTIES: (Rule, Rule) = (Rule::MinProperties, Rule::MaxProperties);

type Members<'j> = [(Cow<'j, str>, Json<'j>)];

impl StructCheck {
    pub(crate) fn new(fields: Vec<ColumnCheck>, rules: &Rules) -> Self {
        Self { fields, properties: Count::new(rules.min_properties, rules.max_properties) }
    }

    fn place(&self, name: &str, likely: usize) -> Option<usize> {
        match self.fields.get(likely) {
            Some(field) if field.name() == name => Some(likely),
            _ => self.fields.iter().position(|field| field.name() == name),
        }
    }

    /// The members in the fields' order, and the first one that is there twice.
    fn members<'b, 'j>(
        &self,
        object: &'b Members<'j>,
    ) -> (Vec<Option<&'b Json<'j>>>, Option<&'b str>) {
        let mut places = vec![None; self.fields.len()];
        let mut twice = None;
        for (index, (name, json)) in object.iter().enumerate() {
            if let Some(place) = self.place(name, index).and_then(|place| places.get_mut(place)) {
                if place.is_some() {
                    twice = twice.or(Some(name.as_ref()));
                }
                *place = Some(json);
            }
        }
        (places, twice)
    }
}

impl ListCheck {
    pub(crate) fn new(element: ColumnCheck, rules: &Rules) -> Self {
        Self {
            element,
            items: Count::new(rules.min_items, rules.max_items),
            unique: rules.unique_items,
        }
    }

    /// The first element that is equal to an earlier one: the index of both.
    fn repeated<'v>(&self, values: impl Iterator<Item = Option<Value<'v>>>) -> Option<[usize; 2]> {
        let mut seen = std::collections::HashMap::new();
        for (index, value) in values.enumerate() {
            // What is of another type is reported as that.
            let Some(value) = value else { continue };
            let mut bytes = Vec::new();
            canonical::push(&value, &mut bytes);
            if let Some(earlier) = seen.insert(bytes, index) {
                return Some([earlier, index]);
            }
        }
        None
    }

    fn repeated_json(&self, array: &[Json<'_>]) -> Option<[usize; 2]> {
        if !self.unique {
            return None;
        }
        self.repeated(array.iter().map(|json| {
            let value = self.element.read_json(json);
            (json.is_null() || value != Value::Null).then_some(value)
        }))
    }

    fn repeated_value(&self, elements: &[Value<'_>]) -> Option<[usize; 2]> {
        if !self.unique {
            return None;
        }
        self.repeated(elements.iter().map(|element| Some(element.clone())))
    }

    fn check_repeated(column: &ColumnCheck, repeated: Option<[usize; 2]>, faults: &mut Faults<'_>) {
        if let Some([earlier, later]) = repeated {
            faults.value(column, Rule::UniqueItems, None, || {
                format!("its elements [{earlier}] and [{later}] are equal")
            });
        }
    }
}

impl MapCheck {
    pub(crate) fn new(key: ColumnCheck, value: ColumnCheck, rules: &Rules) -> Self {
        let properties = Count::new(rules.min_properties, rules.max_properties);
        Self { key, value, properties }
    }

    fn repeats_a_key(&self, object: &Members<'_>) -> bool {
        if self.key.kind.is_text() {
            let mut seen = HashSet::with_capacity(object.len());
            return !object.iter().all(|(key, _)| seen.insert(key.as_ref()));
        }
        // `1` and `01` are one integer. What is no key at all is reported as that.
        let keys = object.iter().filter_map(|(key, _)| self.key.kind.of_text(key.as_bytes()));
        repeats_a_value(keys)
    }

    fn repeats_a_typed_key(&self, entries: &[(Value<'_>, Value<'_>)]) -> bool {
        repeats_a_value(entries.iter().filter_map(|(key, _)| self.key.kind.of_value(key)))
    }
}

/// JSON.
impl ColumnCheck {
    /// Whether a JSON value, null or not, breaks no rule.
    #[inline]
    pub(crate) fn accepts_json(&self, json: &Json<'_>) -> bool {
        if json.is_null() {
            return !self.required;
        }
        match (&self.kind, json) {
            (Kind::Struct(check), Json::Object(object)) => {
                let (members, twice) = check.members(object);
                twice.is_none()
                    && check.properties.holds(present_members(object))
                    && check
                        .fields
                        .iter()
                        .zip(members)
                        .all(|(field, json)| field.accepts_json(json.unwrap_or(&Json::Null)))
            }
            (Kind::List(check), Json::Array(array)) => {
                check.items.holds(array.len())
                    && array.iter().all(|json| check.element.accepts_json(json))
                    && check.repeated_json(array).is_none()
            }
            (Kind::Map(check), Json::Object(object)) => {
                check.properties.holds(object.len())
                    && !check.repeats_a_key(object)
                    && object.iter().all(|(key, json)| {
                        check.key.accepts(key.as_bytes(), false) && check.value.accepts_json(json)
                    })
            }
            _ => self.json_text(json).is_some_and(|text| self.accepts(text, false)),
        }
    }

    /// Reports what is wrong with a JSON value.
    #[cold]
    pub(crate) fn check_json(&self, json: &Json<'_>, faults: &mut Faults<'_>) {
        match (&self.kind, json) {
            (_, Json::Null) => self.check_null(faults),
            (Kind::Struct(check), Json::Object(object)) => {
                let (members, twice) = check.members(object);
                if let Some(name) = twice {
                    faults.value(self, Rule::Type, None, || format!("it has the key {name} twice"));
                }
                let present = present_members(object);
                check.properties.check(self, present, "properties", PROPERTIES, faults);
                for (field, json) in check.fields.iter().zip(members) {
                    faults.inside(self, Step::Field(field.name()), |faults| {
                        field.check_json(json.unwrap_or(&Json::Null), faults);
                    });
                }
            }
            (Kind::List(check), Json::Array(array)) => {
                check.items.check(self, array.len(), "elements", ITEMS, faults);
                for (index, json) in array.iter().enumerate() {
                    faults.inside(self, Step::Index(index), |faults| {
                        check.element.check_json(json, faults);
                    });
                }
                ListCheck::check_repeated(self, check.repeated_json(array), faults);
            }
            (Kind::Map(check), Json::Object(object)) => {
                check.properties.check(self, object.len(), "entries", PROPERTIES, faults);
                if check.repeats_a_key(object) {
                    faults.value(self, Rule::Type, None, || KEY_TWICE.to_owned());
                }
                for (index, (key, json)) in object.iter().enumerate() {
                    faults.inside(self, Step::Entry(index, "key"), |faults| {
                        check.key.check_text(key.as_bytes(), faults);
                    });
                    faults.inside(self, Step::Entry(index, "value"), |faults| {
                        check.value.check_json(json, faults);
                    });
                }
            }
            _ => match self.json_text(json) {
                Some(text) => self.check_text(text, faults),
                None => faults.value(self, Rule::Type, json.scalar(), || {
                    let wanted = self.data_type();
                    match json.scalar() {
                        Some(text) => {
                            let shown = self.shown(text);
                            format!("{shown} is {} and a {wanted} is wanted", json.kind())
                        }
                        None => format!("it is {} and a {wanted} is wanted", json.kind()),
                    }
                }),
            },
        }
    }

    /// A JSON value as one of the column's type; null where it is none.
    pub(crate) fn read_json<'b>(&self, json: &'b Json<'_>) -> Value<'b> {
        match (&self.kind, json) {
            (_, Json::Null) => Value::Null,
            (Kind::Struct(check), Json::Object(object)) => {
                let (members, _) = check.members(object);
                let fields = check.fields.iter().zip(members);
                Value::Struct(
                    fields
                        .map(|(field, json)| json.map_or(Value::Null, |json| field.read_json(json)))
                        .collect(),
                )
            }
            (Kind::List(check), Json::Array(array)) => {
                Value::List(array.iter().map(|json| check.element.read_json(json)).collect())
            }
            (Kind::Map(check), Json::Object(object)) => Value::Map(
                object
                    .iter()
                    .map(|(key, json)| {
                        let key = check.key.kind.of_text(key.as_bytes());
                        (key.unwrap_or(Value::Null), check.value.read_json(json))
                    })
                    .collect(),
            ),
            _ => {
                self.json_text(json).and_then(|text| self.kind.of_text(text)).unwrap_or(Value::Null)
            }
        }
    }

    /// Calls `found` with every member of an object that its struct does not have: the path
    /// of the struct, the member's name and its value.
    pub(crate) fn undeclared_members<'b>(
        &'b self,
        json: &'b Json<'_>,
        found: &mut dyn FnMut(&'b str, &'b str, &'b Json<'_>),
    ) {
        match (&self.kind, json) {
            (Kind::Struct(check), Json::Object(object)) => {
                for (index, (name, json)) in object.iter().enumerate() {
                    match check.place(name, index).and_then(|place| check.fields.get(place)) {
                        Some(field) => field.undeclared_members(json, found),
                        None => found(self.path(), name, json),
                    }
                }
            }
            (Kind::List(check), Json::Array(array)) => {
                for json in array {
                    check.element.undeclared_members(json, found);
                }
            }
            (Kind::Map(check), Json::Object(object)) => {
                for (_, json) in object {
                    check.value.undeclared_members(json, found);
                }
            }
            _ => {}
        }
    }
}

/// Typed values.
impl ColumnCheck {
    /// Whether a value, null or not, breaks no rule.
    pub(crate) fn accepts_value(&self, value: &Value<'_>) -> bool {
        match (&self.kind, value) {
            (_, Value::Null) => !self.required,
            (Kind::Struct(check), Value::Struct(fields)) => {
                fields.len() <= check.fields.len()
                    && check.properties.holds(present(fields))
                    && check.fields.iter().enumerate().all(|(index, field)| {
                        field.accepts_value(fields.get(index).unwrap_or(&Value::Null))
                    })
            }
            (Kind::List(check), Value::List(elements)) => {
                check.items.holds(elements.len())
                    && elements.iter().all(|element| check.element.accepts_value(element))
                    && check.repeated_value(elements).is_none()
            }
            (Kind::Map(check), Value::Map(entries)) => {
                check.properties.holds(entries.len())
                    && !check.repeats_a_typed_key(entries)
                    && entries.iter().all(|(key, value)| {
                        check.key.accepts_value(key) && check.value.accepts_value(value)
                    })
            }
            _ => self.broken_by(value).is_empty(),
        }
    }

    /// Every rule that a scalar breaks, which is not null.
    fn broken_by(&self, value: &Value<'_>) -> RuleSet {
        let mut broken = RuleSet::default();
        match self.kind.of_value(value) {
            None => broken.insert(Rule::Type),
            Some(value) => {
                if self.bounds(&value, &mut broken)
                    && let Some(rules) = &self.text
                {
                    let text = text_of(&value, self.data_type());
                    if !rules.accept_value(&value, text.as_bytes()) {
                        rules.broken(&value, text.as_bytes(), &mut broken);
                    }
                }
            }
        }
        broken
    }

    /// Reports what is wrong with a value.
    #[cold]
    pub(crate) fn check_value(&self, value: &Value<'_>, faults: &mut Faults<'_>) {
        match (&self.kind, value) {
            (_, Value::Null) => self.check_null(faults),
            (Kind::Struct(check), Value::Struct(fields)) => {
                check.properties.check(self, present(fields), "properties", PROPERTIES, faults);
                for (index, field) in check.fields.iter().enumerate() {
                    faults.inside(self, Step::Field(field.name()), |faults| {
                        field.check_value(fields.get(index).unwrap_or(&Value::Null), faults);
                    });
                }
            }
            (Kind::List(check), Value::List(elements)) => {
                check.items.check(self, elements.len(), "elements", ITEMS, faults);
                for (index, element) in elements.iter().enumerate() {
                    faults.inside(self, Step::Index(index), |faults| {
                        check.element.check_value(element, faults);
                    });
                }
                ListCheck::check_repeated(self, check.repeated_value(elements), faults);
            }
            (Kind::Map(check), Value::Map(entries)) => {
                check.properties.check(self, entries.len(), "entries", PROPERTIES, faults);
                if check.repeats_a_typed_key(entries) {
                    faults.value(self, Rule::Type, None, || KEY_TWICE.to_owned());
                }
                for (index, (key, value)) in entries.iter().enumerate() {
                    faults.inside(self, Step::Entry(index, "key"), |faults| {
                        check.key.check_value(key, faults);
                    });
                    faults.inside(self, Step::Entry(index, "value"), |faults| {
                        check.value.check_value(value, faults);
                    });
                }
            }
            _ => {
                let text = text_of(value, self.data_type());
                for rule in self.broken_by(value).iter() {
                    faults.value(self, rule, Some(text.as_bytes()), || match rule {
                        Rule::Type if matches!(value, Value::Unfit(_)) => {
                            let shown = self.shown(text.as_bytes());
                            format!("{shown} cannot be stored as a {}", self.data_type())
                        }
                        Rule::Type => format!(
                            "{} is not a {}: the file has another type there",
                            self.shown(text.as_bytes()),
                            self.data_type()
                        ),
                        rule => self.message(rule, text.as_bytes()),
                    });
                }
            }
        }
    }

    /// A value of a typed file as one of the column's type; null where it is none.
    pub(crate) fn read_value<'a>(&self, value: Value<'a>) -> Value<'a> {
        match (&self.kind, value) {
            (_, Value::Null) => Value::Null,
            (Kind::Struct(check), Value::Struct(fields)) => {
                let mut fields = fields.into_iter();
                let fields = check
                    .fields
                    .iter()
                    .map(|field| field.read_value(fields.next().unwrap_or(Value::Null)));
                Value::Struct(fields.collect())
            }
            (Kind::List(check), Value::List(elements)) => Value::List(
                elements.into_iter().map(|element| check.element.read_value(element)).collect(),
            ),
            (Kind::Map(check), Value::Map(entries)) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (check.key.read_value(key), check.value.read_value(value)))
                    .collect(),
            ),
            (kind, value) => kind.of_value(&value).unwrap_or(Value::Null),
        }
    }
}

fn repeats_a_value<'v>(mut values: impl Iterator<Item = Value<'v>>) -> bool {
    let mut seen = HashSet::new();
    !values.all(|value| {
        let mut bytes = Vec::new();
        canonical::push(&value, &mut bytes);
        seen.insert(bytes)
    })
}

/// A map holds one value for each key.
const KEY_TWICE: &str = "it has a key twice";

/// Members of an object that are not null: files with types of their own do not tell a null
/// from a field that is not there, and a JSON file is held to the same.
fn present_members(object: &Members<'_>) -> usize {
    object.iter().filter(|(_, json)| !json.is_null()).count()
}

fn present(fields: &[Value<'_>]) -> usize {
    fields.iter().filter(|field| **field != Value::Null).count()
}

#[cfg(test)]
mod tests;
