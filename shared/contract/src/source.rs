//! Servers of type `s3`: which objects arrive there, and how they are written.

use crate::custom::{CustomProperties, Place};
use crate::field::{Field, Findings};
use crate::key_pattern::split_location;
use crate::model::{Compression, CsvFormat, Format, JsonLayout, KeyPattern, Source};
use crate::problem::quoted;

/// Most lines that `skipLines` skips. More are no preamble.
const MAX_SKIP_LINES: u32 = 1_000_000;

/// What a `format` is called in a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Csv,
    Tsv,
    Json,
    JsonLines,
    Parquet,
    Avro,
}

const NAMES: [(&str, Name); 7] = [
    ("csv", Name::Csv),
    ("tsv", Name::Tsv),
    ("json", Name::Json),
    ("jsonl", Name::JsonLines),
    ("ndjson", Name::JsonLines),
    ("parquet", Name::Parquet),
    ("avro", Name::Avro),
];

impl Name {
    /// The settings that say something of a format, besides `compression`.
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Csv | Self::Tsv => {
                &["delimiter", "quote", "header", "nullValue", "comment", "skipLines"]
            }
            Self::Json | Self::JsonLines => &["delimiter"],
            Self::Parquet | Self::Avro => &[],
        }
    }
}

/// Reads a server of type `s3`.
pub(crate) fn read(server: &Field<'_>, findings: &mut Findings) -> Option<Source> {
    let properties = CustomProperties::read(server, Place::S3Server, findings);
    let format = format(server, &properties, findings);
    let compression = properties.choice(
        "compression",
        &[
            ("auto", Compression::Auto),
            ("none", Compression::None),
            ("gzip", Compression::Gzip),
            ("zstd", Compression::Zstd),
            ("bzip2", Compression::Bzip2),
        ],
        Compression::Auto,
        findings,
    );
    if let Some(endpoint) = server.get("endpointUrl") {
        findings.not_enforced(&endpoint, "objects are read from the deployment's own S3");
    }
    let location = server.required_text("location", findings)?;
    let at = server.get("location")?;
    let read = split_location(location)
        .and_then(|(bucket, pattern)| Ok((bucket.to_owned(), KeyPattern::new(pattern)?)));
    match read {
        Ok((bucket, pattern)) => Some(Source {
            bucket,
            pattern,
            format: format?,
            compression,
            pointer: server.pointer.clone(),
        }),
        Err(reason) => {
            findings.problem(&at, reason);
            None
        }
    }
}

fn format(
    server: &Field<'_>,
    properties: &CustomProperties<'_>,
    findings: &mut Findings,
) -> Option<Format> {
    let text = server.required_text("format", findings)?;
    let Some((_, name)) = NAMES.iter().find(|(name, _)| *name == text) else {
        let at = server.get("format")?;
        findings.problem(&at, unknown(text));
        return None;
    };
    let before = findings.problems.len();
    refuse_others(*name, text, server, properties, findings);
    // ODCS knows `delimiter` of JSON only, so that of CSV may be a custom property as well.
    let delimiter = match (server.get("delimiter"), properties.get("delimiter")) {
        (Some(_), Some(custom)) => {
            findings.problem(custom, "`delimiter` is given twice: on the server, and here");
            None
        }
        (field, custom) => field.or_else(|| custom.cloned()),
    };
    if findings.problems.len() > before {
        return None;
    }
    Some(match name {
        Name::Csv => Format::Csv(dialect(b',', delimiter, server, properties, findings)),
        Name::Tsv => {
            if let Some(field) = &delimiter
                && one_byte(field, findings).is_some_and(|byte| byte != b'\t')
            {
                findings.problem(field, "format `tsv` is separated by tabs: use format `csv`");
            }
            Format::Csv(dialect(b'\t', None, server, properties, findings))
        }
        Name::Json => Format::Json(layout(delimiter, JsonLayout::Auto, findings)),
        Name::JsonLines => {
            let layout = layout(delimiter.clone(), JsonLayout::Lines, findings);
            if let (JsonLayout::Array, Some(field)) = (layout, &delimiter) {
                findings.problem(
                    field,
                    format!("format `{text}` is one document per line: use format `json`"),
                );
            }
            Format::Json(layout)
        }
        Name::Parquet => Format::Parquet,
        Name::Avro => Format::Avro,
    })
}

