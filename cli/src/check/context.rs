//! The bad lines of a file with their neighbours.

use std::collections::{BTreeMap, BTreeSet};

use landfall_check::{Decompressor, FileReport};
use landfall_contract::{Column, ColumnType, Contract, Format, Source};

use crate::input::{Input, Location, S3};
use crate::printable::printable;

/// Lines before and after the bad one.
const AROUND: u64 = 1;

/// Characters of a line that are shown.
const MAX_CHARACTERS: usize = 160;

/// A bad line in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// The bad line, from 1.
    pub(crate) line: u64,
    /// Lines in order, with their numbers.
    pub(crate) lines: Vec<(u64, String)>,
}

/// Bytes of an object in S3 that are read a second time for its lines, at most.
const MAX_BYTES_OF_OBJECTS: u64 = 64 << 20;

/// Excerpts for the problem of the file, and for the bad rows that will be shown. None where
/// there are no lines to show (binary formats), or a line could show what the contract calls
/// sensitive. The file is read a second time, up to the last of these lines.
pub(crate) fn excerpts(
    contract: &Contract,
    source: &Source,
    location: &Location,
    s3: &S3,
    report: &FileReport,
    max_shown: usize,
) -> Vec<Excerpt> {
    let has_lines = matches!(source.format, Format::Csv(_) | Format::Json(_));
    let bad_rows = report.first_bad_rows.iter().take(max_shown).filter_map(|bad| bad.line);
    let problem = report.problem.as_ref().and_then(|problem| problem.line);
    let lines: BTreeSet<u64> = bad_rows.chain(problem).collect();
    if !has_lines || lines.is_empty() || has_sensitive(&contract.columns) {
        return Vec::new();
    }
    // What cannot be read again is shown without its neighbours: the report is complete.
    let Ok(mut input) = Input::open(location, s3) else { return Vec::new() };
    let mut wanted = Wanted::new(&lines);
    let mut decompressor = Decompressor::new(source.compression, Default::default());
    let most = match location {
        Location::Object { .. } => MAX_BYTES_OF_OBJECTS,
        Location::Path(_) | Location::StandardInput => u64::MAX,
    };
    let mut read = 0;
    while let Ok(Some(mut chunk)) = input.next_chunk() {
        read += chunk.len() as u64;
        while let Ok(Some(plain)) = decompressor.next(&mut chunk) {
            wanted.take(plain);
        }
        if wanted.is_complete() || read >= most {
            break;
        }
    }
    while let Ok(Some(plain)) = decompressor.finish() {
        wanted.take(plain);
    }
    wanted.finish();
    lines
        .into_iter()
        .map(|line| Excerpt { line, lines: wanted.around(line) })
        .filter(|excerpt| !excerpt.lines.is_empty())
        .collect()
}

/// Whether the contract calls any column sensitive, at any depth.
fn has_sensitive(columns: &[Column]) -> bool {
    columns.iter().any(|column| {
        column.sensitive
            || match &column.column_type {
                ColumnType::Primitive(_) => false,
                ColumnType::Struct(fields) => has_sensitive(fields),
                ColumnType::List(element) => has_sensitive(std::slice::from_ref(element)),
                ColumnType::Map(entry) => {
                    entry.key.sensitive || has_sensitive(std::slice::from_ref(&entry.value))
                }
            }
    })
}

/// Collects wanted lines from a stream.
#[derive(Debug)]
struct Wanted {
    /// Line numbers that are still to come.
    numbers: BTreeSet<u64>,
    found: BTreeMap<u64, Vec<u8>>,
    /// Number of the line that the next byte belongs to.
    line: u64,
    current: Vec<u8>,
}

impl Wanted {
    fn new(lines: &BTreeSet<u64>) -> Self {
        let numbers = lines
            .iter()
            .flat_map(|line| line.saturating_sub(AROUND).max(1)..=line.saturating_add(AROUND))
            .collect();
        Self { numbers, found: BTreeMap::new(), line: 1, current: Vec::new() }
    }

    fn is_complete(&self) -> bool {
        self.numbers.is_empty()
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_complete() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (part, next) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            // Four bytes a character at most; the rest of a long line is not kept.
            let room = (4 * (MAX_CHARACTERS + 1)).saturating_sub(self.current.len());
            if self.numbers.contains(&self.line) {
                self.current.extend_from_slice(part.get(..room).unwrap_or(part));
            }
            if end.is_some() {
                self.end_line();
            }
            rest = next;
        }
    }

    fn end_line(&mut self) {
        if self.numbers.remove(&self.line) {
            self.found.insert(self.line, std::mem::take(&mut self.current));
        }
        self.line += 1;
    }

    fn finish(&mut self) {
        if !self.current.is_empty() {
            self.end_line();
        }
    }

    fn around(&self, line: u64) -> Vec<(u64, String)> {
        self.found
            .range(line.saturating_sub(AROUND)..=line.saturating_add(AROUND))
            .map(|(number, bytes)| (*number, show(bytes)))
            .collect()
    }
}

/// A line as a terminal can show it: controls escaped, no line end, not too long.
fn show(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\r', '\n']);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let (text, more) = match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => (&text[..end], "..."),
        None => (text, ""),
    };
    // A tab moves on to where the next column starts, which is what it is for.
    let parts: Vec<_> = text.split('\t').map(printable).collect();
    format!("{}{more}", parts.join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(text: &str, lines: &[u64], chunk: usize) -> Vec<(u64, String)> {
        let lines: BTreeSet<u64> = lines.iter().copied().collect();
        let mut wanted = Wanted::new(&lines);
        for part in text.as_bytes().chunks(chunk) {
            wanted.take(part);
        }
        wanted.finish();
        lines.into_iter().flat_map(|line| wanted.around(line)).collect()
    }

    #[test]
    fn a_line_comes_with_its_neighbours_however_the_bytes_come() {
        for chunk in [1, 2, 7, 100] {
            assert_eq!(
                collect("a\nb\r\nc\nd\n", &[2], chunk),
                [(1, "a".to_owned()), (2, "b".to_owned()), (3, "c".to_owned())]
            );
            assert_eq!(collect("a\nb\nc", &[3], chunk), [(2, "b".to_owned()), (3, "c".to_owned())]);
            assert_eq!(collect("a\nb", &[1], chunk).len(), 2);
        }
    }

    #[test]
    fn a_long_line_is_cut_and_controls_are_escaped() {
        let long = format!("{}\u{1b}[31m", "é".repeat(200));
        assert_eq!(collect(&long, &[1], 64)[0].1, format!("{}...", "é".repeat(MAX_CHARACTERS)));
        assert_eq!(collect("\u{1b}[2J\ta", &[1], 64)[0].1, "\\u{1b}[2J\ta");
    }
}
