"""Glue job: loads a batch into its Iceberg table with Spark, exactly once.

One Spark task reads each object of the batch, pinned to the version that was checked, and
turns its records into rows of the contract's types. Which records are bad the check has said;
the job drops exactly those, and refuses a file that is not as the check found it. Rows are
appended, merged by the primary key (`writeMode: upsert`), or put in the place of an older
version's (`onOverwrite: replace`), always in one commit that carries the batch's marker. How
that keeps the protocol of docs/exactly-once.md is told at `load_rows`.

Arguments, as `--name value`:

    --batch       s3:// address of the batch document (shared/messages: GlueRunDocument)
    --warehouse   s3:// address above the tables: a table is at <warehouse>/<database>/<table>
    --database    Glue database of contracts that name none
    --ledger      name of the ledger's DynamoDB table

The Spark catalog `glue_catalog` is configured from outside, with `--conf`: template.yaml does
it on AWS, local/glue_runner.py on the local cloud.

The job fails with one line `<Name>: <what, where, what to do>`, which Glue hands on as the
run's error message.
"""

import bz2
import functools
import hashlib
import importlib
import io
import itertools
import json
import os
import re
import shutil
import sys
import tempfile
import time
import traceback
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Context, Decimal
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import boto3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
import yaml
import zstandard
from botocore.config import Config
from botocore.exceptions import ClientError

CATALOG = "glue_catalog"

BATCH_ID = "landfall.batch-id"
OBJECTS = "landfall.objects"
OBJECT_DIGESTS = "landfall.object-digests"
OBJECT_ROWS = "landfall.object-rows"

# The column of tables whose contracts replace: the digest of the object that a row is from.
OBJECT_COLUMN = "_landfall_object"
_OBJECT_COLUMN_DOC = (
    "The version of the file that the row came from, as a digest: Landfall replaces the rows of "
    "older versions by it."
)

# A summary is copied into every later metadata file, so a long list would be paid for at
# every commit to come.
_OBJECTS_LIMIT_BYTES = 2 * 1024
_COMMIT_ATTEMPTS = 8
_CHUNK_BYTES = 1 << 20
# Above the longest record that the check lets pass, so that a block always has a whole one.
_BLOCK_BYTES = 8 << 20
_ROWS_AT_ONCE = 16 * 1024
_NAMED_REPEATS = 5


class JobError(Exception):
    """A failure with a stable name; its text is what Glue reports."""

    def __init__(self, name: str, message: str) -> None:
        """Joins name and message."""
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message

    def __reduce__(self) -> tuple[type["JobError"], tuple[str, str]]:
        """Workers hand it to the driver."""
        return JobError, (self.name, self.message)


class Misfit(Exception):
    """A file's value or record is not what the check found; in words that repeat no value."""


class SupersededError(Exception):
    """A newer version of an object's path has come since the round began."""


# --- What to load --------------------------------------------------------------------------


@dataclass(frozen=True)
class Arguments:
    """The job's arguments."""

    batch: str
    warehouse: str
    database: str
    ledger: str

    @staticmethod
    def read(argv: Sequence[str]) -> "Arguments":
        """Takes them from the command line. Glue adds arguments of its own, passed over here."""
        given: dict[str, str] = {}
        words = list(argv)
        while words:
            word = words.pop(0)
            if not word.startswith("--"):
                continue
            name, equals, value = word.removeprefix("--").partition("=")
            if not equals and words and not words[0].startswith("--"):
                value = words.pop(0)
            given[name] = value

        def required(name: str) -> str:
            value = given.get(name)
            if not value:
                raise JobError(
                    "Job.ArgumentMissing", f"the job has no --{name}: start it with glue-trigger"
                )
            return value

        return Arguments(
            required("batch"),
            required("warehouse").rstrip("/"),
            required("database"),
            required("ledger"),
        )


@dataclass(frozen=True)
class ObjectVersion:
    """One version of one object (shared/messages: ObjectVersion)."""

    bucket: str
    key: str
    version: str
    version_id: str | None
    etag: str
    # When S3 recorded the write, RFC 3339, and S3's order of the writes to one key.
    event_time: str = ""
    sequencer: str = ""

    @property
    def path(self) -> str:
        """`s3://bucket/key`, as people write it and as the ledger's partition key."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def id(self) -> str:
        """`s3://bucket/key#<version>`, as snapshot markers carry it."""
        return f"{self.path}#{self.version}"


@dataclass(frozen=True)
class Checked:
    """What the check found in an object: its records, and which of them are bad."""

    records: int
    rejected: int
    # s3:// address of the bad records' numbers, when there are any.
    rejected_records: str | None


@dataclass(frozen=True)
class ContractRef:
    """The contract document, pinned to one version."""

    bucket: str
    key: str
    etag: str
    version_id: str | None


@dataclass(frozen=True)
class Batch:
    """The batch to load (shared/messages: GlueRunDocument).

    `additions` are columns that the files have and the contract does not know, as (name,
    type). `previous_batch_ids` owned some of the objects before, and may have committed them.
    `checked` and `replaces` are by object; `replaces` has the digests of the older versions
    of the object's path, whose rows leave the table.
    """

    id: str
    dataset: str
    contract: ContractRef
    objects: tuple[ObjectVersion, ...]
    additions: tuple[tuple[str, str], ...] = ()
    previous_batch_ids: tuple[str, ...] = ()
    checked: Mapping[ObjectVersion, Checked] = field(default_factory=dict)
    replaces: Mapping[ObjectVersion, tuple[str, ...]] = field(default_factory=dict)

    def in_order_of_events(self) -> tuple[ObjectVersion, ...]:
        """The objects, the last event last: by sequencer, then by place in the batch.

        S3 says to compare sequencers as text after padding the shorter one
        (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
        An object that a backfill listed has none. A batch with such a one is ordered by the times
        of the writes first, which all objects have.
        """
        longest = max(len(item.sequencer) for item in self.objects)
        announced = all(item.sequencer for item in self.objects)

        def order(item: ObjectVersion) -> tuple[datetime, str]:
            written = datetime.min if announced else _written_at(item)
            return written, item.sequencer.upper().rjust(longest, "0")

        return tuple(sorted(self.objects, key=order))


def _written_at(item: ObjectVersion) -> datetime:
    """When S3 recorded the write, in UTC and without a zone; an object of no known time was
    written before all others."""
    try:
        written = datetime.fromisoformat(item.event_time.replace("Z", "+00:00"))
    except ValueError:
        return datetime.min
    zoned = written.tzinfo is not None
    return written.astimezone(timezone.utc).replace(tzinfo=None) if zoned else written


def parse_batch(text: str | bytes, source: str) -> Batch:
    """Reads the batch document; `source` is where it came from, for the error."""
    try:
        document = json.loads(text)
        batch = document["batch"]
        contract = batch["contract"]
        objects = tuple(
            ObjectVersion(
                bucket=item["bucket"],
                key=item["key"],
                version=item["version"],
                version_id=item.get("versionId"),
                etag=item["etag"],
                event_time=item.get("eventTime") or "",
                sequencer=item.get("sequencer") or "",
            )
            for item in batch["objects"]
        )
        if not objects:
            raise ValueError("it has no objects")
        return Batch(
            id=batch["id"],
            dataset=batch["dataset"],
            contract=ContractRef(
                contract["bucket"], contract["key"], contract["etag"], contract.get("versionId")
            ),
            objects=objects,
            additions=tuple(
                (item["column"], item["fieldType"]) for item in document.get("additions", ())
            ),
            previous_batch_ids=tuple(document.get("previousBatchIds", ())),
            checked={
                objects[item["index"]]: Checked(
                    item["records"], item.get("rejected", 0), item.get("rejectedRecords")
                )
                for item in document.get("checked", ())
            },
            replaces={
                objects[item["index"]]: tuple(item["digests"])
                for item in document.get("replaces", ())
            },
        )
    except KeyError as error:
        reason = f"{error} is missing"
    except (TypeError, ValueError, IndexError) as error:
        reason = str(error)
    raise JobError(
        "Batch.Invalid",
        f"{source} is not a batch document: {reason}; start the job with glue-trigger, which "
        "writes the document",
    )


def object_digest(object_id: str) -> str:
    """The SHA-256 over an object id after its length (shared/messages)."""
    encoded = object_id.encode()
    digest = hashlib.sha256(len(encoded).to_bytes(8, "big"))
    digest.update(encoded)
    return digest.hexdigest()


def short_digest(object_id: str) -> str:
    """The first 16 digits of an object's digest (shared/messages: marker)."""
    return object_digest(object_id)[:16]


def marker(batch_id: str, rows: Mapping[ObjectVersion, int]) -> dict[str, str]:
    """The snapshot summary properties that say which batch, and how many rows of which
    objects, a snapshot adds (shared/messages: Marker)."""
    ordered = sorted(rows, key=lambda item: item.id.encode())
    ids = [item.id for item in ordered]
    properties = {
        BATCH_ID: batch_id,
        OBJECT_ROWS: ",".join(str(rows[item]) for item in ordered),
    }
    listed = json.dumps(ids, ensure_ascii=False, separators=(",", ":"))
    if len(listed.encode()) <= _OBJECTS_LIMIT_BYTES:
        properties[OBJECTS] = listed
    else:
        properties[OBJECT_DIGESTS] = ",".join(map(short_digest, ids))
    return properties


def holds(summary: Mapping[str, str], item: ObjectVersion) -> bool:
    """Whether the snapshot with that summary holds the object's rows."""
    if OBJECTS in summary:
        return item.id in json.loads(summary[OBJECTS])
    return short_digest(item.id) in summary.get(OBJECT_DIGESTS, "").split(",")


# --- Types ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class PrimitiveType:
    """A primitive type by its name in the Iceberg spec, without arguments."""

    name: str
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})" if self.name == "decimal" else self.name


@dataclass(frozen=True)
class StructType:
    """A struct's fields, in order."""

    fields: tuple["Column", ...]

    def __str__(self) -> str:
        return f"struct<{', '.join(f'{part.name}: {part.type}' for part in self.fields)}>"


@dataclass(frozen=True)
class ListType:
    """A list."""

    element: "Column"

    def __str__(self) -> str:
        return f"list<{self.element.type}>"


@dataclass(frozen=True)
class MapType:
    """A map; its key is required."""

    key: "Column"
    value: "Column"

    def __str__(self) -> str:
        return f"map<{self.key.type}, {self.value.type}>"


DataType = PrimitiveType | StructType | ListType | MapType


@dataclass(frozen=True)
class Moment:
    """How a date or time is written: a format of the JDK's DateTimeFormatter, or None for ISO
    8601, and the zone of a text that states none."""

    format: str | None
    zone: str | None


@dataclass(frozen=True)
class Column:
    """One column, or one part of a nested one. `lenient` is a column that the contract does
    not have: of JSON, text takes any value."""

    name: str
    type: DataType
    required: bool = False
    description: str | None = None
    moment: Moment | None = None
    is_primary_key: bool = False
    lenient: bool = False


def primitive_type(text: str) -> PrimitiveType:
    """Reads a primitive type as Iceberg writes it: `decimal(12, 2)`."""
    if found := re.fullmatch(r"decimal\((\d+), ?(\d+)\)", text):
        return PrimitiveType("decimal", int(found[1]), int(found[2]))
    return PrimitiveType(text)


def type_of_json(document: Any) -> DataType:  # noqa: ANN401 - JSON
    """Reads a type of a table's metadata (https://iceberg.apache.org/spec/#schemas)."""
    if isinstance(document, str):
        return primitive_type(document)
    kind = document["type"]
    if kind == "struct":
        return StructType(columns_of_json(document["fields"]))
    if kind == "list":
        element = type_of_json(document["element"])
        return ListType(Column("element", element, document["element-required"], lenient=True))
    key = Column("key", type_of_json(document["key"]), True, lenient=True)
    value = type_of_json(document["value"])
    return MapType(key, Column("value", value, document["value-required"], lenient=True))


