//! Parquet files whose values are not what their schema says: the check takes their word, and the
//! load finds out.

use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;

/// Two rows with a name each.
fn file_of(names: [&[u8]; 2]) -> Vec<u8> {
    let schema = "message m { required int64 id; required binary name (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut ids = group.next_column().unwrap().unwrap();
    ids.typed::<Int64Type>().write_batch(&[1, 2], None, None).unwrap();
    ids.close().unwrap();
    let mut texts = group.next_column().unwrap().unwrap();
    let names = names.map(|name| ByteArray::from(name.to_vec()));
    texts.typed::<ByteArrayType>().write_batch(&names, None, None).unwrap();
    texts.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    file
}

#[tokio::test]
async fn a_text_that_is_not_utf8_is_named_when_the_file_is_loaded() {
    let parquet = CONTRACT
        .replace("format: csv", "format: parquet")
        .replace("        logicalTypeOptions: { maxLength: 5 }\n", "");
    let quarantine = "customProperties:\n  - { property: onBadRows, value: quarantine }\n";
    for contract in [parquet.clone(), format!("{parquet}{quarantine}")] {
        let world = World::with_contract(&contract);
        let bad = world.file("bad", file_of([b"n1", b"n\xFF"])).await;
        let mut task = world.task("one", &[&bad]);
        task.bad_rows = vec![0];
        let error = task.append().await.unwrap_err();
        assert_eq!(error.name(), "Object.NotAsChecked");
        let message = error.to_string();
        for part in [
            "the check found 0 bad rows and the load 1",
            "record 2, name: ",
            "the file's values are not what its own schema or statistics say",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!((world.rows(), world.orphans()), (Vec::new(), Vec::new()));

        let good = world.file("good", file_of([b"n1", b"n2"])).await;
        let mut task = world.task("two", &[&good]);
        task.bad_rows = vec![0];
        task.commits(2).await;
    }
}
