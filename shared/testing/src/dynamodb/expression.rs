//! Condition and update expressions, evaluated.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html>

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::Item;

/// DynamoDB refuses a request with a name or value that no expression uses.
pub(super) fn check_placeholders<'a>(
    expressions: &[&str],
    given: impl Iterator<Item = &'a String>,
) {
    let used: Vec<&str> = expressions.iter().flat_map(|expression| tokens(expression)).collect();
    for placeholder in given {
        assert!(used.contains(&placeholder.as_str()), "{placeholder} is unused in {used:?}");
    }
}

/// Those of DynamoDB's reserved words that an attribute is likely to be called
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>).
const RESERVED: &[&str] = &[
    "bucket",
    "comment",
    "count",
    "data",
    "date",
    "end",
    "file",
    "format",
    "hash",
    "key",
    "name",
    "owner",
    "path",
    "range",
    "region",
    "row",
    "rows",
    "size",
    "start",
    "state",
    "status",
    "time",
    "timestamp",
    "token",
    "ttl",
    "value",
];

pub(super) struct Scope<'a> {
    pub(super) item: &'a Item,
    pub(super) names: &'a HashMap<String, String>,
    pub(super) values: &'a HashMap<String, AttributeValue>,
}

/// An expression being read, one token at a time.
pub(super) struct Expression<'a> {
    text: &'a str,
    tokens: Vec<&'a str>,
    next: usize,
    scope: &'a Scope<'a>,
}

impl<'a> Expression<'a> {
    pub(super) fn of(text: &'a str, scope: &'a Scope<'a>) -> Self {
        Self { text, tokens: tokens(text), next: 0, scope }
    }

    pub(super) fn condition(mut self) -> bool {
        let holds = self.any();
        assert!(self.peek().is_none(), "cannot read {:?}", self.text);
        holds
    }

    /// New values by attribute; none removes it. All are computed from the item as it was.
    pub(super) fn update(mut self) -> Vec<(String, Option<AttributeValue>)> {
        let mut changes = Vec::new();
        while let Some(clause) = self.take() {
            loop {
                let name = self.take().map(|token| self.name(token)).expect("an attribute");
                match clause {
                    "SET" => {
                        self.expect("=");
                        let value = self.sum();
                        changes.push((name, Some(value.expect("a value to set"))));
                    }
                    "REMOVE" => changes.push((name, None)),
                    _ => panic!("cannot read {:?}", self.text),
                }
                if self.peek() != Some(",") {
                    break;
                }
                self.next += 1;
            }
        }
        changes
    }

    fn any(&mut self) -> bool {
        let mut holds = self.all();
        while self.skip("OR") {
            holds |= self.all();
        }
        holds
    }

    fn all(&mut self) -> bool {
        let mut holds = self.one();
        while self.skip("AND") {
            holds &= self.one();
        }
        holds
    }

    fn one(&mut self) -> bool {
        if self.skip("NOT") {
            return !self.one();
        }
        if self.skip("(") {
            let holds = self.any();
            self.expect(")");
            return holds;
        }
        if let Some(function @ ("attribute_exists" | "attribute_not_exists")) = self.peek() {
            self.next += 1;
            self.expect("(");
            let exists = self.value().is_some();
            self.expect(")");
            return exists == (function == "attribute_exists");
        }
        if self.skip("begins_with") {
            self.expect("(");
            let whole = self.value();
            self.expect(",");
            let start = self.value();
            self.expect(")");
            return match (whole, start) {
                (Some(AttributeValue::S(whole)), Some(AttributeValue::S(start))) => {
                    whole.starts_with(&start)
                }
                _ => false,
            };
        }
        let left = self.value();
        match self.take() {
            Some("IN") => {
                self.expect("(");
                let mut found = false;
                loop {
                    let right = self.value();
                    found |= left.is_some() && left == right;
                    if !self.skip(",") {
                        break;
                    }
                }
                self.expect(")");
                found
            }
            Some(operator) => {
                let right = self.value();
                compare(left.as_ref(), operator, right.as_ref())
            }
            None => panic!("cannot read {:?}", self.text),
        }
    }

    fn sum(&mut self) -> Option<AttributeValue> {
        let left = self.value();
        let sign = match self.peek() {
            Some("+") => 1,
            Some("-") => -1,
            _ => return left,
        };
        self.next += 1;
        let right = self.value();
        let sum = integer(left.as_ref()) + sign * integer(right.as_ref());
        Some(AttributeValue::N(sum.to_string()))
    }