def columns_of_json(fields: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Reads the fields of a table's schema, or of a struct in it."""
    return tuple(
        Column(
            item["name"],
            type_of_json(item["type"]),
            item["required"],
            item.get("doc"),
            lenient=True,
        )
        for item in fields
    )


def schema_json(columns: Sequence[Column], numbers: Iterator[int] | None = None) -> dict[str, Any]:
    """The Iceberg schema of a new table, as metadata states it.

    Columns get the ids from 1 in order; what is nested in them gets the ids after, all fields
    of a struct before what is nested in them. Primary key columns become identifier fields
    where Iceberg allows it (https://iceberg.apache.org/spec/#identifier-field-ids).
    """
    numbers = itertools.count(1) if numbers is None else numbers
    fields = _fields_json(columns, numbers)
    identifiers = [
        item["id"]
        for item, column in zip(fields, columns, strict=True)
        if column.is_primary_key
        and column.required
        and isinstance(column.type, PrimitiveType)
        and column.type.name not in ("float", "double")
    ]
    schema = {"type": "struct", "schema-id": 0, "fields": fields}
    return schema | ({"identifier-field-ids": identifiers} if identifiers else {})


def _fields_json(columns: Sequence[Column], numbers: Iterator[int]) -> list[dict[str, Any]]:
    ids = [next(numbers) for _ in columns]
    return [
        {
            "id": number,
            "name": column.name,
            "required": column.required,
            "type": _type_json(column.type, numbers),
        }
        | ({"doc": column.description} if column.description else {})
        for number, column in zip(ids, columns, strict=True)
    ]


def _type_json(data_type: DataType, numbers: Iterator[int]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(data_type, StructType):
        return {"type": "struct", "fields": _fields_json(data_type.fields, numbers)}
    if isinstance(data_type, ListType):
        number = next(numbers)
        return {
            "type": "list",
            "element-id": number,
            "element": _type_json(data_type.element.type, numbers),
            "element-required": data_type.element.required,
        }
    if isinstance(data_type, MapType):
        key, value = next(numbers), next(numbers)
        return {
            "type": "map",
            "key-id": key,
            "key": _type_json(data_type.key.type, numbers),
            "value-id": value,
            "value": _type_json(data_type.value.type, numbers),
            "value-required": data_type.value.required,
        }
    if data_type.name == "decimal":
        return f"decimal({data_type.precision}, {data_type.scale})"
    return data_type.name


_ARROW_TYPES: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "string": pa.string(),
    # Spark has no type for it: it takes the text, and writes the bytes.
    "uuid": pa.string(),
}


def arrow_type(data_type: DataType) -> pa.DataType:
    """The Arrow type of values on their way to Spark."""
    if isinstance(data_type, StructType):
        return pa.struct([pa.field(part.name, arrow_type(part.type)) for part in data_type.fields])
    if isinstance(data_type, ListType):
        return pa.list_(pa.field("element", arrow_type(data_type.element.type)))
    if isinstance(data_type, MapType):
        return pa.map_(arrow_type(data_type.key.type), arrow_type(data_type.value.type))
    if data_type.name == "decimal":
        return pa.decimal128(data_type.precision, data_type.scale)
    try:
        return _ARROW_TYPES[data_type.name]
    except KeyError:
        raise _unsupported(f"the table has a column of type {data_type.name}") from None


def parts_of(column: Column) -> Iterator[Column]:
    """The column, and everything nested in it."""
    yield column
    kind = column.type
    if isinstance(kind, StructType):
        inner: tuple[Column, ...] = kind.fields
    elif isinstance(kind, ListType):
        inner = (kind.element,)
    elif isinstance(kind, MapType):
        inner = (kind.key, kind.value)
    else:
        inner = ()
    for part in inner:
        yield from parts_of(part)


def is_widening(before: DataType, after: DataType) -> bool:
    """Iceberg's type promotions (https://iceberg.apache.org/spec/#schema-evolution)."""
    if not isinstance(before, PrimitiveType) or not isinstance(after, PrimitiveType):
        return False
    if before.name == after.name == "decimal":
        return before.precision < after.precision and before.scale == after.scale
    return (before.name, after.name) in (("int", "long"), ("float", "double"))


def normal_name(name: str) -> str:
    """A column name without what people and programs change by accident (shared/check)."""
    return name.strip().lower()


# --- The contract --------------------------------------------------------------------------


@dataclass(frozen=True)
class CsvFormat:
    """Dialect of delimited text."""

    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    null_value: str | None = None
    # A line that starts with it is no record.
    comment: str | None = None
    # Lines before the header, or the first record, that are none.
    skip_lines: int = 0


@dataclass(frozen=True)
class Source:
    """How the files of a location are written."""

    location: str
    # `csv`, `json`, `parquet` or `avro`.
    format: str
    csv: CsvFormat = CsvFormat()
    # `auto`, `lines` or `array`.
    json_layout: str = "auto"
    # `auto`, `none`, `gzip`, `zstd` or `bzip2`.
    compression: str = "auto"


@dataclass(frozen=True)
class Contract:
    """What the job needs of an ODCS document that the check has found valid."""

    database: str | None
    table: str
    columns: tuple[Column, ...]
    # (column, transform as written), in partitionKeyPosition order.
    partition: tuple[tuple[str, str], ...]
    sources: tuple[Source, ...]
    # `onDrift: evolve`: the table stops requiring what the contract does not.
    relaxes: bool = False
    # Columns whose values, together, no two rows of a batch may share.
    keys: tuple[tuple[str, ...], ...] = ()
    # `onBadRows`: `reject`, `quarantine` or `warn`.
    on_bad_rows: str = "reject"
    # `writeMode: upsert`: the columns of the primary key.
    upsert_by: tuple[str, ...] = ()
    # The boolean column by which an upsert deletes.
    delete_marker: str | None = None
    # `onOverwrite: replace`.
    replaces: bool = False
    # How long a snapshot is needed: only it tells that a batch's rows are in the table.
    snapshot_retention_days: int = 30

    def source_of(self, bucket: str, key: str) -> Source:
        """The source that claims the object."""
        for source in self.sources:
            if location_matches(source.location, bucket, key):
                return source
        raise JobError(
            "Contract.NotFound",
            f"the contract of {self.table} claims no s3://{bucket}/{key}: compare the key with the "
            "location of its servers of type s3",
        )

    def all_columns(self) -> tuple[Column, ...]:
        """The contract's columns, and Landfall's own."""
        own = Column(OBJECT_COLUMN, PrimitiveType("string"), description=_OBJECT_COLUMN_DOC)
        return (*self.columns, own) if self.replaces else self.columns


def _unsupported(words: str) -> JobError:
    return JobError(
        "Job.ContractUnsupported",
        f"{words}, which Spark cannot write: give the column another type in the contract, or "
        "upload smaller files, which are loaded without Spark",
    )


class _CoreSchemaLoader(yaml.SafeLoader):
    """Reads YAML as shared/contract does: the core schema of YAML 1.2, and numbers as the
    text they are written in. To PyYAML itself, `no` is false and `-999.00` is -999.0."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own declaration


def _plain_scalar(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str | bool | None:
    text = loader.construct_scalar(node)
    if node.style is not None:
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if re.fullmatch(r"0x[0-9A-Fa-f]+|0o[0-7]+", text):
        return str(int(text, 0))
    # The sign of a number, and not of a text.
    return text[1:] if re.fullmatch(r"\+(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) else text


_CoreSchemaLoader.add_constructor("tag:yaml.org,2002:str", _plain_scalar)


def parse_contract(text: str | bytes) -> Contract:
    """Reads an ODCS document.

    Fails with `Job.ContractUnsupported` when a column is one that Spark cannot write.
    """
    try:
        document = yaml.load(text, _CoreSchemaLoader)  # noqa: S506 - it is a SafeLoader
        odcs_3_0 = str(document["apiVersion"]).startswith("v3.0")
        schema = document["schema"][0]
        servers = document.get("servers") or []
        properties = schema["properties"]
        columns = tuple(column_of(item, odcs_3_0=odcs_3_0) for item in properties)
        knobs = _custom(document)
        primary = tuple(
            map(_column_name, _in_order(properties, "primaryKey", "primaryKeyPosition"))
        )
        upserts = knobs.get("writeMode") == "upsert"
        keys = _keys(schema, odcs_3_0=odcs_3_0)
        return Contract(
            database=next((item["database"] for item in servers if item["type"] == "glue"), None),
            table=schema.get("physicalName") or schema["name"],
            columns=columns,
            partition=tuple(
                (_column_name(item), str(_custom(item).get("partitionTransform") or "identity"))
                for item in _in_order(properties, "partitioned", "partitionKeyPosition")
            ),
            sources=tuple(_source(item) for item in servers if item["type"] == "s3"),
            relaxes=knobs.get("onDrift") == "evolve",
            keys=tuple(key for key in keys if not (upserts and set(key) == set(primary))),
            on_bad_rows=knobs.get("onBadRows") or "reject",
            upsert_by=primary if upserts else (),
            delete_marker=knobs.get("deleteMarker") if upserts else None,
            replaces=knobs.get("onOverwrite") == "replace",
            snapshot_retention_days=int(knobs.get("snapshotRetentionDays") or 30),
        )
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise JobError(
            "Contract.Invalid",
            f"the contract cannot be read ({type(error).__name__}: {error}); upload a valid one, "
            "then the file again",
        ) from error


def _custom(item: Mapping[str, Any]) -> dict[str, Any]:
    return {entry["property"]: entry.get("value") for entry in item.get("customProperties") or []}


def _column_name(item: Mapping[str, Any]) -> str:
    name = item.get("physicalName") or item["name"]
    if not isinstance(name, str):
        raise TypeError(f"a column's name is {name}: put it in quotes")
    return name


def _in_order(
    properties: Sequence[Mapping[str, Any]], flag: str, position: str
) -> list[Mapping[str, Any]]:
    """The properties with the flag, by position; those without one, or with -1, come last."""

    def order(item: Mapping[str, Any]) -> int:
        stated = int(item.get(position) or -1)
        return sys.maxsize if stated == -1 else stated

    return sorted((item for item in properties if item.get(flag) is True), key=order)


def column_of(
    item: Mapping[str, Any], *, odcs_3_0: bool = False, outer: DataType | None = None
) -> Column:
    """A property as a column, or as a part of one that `outer` says the type of."""
    data_type = column_type(item, odcs_3_0=odcs_3_0, outer=outer)
    name = _column_name(item) if "name" in item or "physicalName" in item else "element"
    return Column(
        name=name,
        type=data_type,
        required=_is_required(item, odcs_3_0=odcs_3_0),
        description=item.get("description"),
        moment=_moment(item, data_type),
        is_primary_key=item.get("primaryKey") is True,
    )


def _moment(item: Mapping[str, Any], data_type: DataType) -> Moment | None:
    """How the column's dates and times are written, unless simply as ISO 8601."""
    if not isinstance(data_type, PrimitiveType):
        return None
    if data_type.name not in ("date", "time", "timestamp", "timestamptz"):
        return None
    options = item.get("logicalTypeOptions") or {}
    stated, zone = options.get("format"), options.get("defaultTimezone")
    if data_type.name == "date" and stated and _format_letters(stated) == "y4-M2-d2":
        stated = None
    return Moment(stated, zone) if stated or zone else None


def _format_letters(text: str) -> str:
    """The parts of a format, alike for those that mean the same."""
    return "".join(
        part.text if part.letter is None else f"{part.letter}{part.count}"
        for part in moment_parts(text)
    )


_OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
_METRICS_OF_3_0 = {
    "nullCheck": "nullValues",
    "duplicateCount": "duplicateValues",
    "uniqueCheck": "duplicateValues",
}


def _metric_that_allows_none(rule: Mapping[str, Any], *, odcs_3_0: bool) -> str | None:
    """The metric of a library rule that holds only when it counts none: a rule on rows, or a
    key (shared/contract: `threshold.rs`, `quality.rs`)."""
    if (rule.get("type") or "library") != "library":
        return None
    severity = str(rule.get("severity") or "error").lower()
    unit = str(rule.get("unit") or "rows").lower()
    if severity in ("info", "warning") or unit not in ("rows", "percent"):
        return None
    stated = [operator for operator in _OPERATORS if rule.get(operator) is not None]
    if stated:
        none = stated in (["mustBe"], ["mustBeLessOrEqualTo"]) and float(rule[stated[0]]) == 0
    else:
        none = odcs_3_0
    if not none:
        return None
    name = rule.get("metric") or rule.get("rule")
    return _METRICS_OF_3_0.get(name, name) if rule.get("metric") is None else name


def _arguments(rule: Mapping[str, Any], name: str) -> Sequence[Any]:
    """An argument that is a list. In ODCS 3.0 it stands on the rule itself."""
    listed = (rule.get("arguments") or {}).get(name)
    return (rule.get(name) if listed is None else listed) or ()


def _is_required(item: Mapping[str, Any], *, odcs_3_0: bool) -> bool:
    """`required: true`, a part of the primary key, or a library rule that says the same."""
    if item.get("required") is True or item.get("primaryKey") is True:
        return True
    for rule in item.get("quality") or []:
        metric = _metric_that_allows_none(rule, odcs_3_0=odcs_3_0)
        if metric == "nullValues":
            return True
        if metric == "missingValues" and None in _arguments(rule, "missingValues"):
            return True
    return False


def _keys(schema: Mapping[str, Any], *, odcs_3_0: bool) -> tuple[tuple[str, ...], ...]:
    """Every key of the contract, once: `primaryKey`, `unique`, and rules that allow no
    duplicates. The order of a key's columns says nothing."""
    properties = schema["properties"]
    names = {_column_name(item): _column_name(item) for item in properties}
    names |= {item["name"]: _column_name(item) for item in reversed(properties)}

    def forbids_duplicates(rule: Mapping[str, Any]) -> bool:
        return _metric_that_allows_none(rule, odcs_3_0=odcs_3_0) == "duplicateValues"

    def is_single(item: Mapping[str, Any]) -> bool:
        return isinstance(column_type(item, odcs_3_0=odcs_3_0), PrimitiveType)

    primary = _in_order(properties, "primaryKey", "primaryKeyPosition")
    keys = [tuple(map(_column_name, primary))]
    keys += [
        (_column_name(item),)
        for item in properties
        if item.get("unique") is True and is_single(item)
    ]
    keys += [
        (_column_name(item),)
        for item in properties
        if any(map(forbids_duplicates, item.get("quality") or [])) and is_single(item)
    ]
    keys += [
        # A rule of ODCS 3.0 without properties is one that Landfall lists and does not enforce.
        tuple(names[name] for name in _arguments(rule, "properties"))
        for rule in schema.get("quality") or []
        if forbids_duplicates(rule)
    ]
    distinct = {frozenset(key): key for key in reversed(keys) if key}
    return tuple(key for key in dict.fromkeys(keys) if distinct.get(frozenset(key)) is key)


def _source(server: Mapping[str, Any]) -> Source:
    """A server of type `s3` (shared/contract: source.rs)."""
    name = str(server["format"])
    custom = _custom(server)
    location = server["location"]
    compression = custom.get("compression") or "auto"
    if compression not in ("auto", "none", *_CODECS):
        raise ValueError(f"the compression {compression} is not one of {', '.join(_CODECS)}")
    stated = server.get("delimiter") or custom.get("delimiter")
    if name in ("json", "jsonl", "ndjson"):
        usual = "auto" if name == "json" else "lines"
        layout = {"new_line": "lines", "array": "array"}.get(stated or "", usual)
        return Source(location, "json", json_layout=layout, compression=compression)
    if name == "parquet":
        return Source(location, "parquet", compression="none")
    if name == "avro":
        return Source(location, "avro", compression=compression)
    if name not in ("csv", "tsv"):
        raise ValueError(f"the format {name} is not known")

    def character(value: str | None, default: str | None) -> str | None:
        return "\t" if value in ("tab", "\\t") else value or default

    null_value = custom.get("nullValue")
    if isinstance(null_value, bool):
        null_value = str(null_value).lower()
    skipped = custom.get("skipLines")
    dialect = CsvFormat(
        delimiter="\t" if name == "tsv" else character(stated, ",") or ",",
        quote=character(custom.get("quote"), '"') or '"',
        header=custom.get("header") is not False,
        null_value=null_value,
        comment=character(custom.get("comment"), None),
        skip_lines=int(skipped) if skipped is not None else 0,
    )
    return Source(location, "csv", dialect, compression=compression)


def location_matches(location: str, bucket: str, key: str) -> bool:
    """Whether a server's location, a prefix or a glob, claims the object.

    `*` matches within a path segment, `**` across segments, `?` one character.
    """
    claimed, _, pattern = location.removeprefix("s3://").partition("/")
    if claimed != bucket:
        return False
    if not re.search(r"[*?]", pattern):
        return key.startswith(pattern)
    # `**/` at the start of a segment stands for any number of segments, also none.
    parts = re.split(r"((?:^|(?<=/))\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": r"(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    regex = "".join(meaning.get(part) or re.escape(part) for part in parts)
    return re.fullmatch(regex, key, re.DOTALL) is not None


_PHYSICAL_TYPES: dict[str, str] = {
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("int", "integer", "int4", "int32", "smallint", "tinyint"), "int"),
    **dict.fromkeys(("bigint", "long", "int64"), "long"),
    **dict.fromkeys(("float", "real", "float4", "float32"), "float"),
    **dict.fromkeys(("double", "double precision", "float8", "float64"), "double"),
    "date": "date",
    **dict.fromkeys(("time", "time without time zone"), "time"),
    **dict.fromkeys(
        ("timestamp", "timestamp without time zone", "timestamp_ntz", "datetime"), "timestamp"
    ),
    **dict.fromkeys(
        (
            "timestamptz",
            "timestamp with time zone",
            "timestamp with local time zone",
            "timestamp_tz",
            "timestamp_ltz",
        ),
        "timestamptz",
    ),
    **dict.fromkeys(
        ("string", "text", "varchar", "character varying", "char", "character", "nvarchar"),
        "string",
    ),
    "uuid": "uuid",
}


def physical_type(text: str) -> DataType | str | None:
    """Reads a `physicalType` as shared/contract does (physical.rs).

    `struct` or `list` where its parts are stated elsewhere; None where it says no type that
    Landfall knows.
    """
    text = text.strip()
    name, bracket, rest = text.partition("<")
    if not bracket:
        return _plain_type(text)
    name = name.strip().lower()
    if not rest.endswith(">"):
        raise ValueError(f"the type {text} does not end with its >")
    parts = _split_outside(rest[:-1])
    if name in ("array", "list") and len(parts) == 1:
        return ListType(Column("element", _whole(parts[0])))
    if name == "map" and len(parts) == 2:
        return MapType(Column("key", _whole(parts[0]), True), Column("value", _whole(parts[1])))
    if name == "struct":
        return StructType(tuple(map(_struct_field, parts)))
    raise ValueError(f"{text} is no type")


def _whole(text: str) -> DataType:
    found = physical_type(text)
    if found is None or isinstance(found, str):
        raise ValueError(f"{text} is no whole type")
    return found


def _plain_type(text: str) -> DataType | str | None:
    words = " ".join(text.lower().split())
    name, bracket, rest = words.partition("(")
    arguments, _, suffix = rest.partition(")")
    name = " ".join(filter(None, [name.strip(), suffix.strip()]))
    if bracket and name in ("decimal", "numeric", "number", "dec"):
        precision, _, scale = arguments.partition(",")
        return PrimitiveType("decimal", int(precision), int(scale or 0))
    if name in ("struct", "row", "record", "object"):
        return "struct"
    if name in ("array", "list"):
        return "list"
    return PrimitiveType(_PHYSICAL_TYPES[name]) if name in _PHYSICAL_TYPES else None


def _split_outside(text: str, separator: str = ",") -> list[str]:
    """The parts between separators that stand outside of all brackets and quotes."""
    parts, depth, start, opened = [], 0, 0, ""
    for place, sign in enumerate(text):
        if opened:
            opened = "" if sign == opened else opened
        elif sign in "`'\"":
            opened = sign
        elif sign in "<(":
            depth += 1
        elif sign in ">)":
            depth -= 1
        elif sign == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def _struct_field(text: str) -> Column:
    """`name: type`, or `name type`, then `NOT NULL` and `COMMENT '...'`."""
    text = text.strip()
    named = re.match(r"`([^`]*)`|([^:\s]+)", text)
    if not named:
        raise ValueError(f"{text} is no field of a struct")
    name = named[1] if named[1] is not None else named[2]
    rest = text[named.end() :].lstrip().removeprefix(":").strip()
    description = None
    if rest.endswith(("'", '"')) and (
        comment := re.search(r"(?is)(?<=[\s>)])comment\s+(['\"])(.*)\1$", rest)
    ):
        description = comment[2].replace("''", "'")
        rest = rest[: comment.start()].rstrip()
    required = re.search(r"(?i)(?<=[\s>)])not null$", rest)
    if required:
        rest = rest[: required.start()].rstrip()
    return Column(name, _whole(rest), bool(required), description)


def column_type(
    item: Mapping[str, Any], *, odcs_3_0: bool = False, outer: DataType | None = None
) -> DataType:
    """The type of a property, as shared/contract decides it: its `physicalType`, what the one
    around it says, then its `logicalType`."""
    stated = item.get("physicalType")
    known = physical_type(str(stated)) if stated else None
    if known is None or (isinstance(known, str) and outer is not None):
        known = outer if outer is not None else known
    if known is None:
        known = _logical_type(item, odcs_3_0=odcs_3_0)
    options = item.get("logicalTypeOptions") or {}
    if (known == "struct" or isinstance(known, StructType)) and item.get("properties"):
        of_outer = {part.name: part for part in getattr(known, "fields", ())}
        required = options.get("required") or ()
        fields = []
        for part in item["properties"]:
            said = of_outer.get(_column_name(part))
            column = column_of(part, odcs_3_0=odcs_3_0, outer=said.type if said else None)
            named = part.get("name") in required or column.name in required
            fields.append(
                replace(
                    column,
                    required=column.required or named or bool(said and said.required),
                    description=column.description or (said.description if said else None),
                )
            )
        return StructType(tuple(fields))
    if (known == "list" or isinstance(known, ListType)) and item.get("items"):
        said_type = known.element.type if isinstance(known, ListType) else None
        element = column_of(item["items"], odcs_3_0=odcs_3_0, outer=said_type)
        return ListType(replace(element, name="element"))
    if isinstance(known, str):
        raise ValueError(f"column {item.get('name')} does not say what is in it")
    return known


def _logical_type(item: Mapping[str, Any], *, odcs_3_0: bool) -> DataType | str:
    options = item.get("logicalTypeOptions") or {}
    logical, stated = item.get("logicalType"), options.get("format")
    if logical == "object" or (logical is None and item.get("properties")):
        return "struct"
    if logical == "array" or (logical is None and item.get("items")):
        return "list"
    if logical == "integer":
        if stated in ("i8", "i16", "i32", "u8", "u16"):
            return PrimitiveType("int")
        if stated in ("i128", "u128"):
            return PrimitiveType("decimal", 38, 0)
        return PrimitiveType("decimal", 20, 0) if stated == "u64" else PrimitiveType("long")
    if logical == "number":
        return PrimitiveType("float" if stated == "f32" else "double")
    if logical == "timestamp":
        return PrimitiveType("timestamptz" if options.get("timezone") is True else "timestamp")
    if logical == "date" and odcs_3_0 and stated:
        # It has no logical timestamp or time: `date` stands for all three.
        letters = {part.letter for part in moment_parts(stated)}
        has_date, has_clock = bool(letters & set("yMd")), bool(letters & set("HhamsS"))
        if has_clock:
            zoned = "timestamptz" if "X" in letters else "timestamp"
            return PrimitiveType(zoned if has_date else "time")
        return PrimitiveType("date")
    if logical in ("string", "boolean", "date", "time"):
        return PrimitiveType(str(logical))
    raise ValueError(f"column {item.get('name')} has no type that Landfall knows")


_TRANSFORMS = {"identity": "", "year": "_year", "month": "_month", "day": "_day", "hour": "_hour"}


def parse_transform(text: str) -> tuple[str, str]:
    """A partition transform as Iceberg writes it, and what it adds to the name of the
    partition field."""
    word, _, argument = text.removesuffix("]").partition("[")
    if word in _TRANSFORMS and not argument:
        return word, _TRANSFORMS[word]
    if word in ("bucket", "truncate") and argument.isdecimal():
        return f"{word}[{int(argument)}]", "_bucket" if word == "bucket" else "_trunc"
    raise ValueError(f"{text!r} is not a partition transform")


def partition_json(contract: Contract, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The partition spec of a new table, its fields named as Spark names them."""
    ids = {item["name"]: item["id"] for item in schema["fields"]}
    fields = []
    for number, (column, text) in enumerate(contract.partition, start=1000):
        transform, suffix = parse_transform(text)
        fields.append(
            {
                "name": column + suffix,
                "transform": transform,
                "source-id": ids[column],
                "field-id": number,
            }
        )
    return {"spec-id": 0, "fields": fields}


# --- Objects -------------------------------------------------------------------------------


class Objects:
    """Reads objects, each pinned to the version that was checked."""

    def __init__(self, s3: Any) -> None:  # noqa: ANN401 - boto3 makes clients at run time
        """Takes the S3 client."""
        self._s3 = s3

    def read(self, bucket: str, key: str, etag: str, version_id: str | None) -> Any:  # noqa: ANN401
        """The object's body."""
        pin = _pin(etag, version_id)
        return self._get(f"s3://{bucket}/{key}", Bucket=bucket, Key=key, **pin)

    def read_address(self, address: str) -> bytes:
        """What is at an `s3://` address, whole."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        return self._get(address, Bucket=bucket, Key=key).read()

    def gone(self, items: Iterable[ObjectVersion]) -> set[ObjectVersion]:
        """Those of the objects whose very version was deleted."""
        return {item for item in items if not self._has(item)}

    def _has(self, item: ObjectVersion) -> bool:
        pin = _pin(item.etag, item.version_id)
        try:
            self._s3.head_object(Bucket=item.bucket, Key=item.key, **pin)
        except ClientError as error:
            failure = _object_error(item.path, error)
            if failure is None:
                raise
            if failure.name == "Object.Gone":
                return False
            raise failure from error
        return True

    def _get(self, where: str, **request: str) -> Any:  # noqa: ANN401
        try:
            return self._s3.get_object(**request)["Body"]
        except ClientError as error:
            failure = _object_error(where, error)
            if failure is None:
                raise
            raise failure from error


def _pin(etag: str, version_id: str | None) -> dict[str, str]:
    return {"VersionId": version_id} if version_id else {"IfMatch": f'"{etag}"'}


def _object_error(where: str, error: ClientError) -> JobError | None:
    """The failure that S3's answer to a GET or HEAD means, unless it is one without a name of its
    own. The answer to a HEAD has its status alone, and that of a delete marker is 405
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html)."""
    code = error.response["Error"]["Code"]
    if code in ("PreconditionFailed", "412"):
        return JobError(
            "Object.Changed",
            f"{where} was overwritten since it was checked; the newer version has an execution of "
            "its own",
        )
    if code in ("NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed", "405"):
        return JobError("Object.Gone", f"{where} is gone since it was checked; upload it again")
    if code in ("AccessDenied", "403"):
        return JobError("Object.AccessDenied", f"the job's role may not read {where}: {error}")
    return None


def record_ranges(text: bytes) -> tuple[tuple[int, int], ...]:
    """The numbers of bad records, as the check lists them: first and count, ascending."""
    return tuple((first, count) for first, count in json.loads(text)["records"])


class Rejected:
    """Says of record after record, from 1, whether it is a bad one."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Takes the ranges, ascending."""
        self._ranges = list(ranges)
        self._next = 0
        self.expected = sum(count for _, count in ranges)
        self.records = 0
        self.rejected = 0

    def takes(self) -> bool:
        """Whether the next record is bad."""
        self.records += 1
        while self._next < len(self._ranges) and self.records >= sum(self._ranges[self._next]):
            self._next += 1
        bad = self._next < len(self._ranges) and self.records >= self._ranges[self._next][0]
        self.rejected += bad
        return bad

    def good_of(self, count: int) -> list[int] | None:
        """The places of the good ones among the next records; None when all are good."""
        last = self.records + count
        if self._next >= len(self._ranges) or last < self._ranges[self._next][0]:
            self.records = last
            return None
        return [place for place in range(count) if not self.takes()]


# --- Bytes to text -------------------------------------------------------------------------

_CODECS = ("gzip", "zstd", "bzip2")
# 64 MiB, as the check has it.
_ZSTD_WINDOW_BYTES = 1 << 26
_MAGIC_BYTES = 10


def compression_of(head: bytes) -> str | None:
    """What the first ten bytes of a file say (shared/check: `decompress.rs`)."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"\x28\xb5\x2f\xfd") or re.match(rb"[\x50-\x5f]\x2a\x4d\x18", head):
        return "zstd"
    block = head[4:_MAGIC_BYTES]
    is_block = b"1AY&SY".startswith(block) or b"\x17\x72\x45\x38\x50\x90".startswith(block)
    if re.match(rb"BZh[1-9]", head) and block and is_block:
        return "bzip2"
    return None


def _member(codec: str) -> Any:  # noqa: ANN401 - three libraries, one way to use them
    if codec == "gzip":
        return zlib.decompressobj(wbits=31)
    if codec == "bzip2":
        return bz2.BZ2Decompressor()
    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()


def decompressed(chunks: Iterable[bytes], wanted: str) -> Iterator[bytes]:
    """The bytes of a file as they were before it was compressed.

    `wanted` is the contract's `compression`: with `auto` the first bytes say, never the name.
    Any number of members, one after the other, is one file. How much may come out is bounded
    by the check, which let this version of the object pass.
    """
    chunks = iter(chunks)
    head = b""
    while len(head) < _MAGIC_BYTES and (chunk := next(chunks, b"")):
        head += chunk
    found = compression_of(head)
    codec = {"auto": found, "none": None}.get(wanted, wanted)
    if codec is None or not head:
        yield head
        yield from chunks
        return
    if codec != found:
        raise JobError(
            "File.OtherCompression",
            f"the contract says {codec}, and the file is not compressed so; compress it so, or "
            "write `auto`",
        )
    yield from _members(itertools.chain([head], chunks), codec)


def _members(chunks: Iterable[bytes], codec: str) -> Iterator[bytes]:
    damaged = JobError(
        "File.CompressionInvalid", f"the {codec} data is damaged; compress and upload it again"
    )
    member, is_padded = _member(codec), False
    for chunk in chunks:
        rest = chunk
        while rest:
            if member is None:
                # Zeros may fill the last block of a tape or a disk.
                unpadded = rest.lstrip(b"\0") if codec == "gzip" else rest
                is_padded |= len(unpadded) < len(rest)
                rest = unpadded
                if rest and is_padded:
                    raise damaged
                member = _member(codec) if rest else None
                continue
            try:
                piece = member.decompress(rest)
            except (zlib.error, zstandard.ZstdError, OSError, ValueError):
                raise damaged from None
            rest = member.unused_data if member.eof else b""
            if member.eof:
                member = None
            if piece:
                yield piece
    if member is not None:
        raise JobError(
            "File.CompressionTruncated",
            f"the {codec} data ends too early; the upload was probably cut off, upload it again",
        )


class _Stream(io.RawIOBase):
    """Chunks of bytes as a file that is read from its start to its end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        """Takes the chunks."""
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        """Fills the buffer as far as the chunk at hand reaches."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


# --- Values --------------------------------------------------------------------------------
#
# What a text is a value of, exactly as shared/check has it (value.rs, moment.rs): what does not
# fit its type is refused, never rounded. Python values are those that pyarrow makes arrays of;
# days and microseconds are whole numbers.

_MICROS_PER_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1)
_EXACT = Context(prec=80)
_INTEGER = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"(-?)([0-9]*)(?:\.([0-9]+))?")
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6})0*)?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _integer(text: str, bits: int) -> int:
    if not _INTEGER.fullmatch(text):
        raise Misfit("a value that is no whole number")
    number = int(text)
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise Misfit(f"a value beyond {bits} bits")
    return number


def _decimal(text: str, kind: PrimitiveType) -> Decimal:
    found = _DECIMAL.fullmatch(text)
    if not found or not (found[2] or found[3]):
        raise Misfit("a value that is no decimal number")
    fraction = found[3] or ""
    if fraction[kind.scale :].strip("0"):
        raise Misfit("a value of more decimals than its type holds")
    unscaled = int((found[2] or "0") + fraction[: kind.scale].ljust(kind.scale, "0"))
    return _scaled(-unscaled if found[1] else unscaled, kind)


def _scaled(unscaled: int, kind: PrimitiveType) -> Decimal:
    if abs(unscaled) >= 10**kind.precision:
        raise Misfit("a value of more digits than its type holds")
    return Decimal(unscaled).scaleb(-kind.scale, _EXACT)


def _double(text: str) -> float:
    number = float(text) if _NUMBER.fullmatch(text) else float("nan")
    if number != number or number in (float("inf"), float("-inf")):
        raise Misfit("a value that is no number its type holds")
    return number


def _float(text: str) -> float:
    _double(text)
    # Not by way of a double: that would round twice.
    number = pc.cast(pa.scalar(text), pa.float32()).as_py()
    if number in (float("inf"), float("-inf")):
        raise Misfit("a value that is no number its type holds")
    return number


def _boolean(text: str) -> bool:
    folded = text.lower()
    if folded not in ("true", "false"):
        raise Misfit("a value that is neither true nor false")
    return folded == "true"


def _days(year: int, month: int, day: int) -> int:
    try:
        return (date(year, month, day) - _EPOCH).days
    except ValueError:
        raise Misfit("a day that is not in the calendar") from None


def _date(text: str) -> int:
    found = _DATE.fullmatch(text)
    if not found:
        raise Misfit("a value that is no date")
    return _days(int(found[1]), int(found[2]), int(found[3]))


def _clock(text: str) -> int:
    found = _CLOCK.fullmatch(text)
    if not found:
        raise Misfit("a value that is no time of day")
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3])
    return _micros(hours, minutes, seconds, int((found[4] or "").ljust(6, "0")))


def _micros(hours: int, minutes: int, seconds: int, micros: int) -> int:
    if hours > 23 or minutes > 59 or seconds > 59:
        raise Misfit("a time that the day does not have")
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros


def _timestamp(text: str) -> int:
    if text[10:11] not in ("T", " "):
        raise Misfit("a value that is no timestamp")
    return _date(text[:10]) * _MICROS_PER_DAY + _clock(text[11:])


def _instant(text: str, zone: str | None = None) -> int:
    """A timestamp with its offset, or one without in the zone, if there is one."""
    if text.endswith("Z"):
        return _timestamp(text[:-1])
    found = re.fullmatch(r"(.*)([+-])([0-9]{2}):([0-9]{2})", text, re.DOTALL)
    if found and len(found[1]) > 10:
        hours, minutes = int(found[3]), int(found[4])
        if hours > 23 or minutes > 59:
            raise Misfit("an offset that no zone has")
        offset = (hours * 60 + minutes) * 60_000_000
        return _timestamp(found[1]) - (-offset if found[2] == "-" else offset)
    if zone is None:
        raise Misfit("a timestamp without its offset")
    return _in_zone(_timestamp(text), zone)


@functools.cache
def _zone(name: str) -> ZoneInfo | int:
    """A zone by its name; a fixed offset in microseconds."""
    if name.upper() in ("UTC", "ETC/UTC", "Z", "GMT", "ETC/GMT"):
        return 0
    if found := re.fullmatch(r"([+-])([0-9]{2}):([0-9]{2})", name):
        offset = (int(found[2]) * 60 + int(found[3])) * 60_000_000
        return -offset if found[1] == "-" else offset
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise JobError(
            "Contract.Invalid", f"the default timezone {name} of the contract is not known"
        ) from None


def _in_zone(local: int, name: str) -> int:
    """The instant of a local time, in microseconds. There is none when clocks went over it."""
    zone = _zone(name)
    if isinstance(zone, int):
        return local - zone
    try:
        naive = datetime(1970, 1, 1) + timedelta(microseconds=local)
        early, late = (naive.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    except OverflowError:
        raise Misfit("a timestamp beyond the calendar") from None
    if early is None or early != late:
        raise Misfit("a local time that its zone has twice or not at all")
    return local - early // timedelta(microseconds=1)


@dataclass(frozen=True)
class MomentPart:
    """One part of a format: a letter and how often it stands, or a text."""

    letter: str | None
    count: int = 0
    text: str = ""


@functools.cache
def moment_parts(text: str) -> tuple[MomentPart, ...]:
    """Reads a format as shared/contract does (moment_format.rs); letters that mean the same
    are one."""
    parts: list[MomentPart] = []
    for found in re.finditer(r"''|'((?:[^']|'')*)'|([A-Za-z])\2*|(.)", text, re.DOTALL):
        if found[2]:
            letter = {"u": "y", "L": "M", "x": "X", "Z": "X"}.get(found[2], found[2])
            parts.append(MomentPart(letter, len(found[0])))
            continue
        literal = found[3] or (found[1] or "").replace("''", "'") or ("'" * (found[0] == "''"))
        if parts and parts[-1].letter is None:
            literal = parts.pop().text + literal
        parts.append(MomentPart(None, text=literal))
    return tuple(parts)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@functools.cache
def _moment_regex(text: str) -> re.Pattern[str]:
    def expression(part: MomentPart) -> str:
        if part.letter is None:
            return re.escape(part.text)
        name, count = part.letter, part.count
        if name == "M" and count == 3:
            return f"(?P<MMM>(?i:{'|'.join(_MONTHS)}))"
        if name == "X":
            return r"(?P<X>Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
        if name == "a":
            return "(?P<a>(?i:am|pm))"
        if name == "y":
            return f"(?P<y>[0-9]{{{count}}})"
        if name == "S":
            return f"(?P<S>[0-9]{{{count}}})"
        return f"(?P<{name}>[0-9]{{2}}{'' if count == 2 else '|[0-9]'})"

    return re.compile("".join(map(expression, moment_parts(text))))


def _formatted(text: str, kind: str, moment: Moment) -> int:
    """The moment that a text writes in a format: days of a date, else microseconds."""
    found = _moment_regex(moment.format or "").fullmatch(text)
    if not found:
        raise Misfit(f"a value that is not written {moment.format}")
    parts = found.groupdict()
    month = parts.get("MMM")
    number = _MONTHS.index(month.lower()) + 1 if month else int(parts.get("M") or 0)
    year = parts.get("y") or "0"
    full_year = int(year) + (2000 if len(year) == 2 else 0)

    def clock() -> int:
        hours = int(parts.get("H") or 0)
        if parts.get("h") is not None:
            half = int(parts["h"])
            if not 1 <= half <= 12 or not parts.get("a"):
                raise Misfit("a time that the day does not have")
            hours = half % 12 + (12 if parts["a"].lower() == "pm" else 0)
        fraction = int((parts.get("S") or "").ljust(6, "0"))
        return _micros(hours, int(parts.get("m") or 0), int(parts.get("s") or 0), fraction)

    if kind == "time":
        return clock()
    days = _days(full_year, number, int(parts.get("d") or 0))
    if kind == "date":
        return days
    local = days * _MICROS_PER_DAY + clock()
    if kind == "timestamp":
        return local
    offset = parts.get("X")
    if offset is None:
        if moment.zone is None:
            raise Misfit("a timestamp without its offset")
        return _in_zone(local, moment.zone)
    if offset == "Z":
        return local
    minutes = int(offset[1:3]) * 60 + int(offset[-2:] if len(offset) > 3 else 0)
    if minutes > 18 * 60 or (len(offset) > 3 and int(offset[-2:]) > 59):
        raise Misfit("an offset that no zone has")
    return local - (-minutes if offset[0] == "-" else minutes) * 60_000_000


def value_of_text(column: Column, text: str) -> Any:  # noqa: ANN401 - a value of any type
    """The value of a text that is not null; fails with `Misfit` when it is none."""
    kind = column.type
    if not isinstance(kind, PrimitiveType):
        raise Misfit("a text where the contract has a nested value")
    if column.moment is not None:
        if column.moment.format is not None:
            return _formatted(text, kind.name, column.moment)
        return _instant(text, column.moment.zone)
    if kind.name == "decimal":
        return _decimal(text, kind)
    return _TEXT_READERS[kind.name](text)


def _uuid(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise Misfit("a value that is no UUID")
    return text.lower()


_TEXT_READERS: dict[str, Callable[[str], Any]] = {
    "boolean": _boolean,
    "int": lambda text: _integer(text, 32),
    "long": lambda text: _integer(text, 64),
    "float": _float,
    "double": _double,
    "date": _date,
    "time": _clock,
    "timestamp": _timestamp,
    "timestamptz": _instant,
    "string": lambda text: text,
    "uuid": _uuid,
}

# The usual forms, by which Arrow reads a whole column at once. What it reads otherwise than
# `value_of_text` has another form.
_USUAL_FORMS = {
    "boolean": r"^(?i:true|false)$",
    "int": r"^-?[0-9]{1,18}$",
    "long": r"^-?[0-9]{1,18}$",
    "float": r"^-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$",
    "double": r"^-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$",
    "decimal": r"^-?[0-9]{1,18}(?:\.[0-9]{1,18})?$",
    "date": r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}$",
    "timestamp": r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?$",
    "timestamptz": r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})$",
    "uuid": r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
}


def array_of_texts(texts: pa.Array, column: Column) -> pa.Array:
    """A column of delimited text as the contract's type. An empty text is null where the type
    has no such value."""
    kind = column.type
    if isinstance(kind, PrimitiveType) and kind.name == "string":
        return texts
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    usual = _usual(texts, column)
    if usual is not None:
        return usual
    encoded = pc.dictionary_encode(texts)
    try:
        values = [value_of_text(column, text) for text in encoded.dictionary.to_pylist()]
        distinct = pa.array(values, arrow_type(kind))
    except (pa.ArrowInvalid, OverflowError):
        raise Misfit(f"column {column.name} has a value that is no {kind}") from None
    except Misfit as misfit:
        raise Misfit(f"column {column.name} has {misfit}") from None
    return distinct.take(encoded.indices)


def _usual(texts: pa.Array, column: Column) -> pa.Array | None:
    """The values, when all texts have the type's usual form."""
    kind = column.type
    form = _USUAL_FORMS.get(kind.name) if isinstance(kind, PrimitiveType) else None
    if form is None or column.moment is not None:
        return None
    if pc.all(pc.match_substring_regex(texts, form), min_count=0).as_py() is False:
        return None
    wanted = arrow_type(kind)
    try:
        if kind.name == "uuid":
            return pc.utf8_lower(texts)
        if kind.name == "boolean":
            return pc.equal(pc.utf8_lower(texts), "true")
        values = pc.cast(texts, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    if pa.types.is_floating(wanted) and pc.all(pc.is_finite(values)).as_py() is False:
        return None
    return values


def value_of_json(column: Column, value: Any) -> Any:  # noqa: ANN401 - JSON, and a value
    """A JSON value as one of the column's type (shared/check: nested.rs, column.rs).

    Objects are lists of pairs, numbers the text they are written in.
    """
    if value is None:
        return None
    kind = column.type
    if isinstance(kind, StructType):
        members = dict(_pairs(value))
        return {part.name: value_of_json(part, members.get(part.name)) for part in kind.fields}
    if isinstance(kind, MapType):
        return [
            (value_of_text(kind.key, name), value_of_json(kind.value, part))
            for name, part in _pairs(value)
        ]
    if isinstance(kind, ListType):
        if not isinstance(value, list) or isinstance(value, JsonObject):
            raise Misfit("a JSON value that is no array")
        return [value_of_json(kind.element, part) for part in value]
    return value_of_text(column, _scalar_text(column, kind.name, value))


def _pairs(value: Any) -> "JsonObject":  # noqa: ANN401 - JSON
    if not isinstance(value, JsonObject):
        raise Misfit("a JSON value that is no object")
    return value


def _scalar_text(column: Column, kind: str, value: Any) -> str:  # noqa: ANN401 - JSON
    """The text of a JSON scalar of a kind that the type is written in."""
    if isinstance(value, JsonNumber):
        if kind in ("int", "long", "float", "double", "decimal"):
            return str(value)
    elif isinstance(value, bool):
        if kind == "boolean":
            return "true" if value else "false"
    elif isinstance(value, str) and kind in (
        "string",
        "uuid",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "decimal",
    ):
        return value
    if column.lenient and kind == "string":
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | JsonRaw):
            return str(value)
        raise Misfit("a JSON value inside another that the table has as text")
    raise Misfit(f"a JSON value of another kind than {kind}")


# --- Arrays --------------------------------------------------------------------------------


def array_of_values(values: Sequence[Any], column: Column) -> pa.Array:
    """Python values as the column's type."""
    try:
        return pa.array(values, arrow_type(column.type))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeError):
        raise Misfit(f"column {column.name} has a value that is no {column.type}") from None


