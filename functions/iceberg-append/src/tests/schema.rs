//! How a table's schema comes about and changes: nested columns, and who may be null.

use arrow_array::RecordBatch;
use arrow_array::types::Decimal128Type;
use iceberg::arrow::schema_to_arrow_schema;
use landfall_check::Value;
use landfall_contract::{Column, ColumnType, Contract, FieldType, MapEntry};
use landfall_lake::DataFileWriter;
use landfall_messages::TableIdentity;

use super::*;
use crate::load::output_columns;
use crate::rows::RowBuffer;

fn column(like: &Column, name: &str, column_type: ColumnType, required: bool) -> Column {
    Column { name: name.into(), column_type, required, ..like.clone() }
}

/// `id!`, `address {city!}`, `items [{sku!, price}!]`, `counts {string > int}`, where `!` is
/// required; with a longer price and `address.zip` in the later version.
fn contract_of(base: &Contract, later: bool) -> Contract {
    let like = &base.columns[1];
    let of = |name: &str, field_type, required| {
        column(like, name, ColumnType::Primitive(field_type), required)
    };
    let mut address = vec![of("city", FieldType::String, true)];
    if later {
        address.insert(0, of("zip", FieldType::String, false));
    }
    let precision = if later { 12 } else { 9 };
    let price = FieldType::Decimal { precision, scale: 2 };
    let item = vec![of("sku", FieldType::String, true), of("price", price, false)];
    let item = column(like, "element", ColumnType::Struct(item), true);
    let counts = ColumnType::Map(Box::new(MapEntry {
        key: of("key", FieldType::String, true),
        value: of("value", FieldType::Int, false),
    }));
    Contract {
        columns: vec![
            of("id", FieldType::Long, true),
            column(like, "address", ColumnType::Struct(address), false),
            column(like, "items", ColumnType::List(Box::new(item)), false),
            column(like, "counts", counts, false),
        ],
        ..base.clone()
    }
}

async fn write(world: &World, identity: &TableIdentity, batch_id: &str, row: &[Value<'_>]) {
    let lake = &world.deps.lake;
    let loaded = lake.load(identity).await.unwrap().unwrap();
    let mut writer = DataFileWriter::new(lake, &loaded, batch_id).unwrap();
    let output = output_columns(&loaded.table_schema().unwrap());
    let mut rows = RowBuffer::new(writer.arrow_schema(), &output);
    rows.push(row).unwrap();
    for part in writer.split(rows.take().unwrap()).unwrap() {
        writer.write(part).await.unwrap();
    }
    let written = writer.close().await.unwrap();
    let marker = Marker { batch_id: batch_id.into(), objects: Vec::new() };
    let outcome = lake.commit_append(&loaded, written.files, &marker).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(Some(_))), "{outcome:?}");
}

/// The rows of the table's data files, each with the file's own schema.
fn batches(world: &World) -> Vec<RecordBatch> {
    let metadata = world.metadata();
    let snapshot = metadata.current_snapshot().unwrap();
    let mut batches = Vec::new();
    for path in world.files_of(&metadata, snapshot) {
        if path.ends_with(".parquet") {
            let bytes = world.s3.get(&path).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
            batches.extend(reader.build().unwrap().map(Result::unwrap));
        }
    }
    batches.sort_by_key(|batch| batch.column(0).as_primitive::<Int64Type>().value(0));
    batches
}

