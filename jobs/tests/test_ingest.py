"""The Glue job's rules: what it reads, and what it makes of it."""

import contextlib
import json
import sys
import unittest
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.schema import Schema
from pyiceberg.table.update.schema import UpdateSchema
from pyiceberg.types import (
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ingest

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
    def test_the_command_line_wins_over_the_environment(self) -> None:
        read = ingest.Arguments.read(
            ["--JOB_NAME", "job", "--flag", "--batch", "s3://w/b.json", "--database=sales"],
            {"batch": "s3://other", "warehouse": "s3://w/"},
        )
        self.assertEqual(read, ingest.Arguments("s3://w/b.json", "s3://w", "sales"))

    def test_a_missing_argument_is_named(self) -> None:
        with self.assertRaisesRegex(ingest.JobError, "^Job.ArgumentMissing: .*--batch"):
            ingest.Arguments.read([], {"warehouse": "s3://w", "database": "d"})


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
            (column.name, column.type, column.required), ("temp_c", DoubleType(), False)
        )


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


class FakeTable:
    """A table whose commits go as told: `commit`, `conflict`, `lost` (it went through and
    nobody said so) or `unavailable` (it did not)."""

    def __init__(self, *attempts: str, snapshots: list[dict[str, str]] | None = None) -> None:
        self.attempts = list(attempts)
        self.summaries = snapshots or []
        # What another writer commits when it makes an attempt a conflict.
        self.rival: dict[str, str] = {}

    def snapshots(self) -> list[Any]:
        return [
            SimpleNamespace(
                snapshot_id=number, summary=SimpleNamespace(additional_properties=summary)
            )
            for number, summary in enumerate(self.summaries, start=1)
        ]

    def name(self) -> tuple[str, str]:
        return ("landfall", "orders")

    def load_table(self, _name: tuple[str, str]) -> "FakeTable":
        return self

    def append(self, _rows: pa.Table, snapshot_properties: dict[str, str]) -> None:
        attempt = self.attempts.pop(0)
        if attempt == "conflict":
            self.summaries.append(self.rival)
            raise CommitFailedException("somebody was faster")
        if attempt in ("commit", "lost"):
            self.summaries.append(snapshot_properties)
        if attempt in ("lost", "unavailable"):
            raise TimeoutError("no answer")


class AppendTest(unittest.TestCase):
    def append(self, table: FakeTable, **document: Any) -> tuple[int | None, list[str]]:
        text = json.dumps(json.loads(batch_document()) | document)
        batch = ingest.parse_batch(text, "")
        read: list[str] = []

        def rows_of(item: ingest.ObjectVersion) -> pa.Table:
            read.append(item.key)
            return pa.table({"id": [1, 2]})

        with mock.patch.object(ingest, "_pinned", lambda table, _catalog: table):
            snapshot = ingest.append_once(table, table, table, batch, rows_of, lambda _rows: None)
        return snapshot, read

    def test_a_commit_carries_the_marker_and_the_rows(self) -> None:
        table = FakeTable("commit")
        self.assertEqual(self.append(table)[0], 1)
        self.assertEqual(table.summaries[0][ingest.OBJECT_ROWS], "2")
        self.assertEqual(self.append(table), (1, []))

    def test_a_conflict_is_tried_again_and_the_markers_are_looked_for_again(self) -> None:
        table = FakeTable("conflict", "commit")
        self.assertEqual(self.append(table)[0], 2)
        # The rival of the next one is the previous owner of the only object.
        table = FakeTable("conflict")
        batch = ingest.parse_batch(batch_document(), "")
        table.rival = ingest.marker("orders-before", {batch.objects[0]: 2})
        self.assertEqual(self.append(table, previousBatchIds=["orders-before"])[0], None)
        self.assertEqual(len(table.summaries), 1)

    def test_what_a_previous_owner_committed_is_not_even_read(self) -> None:
        batch = ingest.parse_batch(batch_document(), "")
        table = FakeTable(snapshots=[ingest.marker("orders-before", {batch.objects[0]: 2})])
        self.assertEqual(self.append(table, previousBatchIds=["orders-before"]), (None, []))

    def test_a_lost_answer_is_settled_by_the_table(self) -> None:
        self.assertEqual(self.append(FakeTable("lost"))[0], 1)
        with self.assertRaisesRegex(ingest.JobError, "^Iceberg.CommitUnknown: ") as raised:
            self.append(FakeTable("unavailable"))
        self.assertIn("TimeoutError", str(raised.exception))

    def test_rows_that_may_not_be_appended_are_not(self) -> None:
        def refuse(rows: Any) -> None:
            raise ingest.JobError("File.BadRows", f"{len(rows)} objects")

        table = FakeTable("commit")
        batch = ingest.parse_batch(batch_document(), "")
        with self.assertRaisesRegex(ingest.JobError, "^File.BadRows: 1 objects"):
            ingest.append_once(
                table, table, table, batch, lambda _item: pa.table({"id": [1]}), refuse
            )
        self.assertEqual(table.summaries, [])

    def test_endless_conflicts_end(self) -> None:
        with self.assertRaisesRegex(ingest.JobError, "^Iceberg.CommitConflict: "):
            self.append(FakeTable(*["conflict"] * 20))