def array_of_file(array: pa.Array, column: Column) -> pa.Array:
    """An array of a file's own type as the contract's (shared/check: conversion.rs). What is
    nested goes by name, or a name that differs only by case or blanks."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = column.type
    if isinstance(kind, StructType):
        if not pa.types.is_struct(array.type):
            raise Misfit(f"column {column.name} is no struct in the file")
        names = [array.type.field(place).name for place in range(array.type.num_fields)]
        places = bind(names, [part.name for part in kind.fields])
        parts = []
        for place, part in zip(places, kind.fields, strict=True):
            if place is None:
                parts.append(pa.nulls(len(array), arrow_type(part.type)))
            else:
                # With the struct's own offset and nulls.
                own = pc.struct_field(array, [place])
                parts.append(array_of_file(own, part))
        return _struct_array(parts, kind, array)
    if isinstance(kind, ListType):
        if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
            raise Misfit(f"column {column.name} is no list in the file")
        array = (
            array.cast(pa.list_(array.type.value_field))
            if pa.types.is_large_list(array.type)
            else array
        )
        offsets, elements = _list_parts(array)
        values = array_of_file(elements, kind.element)
        return pa.ListArray.from_arrays(
            offsets, values, type=arrow_type(kind), mask=pc.is_null(array)
        )
    if isinstance(kind, MapType):
        if not pa.types.is_map(array.type):
            raise Misfit(f"column {column.name} is no map in the file")
        offsets, start, end = _map_offsets(array)
        keys = array_of_file(array.keys.slice(start, end - start), kind.key)
        items = array_of_file(array.items.slice(start, end - start), kind.value)
        return _map_array(offsets, keys, items, kind, array)
    try:
        return _leaf(array, column, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        raise Misfit(f"column {column.name} has a value that is no {kind}") from None


def _struct_array(parts: Sequence[pa.Array], kind: StructType, like: pa.Array) -> pa.Array:
    names = [part.name for part in kind.fields]
    made = pa.StructArray.from_arrays(
        parts, fields=[pa.field(name, part.type) for name, part in zip(names, parts, strict=True)]
    )
    if not like.null_count:
        return made
    return pc.if_else(pc.is_valid(like), made, pa.scalar(None, made.type))


def _list_parts(array: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Offsets from zero, and the elements that they count."""
    # Elements under a null may be there; they are left out.
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    ends = pc.cumulative_sum(lengths.cast(pa.int64())).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    # Without the validity that computing left, although nothing is null.
    plain = pa.Array.from_buffers(pa.int32(), len(offsets), [None, offsets.buffers()[1]])
    return plain, array.flatten()


