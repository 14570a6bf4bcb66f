//! Files of the rows, and where each row stands in them.

use serde_json::Value as Json;

use crate::columns::Shape;
use crate::random::Random;
use crate::rows::{Damage, Kind, Row, columns};

/// A text file, and per row the physical line it starts on and the bytes that are handed on
/// when it is set aside.
pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: Vec<u8>,
    pub(crate) lines: Vec<u64>,
    pub(crate) raw: Vec<Vec<u8>>,
    /// Bytes whose lines were counted, and the line that the last of them is on.
    counted: (usize, u64),
}

impl Text {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            header: Vec::new(),
            lines: Vec::new(),
            raw: Vec::new(),
            counted: (0, 1),
        }
    }

    /// The line that comes next.
    fn line(&mut self) -> u64 {
        let (at, line) = self.counted;
        let more = self.bytes[at..].iter().filter(|byte| **byte == b'\n').count() as u64;
        self.counted = (self.bytes.len(), line + more);
        line + more
    }
}

/// A dialect of delimited text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// Fields of the server in the contract.
    pub(crate) format: &'static str,
    /// Its custom properties.
    pub(crate) properties: &'static str,
    pub(crate) delimiter: u8,
    pub(crate) quote: u8,
    pub(crate) header: bool,
    pub(crate) null: &'static str,
    pub(crate) line_end: &'static str,
    pub(crate) mark: bool,
    pub(crate) quote_all: bool,
    pub(crate) comment: Option<u8>,
    pub(crate) skip: usize,
    /// Whether the last record has its line end.
    pub(crate) ends: bool,
}

const PLAIN: Dialect = Dialect {
    format: "format: csv",
    properties: "",
    delimiter: b',',
    quote: b'"',
    header: true,
    null: "",
    line_end: "\n",
    mark: false,
    quote_all: false,
    comment: None,
    skip: 0,
    ends: true,
};

/// The dialects of the truth set.
pub(crate) const DIALECTS: [Dialect; 6] = [
    PLAIN,
    Dialect { line_end: "\r\n", mark: true, ends: false, ..PLAIN },
    Dialect {
        format: "format: csv, delimiter: ';'",
        properties: "{property: quote, value: \"'\"}, {property: nullValue, value: 'NULL'}",
        delimiter: b';',
        quote: b'\'',
        null: "NULL",
        quote_all: true,
        ..PLAIN
    },
    Dialect { format: "format: tsv", delimiter: b'\t', line_end: "\r\n", ..PLAIN },
    Dialect { properties: "{property: header, value: false}", header: false, ends: false, ..PLAIN },
    Dialect {
        format: "format: csv, delimiter: '|'",
        properties: "{property: comment, value: '#'}, {property: skipLines, value: 3}",
        delimiter: b'|',
        comment: Some(b'#'),
        skip: 3,
        mark: true,
        ..PLAIN
    },
];

/// Writes delimited text.
pub(crate) fn csv(rows: &[Row], dialect: &Dialect, seed: u64) -> Text {
    let mut random = Random(seed);
    let mut text = Text::new();
    if dialect.mark {
        text.bytes.extend_from_slice(b"\xef\xbb\xbf");
    }
    for line in 0..dialect.skip {
        text.bytes.extend_from_slice(format!("exported \"by hand, page {line}\n").as_bytes());
    }
    if dialect.header {
        let names: Vec<_> = columns(Kind::Csv).iter().map(|column| column.name).collect();
        text.header = names.join(&String::from(char::from(dialect.delimiter))).into_bytes();
        text.header.extend_from_slice(dialect.line_end.as_bytes());
        text.bytes.extend_from_slice(&text.header);
    }
    for (index, row) in rows.iter().enumerate() {
        match random.below(40) {
            0 => text.bytes.extend_from_slice(dialect.line_end.as_bytes()),
            1 if dialect.comment.is_some() => {
                text.bytes.extend_from_slice(b"# a comment | with \"a quote\n");
            }
            _ => {}
        }
        let mut raw = Vec::new();
        for (place, cell) in row.cells.iter().enumerate() {
            if place > 0 {
                raw.push(dialect.delimiter);
            }
            field(&mut raw, cell.as_deref(), dialect);
        }
        damage_csv(&mut raw, row, dialect);
        if dialect.ends || index + 1 < rows.len() {
            raw.extend_from_slice(dialect.line_end.as_bytes());
        }
        let line = text.line();
        text.lines.push(line);
        text.bytes.extend_from_slice(&raw);
        text.raw.push(raw);
    }
    text
}

fn field(raw: &mut Vec<u8>, cell: Option<&str>, dialect: &Dialect) {
    let Some(cell) = cell else {
        raw.extend_from_slice(dialect.null.as_bytes());
        return;
    };
    let special = |byte: &u8| [dialect.delimiter, dialect.quote, b'\n', b'\r'].contains(byte);
    if !dialect.quote_all && !cell.as_bytes().iter().any(special) {
        raw.extend_from_slice(cell.as_bytes());
        return;
    }
    raw.push(dialect.quote);
    for byte in cell.bytes() {
        if byte == dialect.quote {
            raw.push(byte);
        }
        raw.push(byte);
    }
    raw.push(dialect.quote);
}

