//! Writes the generated tables of `docs/engines.md`:
//! `cargo run -p landfall-engine --example engines_tables > tables.md`, or with `--write` in place.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::{env, fs, io};

use landfall_engine::comparison::{constants, table};

/// A name in the document, and what makes the table.
type Mark = (&'static str, fn() -> String);

const MARKS: [Mark; 2] = [("break-even", table), ("constants", constants)];

fn main() -> io::Result<()> {
    if env::args().nth(1).as_deref() != Some("--write") {
        for (name, make) in MARKS {
            println!("{name}\n\n{}\n", make());
        }
        return Ok(());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/engines.md");
    let mut text = fs::read_to_string(&path)?;
    for (name, make) in MARKS {
        let (begin, end) = (format!("<!-- begin: {name} -->"), format!("<!-- end: {name} -->"));
        let Some((before, rest)) = text.split_once(&begin) else { continue };
        let Some((_, after)) = rest.split_once(&end) else { continue };
        text = format!("{before}{begin}\n{}\n{end}{after}", make());
    }
    fs::write(path, text)
}