def _map_offsets(array: pa.Array) -> tuple[pa.Array, int, int]:
    offsets = array.offsets
    start, end = offsets[0].as_py(), offsets[len(array)].as_py()
    return pc.subtract(offsets, pa.scalar(start, pa.int32())), start, end


def _map_array(
    offsets: pa.Array, keys: pa.Array, items: pa.Array, kind: MapType, like: pa.Array
) -> pa.Array:
    mask = pc.is_null(like) if like.null_count else None
    return pa.MapArray.from_arrays(offsets, keys, items, mask=mask).cast(arrow_type(kind))


def _leaf(array: pa.Array, column: Column, kind: PrimitiveType) -> pa.Array:
    """Values of a primitive type as another one that holds them exactly."""
    own, wanted = array.type, arrow_type(kind)
    if kind.name == "uuid":
        if pa.types.is_fixed_size_binary(own):
            texts = [
                None if raw is None else str(uuid.UUID(bytes=raw)) for raw in array.to_pylist()
            ]
            return pa.array(texts, pa.string())
        return array_of_texts(array.cast(pa.string()), column)
    if kind.name == "string":
        return array.cast(pa.string())
    if pa.types.is_timestamp(own) and kind.name in ("timestamp", "timestamptz"):
        micros = array.cast(pa.timestamp("us", tz=own.tz)).cast(pa.int64())
        if (own.tz is None) == (kind.name == "timestamp"):
            return micros.cast(wanted)
        if own.tz is None and column.moment is not None and column.moment.zone is not None:
            zone = column.moment.zone
            values = [None if v is None else _in_zone(v, zone) for v in micros.to_pylist()]
            return pa.array(values, wanted)
        raise Misfit(f"column {column.name} has timestamps of another kind in the file")
    if kind.name == "float" and pa.types.is_float64(own):
        narrow = array.cast(wanted, safe=False)
        same = pc.or_(pc.equal(narrow.cast(own), array), pc.is_nan(array))
        if pc.all(same).as_py() is False:
            raise Misfit(f"column {column.name} has a value that is no float")
        return narrow
    if _converts(own, kind):
        if kind.name == "decimal" and pa.types.is_integer(own):
            # Through the widest type: Arrow wants room for every value that the type could have.
            return array.cast(pa.decimal128(38, 0)).cast(wanted)
        return array.cast(wanted)
    raise Misfit(f"column {column.name} is {own} in the file, and {kind} is wanted")