fn unknown(text: &str) -> String {
    let lower = text.trim().to_ascii_lowercase();
    let near = match lower.as_str() {
        "json lines" | "json-lines" | "json_lines" | "jsonlines" => Some("jsonl"),
        "txt" | "text" | "delimited" => Some("csv"),
        lower => NAMES.iter().find(|(name, _)| *name == lower).map(|(name, _)| *name),
    };
    let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
    let hint = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
    format!("is {}; formats are {}{hint}", quoted(text), names.join(", "))
}

/// What a setting of another format was meant to do would silently not happen.
fn refuse_others(
    name: Name,
    text: &str,
    server: &Field<'_>,
    properties: &CustomProperties<'_>,
    findings: &mut Findings,
) {
    let standard = server.get("delimiter").map(|field| ("delimiter", field));
    let custom = properties.iter().map(|(setting, field)| (setting, field.clone()));
    for (setting, field) in standard.into_iter().chain(custom) {
        let reason = match setting {
            "compression" if name == Name::Parquet => {
                "its pages say how they are compressed: remove it".to_owned()
            }
            "compression" => continue,
            setting if name.settings().contains(&setting) => continue,
            setting => {
                let formats: Vec<_> = NAMES
                    .iter()
                    .filter(|(_, other)| other.settings().contains(&setting))
                    .map(|(name, _)| *name)
                    .collect();
                format!("it is for {}: remove it", formats.join(", "))
            }
        };
        findings.problem(&field, format!("`{setting}` says nothing of format `{text}`; {reason}"));
    }
}

fn layout(
    delimiter: Option<Field<'_>>,
    default: JsonLayout,
    findings: &mut Findings,
) -> JsonLayout {
    let Some(field) = delimiter else { return default };
    let Some(text) = field.text(findings) else { return default };
    match text {
        "new_line" => JsonLayout::Lines,
        "array" => JsonLayout::Array,
        _ => {
            findings.problem(
                &field,
                format!(
                    "is {}; JSON documents are delimited by `new_line` or `array`",
                    quoted(text)
                ),
            );
            default
        }
    }
}

/// The dialect of delimited text.
fn dialect(
    default_delimiter: u8,
    delimiter: Option<Field<'_>>,
    server: &Field<'_>,
    properties: &CustomProperties<'_>,
    findings: &mut Findings,
) -> CsvFormat {
    let mut csv = CsvFormat { delimiter: default_delimiter, ..CsvFormat::default() };
    if let Some(byte) = delimiter.and_then(|field| one_byte(&field, findings)) {
        csv.delimiter = byte;
    }
    if let Some(byte) = properties.get("quote").and_then(|field| one_byte(field, findings)) {
        csv.quote = byte;
    }
    csv.comment = properties.get("comment").and_then(|field| one_byte(field, findings));
    if let Some(header) = properties.get("header").and_then(|field| field.flag(findings)) {
        csv.header = header;
    }
    csv.null_value = properties.get("nullValue").and_then(|field| field.scalar_text(findings));
    if let Some(field) = properties.get("skipLines")
        && let Some(lines) = field.integer(findings)
    {
        match u32::try_from(lines) {
            Ok(lines) if lines <= MAX_SKIP_LINES => csv.skip_lines = lines,
            _ => findings.problem(field, format!("must be from 0 to {MAX_SKIP_LINES}")),
        }
    }
    are_apart(&csv, server, properties, findings);
    csv
}