#[tokio::test]
async fn nested_columns_are_written_and_evolve() {
    let world = World::new();
    let lake = &world.deps.lake;
    let base = load_contract(&world.deps.s3, &world.contract).await.unwrap();
    let identity = table_of(&base, "lake");
    let text = |text| Value::Str(text);

    lake.load_or_create(&identity, &contract_of(&base, false), &[]).await.unwrap();
    let item = Value::Struct(vec![text("a1"), Value::Decimal(995)]);
    let row = [
        Value::Long(1),
        Value::Struct(vec![text("Bonn")]),
        Value::List(vec![item]),
        Value::Map(vec![(text("x"), Value::Int(3)), (text("y"), Value::Null)]),
    ];
    write(&world, &identity, "first", &row).await;
    let before = world.metadata();

    let later = contract_of(&base, true);
    let loaded = lake.load(&identity).await.unwrap().unwrap();
    let (changes, outcome) = lake.evolve(&loaded, &later, &[]).await.unwrap();
    assert_eq!(
        changes,
        [
            "column address.zip string added",
            "column items.element.price widened from decimal(9,2) to decimal(12,2)"
        ]
    );
    assert!(matches!(outcome, CommitOutcome::Committed(_)));
    let loaded = lake.load(&identity).await.unwrap().unwrap();
    let (changes, outcome) = lake.evolve(&loaded, &later, &[]).await.unwrap();
    assert!(changes.is_empty() && matches!(outcome, CommitOutcome::NothingToDo));

    let after = world.metadata();
    let zip = after.current_schema().field_by_name("address.zip").unwrap();
    assert_eq!(zip.id, before.last_column_id() + 1);
    assert_eq!(after.last_column_id(), zip.id);
    let table_type =
        |column: usize| loaded.table_schema().unwrap().columns[column].data_type.clone();
    let known = |column: usize| match table_type(column) {
        landfall_check::TableType::Known(data_type) => data_type.to_string(),
        landfall_check::TableType::Other(name) => panic!("{name}"),
    };
    // The table keeps its order; the contract has the zip first.
    assert_eq!(known(1), "struct<city: string, zip: string>");
    assert_eq!(known(2), "list<struct<sku: string, price: decimal(12,2)>>");

    let item = Value::Struct(vec![text("a2"), Value::Decimal(99_999_999_999)]);
    let row = [
        Value::Long(2),
        Value::Struct(vec![text("Köln"), text("50667")]),
        Value::List(vec![item]),
        Value::Null,
    ];
    write(&world, &identity, "second", &row).await;
    assert_eq!(world.snapshots(), ["first", "second"]);
    assert_eq!(world.orphans(), Vec::<String>::new());

    let batches = batches(&world);
    let [old, new] = batches.as_slice() else { panic!("{} batches", batches.len()) };
    let ids = |metadata: &TableMetadata| schema_to_arrow_schema(metadata.current_schema()).unwrap();
    assert_eq!(old.schema().fields(), ids(&before).fields(), "field ids are in the file");
    assert_eq!(new.schema().fields(), ids(&after).fields());
    let address = new.column(1).as_struct();
    assert_eq!(address.column(0).as_string::<i32>().value(0), "Köln");
    assert_eq!(address.column(1).as_string::<i32>().value(0), "50667");
    let item = new.column(2).as_list::<i32>().value(0);
    let price = item.as_struct().column(1).as_primitive::<Decimal128Type>().value(0);
    assert_eq!(price, 99_999_999_999);
}

/// The check finds no bad row in a table whose requirement the contract drops, so the load must
/// lift it before it reads the rows.
#[tokio::test]
async fn a_requirement_that_the_contract_drops_is_lifted_before_the_rows_are_read() {
    let required =
        CONTRACT.replace("logicalType: string\n", "logicalType: string\n        required: true\n");
    let mut world = World::with_contract(&required);
    let object = world.object("one", &[1]).await;
    world.task("orders-1", &[&object]).commits(1).await;
    let name =
        |world: &World| world.metadata().current_schema().field_by_name("name").unwrap().required;
    assert!(name(&world));

    for (on_drift, lifted) in [("review", false), ("evolve", true)] {
        let contract =
            format!("{CONTRACT}customProperties:\n  - property: onDrift\n    value: {on_drift}\n");
        let stored = world.s3.put("s3://config/contracts/orders.yaml", contract);
        world.contract.etag = stored.etag;
        world.contract.version_id = Some(stored.version_id);
        let contract = load_contract(&world.deps.s3, &world.contract).await.unwrap();
        let identity = table_of(&contract, "lake");
        let table = world.deps.lake.load(&identity).await.unwrap().unwrap().table_schema().unwrap();
        assert_eq!(table.relaxed_by(&contract).columns[1].required, !lifted);

        let object = world.file(on_drift, "id,name\n2,\n3,x\n").await;
        let mut task = world.task(&format!("orders-{on_drift}"), &[&object]);
        task.bad_rows = vec![0];
        if lifted {
            let output = task.commits(2).await;
            assert_eq!(output.evolved, ["column name made optional"]);
        } else {
            let refusal = task.append().await.unwrap_err().to_string();
            assert!(refusal.contains("the load 1 (the first in line 2, name: "), "{refusal}");
            let object = world.file("without", "id\n4\n").await;
            let task = world.task("orders-without", &[&object]);
            let refusal = task.append().await.unwrap_err().to_string();
            assert!(refusal.contains("the required column name is not in the file"), "{refusal}");
        }
        assert_eq!(name(&world), !lifted);
    }
    assert_eq!(world.rows(), [1, 2, 3]);
}
