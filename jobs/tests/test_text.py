"""The Glue job: the bytes of an object, as text that pyarrow reads as the check does."""

import bz2
import gzip
import io
import sys
import unittest
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import zstandard
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType

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
        self.assertEqual(decompressed(gzip.compress(TEXT), "none"), gzip.compress(TEXT))

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


SCHEMA = Schema(NestedField(1, "id", LongType()), NestedField(2, "name", StringType()))


class FetchTest(unittest.TestCase):
    def read(
        self, stored: bytes, csv_format: ingest.CsvFormat, schema: Schema = SCHEMA
    ) -> pa.Table:
        with TemporaryDirectory() as directory:
            path = Path(directory) / "rows.csv"
            ingest.fetch_text(io.BytesIO(stored), csv_format, path)
            names = [field.name for field in schema.fields]
            return ingest.read_csv(str(path), csv_format, schema, names)

    def rows(self, text: str, csv_format: ingest.CsvFormat) -> list[tuple[object, object]]:
        read = [tuple(row.values()) for row in self.read(text.encode(), csv_format).to_pylist()]
        packed = self.read(gzip.compress(text.encode()), csv_format)
        self.assertEqual([tuple(row.values()) for row in packed.to_pylist()], read)
        return read

    def test_lines_that_are_no_records_are_left_out(self) -> None:
        csv_format = ingest.CsvFormat(comment="#", skip_lines=2)
        text = (
            '\ufeffexported "today\r\n'
            "# a comment's lines count\n"
            '# so do its quotes" \n'
            "id,name\n"
            "\n"
            "1,#no comment\n"
            '2,"two\n# lines, ""quoted""\n"\n'
            '# "\n'
            " #3,blank first\n"
        )
        with self.assertRaisesRegex(ingest.JobError, "^File.BadRows: column id"):
            self.rows(text, csv_format)
        text = text.replace(" #3,blank first", '4,"#"')
        self.assertEqual(
            self.rows(text, csv_format),
            [(1, "#no comment"), (2, 'two\n# lines, "quoted"\n'), (4, "#")],
        )

    def test_lines_to_skip_end_at_line_feeds_only(self) -> None:
        rows = self.rows("a\rb\n1,x\n", ingest.CsvFormat(skip_lines=1, header=False))
        self.assertEqual(rows, [(1, "x")])

    def test_a_file_may_start_with_a_comment_behind_its_byte_order_mark(self) -> None:
        self.assertEqual(self.rows("\ufeff#\nid\n1\n", ingest.CsvFormat(comment="#")), [(1, None)])

    def test_a_carriage_return_by_itself_is_data_in_quotes_and_refused_outside(self) -> None:
        one = Schema(NestedField(1, "name", StringType()))
        for csv_format in [ingest.CsvFormat(), ingest.CsvFormat(comment="#")]:
            self.assertEqual(
                self.rows('id,name\r\n1,"a\rb"\r\n2,"c\n\rd"\r\n', csv_format),
                [(1, "a\rb"), (2, "c\n\rd")],
            )
            # pyarrow would make two rows of each.
            for text, line in [("name\na\rb\n", 2), ("name\na\r\r\n", 2), ('name\n"\n"\nb\r', 4)]:
                with self.assertRaisesRegex(
                    ingest.JobError, f"^Job.LineEndUnsupported: line {line} "
                ):
                    self.read(text.encode(), csv_format, one)
        self.assertEqual(self.rows("#\r\nid\n1\n", ingest.CsvFormat(comment="#")), [(1, None)])

    def test_a_carriage_return_at_the_end_of_a_chunk(self) -> None:
        one = Schema(NestedField(1, "name", StringType()))
        fill = b"name\n" + b"x" * (ingest._CHUNK_BYTES - 6)
        rows = self.read(fill + b"\r\ny\r\n", ingest.CsvFormat(), one)
        self.assertEqual(rows.num_rows, 2)
        with self.assertRaisesRegex(ingest.JobError, "^Job.LineEndUnsupported: "):
            self.read(fill + b"\ry\n", ingest.CsvFormat(), one)

    def test_records_are_found_by_their_lines(self) -> None:
        text = b'skipped\n\nid,name\n# no\n1,"a\n\nb"\n\n2,c\n'
        csv_format = ingest.CsvFormat(comment="#", skip_lines=1)
        with TemporaryDirectory() as directory:
            path = Path(directory) / "rows.csv"
            path.write_bytes(text)
            found = list(ingest.lines_of_records(path, csv_format))
            self.assertEqual([number for number, starts, _ in found if starts], [3, 5, 9])
            bare = replace(csv_format, comment=None)
            found = list(ingest.lines_of_records(path, bare))
            self.assertEqual([number for number, starts, _ in found if starts], [3, 4, 5, 9])


if __name__ == "__main__":
    unittest.main()