/// One byte cannot have two meanings.
fn are_apart(
    csv: &CsvFormat,
    server: &Field<'_>,
    properties: &CustomProperties<'_>,
    findings: &mut Findings,
) {
    if csv.quote == csv.delimiter {
        match properties.get("quote") {
            Some(field) => {
                findings.problem(field, "the quote and the delimiter are the same character");
            }
            None => {
                findings.problem(server, "the delimiter is the default quote: name another `quote`")
            }
        }
    }
    if let (Some(comment), Some(field)) = (csv.comment, properties.get("comment"))
        && (comment == csv.delimiter || comment == csv.quote)
    {
        findings.problem(field, "the delimiter or the quote is the same character");
    }
}

/// A character that separates, quotes or comments: one byte, which is ASCII and does not end
/// a line.
fn one_byte(field: &Field<'_>, findings: &mut Findings) -> Option<u8> {
    let text = field.text(findings)?;
    match text.as_bytes() {
        b"tab" | b"\\t" => Some(b'\t'),
        &[byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Some(byte),
        _ => {
            findings.problem(
                field,
                format!(
                    "is {}; it is one ASCII character such as `,`, `;`, `|`, or the word `tab`, \
                     and no end of a line",
                    quoted(text)
                ),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::document;

    fn read_server(fields: &str, custom: &str) -> (Option<Source>, Findings) {
        let text = format!(
            "location: s3://landing/a/\n{fields}\ncustomProperties: [{}]\n",
            custom
                .split(';')
                .filter(|setting| !setting.is_empty())
                .map(|setting| {
                    let (name, value) = setting.split_once('=').unwrap();
                    format!("{{property: {name}, value: {value}}}")
                })
                .collect::<Vec<_>>()
                .join(", ")
        );
        let root = document::read(&text).root.unwrap();
        let mut findings = Findings::default();
        let source = read(&Field::root(&root), &mut findings);
        (source, findings)
    }

    fn source(fields: &str, custom: &str) -> Source {
        let (source, findings) = read_server(fields, custom);
        assert!(findings.problems.is_empty(), "{fields} {custom}: {:?}", findings.problems);
        source.unwrap()
    }

    fn csv(fields: &str, custom: &str) -> CsvFormat {
        match source(fields, custom).format {
            Format::Csv(csv) => csv,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn formats_have_names() {
        for (name, format) in [
            ("csv", Format::Csv(CsvFormat::default())),
            ("tsv", Format::Csv(CsvFormat { delimiter: b'\t', ..CsvFormat::default() })),
            ("json", Format::Json(JsonLayout::Auto)),
            ("jsonl", Format::Json(JsonLayout::Lines)),
            ("ndjson", Format::Json(JsonLayout::Lines)),
            ("parquet", Format::Parquet),
            ("avro", Format::Avro),
        ] {
            let source = source(&format!("format: {name}"), "");
            assert_eq!(source.format, format, "{name}");
            assert_eq!(source.compression, Compression::Auto);
        }
    }

    #[test]
    fn delimited_text_has_a_dialect() {
        let read = csv("format: csv\ndelimiter: ';'", "quote=\"'\";header=false;nullValue=NA");
        assert_eq!((read.delimiter, read.quote, read.header), (b';', b'\'', false));
        assert_eq!(read.null_value.as_deref(), Some("NA"));
        let read = csv("format: csv", "delimiter=tab;comment='#';skipLines=3");
        assert_eq!((read.delimiter, read.comment, read.skip_lines), (b'\t', Some(b'#'), 3));
        assert_eq!(csv("format: csv\ndelimiter: \"\\x01\"", "").delimiter, 1);
        assert_eq!(csv("format: csv", "skipLines=1000000").skip_lines, 1_000_000);
        assert_eq!(csv("format: tsv\ndelimiter: tab", "quote=\"'\"").delimiter, b'\t');
    }

    #[test]
    fn json_documents_are_delimited_by_lines_or_in_an_array() {
        let layout = |fields: &str| source(fields, "").format;
        assert_eq!(layout("format: json\ndelimiter: new_line"), Format::Json(JsonLayout::Lines));
        assert_eq!(layout("format: json\ndelimiter: array"), Format::Json(JsonLayout::Array));
        assert_eq!(layout("format: jsonl\ndelimiter: new_line"), Format::Json(JsonLayout::Lines));
    }

    #[test]
    fn compression_is_stated_or_seen() {
        for (word, compression) in [
            ("auto", Compression::Auto),
            ("none", Compression::None),
            ("gzip", Compression::Gzip),
            ("zstd", Compression::Zstd),
            ("bzip2", Compression::Bzip2),
        ] {
            for format in ["csv", "tsv", "json", "jsonl", "ndjson", "avro"] {
                let custom = format!("compression={word}");
                assert_eq!(source(&format!("format: {format}"), &custom).compression, compression);
            }
        }
    }

    #[test]
    fn what_cannot_be_meant_is_a_problem_where_it_stands() {
        for (fields, custom, at, part) in [
            ("format: orc", "", "/format", "formats are csv, tsv, json"),
            ("format: JSON", "", "/format", "did you mean `json`?"),
            ("format: jsonlines", "", "/format", "did you mean `jsonl`?"),
            ("a: b", "", "", "`format` is missing"),
            ("format: csv\ndelimiter: ';;'", "", "/delimiter", "one ASCII character"),
            ("format: csv\ndelimiter: é", "", "/delimiter", "one ASCII character"),
            ("format: csv\ndelimiter: \"\\n\"", "", "/delimiter", "no end of a line"),
            ("format: csv\ndelimiter: ','", "delimiter='|'", "/customProperties/0/value", "twice"),
            ("format: csv", "quote=','", "/customProperties/0/value", "same character"),
            ("format: csv\ndelimiter: '\"'", "", "", "name another `quote`"),
            ("format: csv", "comment=','", "/customProperties/0/value", "same character"),
            ("format: csv", "comment='##'", "/customProperties/0/value", "one ASCII character"),
            ("format: csv", "skipLines=-1", "/customProperties/0/value", "from 0 to 1000000"),
            ("format: csv", "skipLines=1000001", "/customProperties/0/value", "from 0 to 1000000"),
            ("format: csv", "skipLines=many", "/customProperties/0/value", "whole number"),
            ("format: csv", "header='yes'", "/customProperties/0/value", "true or false"),
            ("format: csv", "compression=snappy", "/customProperties/0/value", "one of: auto"),
            ("format: tsv\ndelimiter: ','", "", "/delimiter", "use format `csv`"),
            ("format: tsv", "quote=tab", "/customProperties/0/value", "same character"),
            ("format: json\ndelimiter: ','", "", "/delimiter", "`new_line` or `array`"),
            ("format: jsonl\ndelimiter: array", "", "/delimiter", "use format `json`"),
            ("format: json", "quote=\"'\"", "/customProperties/0/value", "it is for csv, tsv"),
            ("format: json", "nullValue=NA", "/customProperties/0/value", "it is for csv, tsv"),
            ("format: avro\ndelimiter: ','", "", "/delimiter", "it is for csv, tsv, json, jsonl"),
            ("format: avro", "header=true", "/customProperties/0/value", "it is for csv, tsv"),
            ("format: parquet", "skipLines=1", "/customProperties/0/value", "it is for csv, tsv"),
            ("format: parquet", "comment='#'", "/customProperties/0/value", "it is for csv, tsv"),
            ("format: parquet", "compression=gzip", "/customProperties/0/value", "its pages say"),
            ("format: csv", "skipLine=1", "/customProperties/0/property", "mean `skipLines`?"),
        ] {
            let (_, findings) = read_server(fields, custom);
            assert_eq!(findings.problems.len(), 1, "{fields} {custom}: {:?}", findings.problems);
            assert_eq!(findings.problems[0].path, at, "{fields} {custom}");
            let reason = &findings.problems[0].reason;
            assert!(reason.contains(part), "{fields} {custom}: {reason}");
        }
    }
}