def _converts(own: pa.DataType, kind: PrimitiveType) -> bool:
    """Whether values of the file's type may be values of that one; each must fit."""
    types = pa.types
    by_name = {
        "boolean": types.is_boolean,
        "int": types.is_integer,
        "long": types.is_integer,
        "float": lambda it: types.is_float16(it) or types.is_float32(it),
        "double": types.is_floating,
        "decimal": lambda it: types.is_integer(it) or types.is_decimal(it),
        "date": types.is_date,
        "time": types.is_time,
    }
    return by_name[kind.name](own) if kind.name in by_name else False


def stored(array: pa.Array, column: Column, target: Column) -> pa.Array:
    """Values of the contract's type as the table stores them: Iceberg's promotions, and a
    struct's fields by name, null where the contract has none (shared/check: store.rs)."""
    own, wanted = column.type, target.type
    if own == wanted:
        return array
    if isinstance(own, StructType) and isinstance(wanted, StructType):
        places = {part.name: place for place, part in enumerate(own.fields)}
        if lost := places.keys() - {part.name for part in wanted.fields}:
            raise Misfit(f"the table has no field {', '.join(sorted(lost))} in {column.name}")
        parts = [
            stored(pc.struct_field(array, [places[part.name]]), own.fields[places[part.name]], part)
            if part.name in places
            else pa.nulls(len(array), arrow_type(part.type))
            for part in wanted.fields
        ]
        return _struct_array(parts, wanted, array)
    if isinstance(own, ListType) and isinstance(wanted, ListType):
        offsets, elements = _list_parts(array)
        values = stored(elements, own.element, wanted.element)
        return pa.ListArray.from_arrays(
            offsets, values, type=arrow_type(wanted), mask=pc.is_null(array)
        )
    if isinstance(own, MapType) and isinstance(wanted, MapType):
        offsets, start, end = _map_offsets(array)
        keys = stored(array.keys.slice(start, end - start), own.key, wanted.key)
        items = stored(array.items.slice(start, end - start), own.value, wanted.value)
        return _map_array(offsets, keys, items, wanted, array)
    if is_widening(own, wanted):
        return array.cast(arrow_type(wanted))
    raise Misfit(f"column {column.name} is {wanted} in the table, and {own} in the contract")


def refuse_nulls(array: pa.Array, column: Column) -> None:
    """Fails when there is no value where the table requires one."""
    if column.required and array.null_count:
        raise Misfit(f"the required column {column.name} has {array.null_count} rows without value")
    if not any(part.required for part in parts_of(column)):
        return
    kind = column.type
    if isinstance(kind, StructType):
        present = array.filter(pc.is_valid(array))
        for place, part in enumerate(kind.fields):
            refuse_nulls(pc.struct_field(present, [place]), part)
    elif isinstance(kind, ListType):
        refuse_nulls(array.flatten(), kind.element)
    elif isinstance(kind, MapType):
        present = array.filter(pc.is_valid(array))
        _, start, end = _map_offsets(present)
        refuse_nulls(present.items.slice(start, end - start), kind.value)


def bind(names: Sequence[str], wanted: Sequence[str]) -> list[int | None]:
    """Per wanted name, which of a file's names is it: the same, else one that differs only by
    case or blanks and is free (shared/check: header.rs)."""
    found: list[int | None] = [None] * len(wanted)
    free = dict(enumerate(names))
    for key in (str, normal_name):
        by_name: dict[str, int] = {}
        for place, name in free.items():
            by_name.setdefault(key(name), place)
        for index, name in enumerate(wanted):
            if found[index] is None and (place := by_name.pop(key(name), None)) is not None:
                found[index] = place
                del free[place]
    return found


# --- Records -------------------------------------------------------------------------------

_LONE_CR = re.compile(rb"\r(?!\n)")


@dataclass(frozen=True)
class Rows:
    """Some good records of a file: their numbers, and per column that the file has its
    values."""

    numbers: Sequence[int]
    arrays: Mapping[str, pa.Array]


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Physical lines with their line feeds; the last one may lack it."""
    rest = b""
    for chunk in chunks:
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


def _ends_quoted(line: bytes, delimiter: bytes, quote: bytes, *, quoted: bool) -> bool:
    """Whether a line ends inside a quoted field (shared/check: csv.rs). A quote that is
    misplaced means nothing: its field goes to the next delimiter."""
    at = 0
    while True:
        if quoted:
            close = line.find(quote, at)
            if close < 0:
                return True
            at = close + 1
            if line[at : at + 1] == quote:
                at += 1
                continue
            quoted = False
        elif line[at : at + 1] == quote:
            quoted = True
            at += 1
            continue
        separator = line.find(delimiter, at)
        if separator < 0:
            return False
        at = separator + 1


def records_of(lines: Iterable[bytes], csv_format: CsvFormat) -> Iterator[bytes]:
    """The records of delimited text, the header among them, whatever their quotes are like."""
    delimiter, quote = csv_format.delimiter.encode(), csv_format.quote.encode()
    comment = (csv_format.comment or "").encode()
    pending = b""
    quoted = False
    for number, whole in enumerate(lines, start=1):
        line = whole.removeprefix(b"\xef\xbb\xbf") if number == 1 else whole
        if number <= csv_format.skip_lines:
            continue
        if not pending:
            if line in (b"", b"\n", b"\r\n") or (comment and line.startswith(comment)):
                continue
            if quote not in line:
                yield line
                continue
        quoted = _ends_quoted(line, delimiter, quote, quoted=quoted)
        pending += line
        if not quoted:
            yield pending
            pending = b""
    if pending:
        yield pending


def split_record(record: bytes, csv_format: CsvFormat) -> list[tuple[bytes, bool]]:
    """The fields of a well quoted record, and whether each was quoted."""
    delimiter, quote = csv_format.delimiter.encode(), csv_format.quote.encode()
    text = record[:-2] if record.endswith(b"\r\n") else record.removesuffix(b"\n")
    if quote not in text:
        return [(part, False) for part in text.split(delimiter)]
    fields, at = [], 0
    while True:
        if text[at : at + 1] == quote:
            start = at = at + 1
            while (close := text.find(quote, at)) >= 0 and text[close + 1 : close + 2] == quote:
                at = close + 2
            if close < 0:
                raise Misfit("a quote that is not closed")
            fields.append((text[start:close].replace(quote * 2, quote), True))
            at = close + 1
            if at < len(text) and text[at : at + 1] != delimiter:
                raise Misfit("a record with a misplaced quote")
        else:
            end = text.find(delimiter, at)
            end = len(text) if end < 0 else end
            fields.append((text[at:end], False))
            at = end
        if at >= len(text):
            return fields
        at += 1


def whole_blocks(chunks: Iterable[bytes], csv_format: CsvFormat) -> Iterator[bytes]:
    """Blocks of whole records, of a file whose quotes all stand where they should: a line end
    ends a record where the quotes before it are even in number."""
    quote = csv_format.quote.encode()
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        if len(pending) < _BLOCK_BYTES:
            continue
        odd = pending.count(quote) % 2 == 1
        end = len(pending)
        while (line_end := pending.rfind(b"\n", 0, end)) >= 0:
            odd ^= pending.count(quote, line_end + 1, end) % 2 == 1
            end = line_end
            if not odd:
                yield bytes(pending[: line_end + 1])
                del pending[: line_end + 1]
                break
    if pending:
        yield bytes(pending)


def _numbered_blocks(
    chunks: Iterable[bytes], csv_format: CsvFormat, rejected: Rejected, *, header: bool
) -> Iterator[tuple[bytes, Sequence[int] | None]]:
    """The header, if there is one, then blocks of good records, with their numbers where some
    are left out."""
    plain = csv_format.comment is None and not csv_format.skip_lines
    if plain and not rejected.expected:
        for number, block in enumerate(whole_blocks(chunks, csv_format)):
            text = block.removeprefix(b"\xef\xbb\xbf") if number == 0 else block
            if header:
                first = next(records_of(lines_of([text]), replace(csv_format, skip_lines=0)), b"")
                header = not first
                if first:
                    yield first, None
                text = text[text.find(first) + len(first) :] if first else b""
            if text:
                yield text, None
        return
    block, numbers, size = [], [], 0
    for record in records_of(lines_of(chunks), csv_format):
        if header:
            header = False
            yield record, None
            continue
        if rejected.takes():
            continue
        block.append(record if record.endswith(b"\n") else record + b"\n")
        numbers.append(rejected.records)
        size += len(record)
        if size >= _BLOCK_BYTES:
            yield b"".join(block), numbers
            block, numbers, size = [], [], 0
    if block:
        yield b"".join(block), numbers


def csv_rows(
    chunks: Iterable[bytes],
    csv_format: CsvFormat,
    columns: Sequence[Column],
    of_contract: Sequence[str],
    rejected: Rejected,
) -> Iterator[Rows]:
    """The good records of delimited text. `columns` are those that are wanted; `of_contract`
    names the fields of a file without a header."""
    blocks = _numbered_blocks(chunks, csv_format, rejected, header=csv_format.header)
    names = list(of_contract)
    if csv_format.header:
        first, _ = next(blocks, (b"", None))
        names = [text.decode("utf-8", "replace") for text, _ in split_record(first, csv_format)]
    places = bind(names, [column.name for column in columns])
    for block, numbers in blocks:
        texts = _texts_of_block(block, csv_format, len(names))
        count = len(texts[0])
        if numbers is None:
            start = rejected.records + 1
            rejected.records += count
            numbers = range(start, start + count)
        elif len(numbers) != count:
            raise Misfit("other records than the check counted")
        yield Rows(
            numbers,
            {
                column.name: array_of_texts(texts[place], column)
                for place, column in zip(places, columns, strict=True)
                if place is not None
            },
        )


def _texts_of_block(block: bytes, csv_format: CsvFormat, fields: int) -> list[pa.Array]:
    """The fields of whole records as texts, null where a field is."""
    nulls = [""] if csv_format.null_value is None else ["", csv_format.null_value]
    names = [str(place) for place in range(fields)]
    if not _LONE_CR.search(block):
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(block),
                read_options=pyarrow.csv.ReadOptions(
                    column_names=names, block_size=len(block) + 1, use_threads=False
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=csv_format.delimiter,
                    quote_char=csv_format.quote,
                    newlines_in_values=True,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=nulls,
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            # Without its words: they repeat values, which the contract may call sensitive.
            ragged = re.search(r"Expected (\d+) columns, got (\d+)", str(error))
            words = f"{ragged[2]} fields instead of {ragged[1]}" if ragged else "malformed text"
            raise Misfit(f"a record with {words}") from None
        return [column.combine_chunks() for column in table.combine_chunks().columns]
    # To pyarrow a carriage return by itself ends a line, and to the check it is data.
    texts: list[list[str | None]] = [[] for _ in names]
    for record in records_of(lines_of([block]), replace(csv_format, skip_lines=0, comment=None)):
        parts = split_record(record, csv_format)
        if len(parts) != fields:
            raise Misfit(f"a record with {len(parts)} fields instead of {fields}")
        for column, (raw, quoted) in zip(texts, parts, strict=True):
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                raise Misfit("a text that is not UTF-8") from None
            column.append(None if not quoted and text in nulls else text)
    return [pa.array(column, pa.string()) for column in texts]


class JsonObject(list[tuple[str, Any]]):
    """An object's members, in their order; a name may come twice."""


class JsonNumber(str):
    """A number as it is written: exact, whatever its size."""

    __slots__ = ()


class JsonRaw(str):
    """An array or object as it is written, for a column of the table that is a text."""

    __slots__ = ()


def _no_constant(_: str) -> None:
    raise Misfit("a record that is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=JsonObject,
    parse_float=JsonNumber,
    parse_int=JsonNumber,
    parse_constant=_no_constant,
)
_BLANKS = " \t\r\n"


def json_record(raw: bytes) -> tuple[JsonObject, str]:
    """A record's members and its text."""
    try:
        text = raw.decode().strip(_BLANKS)
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise Misfit("a record that is no JSON") from None
    return _pairs(found), text


def raw_member(text: str, name: str) -> JsonRaw:
    """The text of a member of an object that is well-formed."""
    at = text.index("{") + 1
    while True:
        at = re.compile(r"[\s,]*").match(text, at).end()  # type: ignore[union-attr]
        key, at = _DECODER.raw_decode(text, at)
        at = re.compile(r"\s*:\s*").match(text, at).end()  # type: ignore[union-attr]
        _, end = _DECODER.raw_decode(text, at)
        if key == name:
            return JsonRaw(text[at:end])
        at = end


def json_records(chunks: Iterable[bytes], layout: str) -> Iterator[bytes]:
    """The records of a JSON file, malformed ones too (shared/check: scan.rs): its lines that
    are not blank, or the elements of the array that it is."""
    chunks = iter(chunks)
    head = b""
    while (len(head) < 4 or not head.removeprefix(b"\xef\xbb\xbf").strip()) and (
        chunk := next(chunks, None)
    ):
        head += chunk
    head = head.removeprefix(b"\xef\xbb\xbf")
    rest = itertools.chain([head], chunks)
    if layout == "array" or (layout == "auto" and head.lstrip().startswith(b"[")):
        yield from _array_elements(rest)
        return
    for line in lines_of(rest):
        if line.strip():
            yield line


_STRUCTURAL = re.compile(rb'["\[\]{}]')
_IN_STRING = re.compile(rb'[\\"]')
_BARE_END = re.compile(rb'[\s,:"\[\]{}]')


