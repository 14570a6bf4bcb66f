"""Reads what a table's metadata says of its data files, without an Iceberg library.

The differential test holds two engines against each other, so it reads one's table by neither's
code (https://iceberg.apache.org/spec/#manifests).
"""

import datetime
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet


class LocalTable:
    """A table whose bucket is a directory: `s3://bucket/key` is the file `bucket/key`."""

    def __init__(self, directory: Path, metadata_location: str) -> None:
        """Takes the directory of the buckets."""
        self._directory = directory
        self.metadata: dict[str, Any] = json.loads(self._path(metadata_location).read_text())

    def _path(self, location: str) -> Path:
        return self._directory / location.removeprefix("s3://")

    def _files(self) -> Iterator[Mapping[str, Any]]:
        """The live data files of the current snapshot, as manifests have them."""
        import fastavro

        current = self.metadata.get("current-snapshot-id", -1)
        for snapshot in self.metadata.get("snapshots", ()):
            if snapshot["snapshot-id"] != current:
                continue
            with self._path(snapshot["manifest-list"]).open("rb") as listed:
                manifests = [item["manifest_path"] for item in fastavro.reader(listed)]
            for manifest in manifests:
                with self._path(manifest).open("rb") as entries:
                    for entry in fastavro.reader(entries):
                        if entry["status"] != 2:
                            yield entry["data_file"]

    def partitions(self) -> Counter[str]:
        """Rows by partition values."""
        found: Counter[str] = Counter()
        for file in self._files():
            found[plain(list(file["partition"].values()))] += file["record_count"]
        return found

    def rows(self) -> list[str]:
        """All rows, in an order of their own. Columns that a file lacks are null."""
        schema = current_schema(self.metadata)
        names = [item["name"] for item in schema["fields"]]
        found = []
        for file in self._files():
            table = pyarrow.parquet.read_table(self._path(file["file_path"]))
            found += rows_of(table, names)
        return sorted(found)


def write_out(table: Any) -> str:  # noqa: ANN401 - Iceberg's own table, in Java
    """Writes every file of a table whose catalog keeps them in memory, under locations that start
    with `file://`, to where its location says; returns where the metadata is."""
    import fastavro

    written: dict[str, bytes] = {}

    def content(location: str) -> bytes:
        if location not in written:
            stream = table.io().newInputFile(location).newStream()
            written[location] = bytes(stream.readAllBytes())
            path = Path(location.removeprefix("file://"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(written[location])
        return written[location]

    def entries(location: str) -> Iterator[Any]:
        return iter(fastavro.reader(io.BytesIO(content(location))))

    location: str = table.operations().current().metadataFileLocation()
    for snapshot in json.loads(content(location)).get("snapshots", ()):
        for manifest in entries(snapshot["manifest-list"]):
            for entry in entries(manifest["manifest_path"]):
                content(entry["data_file"]["file_path"])
    return location


def current_schema(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table's current schema."""
    current = metadata["current-schema-id"]
    return next(schema for schema in metadata["schemas"] if schema["schema-id"] == current)


def rows_of(table: pa.Table, names: list[str]) -> Iterator[str]:
    """Rows as texts that are equal exactly when the rows are."""
    for row in table.to_pylist():
        yield plain([row.get(name) for name in names])


def plain(value: Any) -> str:  # noqa: ANN401 - a value of any type
    """A value as a text, alike for both engines: UUIDs as texts, moments as ISO 8601, structs
    without their missing fields."""
    if isinstance(value, dict):
        parts = (f"{key}: {plain(part)}" for key, part in value.items() if part is not None)
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(plain, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(plain, value)) + ")"
    if isinstance(value, bytes) and len(value) == 16:
        text = value.hex()
        return repr("-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])))
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc)
        return value.isoformat()
    if isinstance(value, datetime.date):
        return str((value - datetime.date(1970, 1, 1)).days)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return repr(value)
