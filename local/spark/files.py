"""Objects of S3 as files in a directory, for tests that need no S3."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ingest
import pyarrow as pa


class Files:
    """An S3 client whose buckets are directories."""

    def __init__(self, directory: Path) -> None:
        """Takes the directory of the buckets."""
        self.directory = directory

    def get_object(self, Bucket: str, Key: str, **_pin: str) -> dict[str, Any]:
        """The object of that key, whatever its version."""
        return {"Body": io.BytesIO((self.directory / Bucket / Key).read_bytes())}


def read_files(
    directory: Path, plan: ingest.Plan, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """What `ingest.read_objects` does, with the files of a directory."""
    objects = ingest.Objects(Files(directory))
    for batch in batches:
        for rank in batch.column(0).to_pylist():
            yield from ingest.object_batches(plan, rank, objects)