def _array_elements(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The elements of an array, each from its first byte to its last."""
    data, at, begun = bytearray(), 0, False

    def more() -> bool:
        """Takes another chunk; what is behind us goes."""
        chunk = next(chunks, None)
        if chunk is not None:
            data.extend(chunk)
        return chunk is not None

    while True:
        while at < len(data) and (data[at : at + 1].isspace() or data[at : at + 1] == b","):
            at += 1
        if at == len(data):
            data.clear()
            at = 0
            if not more():
                return
            continue
        if not begun:
            # The bracket that opens the array.
            begun = True
            at += 1
            continue
        if data[at : at + 1] == b"]":
            return
        del data[:at]
        end = _element_end(data, more)
        yield bytes(data[:end])
        at = end


def _element_end(data: bytearray, more: Callable[[], bool]) -> int:
    """Where the element ends that the data starts with."""

    def find(pattern: re.Pattern[bytes], at: int) -> re.Match[bytes] | None:
        while (found := pattern.search(data, at)) is None:
            # Not back to where the data ends now: an escaped byte is perhaps yet to come.
            at = max(at, len(data))
            if not more():
                return None
        return found

    cut = Misfit("an array that is cut off")
    if data[:1] not in (b"{", b"[", b'"'):
        found = find(_BARE_END, 0)
        return found.start() if found else len(data)
    depth = at = 0
    while True:
        found = find(_STRUCTURAL, at)
        if found is None:
            raise cut
        sign, at = found[0], found.end()
        if sign == b'"':
            while (inner := find(_IN_STRING, at)) is not None and inner[0] != b'"':
                # The escaped byte may be in the next chunk.
                at = inner.start() + 2
            if inner is None:
                raise cut
            at = inner.end()
        else:
            depth += 1 if sign in b"[{" else -1
        if depth == 0:
            return at


def json_rows(
    chunks: Iterable[bytes], layout: str, columns: Sequence[Column], rejected: Rejected
) -> Iterator[Rows]:
    """The good records of JSON documents. A key is a column's name, or differs only by case or
    blanks."""
    exact = {column.name: place for place, column in enumerate(columns)}
    alike = {
        normal_name(column.name): place for place, column in reversed(list(enumerate(columns)))
    }
    as_text = {
        place
        for place, column in enumerate(columns)
        if column.lenient and column.type == PrimitiveType("string")
    }
    met: dict[str, int | None] = {}
    numbers: list[int] = []
    values: list[list[Any]] = [[] for _ in columns]

    def rows() -> Rows:
        arrays = zip(columns, values, strict=True)
        return Rows(
            numbers, {column.name: array_of_values(list_, column) for column, list_ in arrays}
        )

    for raw in json_records(chunks, layout):
        if rejected.takes():
            continue
        members, text = json_record(raw)
        row: list[Any] = [None] * len(columns)
        for name, value in members:
            if name not in met:
                met[name] = exact.get(name, alike.get(normal_name(name)))
            place = met[name]
            if place is None:
                continue
            if place in as_text and isinstance(value, list):
                row[place] = raw_member(text, name)
            else:
                row[place] = value
        for column, list_, value in zip(columns, values, row, strict=True):
            try:
                list_.append(value_of_json(column, value))
            except Misfit as misfit:
                raise Misfit(
                    f"record {rejected.records}: column {column.name} has {misfit}"
                ) from None
        numbers.append(rejected.records)
        if len(numbers) == _ROWS_AT_ONCE:
            yield rows()
            numbers, values = [], [[] for _ in columns]
    if numbers:
        yield rows()


def parquet_rows(path: str, columns: Sequence[Column], rejected: Rejected) -> Iterator[Rows]:
    """The good rows of a Parquet file."""
    try:
        # Nanoseconds of INT96 that are no whole microseconds are in rows that the check rejected.
        file = pyarrow.parquet.ParquetFile(path, coerce_int96_timestamp_unit="us")
        names = file.schema_arrow.names
        places = bind(names, [column.name for column in columns])
        wanted = None
        if not any("." in name for name in names):
            wanted = [names[place] for place in places if place is not None]
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted):
            start = rejected.records + 1
            numbers: Sequence[int] = range(start, start + batch.num_rows)
            if (good := rejected.good_of(batch.num_rows)) is not None:
                numbers = [start + place for place in good]
                batch = batch.take(pa.array(good, pa.int64()))
            if not numbers:
                continue
            yield Rows(
                numbers,
                {
                    column.name: array_of_file(batch.column(names[place]), column)
                    for place, column in zip(places, columns, strict=True)
                    if place is not None
                },
            )
    except (pa.ArrowInvalid, OSError):
        raise Misfit("a Parquet file that cannot be read") from None


def avro_rows(
    chunks: Iterator[bytes], columns: Sequence[Column], rejected: Rejected
) -> Iterator[Rows]:
    """The good records of an Avro file."""
    import fastavro
    import fastavro.read

    # Logical types are ours to read: the library's own know neither years beyond 9999 nor our
    # rules of precision.
    fastavro.read.LOGICAL_READERS.clear()
    try:
        reader = fastavro.reader(
            io.BufferedReader(_Stream(chunks), _CHUNK_BYTES), handle_unicode_errors="replace"
        )
        readers = AvroValues(reader.writer_schema)
        names = [part["name"] for part in readers.fields]
        places = bind(names, [column.name for column in columns])
        wanted = [
            (column, readers.fields[place]["name"], readers.fields[place]["type"])
            for column, place in zip(columns, places, strict=True)
            if place is not None
        ]
        records = iter(reader)
        while batch := list(itertools.islice(records, _ROWS_AT_ONCE)):
            start = rejected.records + 1
            good = rejected.good_of(len(batch))
            kept = range(len(batch)) if good is None else good
            rows = [batch[place] for place in kept]
            if rows:
                yield Rows(
                    [start + place for place in kept],
                    {
                        column.name: array_of_values(
                            [readers.value(schema, row[name], column) for row in rows], column
                        )
                        for column, name, schema in wanted
                    },
                )
    except (EOFError, ValueError, IndexError, KeyError, TypeError):
        raise Misfit("an Avro file that cannot be read") from None


class AvroValues:
    """Values of an Avro file, by its schema (shared/check: avro/schema.rs, avro/datum.rs)."""

    def __init__(self, schema: Any) -> None:  # noqa: ANN401 - JSON
        """Takes the file's own schema."""
        self._named: dict[str, Any] = {}
        self._collect(schema)
        self.fields: list[dict[str, Any]] = schema["fields"]

    def _collect(self, schema: Any) -> None:  # noqa: ANN401 - JSON
        if isinstance(schema, list):
            for branch in schema:
                self._collect(branch)
        elif isinstance(schema, dict):
            if "name" in schema and schema.get("type") in ("record", "error", "enum", "fixed"):
                self._named[schema["name"]] = schema
            for part in schema.get("fields", ()):
                self._collect(part["type"])
            for part in ("items", "values", "type"):
                self._collect(schema.get(part))

    def _schema(self, schema: Any, value: Any) -> Any:  # noqa: ANN401 - JSON, and a value
        """The schema that the value, which is not null, has: no union, and no name."""
        if isinstance(schema, list):
            schema = next(branch for branch in schema if branch != "null")
        if isinstance(schema, str):
            schema = self._named.get(schema, schema)
        if isinstance(schema, dict) and isinstance(schema.get("type"), list | dict):
            return self._schema(schema["type"], value)
        return schema

    def value(self, schema: Any, value: Any, column: Column) -> Any:  # noqa: ANN401
        """A value of the file as one of the column's type."""
        if value is None:
            return None
        schema, kind = self._schema(schema, value), column.type
        if isinstance(kind, StructType):
            parts = {part["name"]: part["type"] for part in schema["fields"]}
            places = bind(list(parts), [part.name for part in kind.fields])
            names = [None if place is None else list(parts)[place] for place in places]
            return {
                part.name: None if name is None else self.value(parts[name], value[name], part)
                for part, name in zip(kind.fields, names, strict=True)
            }
        if isinstance(kind, ListType):
            return [self.value(schema["items"], part, kind.element) for part in value]
        if isinstance(kind, MapType):
            return [
                (
                    self._scalar("string", name, kind.key),
                    self.value(schema["values"], part, kind.value),
                )
                for name, part in value.items()
            ]
        return self._scalar(schema, value, column)

    def _scalar(self, schema: Any, value: Any, column: Column) -> Any:  # noqa: ANN401
        kind = column.type
        if not isinstance(kind, PrimitiveType):
            raise Misfit("a single value where the contract has a nested one")
        logical = schema.get("logicalType") if isinstance(schema, dict) else None
        if kind.name == "uuid":
            text = str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else value
            return _uuid(text)
        if kind.name == "decimal":
            if isinstance(value, bytes):
                scale = int(schema.get("scale", 0))
                value = Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-scale, _EXACT)
            return Decimal(value)
        if kind.name in ("timestamp", "timestamptz") and isinstance(logical, str):
            count = _in_micros(value, logical)
            local = logical.startswith("local-")
            if local and kind.name == "timestamptz":
                if column.moment is None or column.moment.zone is None:
                    raise Misfit("a timestamp without its offset")
                return _in_zone(count, column.moment.zone)
            return count
        if kind.name == "time" and isinstance(logical, str):
            return _in_micros(value, logical)
        return value


def _in_micros(count: int, logical: str) -> int:
    if logical.endswith("-millis"):
        return count * 1000
    if logical.endswith("-nanos"):
        if count % 1000:
            raise Misfit("a time that is finer than microseconds")
        return count // 1000
    return count


# --- Objects to rows -----------------------------------------------------------------------

# Beside the table's columns, where the order of rows matters: the place of the object in the
# order of events, and the record in the file.
RANK_COLUMN = "_landfall_rank"
RECORD_COLUMN = "_landfall_record"


@dataclass(frozen=True)
class Plan:
    """What a task needs to know to read its object."""

    contract: Contract
    # The table's, in order.
    columns: tuple[Column, ...]
    # In the order of their events.
    objects: tuple[ObjectVersion, ...]
    checked: Mapping[ObjectVersion, Checked]
    # Whether rows say their place.
    ordered: bool = False

    def readers(self) -> list[Column]:
        """The table's columns as files are read: as the contract has them, where it does."""
        of_contract = {column.name: column for column in self.contract.columns}
        return [
            of_contract.get(column.name, column)
            for column in self.columns
            if not (self.contract.replaces and column.name == OBJECT_COLUMN)
        ]


