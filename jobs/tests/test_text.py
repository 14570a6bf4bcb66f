"""The Glue job: from an object's bytes to the rows that the check found good."""

import bz2
import datetime
import gzip
import io
import json
import sys
import unittest
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet
import zstandard

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ingest

TEXT = b"id,name\n" + b"".join(b"%d,row %d\n" % (n, n) for n in range(20_000))
SKIPPABLE_FRAME = b"\x53\x2a\x4d\x18\x02\x00\x00\x00xx"
COMPRESS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def decompressed(stored: bytes, wanted: str = "auto", size: int = 1000) -> bytes:
    chunks = (stored[at : at + size] for at in range(0, len(stored), size))
    return b"".join(ingest.decompressed(chunks, wanted))


class CompressionTest(unittest.TestCase):
    def test_each_compression_is_seen_by_its_first_bytes(self) -> None:
        for codec, compress in COMPRESS.items():
            stored = compress(TEXT)
            self.assertEqual(ingest.compression_of(stored[:10]), codec)
            for wanted in ["auto", codec]:
                for size in [1, 7, 1 << 20]:
                    self.assertEqual(decompressed(stored, wanted, size), TEXT, (codec, size))
            self.assertEqual(ingest.compression_of(compress(b"")[:10]), codec)

    def test_text_is_not_taken_for_compressed(self) -> None:
        for text in [b"BZh9,name\n1,x\n", b"BZh0", b"BZh9", b"\x28\xb5", b"P*M", b"", b"id\n1\n"]:
            self.assertIsNone(ingest.compression_of(text[:10]), text)
            self.assertEqual(decompressed(text), text)
        packed = gzip.compress(TEXT)
        self.assertEqual(decompressed(packed, "none"), packed)

    def test_members_one_after_the_other_are_one_file(self) -> None:
        for codec, compress in COMPRESS.items():
            stored = compress(TEXT[:100]) + compress(b"") + compress(TEXT[100:])
            self.assertEqual(decompressed(stored), TEXT, codec)
        self.assertEqual(decompressed(SKIPPABLE_FRAME + COMPRESS["zstd"](TEXT)), TEXT)
        self.assertEqual(decompressed(gzip.compress(TEXT) + b"\0" * 5000), TEXT)

    def fails(self, stored: bytes, wanted: str, name: str) -> None:
        with self.assertRaises(ingest.JobError) as raised:
            decompressed(stored, wanted)
        self.assertEqual(raised.exception.name, name, wanted)

    def test_damage_has_the_names_that_the_check_gives_it(self) -> None:
        for codec, compress in COMPRESS.items():
            stored = compress(TEXT)
            self.fails(stored[:-3], "auto", "File.CompressionTruncated")
            self.fails(stored + stored[:20], "auto", "File.CompressionTruncated")
            damaged = bytearray(stored)
            damaged[len(stored) // 2] ^= 0xFF
            damaged[-6] ^= 0xFF
            if codec != "zstd":
                # A frame of zstd has a checksum only if its writer wants one.
                self.fails(bytes(damaged), "auto", "File.CompressionInvalid")
            self.fails(stored + b"trailing text\n", "auto", "File.CompressionInvalid")
            self.fails(TEXT, codec, "File.OtherCompression")
            self.fails(b"id", codec, "File.OtherCompression")
        self.fails(gzip.compress(TEXT), "zstd", "File.OtherCompression")
        self.fails(
            gzip.compress(TEXT) + b"\0\0" + gzip.compress(TEXT), "gzip", "File.CompressionInvalid"
        )

    def test_a_window_that_the_check_refuses_is_refused(self) -> None:
        parameters = zstandard.ZstdCompressionParameters(window_log=27)
        compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        stored = compressor.compress(TEXT) + compressor.flush()
        self.fails(stored, "auto", "File.CompressionInvalid")


C, P = ingest.Column, ingest.PrimitiveType
COLUMNS = (C("id", P("long")), C("name", P("string")))


def chunks_of(stored: bytes, size: int) -> list[bytes]:
    return [stored[at : at + size] for at in range(0, len(stored), size)]


class CsvTest(unittest.TestCase):
    def rows(
        self,
        text: str,
        csv_format: ingest.CsvFormat | None = None,
        *ranges: tuple[int, int],
        columns: tuple[ingest.Column, ...] = COLUMNS,
    ) -> list[tuple[Any, ...]]:
        """The rows: the same in one piece, in tiny pieces and in tiny blocks."""
        found = []
        for size, block in [(1 << 20, 8 << 20), (3, 8 << 20), (3, 16)]:
            rejected = ingest.Rejected(ranges)
            rows: list[tuple[Any, ...]] = []
            with mock.patch.object(ingest, "_BLOCK_BYTES", block):
                for batch in ingest.csv_rows(
                    chunks_of(text.encode(), size),
                    csv_format or ingest.CsvFormat(),
                    columns,
                    [column.name for column in columns],
                    rejected,
                ):
                    listed = [
                        batch.arrays[column.name].to_pylist()
                        if column.name in batch.arrays
                        else [None] * len(batch.numbers)
                        for column in columns
                    ]
                    rows += zip(batch.numbers, *listed, strict=True)
            found.append(rows)
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0], found[2])
        return found[0]

    def test_lines_that_are_no_records_are_left_out(self) -> None:
        text = (
            '\ufeffexported "today\r\n'
            "# a comment's lines count\n"
            '# so do its quotes" \n'
            "id,name\n"
            "\n"
            "1,#no comment\n"
            '2,"two\n# lines, ""quoted""\n"\n'
            '# "\n'
            '4,"#"\n'
        )
        self.assertEqual(
            self.rows(text, ingest.CsvFormat(comment="#", skip_lines=2)),
            [(1, 1, "#no comment"), (2, 2, 'two\n# lines, "quoted"\n'), (3, 4, "#")],
        )

    def test_a_carriage_return_by_itself_is_data(self) -> None:
        text = 'id,name\r\n1,"a\rb"\r\n2,c\rd\r\n3,e\r'
        self.assertEqual(self.rows(text), [(1, 1, "a\rb"), (2, 2, "c\rd"), (3, 3, "e\r")])

    def test_rejected_records_are_dropped_whatever_is_in_them(self) -> None:
        text = 'id,name\n1,a\nx,b"c\n3,"d"e\n4,"f\ng",h\n5,i\n\n6,"j\nk"\n'
        self.assertEqual(self.rows(text, None, (2, 3)), [(1, 1, "a"), (5, 5, "i"), (6, 6, "j\nk")])

    def test_nulls(self) -> None:
        text = 'id,name\n,\n"",""\nNA,NA\n"1","NA"\n'
        self.assertEqual(
            self.rows(text, ingest.CsvFormat(null_value="NA")),
            [(1, None, None), (2, None, ""), (3, None, None), (4, 1, "NA")],
        )

    def test_columns_go_by_name_or_without_a_header_by_place(self) -> None:
        self.assertEqual(self.rows("Name ,x,ID\na,b,1\n"), [(1, 1, "a")])
        self.assertEqual(self.rows("name\na\n"), [(1, None, "a")])
        bare = ingest.CsvFormat(header=False)
        self.assertEqual(self.rows("1,a\n", bare), [(1, 1, "a")])

    def test_what_does_not_fit_is_no_record(self) -> None:
        for text in ["id,name\n1\n", "id,name\n1,a,b\n", "id,name\nsecret,a\n"]:
            with self.assertRaises(ingest.Misfit) as raised:
                self.rows(text)
            self.assertNotIn("secret", str(raised.exception))