class ContractTest(unittest.TestCase):
    def test_columns_partition_and_dialect(self) -> None:
        contract = ingest.parse_contract(CONTRACT)
        self.assertEqual((contract.database, contract.table), ("landfall_sales", "orders"))
        self.assertEqual(contract.partition, (("region", "identity"), ("placed_at", "day")))
        self.assertEqual(
            contract.format_of("landing", "orders/1.csv"),
            ingest.CsvFormat(delimiter=";", null_value="NULL"),
        )
        with self.assertRaisesRegex(ingest.JobError, "Contract.NotFound"):
            contract.format_of("landing", "orders/2026/1.csv")
        schema = ingest.iceberg_schema(contract.columns)
        self.assertEqual(schema.identifier_field_ids, [1])
        self.assertEqual(
            [str(field.field_type) for field in schema.fields],
            ["long", "timestamptz", "string", "decimal(12, 2)", "uuid", "date"],
        )
        spec = ingest.partition_spec(contract, schema)
        self.assertEqual(
            [(field.name, str(field.transform), field.source_id) for field in spec.fields],
            [("region", "identity", 3), ("placed_at_day", "day", 2)],
        )

    def test_types(self) -> None:
        for item, expected in [
            ({"physicalType": "NUMERIC ( 10 , 3 )"}, DecimalType(10, 3)),
            ({"physicalType": "decimal(5)"}, DecimalType(5, 0)),
            ({"physicalType": "varchar(20)"}, StringType()),
            ({"physicalType": "timestamp(6) with time zone"}, TimestamptzType()),
            ({"physicalType": "uuid", "logicalType": "string"}, UUIDType()),
            ({"physicalType": "oddity", "logicalType": "integer"}, LongType()),
            ({"logicalType": "integer", "logicalTypeOptions": {"format": "i32"}}, IntegerType()),
            ({"logicalType": "integer", "logicalTypeOptions": {"format": "u32"}}, LongType()),
            (
                {"logicalType": "integer", "logicalTypeOptions": {"format": "u64"}},
                DecimalType(20, 0),
            ),
            (
                {"logicalType": "integer", "logicalTypeOptions": {"format": "u128"}},
                DecimalType(38, 0),
            ),
            ({"logicalType": "number"}, DoubleType()),
            ({"logicalType": "number", "logicalTypeOptions": {"format": "f32"}}, FloatType()),
            ({"logicalType": "timestamp"}, TimestampType()),
            (
                {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}},
                TimestamptzType(),
            ),
            ({"logicalType": "date"}, DateType()),
        ]:
            self.assertEqual(ingest.column_type(item), expected, item)
        with self.assertRaises(ValueError):
            ingest.column_type({"name": "x", "logicalType": "array"})

    def test_columns_that_the_job_cannot_load_are_refused_by_name(self) -> None:
        for column in [
            "{name: x, logicalType: array, items: {logicalType: string}}",
            "{name: x, logicalType: object, properties: [{name: y, logicalType: string}]}",
            "{name: x, properties: [{name: y, logicalType: string}]}",
            "{name: x, physicalType: 'map<string,int>'}",
            "{name: x, physicalType: 'Array < decimal(12,2) >'}",
            "{name: x, physicalType: ROW, properties: [{name: y, logicalType: string}]}",
            "{name: x, logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}",
            "{name: x, logicalType: timestamp, logicalTypeOptions: {format: yyyy-MM-dd HH:mm}}",
            "{name: x, physicalType: timestamp, logicalTypeOptions: {format: yyyyMMdd HHmmss}}",
            "{name: x, logicalType: timestamp, logicalTypeOptions: {timezone: true, "
            "defaultTimezone: Europe/Berlin}}",
        ]:
            with self.assertRaisesRegex(
                ingest.JobError, "^Job.ContractUnsupported: column x .*`engine: lambda`"
            ):
                ingest.parse_contract(CONTRACT + f"      - {column}\n")

    def test_formats_that_are_iso_anyway_are_none(self) -> None:
        for options, kind in [
            ("date, logicalTypeOptions: {format: yyyy-MM-dd}", DateType()),
            ("time, logicalTypeOptions: {format: 'HH:mm:ss.SSS'}", TimeType()),
            ("timestamp, logicalTypeOptions: {format: \"uuuu-MM-dd'T'HH:mm:ss\"}", TimestampType()),
            (
                "timestamp, logicalTypeOptions: {timezone: true, defaultTimezone: UTC, "
                "format: 'yyyy-MM-dd HH:mm:ss.SSSSSSXXX'}",
                TimestamptzType(),
            ),
        ]:
            text = CONTRACT + f"      - {{name: x, logicalType: {options}}}\n"
            self.assertEqual(ingest.parse_contract(text).columns[-1].type, kind, options)

    def test_the_dates_of_odcs_3_0_are_told_by_their_format(self) -> None:
        contract = CONTRACT.replace("v3.1.0", "v3.0.2")
        for form, kind in [
            ("yyyy-MM-dd", DateType()),
            ("HH:mm:ss", TimeType()),
            ("yyyy-MM-dd HH:mm:ss", TimestampType()),
            ("yyyy-MM-dd HH:mm:ssXXX", TimestamptzType()),
        ]:
            item = f"{{name: x, logicalType: date, logicalTypeOptions: {{format: '{form}'}}}}"
            read = ingest.parse_contract(contract + f"      - {item}\n")
            self.assertEqual(read.columns[-1].type, kind, form)

    def test_formats_that_are_no_delimited_text_are_refused_for_their_files_only(self) -> None:
        for name in ["json", "jsonl", "ndjson", "parquet", "avro"]:
            other = f"  - {{server: b, type: s3, location: s3://landing/b/, format: {name}}}\n"
            contract = ingest.parse_contract(CONTRACT.replace("schema:\n", other + "schema:\n"))
            contract.format_of("landing", "orders/1.csv")
            with self.assertRaisesRegex(
                ingest.JobError, f"^Job.ContractUnsupported: s3://landing/b/1 is .*`{name}`"
            ):
                contract.format_of("landing", "b/1")

    def test_scalars_are_read_as_yaml_1_2_says(self) -> None:
        def null_value(written: str) -> str | None:
            text = CONTRACT.replace('value: "NULL"', f"value: {written}")
            return ingest.parse_contract(text).format_of("landing", "orders/1.csv").null_value

        # PyYAML by itself makes False, -999.0, 8, a time and a date of these.
        for written in ["NO", "-999.00", "010", "12:30", "2013-01-01", "1_000"]:
            self.assertEqual(null_value(written), written)
        for written, read in [("+5", "5"), ("+x", "+x"), ("0x10", "16"), ("True", "true")]:
            self.assertEqual(null_value(written), read)
        text = CONTRACT + "      - {name: on, logicalType: date, description: yes}\n"
        column = ingest.parse_contract(text).columns[-1]
        self.assertEqual((column.name, column.description), ("on", "yes"))

    def test_dialects(self) -> None:
        def dialect(server: str) -> ingest.CsvFormat | str:
            text = CONTRACT.replace('    format: csv\n    delimiter: ";"\n', server)
            self.assertNotEqual(text, CONTRACT)
            return ingest.parse_contract(text).sources[0][1]

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
        self.assertEqual(
            ingest.parse_contract(text).sources[0][1],
            ingest.CsvFormat(
                delimiter=";",
                quote="'",
                header=False,
                comment="#",
                skip_lines=3,
                compression="zstd",
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
            transform, added = ingest.parse_transform(text)
            self.assertEqual((str(transform), added), (name, suffix))
        for text in ["week", "bucket", "day[3]", "bucket[x]", "bucket(4)"]:
            with self.assertRaises(ValueError):
                ingest.parse_transform(text)

    def test_promotions_are_those_of_the_spec(self) -> None:
        self.assertTrue(ingest.is_widening(IntegerType(), LongType()))
        self.assertTrue(ingest.is_widening(DecimalType(4, 2), DecimalType(6, 2)))
        self.assertFalse(ingest.is_widening(LongType(), IntegerType()))
        self.assertFalse(ingest.is_widening(DecimalType(4, 2), DecimalType(6, 3)))
        self.assertFalse(ingest.is_widening(DateType(), TimestampType()))


class EvolvingTable:
    """A table whose schema changes without a catalog."""

    def __init__(self, schema: Schema) -> None:
        self.current = schema

    def schema(self) -> Schema:
        return self.current

    @contextlib.contextmanager
    def update_schema(self) -> Iterator[UpdateSchema]:
        transaction = mock.Mock()
        transaction.table_metadata.partition_specs = []
        transaction.table_metadata.schemas = [self.current]
        update = UpdateSchema(transaction, schema=self.current)
        yield update
        self.current = update._apply()


class EvolveTest(unittest.TestCase):
    def test_only_evolve_makes_columns_optional(self) -> None:
        int_type = "logicalType: integer, logicalTypeOptions: {format: i32}"
        before = CONTRACT + f"      - {{name: last, {int_type}, required: true}}\n"
        for policy, required in [("evolve", False), ("review", True), ("reject", True)]:
            knob = f"customProperties: [{{property: onDrift, value: {policy}}}]\n"
            for item, expected in [(int_type, IntegerType()), ("logicalType: integer", LongType())]:
                table = EvolvingTable(ingest.iceberg_schema(ingest.parse_contract(before).columns))
                after = CONTRACT + f"      - {{name: last, {item}}}\n" + knob
                ingest.evolve(table, ingest.parse_contract(after), [])
                field = table.schema().find_field("last")
                self.assertEqual((field.required, field.field_type), (required, expected))
                self.assertEqual(table.schema().identifier_field_ids, [1])

    def test_a_key_that_may_be_null_identifies_nothing(self) -> None:
        contract = ingest.parse_contract(CONTRACT)
        table = EvolvingTable(ingest.iceberg_schema(contract.columns))
        columns = tuple(replace(c, required=False, is_primary_key=False) for c in contract.columns)
        ingest.evolve(table, replace(contract, columns=columns, relaxes=True), [])
        self.assertEqual(table.schema().identifier_field_ids, [])
        self.assertFalse(any(field.required for field in table.schema().fields))


class RowsTest(unittest.TestCase):
    def read(self, text: str, csv_format: ingest.CsvFormat | None = None) -> pa.Table:
        contract = ingest.parse_contract(CONTRACT)
        schema = ingest.iceberg_schema(contract.columns)
        with TemporaryDirectory() as directory:
            path = Path(directory) / "rows.csv"
            path.write_text(text, encoding="utf-8")
            names = [column.name for column in contract.columns]
            csv_format = csv_format or contract.format_of("landing", "orders/1.csv")
            return ingest.read_csv(str(path), csv_format, schema, names)

    def test_values_take_the_tables_types(self) -> None:
        device = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")
        rows = self.read(
            "\ufeffregion;id;placed_at;amount;device;due\r\n"
            f'"a\nb";1;2026-11-21T09:00:00.5+01:00;-12.30;{device};2026-11-30\r\n'
            '"";2;2026-11-21 08:00:00Z;NULL;;\r\n'
        )
        self.assertEqual(
            rows.column_names, ["id", "placed_at", "region", "amount", "device", "due"]
        )
        first, second = rows.to_pylist()
        self.assertEqual(first["region"], "a\nb")
        self.assertEqual(
            first["placed_at"], datetime(2026, 11, 21, 8, 0, 0, 500_000, tzinfo=timezone.utc)
        )
        self.assertEqual(first["amount"], Decimal("-12.30"))
        self.assertEqual(
            uuid.UUID(bytes=bytes(getattr(first["device"], "bytes", first["device"]))), device
        )
        self.assertEqual(first["due"], date(2026, 11, 30))
        # A quoted empty field is an empty text; an unquoted one, and the null value, are null.
        self.assertEqual(second["region"], "")
        self.assertEqual([second[name] for name in ("amount", "device", "due")], [None] * 3)

    def test_booleans_are_written_in_any_case(self) -> None:
        self.assertEqual(len(set(ingest._in_any_case("true"))), 16)
        self.assertIn("FaLsE", ingest._in_any_case("false"))

    def test_a_quoted_empty_field_is_an_empty_text_and_of_other_types_null(self) -> None:
        rows = self.read('"region";"id";"due";"device"\n"";"7";"";""\nNULL;"8";"2026-11-30";\n')
        self.assertEqual(rows["region"].to_pylist(), ["", None])
        self.assertEqual(rows["id"].to_pylist(), [7, 8])
        self.assertEqual(rows["due"].to_pylist(), [None, date(2026, 11, 30)])
        self.assertEqual(rows["device"].to_pylist(), [None, None])
        rows = self.read('due;id\n"";7\n')
        self.assertEqual(rows["due"].to_pylist(), [None])

    def test_columns_that_the_file_lacks_are_null(self) -> None:
        rows = self.read("id\n7\n")
        self.assertEqual(rows["id"].to_pylist(), [7])
        self.assertEqual(rows["due"].to_pylist(), [None])

    def test_without_a_header_fields_are_the_contracts_columns(self) -> None:
        rows = self.read("7,,eu,1.00,,\n", ingest.CsvFormat(header=False))
        self.assertEqual(rows["region"].to_pylist(), ["eu"])

    def test_what_does_not_fit_fails_by_name(self) -> None:
        for text, name in [
            ("id;region\nx;eu\n", "File.BadRows"),
            ("id;region\n1;eu;more\n", "File.BadRows"),
            ("id;region\n;eu\n", "File.BadRows"),
            ("id;amount\n1;1.234\n", "File.BadRows"),
            ("id;placed_at\n1;2026-11-21T08:00:00\n", "File.BadRows"),
            ("id;colour\n1;red\n", "Schema.ColumnUnknown"),
        ]:
            with self.assertRaises(ingest.JobError, msg=text) as raised:
                self.read(text)
            self.assertEqual(raised.exception.name, name, text)

    def test_faults_repeat_no_value_of_the_file(self) -> None:
        for text, words in [
            ("id;region\nsecret;eu\n", "column id has a value that is no long"),
            ("id;region\n1;secret;more\n", "a record has 3 fields instead of 2"),
        ]:
            with self.assertRaisesRegex(ingest.JobError, words) as raised:
                self.read(text)
            self.assertNotIn("secret", str(raised.exception))
            self.assertIsNone(raised.exception.__cause__)
            self.assertTrue(raised.exception.__suppress_context__)


if __name__ == "__main__":
    unittest.main()