    fn value(&mut self) -> Option<AttributeValue> {
        let token = self.take().unwrap_or_else(|| panic!("{:?} ends early", self.text));
        match token {
            "if_not_exists" | "list_append" => {
                self.expect("(");
                let first = self.value();
                self.expect(",");
                let second = self.value();
                self.expect(")");
                if token == "if_not_exists" {
                    return first.or(second);
                }
                let list = |value: Option<AttributeValue>| {
                    value.and_then(|value| value.as_l().ok().cloned()).expect("a list")
                };
                let mut joined = list(first);
                joined.extend(list(second));
                Some(AttributeValue::L(joined))
            }
            _ if token.starts_with(':') => Some(
                self.scope
                    .values
                    .get(token)
                    .unwrap_or_else(|| panic!("{token} of {:?} has no value", self.text))
                    .clone(),
            ),
            _ => self.scope.item.get(&self.name(token)).cloned(),
        }
    }

    fn name(&self, token: &str) -> String {
        match token.starts_with('#') {
            true => self
                .scope
                .names
                .get(token)
                .unwrap_or_else(|| panic!("{token} of {:?} has no name", self.text))
                .clone(),
            false => {
                assert!(!RESERVED.contains(&token), "{token} of {:?} is reserved", self.text);
                token.to_owned()
            }
        }
    }

    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.next).copied()
    }

    fn take(&mut self) -> Option<&'a str> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn skip(&mut self, token: &str) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, token: &str) {
        assert!(self.skip(token), "{:?} lacks {token:?}", self.text);
    }
}

/// Words and operators.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || "_#:".contains(c)));
        let end = match word.unwrap_or(rest.len()) {
            0 if ["<=", ">=", "<>"].iter().any(|operator| rest.starts_with(operator)) => 2,
            0 => 1,
            end => end,
        };
        let (token, after) = rest.split_at(end);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// As in DynamoDB, nothing compares with an attribute that is not there, but `<>` holds.
fn compare(left: Option<&AttributeValue>, operator: &str, right: Option<&AttributeValue>) -> bool {
    use std::cmp::Ordering;
    if operator == "<>" {
        return left != right;
    }
    let (Some(left), Some(right)) = (left, right) else { return false };
    let order = match (left, right) {
        (AttributeValue::N(_), AttributeValue::N(_)) => {
            integer(Some(left)).cmp(&integer(Some(right)))
        }
        (AttributeValue::S(left), AttributeValue::S(right)) => left.cmp(right),
        _ => return operator == "=" && left == right,
    };
    match operator {
        "=" => order == Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        _ => panic!("{operator:?} is not built"),
    }
}

fn integer(value: Option<&AttributeValue>) -> i64 {
    value
        .and_then(|value| value.as_n().ok())
        .and_then(|digits| digits.parse().ok())
        .expect("a whole number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope_of(item: &Item, text: &str) -> bool {
        let names = HashMap::from([("#state".to_owned(), "state".to_owned())]);
        let values = HashMap::from([
            (":a".to_owned(), AttributeValue::S("a".into())),
            (":nine".to_owned(), AttributeValue::N("9".into())),
        ]);
        let scope = Scope { item, names: &names, values: &values };
        Expression::of(text, &scope).condition()
    }

    #[test]
    fn conditions_bind_as_dynamodb_says() {
        let item = Item::from([
            ("state".to_owned(), AttributeValue::S("a".into())),
            ("deliveries".to_owned(), AttributeValue::N("10".into())),
        ]);
        for (condition, holds) in [
            ("#state = :a", true),
            ("#state <> :a", false),
            ("deliveries > :nine", true),
            ("missing = :a", false),
            ("attribute_not_exists(missing)", true),
            ("attribute_exists(missing) OR #state IN (:nine, :a)", true),
            ("#state = :a OR #state = :a AND deliveries < :nine", true),
            ("(#state = :a OR #state = :a) AND deliveries < :nine", false),
            ("NOT attribute_exists(#state)", false),
            ("begins_with(#state, :a) AND NOT begins_with(#state, :nine)", true),
            ("begins_with(missing, :a)", false),
        ] {
            assert_eq!(scope_of(&item, condition), holds, "{condition}");
        }
    }
}