class ValueTest(unittest.TestCase):
    def test_texts_by_type(self) -> None:
        for column, good, bad in [
            (C("c", P("boolean")), {"TRUE": True, "false": False}, ["1", "t", " true"]),
            (
                C("c", P("int")),
                {"-0012": -12, "2147483647": 2147483647},
                ["2147483648", "+1", "1.0"],
            ),
            (C("c", P("long")), {"-9223372036854775808": -(2**63)}, ["9223372036854775808", "0x1"]),
            (
                C("c", P("decimal", 5, 2)),
                {".5": Decimal("0.50"), "-12.300": Decimal("-12.30"), "7": Decimal("7.00")},
                ["5.", "1.234", "1000", "1e1", "-", "."],
            ),
            (C("c", P("double")), {"1e-3": 0.001, ".5": 0.5}, ["NaN", "inf", "1e999", "5.", "0x1"]),
            (C("c", P("float")), {"0.1": 0.10000000149011612}, ["1e39", "nan"]),
            (
                C("c", P("date")),
                {"2024-02-29": datetime.date(2024, 2, 29), "0001-01-01": datetime.date(1, 1, 1)},
                ["2023-02-29", "0000-01-01", "24-01-01"],
            ),
            (
                C("c", P("timestamp")),
                {"2026-01-02 03:04:05.100000000": datetime.datetime(2026, 1, 2, 3, 4, 5, 100000)},
                ["2026-01-02", "2026-01-02T24:00:00", "2026-01-02T03:04:05Z", "2026-01-02T03:04"],
            ),
            (
                C("c", P("timestamptz")),
                {
                    text: datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
                    for text in ["2026-01-02T03:04:05Z", "2026-01-02 05:34:05.0+02:30"]
                },
                ["2026-01-02T03:04:05", "2026-01-02T03:04:05+0100"],
            ),
            (
                C("c", P("uuid")),
                {"0F0E0D0C-0b0a-0908-0706-050403020100": "0f0e0d0c-0b0a-0908-0706-050403020100"},
                ["0f0e0d0c0b0a09080706050403020100"],
            ),
            (
                C("c", P("timestamptz"), moment=ingest.Moment("d MMM yy, h:mm a X", None)),
                {
                    "2 feb 26, 12:05 am +0130": datetime.datetime(
                        2026, 2, 1, 22, 35, tzinfo=datetime.timezone.utc
                    )
                },
                ["2 feb 26, 13:05 am Z", "02 Sept 26, 1:05 am Z"],
            ),
            (
                C("c", P("timestamptz"), moment=ingest.Moment(None, "Europe/Berlin")),
                {
                    "2026-07-01 12:00:00": datetime.datetime(
                        2026, 7, 1, 10, tzinfo=datetime.timezone.utc
                    )
                },
                # Clocks went over the one, and have the other twice.
                ["2026-03-29 02:30:00", "2026-10-25 02:30:00"],
            ),
        ]:
            for text, value in good.items():
                read = ingest.array_of_texts(pa.array([text, None, ""]), column)
                self.assertEqual(read.to_pylist(), [value, None, None], text)
                slow = ingest.array_of_values([ingest.value_of_text(column, text)], column)
                self.assertEqual(slow.to_pylist(), [value], text)
            for text in bad:
                with self.assertRaises(ingest.Misfit):
                    print(text, ingest.array_of_texts(pa.array([text]), column))


