//! Which engine the check chooses, and when there is none.

use super::*;

#[tokio::test]
async fn files_beyond_the_lambda_engine_go_to_glue() {
    let fixture = Fixture::new(&[("onDrift", "review")]);
    let small = fixture.put("orders/small.csv", "id,note\n1,a\n");
    let rows = "1,a,b\n".repeat(200);
    let large = fixture.put("orders/large.csv", format!("id,note,new\n{rows}"));
    let output = fixture.check(vec![small, large]).await.unwrap();
    assert_eq!(output.engine.engine, Engine::Lambda);
    assert_eq!(output.engine_if_approved.engine, Engine::Glue);
    assert!(output.engine_if_approved.reason.starts_with("2 files, 1.2 KiB: more than"));
}

impl Fixture {
    /// The contract has one more column.
    fn add_column(&self, column: &str) {
        let mut shared = self.s3.lock().unwrap();
        let contract = shared.objects.get_mut("config/contracts/orders.yaml").unwrap();
        let text = String::from_utf8(contract.clone()).unwrap();
        let (before, after) = text.split_once("      - name: note").unwrap();
        *contract = format!("{before}      - {column}\n      - name: note{after}").into_bytes();
    }
}

#[tokio::test]
async fn times_of_day_stay_with_the_lambda_engine() {
    let fixture = Fixture::new(&[("engine", "glue")]);
    fixture.add_column("{ name: clock, logicalType: time }");
    let object = fixture.put("orders/a.csv", "id,clock,note\n1,08:00:00,a\n");
    let engine = fixture.check(vec![object]).await.unwrap().engine;
    assert_eq!(engine.engine, Engine::Lambda);
    assert!(engine.reason.contains("the column clock has a time of day"), "{}", engine.reason);
}

#[tokio::test]
async fn a_file_that_no_engine_loads_is_refused_by_name() {
    let fixture = Fixture::new(&[("onDrift", "review")]);
    fixture.add_column("{ name: clock, logicalType: time }");
    let rows = "1,,a\n".repeat(300);
    let large = fixture.put("orders/large.csv", format!("id,clock,note\n{rows}"));
    let small = fixture.put("orders/small.csv", "id,clock,note\n1,,a\n");
    // What is refused anyway needs no engine.
    let bad = fixture.put("orders/bad.csv", format!("id,clock,note\nx,,a\n{rows}"));
    let output = fixture.check(vec![large, small, bad]).await.unwrap();
    assert_eq!((output.accepted, output.rejected), (vec![1], vec![0, 2]));
    assert_eq!((output.rows, output.engine.engine), (1, Engine::Lambda));
    assert_eq!(output.objects[0].reason.as_deref(), Some("Engine.NoneFits"));
    let words = &output.objects[0].message;
    for part in [
        "no engine loads the file: 1 file, ",
        "the column clock has a time of day",
        "Upload smaller files",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(output.objects[2].reason.as_deref(), Some("File.BadRows"));
}

#[tokio::test]
async fn of_files_that_are_too_many_together_the_largest_are_refused() {
    let fixture = Fixture::new(&[]);
    fixture.add_column("{ name: clock, logicalType: time }");
    let put =
        |key: &str, rows| fixture.put(key, format!("id,clock,note\n{}", "1,,a\n".repeat(rows)));
    let objects = vec![put("orders/a", 60), put("orders/b", 120), put("orders/c", 100)];
    let output = fixture.check(objects).await.unwrap();
    assert_eq!((output.accepted, output.rejected), (vec![0, 2], vec![1]));
    assert_eq!((output.rows, output.engine.engine), (160, Engine::Lambda));
    assert_eq!(output.engine.workload.unwrap().objects, 2);
    let words = &output.objects[1].message;
    assert!(words.contains("with the others of its batch: 3 files, 1.4 KiB"), "{words}");
}

#[tokio::test]
async fn no_accepted_file_is_refused_for_one_that_waits() {
    let fixture = Fixture::new(&[("onDrift", "review")]);
    fixture.add_column("{ name: clock, logicalType: time }");
    let put = |key: &str, header: &str, row: &str, rows| {
        fixture.put(key, format!("{header}\n{}", row.repeat(rows)))
    };
    let objects = vec![
        put("orders/large", "id,clock,note", "1,,a\n", 150),
        put("orders/waits", "id,clock,note,new", "1,,a,b\n", 10),
        put("orders/waits-too", "id,clock,note,new", "1,,a,b\n", 100),
    ];
    let output = fixture.check(objects).await.unwrap();
    assert_eq!((output.accepted, output.review, output.rejected), (vec![0], vec![1], vec![2]));
    assert_eq!(output.engine_if_approved.workload.unwrap().objects, 2);
    assert_eq!(output.objects[2].reason.as_deref(), Some("Engine.NoneFits"));
    assert_eq!(output.objects[1].reason.as_deref(), Some("Schema.ColumnAdded"));
}

/// A number as Avro writes it (<https://avro.apache.org/docs/1.11.1/specification/#primitive-types>).
fn long(number: usize) -> Vec<u8> {
    let (mut left, mut bytes) = (number << 1, Vec::new());
    while left > 0x7f {
        bytes.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

/// An Avro file of rows of zeros: an `id`, and these other fields.
fn avro(others: &[(&str, &str)], rows: usize) -> Vec<u8> {
    let field = |name: &str, type_: &str| format!(r#"{{"name":"{name}","type":{type_}}}"#);
    let fields = std::iter::once(field("id", r#""long""#))
        .chain(others.iter().map(|(name, type_)| field(name, type_)))
        .collect::<Vec<_>>();
    let schema = format!(r#"{{"type":"record","name":"r","fields":[{}]}}"#, fields.join(","));
    let data = vec![0; rows * fields.len()];
    let sync = [7; 16];
    [
        b"Obj\x01".to_vec(),
        long(1),
        [long(11), b"avro.schema".to_vec()].concat(),
        [long(schema.len()), schema.into_bytes()].concat(),
        long(0),
        sync.to_vec(),
        [long(rows), long(data.len()), data].concat(),
        sync.to_vec(),
    ]
    .concat()
}

const TIME: &str = r#"{"type":"int","logicalType":"time-millis"}"#;

impl Fixture {
    /// The contract's files are Avro.
    fn of_avro(self) -> Self {
        {
            let mut shared = self.s3.lock().unwrap();
            let contract = shared.objects.get_mut("config/contracts/orders.yaml").unwrap();
            let text = String::from_utf8(contract.clone()).unwrap();
            *contract = text.replace("format: csv", "format: avro").into_bytes();
        }
        self
    }
}

#[tokio::test]
async fn the_file_that_brings_a_time_of_day_gives_way_to_those_that_need_glue() {
    let fixture = Fixture::new(&[("onDrift", "evolve")]).of_avro();
    let large = fixture.put("orders/large.avro", avro(&[], 2000));
    let brings = fixture.put("orders/brings.avro", avro(&[("clock", TIME)], 1));
    let output = fixture.check(vec![large, brings.clone()]).await.unwrap();
    assert_eq!((output.accepted, output.rejected), (vec![0], vec![1]));
    assert_eq!(output.engine.engine, Engine::Glue);
    assert_eq!(output.objects[1].reason.as_deref(), Some("Engine.NoneFits"));
    assert!(output.additions.is_empty(), "{:?}", output.additions);

    let output = fixture.check(vec![brings]).await.unwrap();
    assert_eq!((output.accepted, output.engine.engine), (vec![0], Engine::Lambda));
    assert_eq!(output.additions[0].field_type, "time");
}
