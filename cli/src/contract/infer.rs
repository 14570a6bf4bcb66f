//! `landfall contract infer`: a draft to start a contract from.
//!
//! JSON documents are merged into one shape. Every other format is checked against a contract
//! that asks for nothing: all of its columns are then undeclared, and the check says what
//! their values are. A second check against the draft finds the columns without nulls.

mod draft;
mod shape;

use landfall_check::{
    CheckPlan, DecompressFault, Decompressor, FileCheck, FileReport, ReportOnly, Rule, Wants,
};
use landfall_contract::{
    Column, ColumnType, Compression, Contract, CsvFormat, DataType, FieldType, Format, Rules,
};

use crate::Outcome;
use crate::arguments::InferCommand;
use crate::failure::Failure;
use crate::input::{Input, Location, S3};
use crate::output;

use draft::{Draft, DraftColumn};

/// Bytes of a sample that are looked at, after decompression: enough for any shape.
const SAMPLE_BYTES: usize = 64 << 20;

/// Prints a draft of a contract for files like this one.
pub(crate) fn run(command: &InferCommand) -> Result<Outcome, Failure> {
    let s3 = S3::default();
    let location = Location::of(&command.file)?;
    let mut input = Input::open(&location, &s3)?;
    let sample = Sample::read(&mut input)?;
    let unusable = |reason: &str| Failure::Usage(format!("{}: {reason}", command.file));
    let (format, columns) = match &sample {
        Sample::Parquet => {
            input.has_an_end()?;
            let report = check(&asks_for_nothing()?, &Format::Parquet, &[], &mut input)?;
            (Format::Parquet, stated_columns(&report).map_err(|reason| unusable(&reason))?)
        }
        Sample::Stream { bytes, .. } if bytes.starts_with(b"Obj\x01") => {
            let report = check(&asks_for_nothing()?, &Format::Avro, bytes, &mut input)?;
            (Format::Avro, stated_columns(&report).map_err(|reason| unusable(&reason))?)
        }
        Sample::Stream { bytes, is_whole } if is_json(bytes) => {
            let shape =
                shape::of_documents(bytes, *is_whole).map_err(|reason| unusable(&reason))?;
            let columns = shape.columns().ok_or_else(|| {
                unusable("its documents are not objects, so they have no columns")
            })?;
            (Format::Json(Default::default()), columns)
        }
        Sample::Stream { bytes, is_whole } => {
            let bytes = if *is_whole { bytes } else { whole_records(bytes) };
            let csv = CsvFormat { delimiter: delimiter(bytes), ..CsvFormat::default() };
            let format = Format::Csv(csv);
            let columns =
                csv_columns(&format, bytes, &mut input).map_err(|reason| unusable(&reason))?;
            (format, columns)
        }
    };
    let name = match &command.name {
        Some(name) => name.clone(),
        None => draft::dataset_name(&location.name()),
    };
    let draft = Draft {
        bucket_location: command
            .location
            .clone()
            .unwrap_or_else(|| format!("s3://your-landing-bucket/{name}/")),
        name,
        format: &format,
        columns,
    };
    let draft = draft.to_string();
    output::print(|out| out.write_all(draft.as_bytes()))?;
    // A file can have columns that no table can, and --name and --location are anyone's.
    match landfall_contract::lint(&draft) {
        Ok(_) => Ok(Outcome::Accepted),
        Err(problems) => {
            output::complain(format_args!("the draft is no usable contract yet:\n{problems}"));
            Ok(Outcome::Rejected)
        }
    }
}

/// The part of the file that is looked at.
enum Sample {
    /// Parquet is read from its end, where its schema is.
    Parquet,
    /// The first bytes, decompressed; cut anywhere where there are more.
    Stream { bytes: Vec<u8>, is_whole: bool },
}

impl Sample {
    fn read(input: &mut Input<'_>) -> Result<Self, Failure> {
        let mut decompressor = Decompressor::new(Compression::Auto, Default::default());
        let mut sample = Vec::new();
        let mut first = true;
        let mut is_whole = true;
        let unusable = |fault: DecompressFault| Failure::Usage(fault.to_string());
        while let Some(mut chunk) = input.next_chunk()? {
            if std::mem::take(&mut first) && chunk.starts_with(b"PAR1") {
                return Ok(Self::Parquet);
            }
            while let Some(plain) = decompressor.next(&mut chunk).map_err(unusable)? {
                sample.extend_from_slice(plain);
            }
            if sample.len() > SAMPLE_BYTES {
                is_whole = false;
                break;
            }
        }
        if is_whole {
            while let Some(plain) = decompressor.finish().map_err(unusable)? {
                sample.extend_from_slice(plain);
            }
        }
        Ok(Self::Stream { bytes: sample, is_whole })
    }
}

fn is_json(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    matches!(text.first(), Some(b'{' | b'['))
}

/// Delimited text up to the end of its last whole record: a line may end within quotes. Where
/// quotes leave no end, the text up to the end of its last line.
fn whole_records(bytes: &[u8]) -> &[u8] {
    let mut quoted = false;
    let (mut record, mut line) = (None, None);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' => {
                line = Some(at);
                if !quoted {
                    record = Some(at);
                }
            }
            _ => {}
        }
    }
    record.or(line).and_then(|end| bytes.get(..=end)).unwrap_or(bytes)
}

