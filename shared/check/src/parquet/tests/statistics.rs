//! What the footer proves, and how little is read.

use super::*;

#[test]
fn a_file_that_the_footer_proves_is_read_once() {
    let file = write(&id_and_price(1_000), plain());
    let outcome = check(&file, &orders());
    assert_eq!(outcome.report.problem, None);
    assert_eq!((outcome.report.rows, outcome.report.loadable_rows), (1_000, 1_000));
    assert_eq!(outcome.ranges.len(), 1);
    assert_eq!(outcome.report.header.as_deref().unwrap(), ["id", "price", "name"]);
    let schema = outcome.report.schema.unwrap();
    assert_eq!(schema[1].data_type, Ok(DataType::Primitive(decimal(12, 2))));
    assert!(!schema[1].required);
}

#[test]
fn values_are_read_where_the_footer_proves_nothing() {
    let mut contract = orders();
    let read = |contract: &Contract| {
        let file = write(&id_and_price(1_000), plain().set_max_row_group_row_count(Some(300)));
        let outcome = check(&file, contract);
        assert_eq!(outcome.report.rows, 1_000);
        (outcome.ranges.len() - 1, outcome.report.bad_rows)
    };
    assert_eq!(read(&contract), (0, 0));
    contract.columns[1].rules.maximum = Some(Bound { text: "99.89".into(), exclusive: false });
    assert_eq!(read(&contract), (4, 1), "one range of one column for each row group");
    contract.columns[1].rules.maximum = None;
    contract.columns[2].rules.max_length = Some(7);
    assert_eq!(read(&contract), (4, 900));
    contract.columns[2].rules.max_length = None;
    contract.keys.push(UniqueKey {
        columns: vec!["id".into()],
        origin: KeyOrigin::Unique,
        pointer: String::new(),
    });
    assert_eq!(read(&contract), (4, 0));
}

#[test]
fn nulls_are_proven_absent_by_counts_or_found() {
    let with_null = |at: usize| {
        let ids = (0..100).map(|id| (id != at).then_some(id as i64));
        batch(vec![("id", Arc::new(Int64Array::from_iter(ids)) as ArrayRef)])
    };
    let mut contract = contract(vec![column("id", FieldType::Long)]);
    contract.columns[0].required = true;
    let outcome = check(&write(&with_null(1_000), plain()), &contract);
    assert_eq!((outcome.ranges.len(), outcome.report.bad_rows), (1, 0));
    let outcome = check(&write(&with_null(41), plain()), &contract);
    assert_eq!(outcome.bad(), [(42, "id".into(), "required".into())]);
    // Without statistics the values are read.
    let silent = plain().set_statistics_enabled(EnabledStatistics::None);
    let outcome = check(&write(&with_null(1_000), silent), &contract);
    assert_eq!((outcome.ranges.len(), outcome.report.bad_rows, outcome.report.rows), (2, 0, 100));
    // A column that the file itself requires needs none.
    let schema = Schema::new(vec![Field::new("id", ArrowType::Int64, false)]);
    let required =
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from(vec![1, 2]))]);
    let silent = plain().set_statistics_enabled(EnabledStatistics::None);
    let outcome = check(&write(&required.unwrap(), silent), &contract);
    assert_eq!((outcome.ranges.len(), outcome.report.rows), (1, 2));
}

/// A large object of which only the footer is there.
struct Sparse {
    footer: Vec<u8>,
    size: u64,
}

/// A footer like that of a real file, with every chunk so many times as large.
fn sparse(file: &[u8], times: u64) -> Sparse {
    let footer = with_footer(file, |path, number| match path {
        [4, 1, 3, 6 | 7 | 9 | 11] => number * times as i64,
        _ => number,
    });
    let start = footer_of(file).start;
    let footer = footer[start as usize..].to_vec();
    Sparse { size: start * times + footer.len() as u64, footer }
}

impl Sparse {
    fn check(&self, contract: &Contract) -> Outcome {
        let plan = CheckPlan::new(contract, &Format::Parquet);
        let start = self.size - self.footer.len() as u64;
        let bytes = |range: &Range<u64>| {
            assert!(range.end > start, "values are read: {range:?}");
            let zeros = start.saturating_sub(range.start) as usize;
            let from = range.start.saturating_sub(start) as usize;
            let mut bytes = vec![0; zeros];
            bytes.extend_from_slice(&self.footer[from..(range.end - start) as usize]);
            Bytes::from(bytes)
        };
        drive(ParquetFile::new(self.size, Judge::new(plan).unwrap()), bytes, &mut ReportOnly)
    }
}

#[test]
fn a_file_of_ten_gigabytes_takes_three_reads_and_a_megabyte_at_most() {
    // 40 row groups of 20 columns, as a job writes them.
    let column_names: Vec<String> = (0..20).map(|n| format!("column_{n:02}")).collect();
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4_000));
    let columns = column_names.iter().map(|name| (name.as_str(), values.clone()));
    let file = write(
        &batch(columns.collect()),
        plain()
            .set_max_row_group_row_count(Some(100))
            .set_dictionary_enabled(false)
            .set_compression(Compression::UNCOMPRESSED),
    );
    let mut columns: Vec<ContractColumn> =
        column_names.iter().map(|name| column(name, FieldType::Long)).collect();
    for column in &mut columns {
        column.required = true;
        column.rules.minimum = Some(Bound { text: "0".into(), exclusive: false });
    }
    let contract = contract(columns);
    let sparse = sparse(&file, 16_000);
    assert!(sparse.size > 10 << 30, "{} bytes", sparse.size);
    let outcome = sparse.check(&contract);
    assert_eq!(outcome.report.problem, None);
    assert_eq!((outcome.report.rows, outcome.report.loadable_rows), (4_000, 4_000));
    assert!(outcome.ranges.len() <= 3, "{:?}", outcome.ranges);
    assert!(outcome.read() <= 1 << 20, "{} bytes", outcome.read());
}

#[test]
fn a_footer_that_is_larger_than_the_first_read_is_read_with_a_second() {
    let key = |n: usize| parquet::file::metadata::KeyValue {
        key: format!("key {n}"),
        value: Some("v".repeat(1_000)),
    };
    let properties = plain().set_key_value_metadata(Some((0..700).map(key).collect()));
    let file = write(&id_and_price(50_000), properties);
    let outcome = check(&file, &orders());
    assert_eq!((outcome.report.problem.clone(), outcome.report.rows), (None, 50_000));
    assert_eq!(outcome.ranges.len(), 2);
    assert_eq!(outcome.ranges[0].start, outcome.ranges[1].end);
    assert!(outcome.read() <= 1 << 20);
}