ITEMS = ingest.ListType(
    C("element", ingest.StructType((C("Sku", P("string"), True), C("n", P("long")))))
)
NESTED = (
    C("id", P("long")),
    C("items", ITEMS),
    C("tags", ingest.MapType(C("key", P("int"), True), C("value", P("decimal", 38, 10)))),
    C("rest", P("string"), lenient=True),
)


class JsonTest(unittest.TestCase):
    def rows(self, text: str, layout: str, *ranges: tuple[int, int]) -> list[dict[str, Any]]:
        found = []
        for size in (1 << 20, 1, 7):
            rows: list[dict[str, Any]] = []
            rejected = ingest.Rejected(ranges)
            for batch in ingest.json_rows(chunks_of(text.encode(), size), layout, NESTED, rejected):
                rows += pa.table(dict(batch.arrays)).to_pylist()
            found.append(rows)
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0], found[2])
        return found[0]

    def test_documents_with_exact_numbers(self) -> None:
        good = (
            '{"ID": 9007199254740993, "items": [{"n": 1, "Sku": "a\\"]"}, null], '
            '"tags": {"007": 12345678901234567890.0123456789}, "rest": {"a":  [1.50]}}'
        )
        expected = {
            "id": 9007199254740993,
            "items": [{"Sku": 'a"]', "n": 1}, None],
            "tags": [(7, Decimal("12345678901234567890.0123456789"))],
            "rest": '{"a":  [1.50]}',
        }
        lines = f"\ufeff{good}\n \r\n{{broken\n{good}"
        self.assertEqual(self.rows(lines, "auto", (2, 1)), [expected, expected])
        array = f' [ {good} ,[1,"]"], 17,"x,", {{"a" 1}},\n{good}]\n'
        self.assertEqual(self.rows(array, "auto", (2, 4)), [expected, expected])
        self.assertEqual(
            self.rows('{"rest": 1.50}\n{"rest": true}', "lines"),
            [{"id": None, "items": None, "tags": None, "rest": text} for text in ("1.50", "true")],
        )

    def test_other_kinds_are_no_values(self) -> None:
        for text in ['{"id": "1"}', '{"id": 1.0}', '{"items": {}}', '{"tags": {"x": 1}}', "[1]"]:
            with self.assertRaises(ingest.Misfit):
                self.rows(text, "lines")


