"""What the job needs of S3 and DynamoDB, for tests that have neither."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ingest
import pyarrow as pa
from botocore.exceptions import ClientError


class Files:
    """An S3 client whose buckets are directories. A version of an object is the file
    `<key>@<version id>`; where there is none, all versions are the file `<key>`."""

    def __init__(self, directory: Path) -> None:
        """Takes the directory of the buckets."""
        self.directory = directory

    def _path(self, bucket: str, key: str, pin: dict[str, str]) -> Path | None:
        path = self.directory / bucket / key
        version = path.with_name(f"{path.name}@{pin.get('VersionId')}")
        return next((found for found in (version, path) if found.exists()), None)

    def get_object(self, Bucket: str, Key: str, **pin: str) -> dict[str, Any]:
        """The object."""
        path = self._path(Bucket, Key, pin)
        if path is None:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(path.read_bytes())}

    def head_object(self, Bucket: str, Key: str, **pin: str) -> dict[str, Any]:
        """Whether there is such an object."""
        if self._path(Bucket, Key, pin) is None:
            raise ClientError({"Error": {"Code": "404"}}, "HeadObject")
        return {}


class Items:
    """A DynamoDB client with the items of a ledger, by path and version."""

    def __init__(self) -> None:
        """Without items."""
        self.items: dict[tuple[str, str], dict[str, dict[str, str]]] = {}

    def get_item(self, Key: dict[str, dict[str, str]], **_: object) -> dict[str, Any]:
        """The item."""
        found = self.items.get((Key["path"]["S"], Key["version"]["S"]))
        return {} if found is None else {"Item": found}


def read_files(
    directory: Path, plan: ingest.Plan, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """What `ingest.read_objects` does, with the files of a directory."""
    objects = ingest.Objects(Files(directory))
    for batch in batches:
        for rank in batch.column(0).to_pylist():
            yield from ingest.object_batches(plan, rank, objects)
