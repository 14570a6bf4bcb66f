//! Every partition that a contract may state is written.

use landfall_contract::{FieldType, Transform};

use super::*;

const TRANSFORMS: [&str; 7] =
    ["identity", "year", "month", "day", "hour", "bucket[4]", "truncate[10]"];

/// A type as contracts write it, and values of it, the edges among them; no two are the same.
const VALUES: [(&str, &[&str]); 13] = [
    ("boolean", &["true", "false"]),
    ("int", &["-7", "0", "2147483647", "-2147483640"]),
    ("bigint", &["-7", "0", "9223372036854775807", "-9223372036854775800"]),
    ("float", &["0.5", "-1e-7"]),
    ("double", &["0.5", "-1e300"]),
    ("decimal(7,2)", &["-0.05", "0.00", "12345.67", "-99999.90"]),
    ("decimal(38,0)", &["-5", "99999999999999999999999999999999999999"]),
    ("date", &["0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31"]),
    ("time", &["00:00:00", "23:59:59.999999"]),
    ("timestamp", &["1969-12-31T23:59:59.999999", "1970-01-01T00:00:00", "9999-12-31T23:59:59"]),
    ("timestamptz", &["1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00+01:00"]),
    ("string", &["a", "ab#1", "Köln ist eine Stadt", "50%/x=y?"]),
    ("uuid", &["123e4567-e89b-12d3-a456-426614174000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]),
];

fn contract(physical_type: &str, transform: &str) -> String {
    format!(
        "{CONTRACT}      - name: part\n        physicalType: {physical_type}\n        partitioned: \
         true\n        customProperties: [{{property: partitionTransform, value: '{transform}'}}]\n"
    )
}

/// Partitions of the table's current snapshot.
fn partitions(world: &World) -> BTreeSet<String> {
    let metadata = world.metadata();
    let list = world.s3.get(metadata.current_snapshot().unwrap().manifest_list()).unwrap();
    let list = ManifestList::parse_with_version(&list, metadata.format_version()).unwrap();
    let mut found = BTreeSet::new();
    for manifest in list.entries() {
        let bytes = world.s3.get(&manifest.manifest_path).unwrap();
        let manifest = Manifest::parse_avro(&bytes).unwrap();
        found.extend(
            manifest.entries().iter().map(|it| format!("{:?}", it.data_file().partition())),
        );
    }
    found
}

#[tokio::test]
async fn what_a_contract_may_partition_by_is_written() {
    let mut written = 0;
    for (physical_type, values) in VALUES {
        for transform in TRANSFORMS {
            let text = contract(physical_type, transform);
            let Ok(contract) = landfall_contract::parse(&text) else { continue };
            let case = format!("{physical_type}, {transform}");
            let world = World::with_contract(&text);
            // Each value twice, and two rows without one.
            let twice = values.iter().chain([&""]).cycle().take(2 * values.len() + 2);
            let rows: String =
                twice.enumerate().map(|(id, value)| format!("{id},n,{value}\n")).collect();
            let object = world.file("a", format!("id,name,part\n{rows}")).await;
            let output = world.task("one", &[&object]).append().await;
            let output = output.unwrap_or_else(|error| panic!("{case}: {error:?}"));
            assert_eq!(output.rows as usize, 2 * values.len() + 2, "{case}");

            let found = partitions(&world);
            assert_eq!(output.files as usize, found.len(), "{case}: one file for each partition");
            assert!(found.len() > 1, "{case}: null is a partition of its own: {found:?}");
            if contract.partition[0].transform == Transform::Identity {
                assert_eq!(found.len(), values.len() + 1, "{case}: {found:?}");
            }
            written += 1;
        }
    }
    // By identity all but four types; what the specification allows of the other transforms.
    assert_eq!(written, 9 + 3 * 3 + 2 + 10 + 5, "pairs that contracts allow");
}

/// What contracts refuse, and why: the library writes no manifest.
#[tokio::test]
async fn a_plain_uuid_cannot_be_written() {
    let world = World::with_contract(&contract("uuid", "bucket[4]"));
    let base = load_contract(&world.deps.s3, &world.contract).await.unwrap();
    let mut plain = base.clone();
    plain.partition[0].transform = Transform::Identity;
    let column = plain.columns.iter().find(|column| column.name == "part").unwrap();
    assert_eq!(column.primitive(), Some(FieldType::Uuid));
    let identity = table_of(&plain, "lake");
    world.deps.lake.load_or_create(&identity, &plain, &[]).await.unwrap();
    let object = world.file("a", "id,name,part\n1,n,123e4567-e89b-12d3-a456-426614174000\n").await;
    world.task("one", &[&object]).fails("Iceberg.TableInvalid").await;
    assert_eq!((world.snapshots(), world.orphans()), (Vec::<String>::new(), Vec::new()));
}
