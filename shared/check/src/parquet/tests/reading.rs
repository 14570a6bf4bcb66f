//! Values of every type, however they are written.

use super::*;

#[test]
fn every_type_has_its_name() {
    let outcome =
        check(&write(&every_type(), plain()), &contract(vec![column("none", FieldType::Long)]));
    assert_eq!(outcome.report.problem.unwrap().name, "File.UnknownHeader");
    let stated: Vec<String> = outcome
        .report
        .schema
        .unwrap()
        .into_iter()
        .map(|column| match column.data_type {
            Ok(data_type) => format!("{}: {data_type}", column.name),
            Err(name) => format!("{}: other {name}", column.name),
        })
        .collect();
    assert_eq!(
        stated,
        [
            "flag: boolean",
            "tiny: int",
            "small: int",
            "int: int",
            "unsigned: long",
            "long: long",
            "wide: decimal(20,0)",
            "float: float",
            "double: double",
            "narrow_decimal: decimal(8,2)",
            "decimal: decimal(30,3)",
            "date: date",
            "time: time",
            "ms: timestamp",
            "us: timestamptz",
            "ns: timestamp",
            "text: string",
            "lists: list<int>",
            "maps: map<string, int>",
            "structs: struct<x: long, y: string>",
            "deep: list<struct<n: string, m: list<int>>>",
            "blob: other binary",
            "fixed: other fixed(16)",
        ]
    );
}

/// The row as it should be read, without the column `ns`.
fn expected(row: i64) -> String {
    use Value::{
        Boolean, Date, Decimal, Double, Float, Int, List, Long, Map, Null, Str, Struct, Time,
        Timestamp, TimestampTz,
    };
    let number = |value: fn(i64) -> Value<'static>| if row % 9 == 0 { Null } else { value(row) };
    let item = |item: i64| if item == 2 { Null } else { Int(item as i32) };
    let list = match row % 4 {
        0 => Null,
        1 => List(vec![]),
        _ => List((0..row % 5).map(item).collect()),
    };
    let keys: Vec<String> = (0..3).map(|entry| format!("k{entry}")).collect();
    let entry = |entry: i64| {
        let value = if entry == 1 { Null } else { Int(row as i32) };
        (Str(&keys[entry as usize]), value)
    };
    let map = if row % 10 == 0 { Null } else { Map((0..row % 3).map(entry).collect()) };
    let text = format!("text {row} é");
    let x = if row % 3 == 0 { Null } else { Long(row) };
    let structure = if row % 7 == 0 { Null } else { Struct(vec![x, Str(&text)]) };
    let names: Vec<String> = (0..3).map(|item| format!("d{row}.{item}")).collect();
    let deep = |item: i64| {
        let count = (row + item) % 4;
        let numbers = List((0..count).map(|number| Int(number as i32)).collect());
        let numbers = if count == 3 { Null } else { numbers };
        Struct(vec![Str(&names[item as usize]), numbers])
    };
    let values = vec![
        Boolean(row % 2 == 0),
        Int(row as i32),
        Int(row as i32),
        Int(row as i32 - 50),
        Long(i64::from(u32::MAX) - row),
        number(Long),
        Decimal(i128::from(u64::MAX) - i128::from(row)),
        Float(row as f32 / 4.0),
        Double(row as f64 / 8.0),
        number(|row| Decimal(i128::from(row))),
        Decimal(5 - i128::from(row)),
        Date(row as i32),
        Time(row),
        number(|row| Timestamp(row * 1_000)),
        number(TimestampTz),
        Str(&text),
        list,
        map,
        structure,
        List((0..row % 3).map(deep).collect()),
    ];
    format!("{values:?}")
}

#[test]
fn every_type_is_read_whatever_the_pages_look_like() {
    let batch = every_type();
    let expected: Vec<String> = (0..100).map(expected).collect();
    let mut contract = own(&write(&batch, plain()));
    contract.columns.retain(|column| column.name != "ns");
    for (way, properties) in ways().into_iter().enumerate() {
        let file = write(&batch, properties);
        for windows in [Windows::default(), SMALL] {
            let (rows, outcome) = load(&file, &contract, windows);
            assert_eq!(outcome.report.problem, None, "way {way}");
            assert_eq!(outcome.report.bad_rows, 0, "way {way}");
            assert!(rows == expected, "way {way}: {}", rows[0]);
        }
    }
}

