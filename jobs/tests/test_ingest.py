"""The Glue job: what it is asked to load, and what contract and table say of it."""

import json
import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ingest

P = ingest.PrimitiveType

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
servers:
  - server: landing
    type: s3
    location: s3://landing/orders/*.csv
    format: csv
    delimiter: ";"
    customProperties:
      - {property: nullValue, value: "NULL"}
  - {server: catalog, type: glue, database: landfall_sales}
schema:
  - name: Orders
    physicalName: orders
    properties:
      - {name: id, logicalType: integer, required: true, primaryKey: true}
      - name: placed_at
        logicalType: timestamp
        physicalType: timestamptz
        partitioned: true
        partitionKeyPosition: 2
        customProperties: [{property: partitionTransform, value: day}]
      - name: region
        logicalType: string
        partitioned: true
        partitionKeyPosition: 1
      - {name: amount, logicalType: number, physicalType: "decimal(12,2)"}
      - {name: device, logicalType: string, physicalType: uuid}
      - {name: due, logicalType: date}
"""


def batch_document(**changes: Any) -> str:
    batch = {
        "id": "orders-20261121T080000Z-0011aabb",
        "dataset": "orders",
        "contract": {"bucket": "config", "key": "contracts/orders.yaml", "etag": "c1"},
        "objects": [
            {
                "bucket": "landing",
                "key": "orders/1.csv",
                "version": "v#1",
                "versionId": "1",
                "etag": "e1",
                "size": 10,
                "eventTime": "2026-11-21T08:00:00Z",
            }
        ],
    }
    return json.dumps({"batch": batch | changes, "executionArn": "arn"})


class ArgumentsTest(unittest.TestCase):
    def test_arguments_of_glues_own_are_passed_over(self) -> None:
        words = ["--JOB_NAME", "job", "--flag", "--batch", "s3://w/b.json", "--database=sales"]
        read = ingest.Arguments.read([*words, "--warehouse", "s3://w/", "--ledger", "l"])
        self.assertEqual(read, ingest.Arguments("s3://w/b.json", "s3://w", "sales", "l"))

    def test_a_missing_argument_is_named(self) -> None:
        with self.assertRaisesRegex(ingest.JobError, "^Job.ArgumentMissing: .*--batch"):
            ingest.Arguments.read(["--warehouse", "s3://w", "--database", "d"])


class MainTest(unittest.TestCase):
    def run_job(self, outcome: str | None) -> None:
        module = mock.Mock(run=mock.Mock(return_value=outcome))
        with (
            mock.patch.object(ingest, "spark_session"),
            mock.patch.object(ingest, "as_module", return_value=module),
        ):
            ingest.main()

    def test_a_failure_ends_the_process_with_its_line(self) -> None:
        with self.assertRaisesRegex(SystemExit, "^Batch.Invalid: why$"):
            self.run_job("Batch.Invalid: why")

    def test_a_success_does_not_exit(self) -> None:
        self.run_job(None)


class BatchTest(unittest.TestCase):
    def test_the_document_of_glue_trigger(self) -> None:
        batch = ingest.parse_batch(batch_document(), "s3://w/b.json")
        self.assertEqual(batch.objects[0].id, "s3://landing/orders/1.csv#v#1")
        self.assertEqual(batch.objects[0].version_id, "1")
        self.assertIsNone(batch.contract.version_id)

    def test_a_bad_document_fails_with_its_address_and_the_reason(self) -> None:
        for text, reason in [
            ("{", "Expecting property name"),
            ("{}", "'batch' is missing"),
            ("[]", "list indices"),
            (batch_document(objects=[]), "it has no objects"),
            (batch_document(objects=[{"bucket": "b"}]), "'key' is missing"),
        ]:
            with self.assertRaisesRegex(ingest.JobError, f"s3://w/b.json is not .*{reason}") as on:
                ingest.parse_batch(text, "s3://w/b.json")
            self.assertEqual(on.exception.name, "Batch.Invalid")

    def test_additions_and_previous_owners(self) -> None:
        document = json.loads(batch_document())
        document["additions"] = [{"column": "temp_c", "fieldType": "double"}]
        document["previousBatchIds"] = ["orders-1"]
        batch = ingest.parse_batch(json.dumps(document), "")
        self.assertEqual(batch.previous_batch_ids, ("orders-1",))
        (column,) = ingest.added_columns(batch)
        self.assertEqual(
            (column.name, column.type, column.required), ("temp_c", P("double"), False)
        )

    def test_what_the_check_found_and_what_is_replaced(self) -> None:
        document = json.loads(batch_document())
        document["checked"] = [
            {"index": 0, "records": 9, "rejected": 2, "rejectedRecords": "s3://l/r"}
        ]
        document["replaces"] = [{"index": 0, "digests": ["aa", "bb"]}]
        batch = ingest.parse_batch(json.dumps(document), "")
        (item,) = batch.objects
        self.assertEqual(batch.checked[item], ingest.Checked(9, 2, "s3://l/r"))
        self.assertEqual(batch.replaces[item], ("aa", "bb"))
        document["checked"][0]["index"] = 1
        with self.assertRaisesRegex(ingest.JobError, "^Batch.Invalid"):
            ingest.parse_batch(json.dumps(document), "")

    def test_the_last_event_comes_last(self) -> None:
        objects = [
            ingest.ObjectVersion("b", key, "v", None, "e", "t", sequencer)
            for key, sequencer in [("d", "0A1"), ("c", "9"), ("b", "A1"), ("a", "")]
        ]
        batch = ingest.Batch("b", "d", ingest.ContractRef("b", "k", "e", None), tuple(objects))
        self.assertEqual([item.key for item in batch.in_order_of_events()], ["a", "c", "d", "b"])
        self.assertEqual(ingest.latest_rank(objects[1]), f"{'9':0>64} t v")

    def test_where_an_object_has_no_sequencer_the_last_write_comes_last(self) -> None:
        objects = [
            ingest.ObjectVersion("b", key, "v", None, "e", time, sequencer)
            for key, time, sequencer in [
                ("a", "2026-02-01T00:00:00Z", ""),
                ("b", "2026-01-01T00:00:00Z", ""),
                ("c", "2026-01-15T00:00:00.500Z", "B"),
                ("d", "2026-01-15T00:00:00Z", "0A"),
                ("e", "2026-01-15T01:00:00+01:00", "9"),
                ("f", "2026-01-15T00:00:00Z", ""),
                ("g", "2026-02-01T00:00:00Z", ""),
                ("h", "", "FF"),
            ]
        ]
        reference = ingest.ContractRef("b", "k", "e", None)
        batch = ingest.Batch("b", "d", reference, tuple(objects))
        keys = "".join(item.key for item in batch.in_order_of_events())
        self.assertEqual(keys, "hbfedcag")


def objects_named(*keys: str) -> tuple[ingest.ObjectVersion, ...]:
    return tuple(ingest.ObjectVersion("landing", key, "v#1", "1", "e") for key in keys)


class MarkerTest(unittest.TestCase):
    def test_a_short_list_is_kept_whole_with_the_rows_of_each(self) -> None:
        z, a, other = objects_named("z", "a", "other")
        summary = ingest.marker("b", {z: 7, a: 3})
        self.assertEqual(
            summary,
            {
                "landfall.batch-id": "b",
                "landfall.objects": '["s3://landing/a#v#1","s3://landing/z#v#1"]',
                "landfall.object-rows": "3,7",
            },
        )
        self.assertTrue(ingest.holds(summary, z))
        self.assertFalse(ingest.holds(summary, other))

    def test_a_long_list_is_kept_as_digests(self) -> None:
        objects = objects_named(*(f"{n}{'x' * 60}" for n in range(200)))
        summary = ingest.marker("b", {item: n for n, item in enumerate(objects)})
        self.assertNotIn("landfall.objects", summary)
        self.assertEqual(len(summary["landfall.object-digests"].split(",")), 200)
        self.assertTrue(all(ingest.holds(summary, item) for item in objects))
        self.assertFalse(ingest.holds(summary, objects_named("other")[0]))

    def test_the_digest_is_that_of_the_rust_code(self) -> None:
        # sha256 of the id after its length in 8 bytes, big-endian.
        self.assertEqual(ingest.short_digest("s3://landing/a#v#1"), "51e78abeceb05e70")


class ContractTest(unittest.TestCase):
    def test_columns_partition_and_dialect(self) -> None:
        contract = ingest.parse_contract(CONTRACT)
        self.assertEqual((contract.database, contract.table), ("landfall_sales", "orders"))
        self.assertEqual(contract.partition, (("region", "identity"), ("placed_at", "day")))
        self.assertEqual(
            contract.source_of("landing", "orders/1.csv").csv,
            ingest.CsvFormat(delimiter=";", null_value="NULL"),
        )
        with self.assertRaisesRegex(ingest.JobError, "Contract.NotFound"):
            contract.source_of("landing", "orders/2026/1.csv")
        schema = ingest.schema_json(contract.columns)
        self.assertEqual(schema["identifier-field-ids"], [1])
        self.assertEqual(
            [item["type"] for item in schema["fields"]],
            ["long", "timestamptz", "string", "decimal(12, 2)", "uuid", "date"],
        )
        spec = ingest.partition_json(contract, schema)
        self.assertEqual(
            [(item["name"], item["transform"], item["source-id"]) for item in spec["fields"]],
            [("region", "identity", 3), ("placed_at_day", "day", 2)],
        )

    def test_types(self) -> None:
        for item, expected in [
            ({"physicalType": "NUMERIC ( 10 , 3 )"}, P("decimal", 10, 3)),
            ({"physicalType": "decimal(5)"}, P("decimal", 5, 0)),
            ({"physicalType": "varchar(20)"}, P("string")),
            ({"physicalType": "timestamp(6) with time zone"}, P("timestamptz")),
            ({"physicalType": "uuid", "logicalType": "string"}, P("uuid")),
            ({"physicalType": "oddity", "logicalType": "integer"}, P("long")),
            ({"logicalType": "integer", "logicalTypeOptions": {"format": "i32"}}, P("int")),
            ({"logicalType": "integer", "logicalTypeOptions": {"format": "u32"}}, P("long")),
            (
                {"logicalType": "integer", "logicalTypeOptions": {"format": "u64"}},
                P("decimal", 20, 0),
            ),
            (
                {"logicalType": "integer", "logicalTypeOptions": {"format": "u128"}},
                P("decimal", 38, 0),
            ),
            ({"logicalType": "number"}, P("double")),
            ({"logicalType": "number", "logicalTypeOptions": {"format": "f32"}}, P("float")),
            ({"logicalType": "timestamp"}, P("timestamp")),
            (
                {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}},
                P("timestamptz"),
            ),
            ({"logicalType": "date"}, P("date")),
        ]:
            self.assertEqual(ingest.column_type(item), expected, item)
        with self.assertRaises(ValueError):
            ingest.column_type({"name": "x", "logicalType": "array"})

    def test_nested_types_and_their_ids(self) -> None:
        text = CONTRACT + (
            "      - name: items\n"
            "        logicalType: array\n"
            "        items:\n"
            "          logicalType: object\n"
            "          logicalTypeOptions: {required: [price]}\n"
            "          properties:\n"
            "            - {name: sku, logicalType: string, required: true}\n"
            "            - {name: price, physicalType: 'decimal(9,2)'}\n"
            '      - {name: m, physicalType: "map<string, struct<`a b`: list<int> not null comment '
            "'x, y', c double>>\"}\n"
            "      - {name: s, physicalType: 'struct<at: date>', logicalType: object, properties: "
            "[{name: at, logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}]}\n"
        )
        columns = ingest.parse_contract(text).columns[6:]
        self.assertEqual(
            [str(column.type) for column in columns],
            [
                "list<struct<sku: string, price: decimal(9,2)>>",
                "map<string, struct<a b: list<int>, c: double>>",
                "struct<at: date>",
            ],
        )
        fields = ingest.schema_json(columns)["fields"]
        self.assertEqual([item["id"] for item in fields], [1, 2, 3])
        element = fields[0]["type"]
        self.assertEqual(element["element-id"], 4)
        inner = [(part["id"], part["required"]) for part in element["element"]["fields"]]
        self.assertEqual(inner, [(5, True), (6, True)])
        value = fields[1]["type"]
        self.assertEqual((value["key-id"], value["value-id"]), (7, 8))
        listed = value["value"]["fields"][0]
        self.assertEqual((listed["id"], listed["doc"], listed["required"]), (9, "x, y", True))
        self.assertEqual(listed["type"]["element-id"], 11)
        self.assertEqual(columns[2].type.fields[0].moment, ingest.Moment("dd.MM.yyyy", None))
        self.assertEqual(ingest.columns_of_json(fields)[1].type.value.type.fields[0].name, "a b")

    def test_times_of_day_are_refused_by_name(self) -> None:
        for kind in ["time", "list<struct<a: time>>"]:
            text = CONTRACT + f"      - {{name: x, physicalType: '{kind}'}}\n"
            with self.assertRaisesRegex(ingest.JobError, "^Job.ContractUnsupported: column x .*"):
                ingest.refuse_times(ingest.parse_contract(text).columns)

    def test_what_rows_do_to_those_that_are_there(self) -> None:
        knobs = (
            "customProperties: [{property: writeMode, value: upsert}, "
            "{property: deleteMarker, value: gone}]\n"
        )
        contract = ingest.parse_contract(CONTRACT + knobs)
        self.assertEqual(
            (contract.upsert_by, contract.delete_marker, contract.keys), (("id",), "gone", ())
        )
        knobs = "customProperties: [{property: onOverwrite, value: replace}]\n"
        contract = ingest.parse_contract(CONTRACT + knobs)
        self.assertEqual(contract.all_columns()[-1].name, "_landfall_object")
        self.assertEqual(contract.keys, (("id",),))

    def test_formats_that_are_iso_anyway_are_none(self) -> None:
        for options, kind in [
            ("date, logicalTypeOptions: {format: yyyy-MM-dd}", P("date")),
            ("time, logicalTypeOptions: {format: 'HH:mm:ss.SSS'}", P("time")),
            ("timestamp, logicalTypeOptions: {format: \"uuuu-MM-dd'T'HH:mm:ss\"}", P("timestamp")),
            (
                "timestamp, logicalTypeOptions: {timezone: true, defaultTimezone: UTC, "
                "format: 'yyyy-MM-dd HH:mm:ss.SSSSSSXXX'}",
                P("timestamptz"),
            ),
        ]:
            text = CONTRACT + f"      - {{name: x, logicalType: {options}}}\n"
            self.assertEqual(ingest.parse_contract(text).columns[-1].type, kind, options)

    def test_the_dates_of_odcs_3_0_are_told_by_their_format(self) -> None:
        contract = CONTRACT.replace("v3.1.0", "v3.0.2")
        for form, kind in [
            ("yyyy-MM-dd", P("date")),
            ("HH:mm:ss", P("time")),
            ("yyyy-MM-dd HH:mm:ss", P("timestamp")),
            ("yyyy-MM-dd HH:mm:ssXXX", P("timestamptz")),
        ]:
            item = f"{{name: x, logicalType: date, logicalTypeOptions: {{format: '{form}'}}}}"
            read = ingest.parse_contract(contract + f"      - {item}\n")
            self.assertEqual(read.columns[-1].type, kind, form)

    def test_formats(self) -> None:
        for server, expected in [
            ("format: json", ("json", "auto", "auto")),
            ("format: jsonl", ("json", "lines", "auto")),
            ("format: ndjson", ("json", "lines", "auto")),
            ("format: json, delimiter: array", ("json", "array", "auto")),
            ("format: json, delimiter: new_line", ("json", "lines", "auto")),
            ("format: parquet", ("parquet", "auto", "none")),
            ("format: avro", ("avro", "auto", "auto")),
        ]:
            other = f"  - {{server: b, type: s3, location: s3://landing/b/, {server}}}\n"
            contract = ingest.parse_contract(CONTRACT.replace("schema:\n", other + "schema:\n"))
            found = contract.source_of("landing", "b/1")
            self.assertEqual((found.format, found.json_layout, found.compression), expected)
            self.assertEqual(contract.source_of("landing", "orders/1.csv").format, "csv")

    def test_scalars_are_read_as_yaml_1_2_says(self) -> None:
        def null_value(written: str) -> str | None:
            text = CONTRACT.replace('value: "NULL"', f"value: {written}")
            return ingest.parse_contract(text).source_of("landing", "orders/1.csv").csv.null_value

        # PyYAML by itself makes False, -999.0, 8, a time and a date of these.
        for written in ["NO", "-999.00", "010", "12:30", "2013-01-01", "1_000"]:
            self.assertEqual(null_value(written), written)
        for written, read in [("+5", "5"), ("+x", "+x"), ("0x10", "16"), ("True", "true")]:
            self.assertEqual(null_value(written), read)
        text = CONTRACT + "      - {name: on, logicalType: date, description: yes}\n"
        column = ingest.parse_contract(text).columns[-1]
        self.assertEqual((column.name, column.description), ("on", "yes"))

    def test_dialects(self) -> None:
        def dialect(server: str) -> ingest.CsvFormat:
            text = CONTRACT.replace('    format: csv\n    delimiter: ";"\n', server)
            self.assertNotEqual(text, CONTRACT)
            return ingest.parse_contract(text).sources[0].csv

        self.assertEqual(
            dialect("    format: tsv\n"), ingest.CsvFormat(delimiter="\t", null_value="NULL")
        )
        text = CONTRACT.replace(
            '      - {property: nullValue, value: "NULL"}',
            '      - {property: comment, value: "#"}\n'
            "      - {property: skipLines, value: 3}\n"
            "      - {property: header, value: false}\n"
            "      - {property: compression, value: zstd}\n"
            '      - {property: quote, value: "\'"}',
        )
        source = ingest.parse_contract(text).sources[0]
        self.assertEqual(source.compression, "zstd")
        self.assertEqual(
            source.csv,
            ingest.CsvFormat(
                delimiter=";",
                quote="'",
                header=False,
                comment="#",
                skip_lines=3,
            ),
        )

    def test_keys(self) -> None:
        text = CONTRACT + (
            "      - {name: a, logicalType: string, unique: true}\n"
            "      - {name: b, physicalName: bb, logicalType: string, quality: [{metric: "
            "duplicateValues, mustBe: 0}]}\n"
            "      - {name: c, logicalType: string, quality: [{metric: duplicateValues, "
            "mustBeLessThan: 5}, {metric: duplicateValues, mustBe: 0, severity: info}]}\n"
            "    quality:\n"
            "      - {metric: duplicateValues, mustBe: 0, unit: percent, "
            "arguments: {properties: [b, a]}}\n"
            "      - {metric: duplicateValues, mustBeLessOrEqualTo: 0.0, "
            "arguments: {properties: [a, bb]}}\n"
            "      - {metric: duplicateValues, mustBe: 0, arguments: {properties: [id]}}\n"
        )
        self.assertEqual(ingest.parse_contract(text).keys, (("id",), ("a",), ("bb",), ("bb", "a")))
        both = CONTRACT.replace("required: true, primaryKey: true", "primaryKey: true") + (
            "      - {name: a, logicalType: string, primaryKey: true, primaryKeyPosition: 1}\n"
        )
        contract = ingest.parse_contract(both)
        self.assertEqual(contract.keys, (("a", "id"),))
        # What is in the primary key is required.
        self.assertEqual([column.required for column in contract.columns][::6], [True, True])

    def test_keys_of_odcs_3_0_need_no_operator(self) -> None:
        rule = "{type: library, rule: duplicateCount}"
        item = f"      - {{name: a, logicalType: string, quality: [{rule}]}}\n"
        table = "    quality: [{type: library, rule: uniqueCheck, properties: [due, region]}]\n"
        old = ingest.parse_contract(CONTRACT.replace("v3.1.0", "v3.0.2") + item + table)
        self.assertEqual(old.keys, (("id",), ("a",), ("due", "region")))
        self.assertEqual(ingest.parse_contract(CONTRACT + item).keys, (("id",),))

    def test_a_quality_rule_can_require_a_column(self) -> None:
        for rule, required in [
            ("{metric: nullValues, mustBe: 0}", True),
            ("{type: library, rule: nullCheck, mustBeLessOrEqualTo: 0}", True),
            ("{metric: nullValues, mustBe: 0, unit: percent}", True),
            ("{metric: missingValues, mustBe: 0, arguments: {missingValues: [null, x]}}", True),
            ("{metric: missingValues, mustBe: 0, arguments: {missingValues: ['null']}}", False),
            ("{metric: nullValues, mustBe: 0, unit: furlongs}", False),
            ("{metric: nullValues, mustBeLessThan: 5}", False),
            ("{metric: nullValues, mustBe: 0, severity: warning}", False),
            ("{type: sql, metric: nullValues, mustBe: 0}", False),
        ]:
            text = CONTRACT + f"      - {{name: x, logicalType: date, quality: [{rule}]}}\n"
            self.assertEqual(ingest.parse_contract(text).columns[-1].required, required, rule)

    def test_a_broken_contract_is_a_named_error(self) -> None:
        for text in ["a: [", "", "schema: []", "schema: [{name: a, properties: [{name: b}]}]"]:
            with self.assertRaisesRegex(ingest.JobError, "^Contract.Invalid: "):
                ingest.parse_contract(text)

    def test_locations(self) -> None:
        for location, key, claimed in [
            ("s3://b/orders/", "orders/a.csv", True),
            ("s3://b/orders/", "order/a.csv", False),
            ("s3://other/orders/", "orders/a.csv", False),
            ("s3://b/*/in/*.csv", "eu/in/a.csv", True),
            ("s3://b/*/in/*.csv", "eu/x/in/a.csv", False),
            ("s3://b/**/a?.csv", "x/y/a1.csv", True),
            ("s3://b/**/a?.csv", "a1.csv", True),
            ("s3://b/x**/a.csv", "x/y/a.csv", True),
            ("s3://b/x**/a.csv", "xa.csv", False),
            ("s3://b/a+b (1)*.csv", "a+b (1)é.csv", True),
        ]:
            self.assertEqual(ingest.location_matches(location, "b", key), claimed, (location, key))

    def test_transforms(self) -> None:
        for text, name, suffix in [
            ("day", "day", "_day"),
            ("bucket[16]", "bucket[16]", "_bucket"),
            ("truncate[4]", "truncate[4]", "_trunc"),
            ("identity", "identity", ""),
        ]:
            self.assertEqual(ingest.parse_transform(text), (name, suffix))
        for text in ["week", "bucket", "day[3]", "bucket[x]", "bucket(4)"]:
            with self.assertRaises(ValueError):
                ingest.parse_transform(text)

    def test_promotions_are_those_of_the_spec(self) -> None:
        self.assertTrue(ingest.is_widening(P("int"), P("long")))
        self.assertTrue(ingest.is_widening(P("decimal", 4, 2), P("decimal", 6, 2)))
        self.assertFalse(ingest.is_widening(P("long"), P("int")))
        self.assertFalse(ingest.is_widening(P("decimal", 4, 2), P("decimal", 6, 3)))
        self.assertFalse(ingest.is_widening(P("date"), P("timestamp")))


def table(contract: ingest.Contract) -> dict[str, Any]:
    return ingest.schema_json(contract.all_columns())


class EvolutionTest(unittest.TestCase):
    def steps(self, before: str, after: str, *added: ingest.Column) -> list[tuple[str, str]]:
        schema = table(ingest.parse_contract(before))
        steps = ingest.evolution(schema, ingest.parse_contract(after), added)
        return [(step.change, ".".join(step.path)) for step in steps]

    def test_columns_fields_and_types_grow(self) -> None:
        before = CONTRACT + (
            "      - {name: s, physicalType: 'struct<a: int, l: list<struct<x: int>>>'}\n"
        )
        after = CONTRACT + (
            "      - {name: s, physicalType: 'struct<a: long, l: list<struct<x: int, y: date>>>'}\n"
            "      - {name: new, logicalType: string, required: true}\n"
        )
        more = ingest.Column("more", P("double"))
        self.assertEqual(
            self.steps(before, after, more, ingest.Column("due", P("string"))),
            [("widen", "s.a"), ("add", "s.l.element.y"), ("add", "new"), ("add", "more")],
        )
        # The table may be wider than the contract, and have columns of others.
        self.assertEqual(self.steps(after, CONTRACT), [])
        with self.assertRaisesRegex(
            ingest.JobError, r"^Iceberg.SchemaMismatch: column s\.a is long"
        ):
            self.steps(after, before.replace("a: int", "a: string"))

    def test_only_evolve_makes_columns_optional(self) -> None:
        optional = CONTRACT.replace("required: true, primaryKey: true", "required: false")
        self.assertEqual(self.steps(CONTRACT, optional), [])
        knobs = "customProperties: [{property: onDrift, value: evolve}]\n"
        # A key that may be null identifies nothing.
        self.assertEqual(
            self.steps(CONTRACT, optional + knobs), [("identify", ""), ("relax", "id")]
        )


class CommitsTest(unittest.TestCase):
    def test_what_any_snapshot_holds_is_not_loaded_again(self) -> None:
        a, b, c = objects_named("a", "b", "c")
        snapshots = [
            {"snapshot-id": 1, "summary": ingest.marker("before", {a: 1})},
            {"snapshot-id": 2, "summary": ingest.marker("other", {b: 1})},
            {"snapshot-id": 3, "summary": {"operation": "append"}},
        ]
        reference = ingest.ContractRef("b", "k", "e", None)
        batch = ingest.Batch("now", "d", reference, (a, b, c), previous_batch_ids=("before",))
        left = ingest.objects_to_load({"snapshots": snapshots}, batch)
        self.assertEqual([item.key for item in left], ["b", "c"])
        self.assertEqual(len(ingest.objects_to_load({}, batch)), 3)


class StatementTest(unittest.TestCase):
    def test_names_are_quoted(self) -> None:
        text = ingest.merge_statement("t", "v", ["a`b", "c d"], ["a`b"], "c d")
        self.assertIn("ON t.`a``b` = s.`a``b` WHEN MATCHED AND COALESCE(s.`c d`, false)", text)
        self.assertIn(
            "NOT MATCHED AND NOT COALESCE(s.`c d`, false) THEN INSERT (`a``b`, `c d`)", text
        )
        self.assertNotIn("DELETE", ingest.merge_statement("t", "v", ["a"], ["a"], None))


class FailureTest(unittest.TestCase):
    def test_a_workers_failure_is_found_in_sparks_words(self) -> None:
        text = (
            "An exception was thrown\n  File x\nlandfall_ingest.JobError: Job.NotAsChecked: "
            "s3://b/k is not as\n\tat org.apache"
        )
        found = ingest.job_error_in(text)
        self.assertEqual(str(found), "Job.NotAsChecked: s3://b/k is not as")
        self.assertIsNone(ingest.job_error_in("Py4JJavaError: nothing"))

    def test_a_failure_without_a_name_is_one_line(self) -> None:
        error = RuntimeError("calling o1.sql.\n: java.lang.X: denied\n\tat a.b\n\tat c.d")
        self.assertEqual(
            ingest.unexpected(error),
            "Job.Failed: RuntimeError: calling o1.sql. java.lang.X: denied; read the run's log",
        )


if __name__ == "__main__":
    unittest.main()