def read_objects(plan: Plan, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of the objects whose ranks come in; what `mapInArrow` runs on a worker."""
    objects = Objects(boto3.client("s3", config=Config(retries={"total_max_attempts": 6})))
    for batch in batches:
        for rank in batch.column(0).to_pylist():
            yield from object_batches(plan, rank, objects)


def object_batches(plan: Plan, rank: int, objects: Objects) -> Iterator[pa.RecordBatch]:
    """The good rows of one object, with the table's columns.

    Fails with `Job.NotAsChecked` when a record that is not rejected is no row, or when there
    are not as many records as the check counted.
    """
    item = plan.objects[rank]
    checked = plan.checked.get(item)
    ranges: tuple[tuple[int, int], ...] = ()
    if checked and checked.rejected_records:
        ranges = record_ranges(objects.read_address(checked.rejected_records))
    rejected = Rejected(ranges)
    try:
        for rows in _rows_of(plan, item, rejected, objects):
            yield from table_batches(plan, rank, rows)
        if checked and (rejected.records, rejected.rejected) != (checked.records, checked.rejected):
            raise Misfit(
                f"{rejected.records} records, {rejected.rejected} of them rejected, where the "
                f"check counted {checked.records} and {checked.rejected}"
            )
    except Misfit as misfit:
        raise JobError(
            "Job.NotAsChecked",
            f"{item.path} is not as the check found it: {misfit}; start an execution with the "
            "same input, so that it is checked again, and report this if it comes again",
        ) from None
    except JobError as error:
        if item.path in error.message:
            raise
        raise JobError(error.name, f"{item.path}: {error.message}") from None


def _rows_of(
    plan: Plan, item: ObjectVersion, rejected: Rejected, objects: Objects
) -> Iterator[Rows]:
    source = plan.contract.source_of(item.bucket, item.key)
    columns = plan.readers()
    body = objects.read(item.bucket, item.key, item.etag, item.version_id)
    chunks = iter(functools.partial(body.read, _CHUNK_BYTES), b"")
    if source.format == "parquet":
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            file.writelines(chunks)
            file.flush()
            yield from parquet_rows(file.name, columns, rejected)
        return
    plain = decompressed(chunks, source.compression)
    if source.format == "json":
        yield from json_rows(plain, source.json_layout, columns, rejected)
    elif source.format == "avro":
        yield from avro_rows(plain, columns, rejected)
    else:
        of_contract = [column.name for column in plan.contract.columns]
        yield from csv_rows(plain, source.csv, columns, of_contract, rejected)


def table_batches(plan: Plan, rank: int, rows: Rows) -> Iterator[pa.RecordBatch]:
    """Rows as batches of exactly the table's columns; those that the file lacks are null."""
    count = len(rows.numbers)
    readers = {column.name: column for column in plan.readers()}
    arrays, names = [], []
    for column in plan.columns:
        if column.name in rows.arrays:
            array = stored(rows.arrays[column.name], readers[column.name], column)
        elif plan.contract.replaces and column.name == OBJECT_COLUMN:
            array = pa.array([marking_digest(plan.objects[rank])] * count, pa.string())
        else:
            array = pa.nulls(count, arrow_type(column.type))
        refuse_nulls(array, column)
        arrays.append(array)
        names.append(column.name)
    if plan.ordered:
        arrays += [pa.array([rank] * count, pa.int32()), pa.array(rows.numbers, pa.int64())]
        names += [RANK_COLUMN, RECORD_COLUMN]
    batch = pa.RecordBatch.from_arrays(arrays, names)
    for start in range(0, count, _ROWS_AT_ONCE):
        yield batch.slice(start, _ROWS_AT_ONCE)


def marking_digest(item: ObjectVersion) -> str:
    """What stands for an object in its rows, and in `replaces` of the batch document."""
    return short_digest(item.id)


# --- The ledger ----------------------------------------------------------------------------

_LATEST = "latest"


class Ledger:
    """What the job asks the ledger: who may load an object (shared/ledger)."""

    def __init__(self, dynamodb: Any, table: str) -> None:  # noqa: ANN401 - a boto3 client
        """Takes the DynamoDB client and the table's name."""
        self._dynamodb, self._table = dynamodb, table

    def _item(self, item: ObjectVersion, version: str) -> dict[str, str]:
        """The text attributes of an item, by a strongly consistent read."""
        answer = self._dynamodb.get_item(
            TableName=self._table,
            Key={"path": {"S": item.path}, "version": {"S": version}},
            ConsistentRead=True,
        )
        return {name: value["S"] for name, value in answer.get("Item", {}).items() if "S" in value}

    def refuse_lost_claims(self, batch_id: str, objects: Iterable[ObjectVersion]) -> None:
        """Fails when another batch has taken an object over."""
        for item in objects:
            owner = self._item(item, item.version).get("batchId")
            if owner != batch_id:
                raise JobError(
                    "Ledger.ClaimLost",
                    f"{item.path} belongs to {f'batch {owner}' if owner else 'nobody'} now, so "
                    f"batch {batch_id} does not load it",
                )

    def superseded(self, objects: Iterable[ObjectVersion]) -> set[ObjectVersion]:
        """The objects whose path has a newer version, which takes their place."""
        return {
            item
            for item in objects
            if (latest := self._item(item, _LATEST))
            and latest.get("latestVersion") not in (None, item.version)
            and latest.get("latestRank", "") > latest_rank(item)
        }


def latest_rank(item: ObjectVersion) -> str:
    """What the ledger compares the versions of a path by (shared/ledger: latest.rs)."""
    return f"{item.sequencer.upper():0>64} {item.event_time} {item.version}"


# --- The table -----------------------------------------------------------------------------


def table_properties(contract: Contract) -> dict[str, str]:
    """The properties of a new table (shared/lake: catalog.rs, maintenance.rs)."""
    seconds = contract.snapshot_retention_days * 24 * 60 * 60
    return {
        "format-version": "2",
        "write.parquet.compression-codec": "zstd",
        # Old metadata files would else pile up: one for every commit, for ever.
        "write.metadata.delete-after-commit.enabled": "true",
        "write.metadata.previous-versions-max": "20",
        "history.expire.max-snapshot-age-ms": str(seconds * 1000),
        "history.expire.min-snapshots-to-keep": "10",
        "vacuum_max_snapshot_age_seconds": str(seconds),
    }


def schema_of(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """The current schema in a table's metadata."""
    current = metadata["current-schema-id"]
    return next(schema for schema in metadata["schemas"] if schema["schema-id"] == current)


def find_commits(metadata: Mapping[str, Any], batch_ids: Iterable[str]) -> list[Mapping[str, Any]]:
    """The snapshots that carry one of the batches.

    All snapshots count, not only the ancestors of the current one: what somebody rolled back
    was committed, and must not come back by itself.
    """
    wanted = set(batch_ids)
    return [
        snapshot
        for snapshot in metadata.get("snapshots", ())
        if snapshot.get("summary", {}).get(BATCH_ID) in wanted
    ]


def objects_to_load(metadata: Mapping[str, Any], batch: Batch) -> tuple[ObjectVersion, ...]:
    """The batch's objects in the order of their events, without those that this batch or a
    previous owner has committed."""
    commits = find_commits(metadata, [batch.id, *batch.previous_batch_ids])
    return tuple(
        item
        for item in batch.in_order_of_events()
        if not any(holds(commit["summary"], item) for commit in commits)
    )


def added_columns(batch: Batch) -> tuple[Column, ...]:
    """The columns that the files bring along."""
    return tuple(Column(name, primitive_type(text), lenient=True) for name, text in batch.additions)


@dataclass(frozen=True)
class Step:
    """One change of a table's schema. `path` is the column's, from the table's top."""

    change: str
    path: tuple[str, ...]
    column: Column | None = None


def evolution(schema: Mapping[str, Any], contract: Contract, added: Sequence[Column]) -> list[Step]:
    """The steps from the table's schema to one that has the contract's and the files' columns
    (shared/lake: evolution.rs).

    Types are widened as the contract's were, and what a contract with `onDrift: evolve` allows
    to be null becomes optional. Columns that others added stay.
    """
    table = columns_of_json(schema["fields"])
    steps = list(_field_steps(table, contract.all_columns(), (), contract))
    known = {column.name for column in (*table, *contract.all_columns())}
    steps += [Step("add", (column.name,), column) for column in added if column.name not in known]
    relaxed = {step.path for step in steps if step.change == "relax"}
    names = {item["id"]: item["name"] for item in schema["fields"]}
    identifiers = {names.get(number) for number in schema.get("identifier-field-ids", ())}
    if any(path[0] in identifiers and len(path) == 1 for path in relaxed):
        # Some of a key's columns identify nothing. They go first: they cannot be optional.
        steps.insert(0, Step("identify", ()))
    return steps


def _field_steps(
    table: Sequence[Column], columns: Sequence[Column], above: tuple[str, ...], contract: Contract
) -> Iterator[Step]:
    by_name = {column.name: column for column in columns}
    for has in table:
        if has.name in by_name:
            yield from _part_steps(has, by_name[has.name], (*above, has.name), contract)
    known = {has.name for has in table}
    for column in columns:
        if column.name not in known:
            # The rows that are there have no value for it, so it cannot be required.
            yield Step("add", (*above, column.name), replace(column, required=False))


def _part_steps(
    has: Column, column: Column, path: tuple[str, ...], contract: Contract
) -> Iterator[Step]:
    if has.required and not column.required and contract.relaxes:
        yield Step("relax", path)
    own, wanted = has.type, column.type
    if isinstance(own, StructType) and isinstance(wanted, StructType):
        yield from _field_steps(own.fields, wanted.fields, path, contract)
    elif isinstance(own, ListType) and isinstance(wanted, ListType):
        yield from _part_steps(own.element, wanted.element, (*path, "element"), contract)
    elif isinstance(own, MapType) and isinstance(wanted, MapType):
        yield from _part_steps(own.value, wanted.value, (*path, "value"), contract)
    elif own != wanted and is_widening(own, wanted):
        yield Step("widen", path, column)
    elif own != wanted and not is_widening(wanted, own):
        raise JobError(
            "Iceberg.SchemaMismatch",
            f"column {'.'.join(path)} is {own} in the table and {wanted} in the contract; change "
            "the contract back, or load into a new table",
        )


class Lake:
    """The Iceberg tables of the Spark catalog, by way of Iceberg's own library."""

    def __init__(self, spark: Any) -> None:  # noqa: ANN401 - a SparkSession
        """Takes the session, whose catalog `glue_catalog` is configured."""
        self.spark = spark
        self._jvm = spark._jvm
        self._iceberg = spark._jvm.org.apache.iceberg

    def name(self, database: str, table: str) -> str:
        """The table's name in SQL."""
        return f"{CATALOG}.{quoted(database)}.{quoted(table)}"

    def load(self, name: str) -> "Table":
        """The table as it is now. What Spark does with it from here on, it does with this
        version, until it is loaded again: the catalog keeps it."""
        self.spark.catalog.refreshTable(name)
        return Table(
            self._iceberg.spark.Spark3Util.loadIcebergTable(self.spark._jsparkSession, name),
            name,
            self._jvm,
        )

    def ensure(
        self, database: str, contract: Contract, added: Sequence[Column], warehouse: str
    ) -> None:
        """Creates the table when it is missing, and brings its schema up to the contract's and
        the files' columns."""
        name = self.name(database, contract.table)
        for _ in range(_COMMIT_ATTEMPTS):
            try:
                if not self.spark.catalog.tableExists(name):
                    self._create(database, contract, added, warehouse)
                table = self.load(name)
                steps = evolution(schema_of(table.metadata()), contract, added)
                if steps:
                    table.evolve(steps)
                return
            except Exception as error:
                # Another writer was faster; it may have brought the table or the columns.
                if not is_conflict(error):
                    raise
        raise _outrun()

    def _create(
        self, database: str, contract: Contract, added: Sequence[Column], warehouse: str
    ) -> None:
        location = f"{warehouse}/{database}".replace("'", "\\'")
        self.spark.sql(
            f"CREATE NAMESPACE IF NOT EXISTS {CATALOG}.{quoted(database)} LOCATION '{location}'"
        )
        catalog = self._iceberg.spark.Spark3Util.loadIcebergCatalog(
            self.spark._jsparkSession, CATALOG
        )
        document = schema_json([*contract.all_columns(), *added])
        schema = self._iceberg.SchemaParser.fromJson(json.dumps(document))
        spec = self._iceberg.PartitionSpecParser.fromJson(
            schema, json.dumps(partition_json(contract, document))
        )
        catalog.createTable(
            self._iceberg.catalog.TableIdentifier.of(self._strings([database, contract.table])),
            schema,
            spec,
            f"{warehouse}/{database}/{contract.table}",
            table_properties(contract),
        )

    def run(self, statement: str, properties: Mapping[str, str]) -> None:
        """Runs a statement whose commit carries the snapshot properties.

        Iceberg 1.10 takes them for SQL by this class of its own only
        (https://iceberg.apache.org/docs/1.10.0/spark-configuration/#commitmetadata).
        """
        from pyspark.java_gateway import ensure_callback_server_started

        ensure_callback_server_started(self.spark.sparkContext._gateway)
        call = _Statement(self.spark, statement)
        failure = self._jvm.java.lang.Class.forName("java.lang.RuntimeException")
        self._iceberg.spark.CommitMetadata.withCommitProperties(dict(properties), call, failure)
        if call.error is not None:
            raise call.error

    def _strings(self, texts: Sequence[str]) -> Any:  # noqa: ANN401 - a Java array
        array = self.spark.sparkContext._gateway.new_array(self._jvm.java.lang.String, len(texts))
        for place, text in enumerate(texts):
            array[place] = text
        return array


class _Statement:
    """A statement for Java to call back for. What goes wrong stays on this side."""

    def __init__(self, spark: Any, statement: str) -> None:  # noqa: ANN401 - a SparkSession
        """Takes the statement."""
        self._spark, self._statement = spark, statement
        self.error: Exception | None = None

    def call(self) -> None:
        """Runs it."""
        try:
            self._spark.sql(self._statement)
        except Exception as error:
            self.error = error

    class Java:
        """What py4j asks for."""

        implements = ("java.util.concurrent.Callable",)


def quoted(name: str) -> str:
    """A name as SQL takes any."""
    return "`" + name.replace("`", "``") + "`"


_CONFLICTS = (
    "org.apache.iceberg.exceptions.ValidationException",
    "org.apache.iceberg.exceptions.CommitFailedException",
    "org.apache.iceberg.exceptions.AlreadyExistsException",
)


def is_conflict(error: Exception) -> bool:
    """Whether another writer was faster, and nothing was committed."""
    text = str(error)
    return any(name in text for name in _CONFLICTS) and "CommitStateUnknown" not in text


class Table:
    """One version of a table, as it was loaded."""

    def __init__(self, table: Any, name: str, jvm: Any) -> None:  # noqa: ANN401 - Java objects
        """Takes Iceberg's table, and its name in SQL."""
        self._table, self.name, self._jvm = table, name, jvm

    def metadata(self) -> dict[str, Any]:
        """The table's metadata (https://iceberg.apache.org/spec/#table-metadata)."""
        parser = self._jvm.org.apache.iceberg.TableMetadataParser
        found: dict[str, Any] = json.loads(parser.toJson(self._table.operations().current()))
        return found

    def evolve(self, steps: Sequence[Step]) -> None:
        """Changes the schema, in one commit."""
        update = self._table.updateSchema()
        for step in steps:
            path = ".".join(step.path)
            if step.change == "identify":
                update.setIdentifierFields([])
            elif step.change == "relax":
                update.makeColumnOptional(path)
            elif step.column is not None:
                document = json.dumps(schema_json([replace(step.column, name="it")]))
                schema = self._jvm.org.apache.iceberg.SchemaParser.fromJson(document)
                kind = schema.findType("it")
                if step.change == "widen":
                    update.updateColumn(path, kind.asPrimitiveType())
                else:
                    above = ".".join(step.path[:-1]) or None
                    update.addColumn(above, step.path[-1], kind, step.column.description)
        update.commit()

    def written_files(self, write_id: str) -> list[Any]:
        """The data files that Spark wrote for us under that id."""
        coordinator = self._jvm.org.apache.iceberg.spark.FileRewriteCoordinator.get()
        files = list(coordinator.fetchNewFiles(self._table, write_id))
        coordinator.clearRewrite(self._table, write_id)
        return files

    def append(self, files: Sequence[Any], properties: Mapping[str, str]) -> None:
        """Commits data files, provided that nobody has added any since the table was loaded."""
        append = self._table.newOverwrite()
        for file in files:
            append.addFile(file)
        for key, value in properties.items():
            append.set(key, value)
        current = self._table.currentSnapshot()
        if current is not None:
            append.validateFromSnapshot(current.snapshotId())
        append.conflictDetectionFilter(
            self._jvm.org.apache.iceberg.expressions.Expressions.alwaysTrue()
        )
        append.validateNoConflictingData()
        append.commit()

    def is_empty(self) -> bool:
        """Whether nothing was ever committed to it."""
        return self._table.currentSnapshot() is None

    def delete(self, files: Sequence[Any]) -> None:
        """Removes data files that no commit has."""
        for file in files:
            self._table.io().deleteFile(str(file.location()))


def _outrun() -> JobError:
    return JobError(
        "Iceberg.CommitConflict",
        f"other writers were faster {_COMMIT_ATTEMPTS} times; run the batch again",
    )


# --- Writing -------------------------------------------------------------------------------


@dataclass
class Load:
    """A batch on its way into its table."""

    spark: Any
    lake: Lake
    ledger: Ledger
    objects: Objects
    batch: Batch
    contract: Contract
    name: str
    # What a task runs.
    read: Callable[[Plan, Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]] = read_objects
    repeated_key_rows: dict[str, int] = field(default_factory=dict)
    # Objects that were deleted since they were checked.
    gone: set[ObjectVersion] = field(default_factory=set)
    # Data files that are written and not committed, and the objects whose rows they have.
    files: list[Any] = field(default_factory=list)
    written: tuple[ObjectVersion, ...] | None = None
    # Why the outcome of a commit is unknown: from then on nothing is removed.
    unknown: Exception | None = None

    def rows(
        self, metadata: Mapping[str, Any], objects: Sequence[ObjectVersion], *, ordered: bool
    ) -> Any:  # noqa: ANN401 - a DataFrame
        """The objects' rows with the table's columns: one task for each object."""
        from pyspark.sql import types

        plan = Plan(
            self.contract,
            columns_of_json(schema_of(metadata)["fields"]),
            tuple(objects),
            self.batch.checked,
            ordered,
        )
        fields = list(self.spark.table(self.name).schema.fields)
        if ordered:
            fields += [
                types.StructField(RANK_COLUMN, types.IntegerType(), False),
                types.StructField(RECORD_COLUMN, types.LongType(), False),
            ]
        ranks = self.spark.range(0, len(objects), 1, len(objects))
        return ranks.mapInArrow(functools.partial(self.read, plan), types.StructType(fields))

    def counts(
        self, metadata: Mapping[str, Any], objects: Sequence[ObjectVersion]
    ) -> dict[ObjectVersion, int]:
        """How many rows of each object are loaded: what the check counted, which the reading
        holds it to; where the check is silent, they are counted."""
        found = {
            item: checked.records - checked.rejected
            for item in objects
            if (checked := self.batch.checked.get(item))
        }
        if silent := [item for item in objects if item not in found]:
            rows = self.rows(metadata, silent, ordered=True)
            counted = {row[0]: row[1] for row in rows.groupBy(RANK_COLUMN).count().collect()}
            found |= {item: counted.get(rank, 0) for rank, item in enumerate(silent)}
        return found


def load_rows(load: Load) -> str | None:
    """Commits the rows of the batch's objects, once; returns the id of the snapshot that has
    them, or None when there was nothing left to load.

    The protocol of docs/exactly-once.md, round by round:

    1. Load the table; objects that a snapshot of this batch or of a previous owner holds are
       loaded already.
    2. Write data files, unless an earlier round wrote them.
    3. Read the claims again; a lost one ends the job. Of a contract that replaces, ask again which
       version of each path is the latest; a newer one starts another round.
    4. Commit, on the condition that nobody has added data since 1. A conflict starts another
       round, and so does an unknown outcome: the marker says which it was.

    A zombie that commits between a new owner's 1 and 4 makes that one's commit fail, and the
    other way round: that is the compare-and-swap of the protocol, on the table's data instead
    of its version, so that compaction and schema changes do not disturb.

    An object that turns out to be deleted is left out in another round, unless the outcome of a
    commit is unknown: then its rows may be in the table, or come into it.
    """
    attempt = 0
    while attempt < _COMMIT_ATTEMPTS:
        if attempt:
            time.sleep(_pause(attempt))
        table = load.lake.load(load.name)
        metadata = table.metadata()
        objects = _objects_left(load, metadata)
        if not objects:
            _discard(load, table)
            return _snapshot_of(metadata, load.batch)
        try:
            _commit(load, table, metadata, objects)
            load.files = []
            return _committed(load)
        except SupersededError:
            # That a version is superseded lasts, so each such round has fewer objects.
            continue
        except Exception as error:
            failure = error if isinstance(error, JobError) else job_error_in(str(error))
            if failure is not None:
                is_gone = failure.name == "Object.Gone" and load.unknown is None
                if is_gone and _leave_out(load, objects):
                    continue
                _discard(load, table)
                raise failure from None
            if "CommitStateUnknown" in str(error):
                load.unknown = error
            elif not is_conflict(error):
                raise
        attempt += 1
    if load.unknown is not None:
        raise JobError(
            "Iceberg.CommitUnknown",
            f"the commit of batch {load.batch.id} had no answer and is not in the table; run the "
            "batch again",
        ) from load.unknown
    raise _outrun()


def _objects_left(load: Load, metadata: Mapping[str, Any]) -> tuple[ObjectVersion, ...]:
    """The objects that this round is to load, in the order of their events."""
    objects = objects_to_load(metadata, load.batch)
    left_out = set(load.gone)
    if load.contract.replaces:
        left_out |= load.ledger.superseded(objects)
    return tuple(item for item in objects if item not in left_out)


def _leave_out(load: Load, objects: Sequence[ObjectVersion]) -> bool:
    """Looks which objects were deleted, and whether any was: what a task missed may also be a
    list of rejected records."""
    found = load.objects.gone(objects)
    for item in sorted(found, key=lambda item: item.id):
        print(f"{item.id} was deleted after it was checked; it is left out", flush=True)
    load.gone |= found
    return bool(found)


def _committed(load: Load) -> str:
    snapshot = _snapshot_of(load.lake.load(load.name).metadata(), load.batch)
    if snapshot is None:
        raise JobError(
            "Iceberg.SnapshotNotFound",
            f"the commit of batch {load.batch.id} succeeded and table {load.name} has no such "
            "snapshot: see who expires its snapshots",
        )
    return snapshot


def _pause(attempt: int) -> float:
    # The run's own process id spreads the runs that met at one commit.
    return min(30.0, 0.5 * 2**attempt) * (0.5 + os.getpid() % 100 / 200)


def _discard(load: Load, table: Table) -> None:
    """Lets go of files that are not to be committed. They are removed, unless a commit of them may
    still arrive."""
    if load.files and load.unknown is None:
        table.delete(load.files)
    load.files = []


def _snapshot_of(metadata: Mapping[str, Any], batch: Batch) -> str | None:
    commits = find_commits(metadata, [batch.id])
    newest = max(commits, key=lambda commit: commit.get("sequence-number", 0), default=None)
    return None if newest is None else str(newest["snapshot-id"])


def _commit(
    load: Load, table: Table, metadata: Mapping[str, Any], objects: tuple[ObjectVersion, ...]
) -> None:
    digests = [digest for item in objects for digest in load.batch.replaces.get(item, ())]
    properties = marker(load.batch.id, load.counts(metadata, objects))
    merges = bool(load.contract.upsert_by or digests)
    if merges and not table.is_empty():
        _merge(load, metadata, objects, digests, properties)
        return
    if load.written != objects:
        _discard(load, table)
        load.files = _write_files(load, table, metadata, objects)
        load.written = objects
    _ask_again(load, objects)
    table.append(load.files, properties)


def _ask_again(load: Load, objects: Sequence[ObjectVersion]) -> None:
    """Asks the ledger right before a commit whether the objects are still to be loaded."""
    load.ledger.refuse_lost_claims(load.batch.id, objects)
    if load.contract.replaces and load.ledger.superseded(objects):
        raise SupersededError


def _write_files(
    load: Load, table: Table, metadata: Mapping[str, Any], objects: Sequence[ObjectVersion]
) -> list[Any]:
    """Writes the objects' rows as data files of the table, and commits nothing.

    Iceberg's own rewriting of data files works so: Spark writes under an id, and keeps the
    files for whoever asks by it. That the commit is apart lets a conflict keep the files.
    """
    _judge_keys(load, metadata, objects)
    if load.contract.upsert_by:
        rows = _last_events(load, load.rows(metadata, objects, ordered=True))
        if load.contract.delete_marker:
            from pyspark.sql import functions

            gone = functions.col(quoted(load.contract.delete_marker))
            rows = rows.filter(~functions.coalesce(gone, functions.lit(False)))
        rows = rows.drop(RANK_COLUMN, RECORD_COLUMN)
    else:
        rows = load.rows(metadata, objects, ordered=False)
    write_id = str(uuid.uuid4())
    rows.writeTo(load.name).option("rewritten-file-scan-task-set-id", write_id).append()
    return table.written_files(write_id)


def _last_events(load: Load, rows: Any) -> Any:  # noqa: ANN401 - DataFrames
    """Of rows with the same primary key, the one of the last event."""
    from pyspark.sql import Window, functions

    key = [quoted(name) for name in load.contract.upsert_by]
    latest = Window.partitionBy(*key).orderBy(
        functions.col(RANK_COLUMN).desc(), functions.col(RECORD_COLUMN).desc()
    )
    numbered = rows.withColumn("_landfall_place", functions.row_number().over(latest))
    return numbered.filter("_landfall_place = 1").drop("_landfall_place")


def merge_statement(
    name: str, view: str, columns: Sequence[str], key: Sequence[str], delete_marker: str | None
) -> str:
    """The statement that upserts the view's rows by their primary key."""
    on = " AND ".join(f"t.{quoted(part)} = s.{quoted(part)}" for part in key)
    gone = f"COALESCE(s.{quoted(delete_marker)}, false)" if delete_marker else None
    updates = ", ".join(f"t.{quoted(column)} = s.{quoted(column)}" for column in columns)
    names = ", ".join(quoted(column) for column in columns)
    values = ", ".join(f"s.{quoted(column)}" for column in columns)
    deletes, unless = f" WHEN MATCHED AND {gone} THEN DELETE", f" AND NOT {gone}"
    return "".join(
        (
            f"MERGE INTO {name} t USING {view} s ON {on}",
            deletes if gone else "",
            f" WHEN MATCHED THEN UPDATE SET {updates}",
            f" WHEN NOT MATCHED{unless if gone else ''}",
            f" THEN INSERT ({names}) VALUES ({values})",  # noqa: S608 - names are quoted
        )
    )


REPLACED_COLUMN = "_landfall_replaced"
NEW_COLUMN = "_landfall_new"


def replace_statement(
    name: str, view: str, columns: Sequence[str], digests: Sequence[str], own: Sequence[str]
) -> str:
    """The statement that puts the view's new rows in the place of the older versions' ones.

    The view has a row for each older version, which meets that one's rows in the table and
    deletes them, and the new rows, which meet none: their `_landfall_replaced` is no digest,
    and different in each so that they spread over the tasks. That the condition names the
    digests, the objects' own among them, tells Spark which data files to read, and Iceberg
    which concurrent commits are conflicts.
    """
    listed = ", ".join(f"'{digest}'" for digest in sorted({*digests, *own}))
    names = ", ".join(quoted(column) for column in columns)
    values = ", ".join(f"s.{quoted(column)}" for column in columns)
    return " ".join(
        (
            f"MERGE INTO {name} t USING {view} s",
            f"ON t.{OBJECT_COLUMN} = s.{REPLACED_COLUMN} AND t.{OBJECT_COLUMN} IN ({listed})",
            "WHEN MATCHED THEN DELETE",
            f"WHEN NOT MATCHED AND s.{NEW_COLUMN}",
            f"THEN INSERT ({names}) VALUES ({values})",  # noqa: S608 - names are quoted
        )
    )


def _replacing_rows(load: Load, rows: Any, digests: Sequence[str]) -> Any:  # noqa: ANN401
    """What `replace_statement` merges: the new rows, and a row for each older version."""
    from pyspark.sql import functions

    place = functions.concat_ws("+", functions.lit(""), RANK_COLUMN, RECORD_COLUMN)
    new = rows.withColumn(NEW_COLUMN, functions.lit(True)).withColumn(REPLACED_COLUMN, place)
    new = new.drop(RANK_COLUMN, RECORD_COLUMN)
    of_older = [(digest,) for digest in sorted(set(digests))]
    nothing = [functions.lit(None).cast(kind.dataType).alias(kind.name) for kind in new.schema[:-2]]
    older = load.spark.createDataFrame(of_older, "d string")
    return new.union(older.select(*nothing, functions.lit(False), functions.col("d")))


def _merge(
    load: Load,
    metadata: Mapping[str, Any],
    objects: Sequence[ObjectVersion],
    digests: Sequence[str],
    properties: Mapping[str, str],
) -> None:
    """Merges the objects' rows into the table, in one commit.

    Spark reads the table as it was loaded, because the catalog keeps it, and Iceberg refuses
    the commit when somebody has added rows since that it ought to have read.
    """
    from pyspark import StorageLevel

    contract = load.contract
    columns = [item["name"] for item in schema_of(metadata)["fields"]]
    _judge_keys(load, metadata, objects)
    if contract.upsert_by:
        rows = _last_events(load, load.rows(metadata, objects, ordered=True))
        statement = merge_statement(
            load.name, "landfall_rows", columns, contract.upsert_by, contract.delete_marker
        )
    else:
        rows = _replacing_rows(load, load.rows(metadata, objects, ordered=True), digests)
        own = [marking_digest(item) for item in objects]
        statement = replace_statement(load.name, "landfall_rows", columns, digests, own)
    # The merge reads them more than once; the files are to be read once.
    rows = rows.persist(StorageLevel.DISK_ONLY)
    try:
        rows.count()
        _ask_again(load, objects)
        rows.createOrReplaceTempView("landfall_rows")
        load.lake.run(statement, properties)
    finally:
        rows.unpersist()


def _judge_keys(load: Load, metadata: Mapping[str, Any], objects: Sequence[ObjectVersion]) -> None:
    """Looks at the keys of all rows that are to be loaded. The check looks at keys as far as its
    memory goes, and leaves the rest to this job. The key that an upsert goes by is none of them:
    it may come again."""
    if not load.contract.keys:
        return
    rows = load.rows(metadata, objects, ordered=True)
    for key in load.contract.keys:
        repeats = find_repeats(rows, key)
        if not repeats:
            continue
        count = sum(row["rows"] - 1 for row in repeats)
        if load.contract.on_bad_rows == "warn":
            load.repeated_key_rows[",".join(key)] = count
            continue
        named = []
        for row in repeats[:_NAMED_REPEATS]:
            first, last = row["first"], row["last"]
            earlier, later = objects[first[0]], objects[last[0]]
            of = "" if earlier == later else f" of {earlier.path}"
            named.append(f"{later.path} record {last[1]} repeats record {first[1]}{of}")
        words = "1 row repeats" if count == 1 else f"{count} rows repeat"
        more = ", and more" if len(repeats) > len(named) else ""
        raise JobError(
            "File.BadRows",
            f"{words} the key {', '.join(key)} of another row of the batch: "
            f"{'; '.join(named)}{more}. There are more keys than the check has memory for, so it "
            "could not set these rows aside: remove them and upload the files again",
        )


def find_repeats(rows: Any, key: Sequence[str]) -> list[Any]:  # noqa: ANN401 - a DataFrame and rows
    """Keys that more than one row has, with the first and the last of those rows. A key with a
    null in it is equal to nothing."""
    from pyspark.sql import functions

    columns = [functions.col(quoted(name)) for name in key]
    place = functions.struct(RANK_COLUMN, RECORD_COLUMN)
    grouped = (
        rows.dropna(subset=[quoted(name) for name in key])
        .groupBy(*columns)
        .agg(
            functions.count(functions.lit(1)).alias("rows"),
            functions.min(place).alias("first"),
            functions.max(place).alias("last"),
        )
    )
    found: list[Any] = grouped.filter("rows > 1").select("rows", "first", "last").collect()
    return sorted(found, key=lambda row: row["first"])


# --- The job -------------------------------------------------------------------------------


def job_error_in(text: str) -> JobError | None:
    """The failure that a worker reported, if the text of Spark's exception has one."""
    found = re.search(r"JobError: ([A-Z]\w+\.[A-Z]\w+): (.*)", text)
    return JobError(found[1], found[2]) if found else None


def load_batch(arguments: Arguments, spark: Any) -> dict[str, Any]:  # noqa: ANN401 - a SparkSession
    """Loads the batch and says what it did."""
    objects = Objects(boto3.client("s3"))
    try:
        document = objects.read_address(arguments.batch)
    except ClientError as error:
        raise JobError("Batch.Invalid", f"cannot read {arguments.batch}: {error}") from error
    batch = parse_batch(document, arguments.batch)
    reference = batch.contract
    contract = parse_contract(
        objects.read(reference.bucket, reference.key, reference.etag, reference.version_id).read()
    )
    database = contract.database or arguments.database
    for item in batch.objects:
        # Nothing is created for a batch that cannot be loaded.
        contract.source_of(item.bucket, item.key)
    added = added_columns(batch)
    refuse_times((*contract.columns, *added))

    lake = Lake(spark)
    lake.ensure(database, contract, added, arguments.warehouse)
    ledger = Ledger(boto3.client("dynamodb"), arguments.ledger)
    name = lake.name(database, contract.table)
    load = Load(spark, lake, ledger, objects, batch, contract, name)
    snapshot = load_rows(load)
    return {
        "batchId": batch.id,
        "table": f"{database}.{contract.table}",
        "snapshotId": snapshot,
        **({"gone": sorted(item.id for item in load.gone)} if load.gone else {}),
        **({"repeatedKeyRows": load.repeated_key_rows} if load.repeated_key_rows else {}),
    }


def refuse_times(columns: Iterable[Column]) -> None:
    """Spark has no time of day, and cannot even read a table that has one."""
    for column in columns:
        for part in parts_of(column):
            if part.type == PrimitiveType("time"):
                raise _unsupported(f"column {column.name} has a time of day")


def spark_session() -> Any:  # noqa: ANN401 - a SparkSession
    """The session, with what the job's promises rest on."""
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.appName("landfall-ingest")
        # A merge reads the table in the version at which the markers were looked for, because
        # the catalog hands out the same one until the job asks for a newer.
        .config(f"spark.sql.catalog.{CATALOG}.cache-enabled", "true")
        .config(f"spark.sql.catalog.{CATALOG}.cache.expiration-interval-ms", "-1")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )


def unexpected(error: Exception) -> str:
    """A failure that has no name of its own, in one line: Spark's messages are whole traces."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line.lstrip(": ") for line in lines if line and not line.startswith("at ")]
    text = " ".join(said[:2]) or "no message"
    return f"Job.Failed: {type(error).__name__}: {text[:1000]}; read the run's log"


def run(argv: Sequence[str], spark: Any) -> str | None:  # noqa: ANN401 - a SparkSession
    """Loads the batch of the arguments; answers why that failed, if it did."""
    try:
        print(json.dumps(load_batch(Arguments.read(argv), spark)), flush=True)
    except JobError as error:
        traceback.print_exc(file=sys.stdout)
        return str(error)
    return None


def as_module(spark: Any) -> ModuleType:  # noqa: ANN401 - a SparkSession
    """This file as a module that the workers import. Of the main program Spark would send every
    function as a value, with all that it uses, and not everything here can be sent."""
    directory = tempfile.mkdtemp(prefix="landfall-")
    path = shutil.copyfile(__file__, os.path.join(directory, "landfall_ingest.py"))
    spark.sparkContext.addPyFile(path)
    return importlib.import_module("landfall_ingest")


def main() -> None:
    """Runs the job.

    Glue takes the error message from what ends the process, so it ends with one line; the
    traceback goes to the log before it.
    """
    try:
        spark = spark_session()
        outcome = as_module(spark).run(sys.argv[1:], spark)
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        outcome = unexpected(error)
    sys.stdout.flush()
    if outcome:
        # Glue's launcher takes any SystemExit, even one without a reason, for a failed run.
        sys.exit(outcome)


if __name__ == "__main__":
    main()