/// The delimiter that splits the first line into the most fields. What is in quotes splits
/// nothing.
fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let unquoted: Vec<u8> =
        line.split(|byte| *byte == b'"').step_by(2).flatten().copied().collect();
    let count = |delimiter: u8| unquoted.iter().filter(|byte| **byte == delimiter).count();
    // The first of equals wins, and the comma comes first.
    let mut best = b',';
    for candidate in [b';', b'\t', b'|'] {
        if count(candidate) > count(best) {
            best = candidate;
        }
    }
    best
}

/// Columns of delimited text: types by their values, required where no value is missing.
fn csv_columns(
    format: &Format,
    bytes: &[u8],
    input: &mut Input<'_>,
) -> Result<Vec<DraftColumn>, String> {
    let failed = |failure: Failure| failure.to_string();
    let mut contract = asks_for_nothing().map_err(failed)?;
    let report = check(&contract, format, bytes, input).map_err(failed)?;
    if let Some(problem) = &report.problem {
        return Err(problem.message.clone());
    }
    let found: Vec<(String, FieldType)> = report
        .undeclared
        .iter()
        .map(|column| (column.name.clone(), column.inference.field_type()))
        .collect();
    contract.columns =
        found.iter().map(|(name, field_type)| required_column(name, *field_type)).collect();
    let report = check(&contract, format, bytes, input).map_err(failed)?;
    let with_nulls: Vec<&str> = report
        .totals
        .iter()
        .filter(|total| total.rule == Rule::Required)
        .filter_map(|total| total.column.as_deref())
        .collect();
    Ok(found
        .iter()
        .map(|(name, field_type)| DraftColumn {
            name: name.clone(),
            data_type: DataType::Primitive(*field_type),
            required: !with_nulls.contains(&name.as_str()),
        })
        .collect())
}

/// Columns of a file that states its schema.
fn stated_columns(report: &FileReport) -> Result<Vec<DraftColumn>, String> {
    match (&report.schema, &report.problem) {
        (Some(fields), _) => Ok(fields
            .iter()
            .map(|field| DraftColumn {
                name: field.name.clone(),
                // What no table of ours has is for a person to decide on.
                data_type: field
                    .data_type
                    .clone()
                    .unwrap_or(DataType::Primitive(FieldType::String)),
                required: field.required,
            })
            .collect()),
        (None, Some(problem)) => Err(problem.message.clone()),
        (None, None) => Err("it states no schema".to_owned()),
    }
}

/// Checks the sample, or the ranges of the file that the check asks for.
fn check(
    contract: &Contract,
    format: &Format,
    sample: &[u8],
    input: &mut Input<'_>,
) -> Result<FileReport, Failure> {
    let plan = CheckPlan { size: input.bytes(), ..CheckPlan::new(contract, format) };
    let mut check = FileCheck::new(plan).map_err(|error| Failure::Usage(error.to_string()))?;
    let sink = &mut ReportOnly;
    loop {
        match check.wants() {
            Wants::Nothing => break,
            Wants::Stream => {
                let Ok(()) = check.feed(sample, sink);
                break;
            }
            Wants::Ranges(ranges) => {
                let bytes = input.read_ranges(&ranges)?;
                let Ok(()) = check.supply(&ranges, bytes, sink);
            }
        }
    }
    let Ok(report) = check.finish(sink);
    Ok(report)
}

/// A contract without columns: every column of a file is undeclared then.
fn asks_for_nothing() -> Result<Contract, Failure> {
    const SMALLEST: &str = "{apiVersion: v3.1.0, kind: DataContract, id: sample, version: '1', \
         status: draft, servers: [{server: s, type: s3, location: 's3://sample/sample/', \
         format: csv}], schema: [{name: sample, properties: [{name: a, logicalType: string}]}]}";
    let mut contract = landfall_contract::parse(SMALLEST).map_err(|errors| Failure::Contract {
        path: "the draft".into(),
        problems: errors.to_string(),
    })?;
    contract.columns.clear();
    Ok(contract)
}

fn required_column(name: &str, field_type: FieldType) -> Column {
    Column {
        name: name.to_owned(),
        column_type: ColumnType::Primitive(field_type),
        required: true,
        unique: false,
        primary_key: None,
        sensitive: false,
        description: None,
        rules: Rules::default(),
        pointer: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_cut_after_a_whole_record() {
        assert_eq!(whole_records(b"a\n1\n2"), b"a\n1\n");
        assert_eq!(whole_records(b"a\n1\n\"two\nlines"), b"a\n1\n");
        assert_eq!(
            whole_records(b"a\n\"one \"\"and\"\"\ntwo\"\n3"),
            b"a\n\"one \"\"and\"\"\ntwo\"\n"
        );
        assert_eq!(whole_records(b"\"a\nb"), b"\"a\n");
        assert_eq!(whole_records(b"a"), b"a");
    }

    #[test]
    fn the_delimiter_that_splits_most_wins() {
        assert_eq!(delimiter(b"a,b;c\n"), b',');
        assert_eq!(delimiter(b"a;b;c\n1,2,3,4"), b';');
        assert_eq!(delimiter(b"a\tb"), b'\t');
        assert_eq!(delimiter(b""), b',');
        assert_eq!(delimiter(b"\"a;b;c\",d\n"), b',');
    }

    #[test]
    fn json_starts_with_a_brace_or_a_bracket() {
        assert!(is_json(b"\xEF\xBB\xBF \n{}") && is_json(b"[1]"));
        assert!(!is_json(b"a,b") && !is_json(b""));
    }
}