/// Damages a record without its line end; the second column is a number without quotes, or
/// one with quotes that ends in a digit.
fn damage_csv(raw: &mut Vec<u8>, row: &Row, dialect: &Dialect) {
    match row.damage {
        Damage::OneFieldMore => raw.push(dialect.delimiter),
        Damage::OneFieldFewer => {
            // The last column is never quoted for what is in it.
            let at = raw.iter().rposition(|byte| *byte == dialect.delimiter).unwrap();
            raw.truncate(at);
        }
        Damage::StrayQuote => {
            let mut first = b"x".to_vec();
            first.push(dialect.quote);
            first.push(b'y');
            replace_first(raw, &first, dialect);
        }
        Damage::TextAfterQuote => {
            let first = [dialect.quote, b'x', dialect.quote, b'y'];
            replace_first(raw, &first, dialect);
        }
        Damage::NotUtf8 => {
            // In the column `note`, the sixth.
            let cells: Vec<_> = row.cells.iter().take(5).cloned().collect();
            let mut start = Vec::new();
            for cell in &cells {
                field(&mut start, cell.as_deref(), dialect);
                start.push(dialect.delimiter);
            }
            let mut note = Vec::new();
            field(&mut note, row.cells[5].as_deref(), dialect);
            let rest = raw.split_off(start.len() + note.len());
            raw.truncate(start.len());
            raw.extend_from_slice(b"caf\xe9");
            raw.extend_from_slice(&rest);
        }
        Damage::None | Damage::BadSyntax | Damage::KeyTwice => {}
    }
}

fn replace_first(raw: &mut Vec<u8>, with: &[u8], dialect: &Dialect) {
    let at = raw.iter().position(|byte| *byte == dialect.delimiter).unwrap();
    raw.splice(..at, with.iter().copied());
}

/// How JSON documents stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One to a line, some lines empty.
    Lines,
    /// An array, written compactly.
    Array,
    /// An array whose documents take several lines.
    PrettyArray,
}

/// Writes JSON documents.
pub(crate) fn json(rows: &[Row], layout: Layout, seed: u64) -> Text {
    let mut random = Random(seed);
    let mut text = Text::new();
    if layout != Layout::Lines {
        text.bytes.extend_from_slice(b"[\n");
    }
    for (index, row) in rows.iter().enumerate() {
        let mut raw = document(row, layout, &mut random);
        match layout {
            Layout::Lines => {
                if random.below(40) == 0 {
                    text.bytes.push(b'\n');
                }
                raw.extend_from_slice(if random.below(2) == 0 { b"\n" } else { b"\r\n" });
                let line = text.line();
                text.lines.push(line);
                text.bytes.extend_from_slice(&raw);
            }
            Layout::Array | Layout::PrettyArray => {
                if index > 0 {
                    text.bytes.extend_from_slice(if random.below(2) == 0 { b"," } else { b" ,\n" });
                }
                let line = text.line();
                text.lines.push(line);
                text.bytes.extend_from_slice(&raw);
                // What is set aside of an array is one document per line.
                for byte in &mut raw {
                    *byte = if *byte == b'\n' { b' ' } else { *byte };
                }
                raw.push(b'\n');
            }
        }
        text.raw.push(raw);
    }
    if layout != Layout::Lines {
        text.bytes.extend_from_slice(b"\n]\n");
    }
    text
}

fn document(row: &Row, layout: Layout, random: &mut Random) -> Vec<u8> {
    let between: &[u8] = match layout {
        Layout::PrettyArray => b",\n  ",
        _ if random.below(2) == 0 => b", ",
        _ => b",",
    };
    let mut raw = b"{".to_vec();
    let mut first = true;
    for (column, cell) in columns(Kind::Json).iter().zip(&row.cells) {
        // Null is written, or the key is left out.
        if cell.is_none() && random.below(2) == 0 {
            continue;
        }
        if !first {
            raw.extend_from_slice(between);
        }
        first = false;
        raw.extend_from_slice(format!("\"{}\": ", column.name).as_bytes());
        let value = match cell {
            None => "null".to_owned(),
            Some(cell) => match (cell.strip_prefix("json:"), column.shape) {
                (Some(json), _) => json.to_owned(),
                (None, Shape::Nested) => cell.clone(),
                (None, Shape::Boolean) if cell == "true" || cell == "false" => cell.clone(),
                (None, Shape::Number) if is_number(cell) => cell.clone(),
                _ => Json::String(cell.clone()).to_string(),
            },
        };
        raw.extend_from_slice(value.as_bytes());
    }
    match row.damage {
        Damage::BadSyntax => raw.extend_from_slice(b", \"tiny\": 01"),
        Damage::KeyTwice => raw.extend_from_slice(b", \"id\": 1, \"id\": 1"),
        Damage::NotUtf8 => raw.extend_from_slice(b", \"more\": \"caf\xe9\""),
        _ => {}
    }
    raw.push(b'}');
    raw
}

fn is_number(text: &str) -> bool {
    serde_json::from_str::<Json>(text).is_ok_and(|json| json.is_number())
        || text.parse::<f64>().is_ok_and(|number| number.is_finite())
            && text.bytes().all(|byte| byte.is_ascii_digit() || b"-.e".contains(&byte))
}
