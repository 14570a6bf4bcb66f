"""The Glue job: rows that must not be loaded, wherever in the batch they are."""

import gzip
import io
import json
import math
import sys
import unittest
import uuid
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ingest

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
servers:
  - {server: landing, type: s3, location: s3://landing/orders/, format: csv}
schema:
  - name: orders
    properties:
      - {name: email, logicalType: string, classification: confidential, unique: true}
      - {name: amount, logicalType: integer}
customProperties: []
"""


def item(key: str) -> ingest.ObjectVersion:
    return ingest.ObjectVersion("landing", key, "v#1", "1", "e")


class FakeS3:
    """Objects by key."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects

    def get_object(self, Bucket: str, Key: str, **_pin: str) -> dict[str, Any]:
        del Bucket
        return {"Body": io.BytesIO(self.objects[Key])}

    def list_objects_v2(self, Bucket: str, Prefix: str) -> dict[str, Any]:
        del Bucket
        return {"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}


class SplitRowsTest(unittest.TestCase):
    BATCH = ingest.Batch(
        "orders-1", "orders", ingest.ContractRef("config", "c", "e", None), (item("orders/a.csv"),)
    )

    def test_they_are_found_whatever_their_extension(self) -> None:
        start = "quarantine/orders/orders-1/orders/a.csv.rejected."
        for extension in ["csv", "tsv", "jsonl", "parquet", "avro"]:
            objects = ingest.Objects(FakeS3({start + extension: b""}))
            with self.assertRaisesRegex(
                ingest.JobError, f"^Job.BadRowsUnsupported: s3://landing/orders/a.csv .*{extension}"
            ):
                ingest.refuse_split_objects(objects, self.BATCH)

    def test_what_else_is_in_the_quarantine_is_another_files(self) -> None:
        names = [
            "quarantine/orders/orders-1/orders/a.csv",
            "quarantine/orders/orders-1/orders/a.csv.reason.json",
            "quarantine/orders/orders-1/orders/a.csv.rejected.csv.reason.json",
            "quarantine/orders/orders-2/orders/a.csv.rejected.csv",
        ]
        objects = ingest.Objects(FakeS3(dict.fromkeys(names, b"")))
        ingest.refuse_split_objects(objects, self.BATCH)

    def test_those_of_long_keys_are_found(self) -> None:
        long = item("a" + "é" * 500 + "x.csv")
        start = ingest.split_off_rows(self.BATCH, long)
        self.assertTrue(
            start.startswith(f"quarantine/orders/orders-1/{ingest.object_digest(long.id)}-é")
        )
        self.assertTrue(start.endswith("x.csv.rejected."))
        self.assertIn(len((start + "parquet").encode()), (1023, 1024))
        with self.assertRaisesRegex(ingest.JobError, "^Job.BadRowsUnsupported: "):
            ingest.refuse_split_objects(
                ingest.Objects(FakeS3({start + "csv": b""})), replace(self.BATCH, objects=(long,))
            )

    def test_a_key_that_just_fits_is_kept(self) -> None:
        room = 1024 - len("quarantine/orders/orders-1/.rejected.parquet")
        whole, cut = item("k" * room), item("k" * (room + 1))
        self.assertIn(f"/{whole.key}.rejected.", ingest.split_off_rows(self.BATCH, whole))
        self.assertNotIn(cut.key, ingest.split_off_rows(self.BATCH, cut))


class KeysTest(unittest.TestCase):
    def find(self, *tables: pa.Table, key: tuple[str, ...]) -> list[tuple[str, int, str, int]]:
        rows = {item(f"f{number}"): table for number, table in enumerate(tables)}
        repeats = ingest.find_repeats(rows, key)
        if repeats is None:
            return []
        places = [
            (later.item.key, later.record, earlier.item.key, earlier.record)
            for later, earlier in repeats.first
        ]
        self.assertEqual(len(places), min(repeats.rows, ingest._NAMED_REPEATS))
        return places

    def test_the_first_row_with_a_key_is_good_and_later_ones_are_bad(self) -> None:
        first = pa.table({"a": [1, 2, 1], "b": ["x", "x", "y"]})
        second = pa.table({"a": [3, 2, 3], "b": ["x", "x", "x"]})
        self.assertEqual(
            self.find(first, second, key=("a", "b")), [("f1", 2, "f0", 2), ("f1", 3, "f1", 1)]
        )
        self.assertEqual(
            self.find(first, second, key=("a",)),
            [("f0", 3, "f0", 1), ("f1", 2, "f0", 2), ("f1", 3, "f1", 1)],
        )
        self.assertEqual(self.find(first, key=("a", "b")), [])

    def test_a_key_with_a_null_is_equal_to_nothing(self) -> None:
        table = pa.table({"a": pa.array([None, None, 1, 1]), "b": ["x", "x", None, None]})
        self.assertEqual(self.find(table, key=("a", "b")), [])
        self.assertEqual(self.find(table, key=("a",)), [("f0", 4, "f0", 3)])

    def test_files_without_rows_are_passed_over(self) -> None:
        some, none = pa.table({"a": [1, 2]}), pa.table({"a": pa.array([], pa.int64())})
        self.assertEqual(self.find(none, some, none, some, key=("a",))[0], ("f3", 1, "f1", 1))
        self.assertEqual(self.find(none, none, key=("a",)), [])

    def test_values_of_every_type_are_compared_as_values(self) -> None:
        device = uuid.UUID(int=7).bytes
        for values, kind in [
            ([0.0, -0.0], pa.float64()),
            ([0.0, -0.0], pa.float32()),
            ([True, True], pa.bool_()),
            ([Decimal("1.0"), Decimal("1.00")], pa.decimal128(38, 2)),
            ([1, 1], pa.date32()),
            ([1, 1], pa.time64("us")),
            ([1, 1], pa.timestamp("us")),
            ([1, 1], pa.timestamp("us", "UTC")),
            (["", ""], pa.large_string()),
            ([device, device], pa.uuid()),
        ]:
            table = pa.table({"a": pa.array(values, kind)})
            self.assertEqual(self.find(table, key=("a",)), [("f0", 2, "f0", 1)], kind)
        apart = pa.table({"a": pa.array([0.1 + 0.2, 0.3, math.inf])})
        self.assertEqual(self.find(apart, key=("a",)), [])

    def test_texts_are_numbered_alike_in_all_files(self) -> None:
        first = pa.table({"a": pa.array(["x", None, "y"], pa.large_string())})
        second = pa.table({"a": pa.array(["z", "y", "w", "xy"], pa.large_string())})
        self.assertEqual(self.find(first, second, key=("a",)), [("f1", 2, "f0", 3)])

    def test_many_rows(self) -> None:
        count = 200_000
        numbers = pa.arange(0, count)
        names = pc.binary_join_element_wise("customer", numbers.cast(pa.string()), "-")
        table = pa.table({"a": names, "b": numbers})
        self.assertEqual(self.find(table, key=("a", "b")), [])
        again = table.slice(count - 3)
        self.assertEqual(self.find(table, again, key=("a",))[0], ("f1", 1, "f0", count - 2))


class LoadTest(unittest.TestCase):
    """`load`, with S3 in memory and a table that takes everything."""

    def load(
        self, contract: str, objects: dict[str, bytes], table: Any = None
    ) -> tuple[dict[str, Any], list[pa.Table]]:
        batch = {
            "id": "orders-1",
            "dataset": "orders",
            "contract": {"bucket": "config", "key": "contract", "etag": "c"},
            "objects": [
                {"bucket": "landing", "key": key, "version": "v#1", "etag": "e"}
                for key in objects
                if key.startswith("orders/")
            ],
        }
        s3 = FakeS3(
            {"batch": json.dumps({"batch": batch}).encode(), "contract": contract.encode()}
            | objects
        )
        appended: list[pa.Table] = []
        schema = ingest.iceberg_schema(ingest.parse_contract(CONTRACT).columns)
        table = table or mock.Mock(spec=Table)
        table.schema.return_value = schema
        table.snapshots.side_effect = lambda: [
            mock.Mock(
                snapshot_id=1,
                summary=mock.Mock(additional_properties={ingest.BATCH_ID: "orders-1"}),
            )
            for _ in appended
        ]
        table.append.side_effect = lambda rows, **_: appended.append(rows)
        catalog = mock.Mock(load_table=lambda _name: table)
        with (
            mock.patch.object(ingest.boto3, "client", lambda _service: s3),
            mock.patch.object(ingest, "open_catalog", lambda *_, **__: catalog),
            mock.patch.object(ingest, "open_table", lambda *_: table),
            mock.patch.object(ingest, "_pinned", lambda table, _catalog: table),
        ):
            return (
                ingest.load(ingest.Arguments("s3://warehouse/batch", "s3://w", "lake"), {}),
                appended,
            )

    def test_a_compressed_batch_is_loaded(self) -> None:
        result, appended = self.load(
            CONTRACT,
            {
                "orders/1.csv": gzip.compress(b"email,amount\na@x,1\n"),
                "orders/2.csv": b"amount,email\n2,b@x\n3,\n4,\n",
            },
        )
        self.assertEqual(result["snapshotId"], "1")
        self.assertEqual(appended[0]["amount"].to_pylist(), [1, 2, 3, 4])
        self.assertNotIn("repeatedKeyRows", result)

    def test_repeated_keys_are_told_by_line_and_without_their_values(self) -> None:
        objects = {
            "orders/1.csv": gzip.compress(b'email,amount\n\n"secret\n@x",1\nb@x,2\nb@x,3\n'),
            "orders/2.csv": b'email,amount\nc@x,1\n"secret\n@x",5\n',
        }
        for policy in ["reject", "quarantine"]:
            knob = f"customProperties: [{{property: onBadRows, value: {policy}}}]"
            with self.assertRaises(ingest.JobError) as raised:
                self.load(CONTRACT.replace("customProperties: []", knob), objects)
            self.assertEqual(
                str(raised.exception),
                "File.BadRows: 2 rows repeat the key email of an earlier row of the batch: "
                "s3://landing/orders/1.csv line 6 repeats line 5; s3://landing/orders/2.csv "
                "line 3 repeats line 3 of s3://landing/orders/1.csv. The Glue job cannot leave "
                "rows out yet: remove the repeated rows and upload the files again",
            )
            self.assertIsNone(raised.exception.__cause__)
            self.assertNotIn("secret", str(raised.exception))

    def test_many_repeats_are_named_in_part(self) -> None:
        with self.assertRaisesRegex(ingest.JobError, "9 rows repeat .* line 7 repeats.*, and more"):
            self.load(CONTRACT, {"orders/1.csv": b"email\n" + b"a@x\n" * 10})

    def test_with_warn_repeated_keys_are_loaded_and_counted(self) -> None:
        knob = "customProperties: [{property: onBadRows, value: warn}]"
        result, appended = self.load(
            CONTRACT.replace("customProperties: []", knob), {"orders/1.csv": b"email\na\na\na\n"}
        )
        self.assertEqual(result["repeatedKeyRows"], {"email": 2})
        self.assertEqual(appended[0].num_rows, 3)

    def test_nothing_is_touched_for_a_format_that_cannot_be_loaded(self) -> None:
        table = mock.Mock(spec=Table)
        for name in ["parquet", "jsonl", "avro"]:
            with self.assertRaisesRegex(
                ingest.JobError, "^Job.ContractUnsupported: s3://landing/orders/1 "
            ):
                self.load(
                    CONTRACT.replace("format: csv", f"format: {name}"), {"orders/1": b""}, table
                )
        table.append.assert_not_called()

    def test_problems_name_the_object(self) -> None:
        cut = gzip.compress(b"email\na\n" * 100)[:-9]
        with self.assertRaisesRegex(
            ingest.JobError, "^File.CompressionTruncated: s3://landing/orders/1: the gzip data"
        ):
            self.load(CONTRACT, {"orders/1": cut})


if __name__ == "__main__":
    unittest.main()
