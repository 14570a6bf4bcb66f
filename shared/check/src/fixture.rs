//! Contracts and columns for tests.

#![allow(clippy::unwrap_used)]

use landfall_contract::{
    Column, ColumnType, Contract, CsvFormat, Destination, FieldType, Format, KeyOrigin, Policy,
    Rules, UniqueKey,
};

use crate::file::FileCheck;
use crate::keys::SeenKeys;
use crate::plan::{CheckPlan, Options};
use crate::report::FileReport;
use crate::sink::ReportOnly;

/// An optional column without rules.
pub(crate) fn column(name: &str, field_type: FieldType) -> Column {
    Column {
        name: name.into(),
        column_type: ColumnType::Primitive(field_type),
        required: false,
        unique: false,
        primary_key: None,
        sensitive: false,
        description: None,
        rules: Rules::default(),
        pointer: format!("/schema/0/properties/{name}"),
    }
}

/// A contract of these columns, with the default policy.
pub(crate) fn contract(columns: Vec<Column>) -> Contract {
    Contract {
        id: "test".into(),
        version: "1.0.0".into(),
        dataset: "orders".into(),
        sources: Vec::new(),
        destination: Destination { database: None, table: "orders".into() },
        snowflake: None,
        columns,
        partition: Vec::new(),
        keys: Vec::new(),
        metrics: Vec::new(),
        policy: Policy::default(),
        not_enforced: Vec::new(),
    }
}

/// A key over these columns.
pub(crate) fn key(columns: &[&str], origin: KeyOrigin) -> UniqueKey {
    UniqueKey {
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        origin,
        pointer: "/schema/0".into(),
    }
}

/// The report on a file of delimited text with a header, held against the contract in chunks
/// of two sizes.
pub(crate) fn check_csv(contract: &Contract, keys: &SeenKeys, text: &str) -> FileReport {
    check_csv_within(contract, keys, Options::default(), text)
}

/// The same within bounds.
pub(crate) fn check_csv_within(
    contract: &Contract,
    keys: &SeenKeys,
    options: Options,
    text: &str,
) -> FileReport {
    let format = Format::Csv(CsvFormat::default());
    let report = |size: usize| {
        let plan = CheckPlan { keys: keys.clone(), options, ..CheckPlan::new(contract, &format) };
        let mut check = FileCheck::new(plan).unwrap();
        for chunk in text.as_bytes().chunks(size) {
            let Ok(()) = check.feed(chunk, &mut ReportOnly);
        }
        let Ok(report) = check.finish(&mut ReportOnly);
        report
    };
    let whole = report(1 << 20);
    assert_eq!(report(7), whole);
    whole
}