#[test]
fn encodings_other_than_the_common_ones() {
    let batch = id_and_price(500);
    let contract = own(&write(&batch, plain()));
    let (expected, _) = load(&write(&batch, plain()), &contract, SMALL);
    for (column, encoding) in [
        ("id", Encoding::DELTA_BINARY_PACKED),
        ("id", Encoding::BYTE_STREAM_SPLIT),
        ("name", Encoding::DELTA_BYTE_ARRAY),
        ("name", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("price", Encoding::BYTE_STREAM_SPLIT),
    ] {
        let properties = plain()
            .set_dictionary_enabled(false)
            .set_column_encoding(column.into(), encoding)
            .set_data_page_row_count_limit(100);
        let (rows, outcome) = load(&write(&batch, properties), &contract, SMALL);
        assert_eq!(outcome.report.problem, None);
        assert!(rows == expected, "{column} {encoding}");
    }
}

#[test]
fn nanoseconds_are_whole_microseconds_or_bad() {
    let file = write(&every_type(), plain());
    let contract = contract(vec![column("ns", FieldType::Timestamp)]);
    let outcome = check(&file, &contract);
    // 250 ns apart: one of four is whole.
    assert_eq!((outcome.report.rows, outcome.report.bad_rows), (100, 75));
    assert_eq!(outcome.report.totals[0].rule, Rule::Type);
    assert_eq!(
        outcome.report.first_bad_rows[0].message,
        "\"250 nanoseconds since 1970\" cannot be stored as a timestamp"
    );
    assert_eq!(outcome.report.first_bad_rows[0].line, None);
}

#[test]
fn types_are_widened_and_others_are_drift() {
    let file = write(&id_and_price(3), plain());
    let of =
        |field_type| contract(vec![column("id", field_type), column("name", FieldType::String)]);
    let (rows, _) = load(&file, &of(decimal(21, 1)), Windows::default());
    assert_eq!(rows[2], "[Decimal(20), Str(\"name 2\")]");
    for other in [FieldType::String, FieldType::Double, FieldType::Date, decimal(18, 0)] {
        let outcome = check(&file, &of(other));
        assert_eq!((outcome.report.rows, outcome.report.problem.clone()), (0, None), "{other}");
        assert_eq!(outcome.ranges.len(), 1);
        assert_eq!(outcome.report.schema.unwrap().len(), 3);
    }
    // A long may be an int, value by value; here the statistics say that all are.
    let outcome = check(&file, &of(FieldType::Int));
    assert_eq!((outcome.report.rows, outcome.report.bad_rows, outcome.ranges.len()), (3, 0, 1));
}

/// Values of a leaf as the file has them.
enum Stored {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<[u32; 3]>),
    Bytes(Vec<&'static [u8]>),
    Fixed(Vec<Vec<u8>>),
}

/// A file of one row group by its schema, and per leaf its values, definition levels and
/// repetition levels.
fn low_level(schema: &str, leaves: &[(Stored, &[i16], &[i16])]) -> Vec<u8> {
    use parquet::data_type::{
        ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
        Int96, Int96Type,
    };
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (values, definitions, repetitions) in leaves {
        let mut column = group.next_column().unwrap().unwrap();
        let definitions = (!definitions.is_empty()).then_some(*definitions);
        let repetitions = (!repetitions.is_empty()).then_some(*repetitions);
        match values {
            Stored::Int32(values) => {
                column.typed::<Int32Type>().write_batch(values, definitions, repetitions)
            }
            Stored::Int64(values) => {
                column.typed::<Int64Type>().write_batch(values, definitions, repetitions)
            }
            Stored::Int96(values) => {
                let values: Vec<Int96> = values.iter().map(|v| Int96::from(v.to_vec())).collect();
                column.typed::<Int96Type>().write_batch(&values, definitions, repetitions)
            }
            Stored::Bytes(values) => {
                let values: Vec<ByteArray> = values.iter().map(|v| ByteArray::from(*v)).collect();
                column.typed::<ByteArrayType>().write_batch(&values, definitions, repetitions)
            }
            Stored::Fixed(values) => {
                let fixed = |v: &Vec<u8>| FixedLenByteArray::from(ByteArray::from(v.clone()));
                let values: Vec<FixedLenByteArray> = values.iter().map(fixed).collect();
                let column = column.typed::<FixedLenByteArrayType>();
                column.write_batch(&values, definitions, repetitions)
            }
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    file
}

#[test]
fn types_that_only_other_writers_use() {
    let nanos = |nanos: u64, day: u32| [nanos as u32, (nanos >> 32) as u32, day];
    let file = low_level(
        "message m {
            required int96 at;
            required fixed_len_byte_array(16) id (UUID);
            required fixed_len_byte_array(2) half (FLOAT16);
            required binary state (ENUM);
            required binary document (JSON);
            required binary amount (DECIMAL(9,2));
            required fixed_len_byte_array(5) total (DECIMAL(10,1));
            required int64 amount64 (DECIMAL(18,4));
            required int32 at_ms (TIME(MILLIS,true));
            required int64 legacy (TIMESTAMP_MILLIS);
        }",
        &[
            (
                Stored::Int96(vec![
                    nanos(1_000, 2_440_588),
                    // The last day of the year 9999, which nanoseconds since 1970 cannot count.
                    nanos(86_399_999_999_000, 5_373_484),
                    nanos(1, 2_440_588),
                ]),
                &[],
                &[],
            ),
            (Stored::Fixed((0..3).map(|n| vec![n; 16]).collect()), &[], &[]),
            (Stored::Fixed(vec![vec![0x00, 0x3C], vec![0x01, 0x00], vec![0x00, 0xFC]]), &[], &[]),
            (Stored::Bytes(vec![b"OPEN", b"DONE", b"\xE9"]), &[], &[]),
            (Stored::Bytes(vec![b"{}", b"[1]", b"null"]), &[], &[]),
            (Stored::Bytes(vec![b"\x01\x00", b"\xFF", b""]), &[], &[]),
            (Stored::Fixed(vec![vec![0, 0, 0, 0, 1], vec![255; 5], vec![0; 5]]), &[], &[]),
            (Stored::Int64(vec![1, -2, 3]), &[], &[]),
            (Stored::Int32(vec![1, 2, 86_400_000]), &[], &[]),
            (Stored::Int64(vec![1, -2, i64::MAX]), &[], &[]),
        ],
    );
    let contract = own(&file);
    let types: Vec<String> =
        contract.columns.iter().map(|column| column.data_type().to_string()).collect();
    assert_eq!(
        types,
        [
            "timestamp",
            "uuid",
            "float",
            "string",
            "string",
            "decimal(9,2)",
            "decimal(10,1)",
            "decimal(18,4)",
            "time",
            "timestamptz"
        ]
    );
    let (rows, outcome) = load(&file, &contract, Windows::default());
    assert_eq!(
        rows,
        [
            "[Timestamp(1), Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Float(1.0), \
             Str(\"OPEN\"), Str(\"{}\"), Decimal(256), Decimal(1), Decimal(1), Time(1000), \
             TimestampTz(1000)]",
            "[Timestamp(253402300799999999), \
             Uuid([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), Float(5.9604645e-8), \
             Str(\"DONE\"), Str(\"[1]\"), Decimal(-1), Decimal(-1), Decimal(-2), Time(2000), \
             TimestampTz(-2000)]",
        ]
    );
    let bad: Vec<(String, String)> =
        outcome.bad().into_iter().map(|(_, column, rule)| (column, rule)).collect();
    let columns = ["at", "state", "at_ms", "legacy"];
    assert_eq!(bad, columns.map(|column| (column.to_owned(), "type".to_owned())));
}

#[test]
fn lists_and_maps_as_older_writers_have_them() {
    let levels: (&[i16], &[i16]) = (&[1, 1, 0, 1], &[0, 1, 0, 0]);
    let numbers = || Stored::Int32(vec![1, 2, 3]);
    let (definitions, repetitions) = levels;
    let file = low_level(
        "message m {
            repeated int32 bare;
            required group two_levels (LIST) { repeated int32 element; }
            required group tuple (LIST) { repeated group tuple_tuple { required int32 a; } }
            required group array (LIST) { repeated group array { required int32 a; } }
            required group pair (LIST) {
                repeated group list { required int32 a; required int32 b; }
            }
            required group of_bag (LIST) { repeated group bag { required int32 array_element; } }
            required group map (MAP_KEY_VALUE) {
                repeated group map { required int32 key; required int32 value; }
            }
            repeated group records { required int32 a; }
        }",
        &[
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
            (numbers(), definitions, repetitions),
        ],
    );
    let contract = own(&file);
    let types: Vec<String> =
        contract.columns.iter().map(|column| column.data_type().to_string()).collect();
    assert_eq!(
        types,
        [
            "list<int>",
            "list<int>",
            "list<struct<a: int>>",
            "list<struct<a: int>>",
            "list<struct<a: int, b: int>>",
            "list<int>",
            "map<int, int>",
            "list<struct<a: int>>",
        ]
    );
    let (rows, outcome) = load(&file, &contract, SMALL);
    assert_eq!(outcome.report.problem, None);
    assert_eq!(
        rows[0],
        "[List([Int(1), Int(2)]), List([Int(1), Int(2)]), \
         List([Struct([Int(1)]), Struct([Int(2)])]), \
         List([Struct([Int(1)]), Struct([Int(2)])]), \
         List([Struct([Int(1), Int(1)]), Struct([Int(2), Int(2)])]), \
         List([Int(1), Int(2)]), Map([(Int(1), Int(1)), (Int(2), Int(2))]), \
         List([Struct([Int(1)]), Struct([Int(2)])])]"
    );
    assert_eq!(
        rows[1],
        "[List([]), List([]), List([]), List([]), List([]), List([]), Map([]), List([])]"
    );
    assert_eq!(rows.len(), 3);
}

#[test]
fn a_large_row_group_is_read_in_windows() {
    let properties = plain()
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(100)
        .set_dictionary_page_size_limit(500);
    let file = Bytes::from(write(&id_and_price(20_000), properties));
    let contract = own(&file);
    let (expected, _) = load(&file, &contract, Windows::default());
    let output: Vec<OutputColumn> = contract
        .columns
        .iter()
        .map(|c| OutputColumn { name: c.name.clone(), data_type: c.data_type() })
        .collect();
    let mut plan = CheckPlan::new(&contract, &Format::Parquet);
    plan.output = &output;
    let mut check = ParquetFile::new(file.len() as u64, Judge::new(plan).unwrap());
    check.windows = Windows { bytes: 30_000, least: 1_000 };
    let (mut steps, mut read) = (0, 0);
    let mut kept = Kept::default();
    loop {
        let ranges = check.wanted();
        if ranges.is_empty() {
            break;
        }
        let size: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        steps += 1;
        if steps > 1 {
            read += size;
            // What is asked for between two windows of neighbours is read along.
            assert!(size <= 30_000 + 64 * 1024, "{size} bytes at once");
        }
        let bytes = ranges.iter().map(slice(&file)).collect();
        let Ok(()) = check.supply(&ranges, bytes, &mut kept);
    }
    let Ok(report) = check.finish(&mut kept);
    assert_eq!((report.problem, report.rows), (None, 20_000));
    assert!(kept.good == expected);
    assert!(steps > 10, "{steps} steps");
    assert!(read <= file.len() as u64 * 2, "{read} of {} bytes", file.len());
}

#[test]
fn types_that_no_table_has_are_named() {
    let schema = Arc::new(
        parse_message_type(
            "message m {
                required binary document (BSON);
                required fixed_len_byte_array(12) pause (INTERVAL);
                required binary huge (DECIMAL(50,3));
                optional group list (LIST) { repeated group list { optional binary element; } }
                required group set (MAP) { repeated group key_value { required binary key (UTF8); } }
                required group tree (MAP) {
                    repeated group key_value {
                        required group key { required int32 a; }
                        optional int32 value;
                    }
                }
                required group deep { optional group inner { required binary raw; } }
                required binary raw;
                required int32 none (UNKNOWN);
            }",
        )
        .unwrap(),
    );
    let mut file = Vec::new();
    let writer = SerializedFileWriter::new(&mut file, schema, Default::default()).unwrap();
    writer.close().unwrap();
    let outcome = check(&file, &contract(vec![column("none", FieldType::Int)]));
    let name = |column: &FileSchemaColumn| column.data_type.clone().unwrap_err();
    let names: Vec<String> = outcome.report.schema.unwrap().iter().map(name).collect();
    assert_eq!(
        names,
        [
            "bson",
            "interval",
            "decimal(50,3)",
            "list<binary>",
            "map without values",
            "map with nested keys",
            "struct<inner: struct<raw: binary>>",
            "binary",
            "null",
        ]
    );
    // A column of nulls only is no column of any type.
    assert_eq!((outcome.report.rows, outcome.report.problem), (0, None));
}