class ParquetTest(unittest.TestCase):
    def test_types_are_converted_and_rejected_rows_dropped(self) -> None:
        naive = datetime.datetime(2026, 7, 1, 12)
        table = pa.table(
            {
                "N": pa.array([1, 2, 3], pa.uint32()),
                "d": pa.array([1, 2, 3], pa.int32()),
                "at": pa.array([naive] * 3, pa.timestamp("ns")),
                "s": pa.array([{"b": "x", "a": 1}, None, {"b": None, "a": 2}]),
                "l": pa.array([[1], None, []], pa.large_list(pa.int32())),
                "m": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int32())),
            }
        )
        file = io.BytesIO()
        pyarrow.parquet.write_table(table, file)
        columns = (
            C("n", P("long")),
            C("d", P("decimal", 12, 2)),
            C("at", P("timestamptz"), moment=ingest.Moment(None, "Europe/Berlin")),
            C("s", ingest.StructType((C("a", P("long")), C("c", P("date")), C("B", P("string"))))),
            C("l", ingest.ListType(C("element", P("long")))),
            C("m", ingest.MapType(C("key", P("string"), True), C("value", P("long")))),
        )
        rejected = ingest.Rejected([(2, 1)])
        with mock.patch.object(ingest, "_ROWS_AT_ONCE", 2):
            found = list(ingest.parquet_rows(file, columns, rejected))  # type: ignore[arg-type]
        self.assertEqual([list(rows.numbers) for rows in found], [[1], [3]])
        rows = [row for part in found for row in pa.table(dict(part.arrays)).to_pylist()]
        instant = datetime.datetime(2026, 7, 1, 10, tzinfo=datetime.timezone.utc)
        self.assertEqual(
            rows,
            [
                {
                    "n": 1,
                    "d": Decimal("1.00"),
                    "at": instant,
                    "s": {"a": 1, "c": None, "B": "x"},
                    "l": [1],
                    "m": [("k", 1)],
                },
                {
                    "n": 3,
                    "d": Decimal("3.00"),
                    "at": instant,
                    "s": {"a": 2, "c": None, "B": None},
                    "l": [],
                    "m": [],
                },
            ],
        )

    def test_required_parts_are_looked_for(self) -> None:
        array = pa.array([[{"Sku": "a", "n": None}], None, [{"Sku": "b", "n": 1}]])
        ingest.refuse_nulls(array, C("items", ITEMS))
        with self.assertRaisesRegex(ingest.Misfit, "Sku has 1"):
            ingest.refuse_nulls(pa.array([[{"Sku": None, "n": 1}]]), C("items", ITEMS))


class RejectedTest(unittest.TestCase):
    def test_ranges(self) -> None:
        text = json.dumps({"records": [[2, 2], [6, 1]]}).encode()
        rejected = ingest.Rejected(ingest.record_ranges(text))
        self.assertEqual(
            [rejected.takes() for _ in range(7)], [False, True, True, False, False, True, False]
        )
        again = ingest.Rejected([(2, 2), (6, 1)])
        self.assertEqual(again.good_of(1), None)
        self.assertEqual([again.good_of(2), again.good_of(2), again.good_of(2)], [[], [0, 1], [1]])
        self.assertEqual((again.records, again.rejected), (7, 3))


if __name__ == "__main__":
    unittest.main()
