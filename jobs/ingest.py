"""Glue job: loads a batch that is too large for a Lambda into its Iceberg table.

For now it runs PyIceberg on the driver: one process, the batch's rows in memory. It keeps
the commit protocol of `iceberg-append` (docs/exactly-once.md): the batch's marker in the
snapshot summary, looked for before every commit, and a commit that is a compare-and-swap on
the very metadata in which it was not found. A Spark job that keeps it too is to replace it.

Arguments, as `--name value` on AWS Glue; MiniStack, the local cloud, gives them to Python
shell jobs as environment variables without the dashes:

    --batch       s3:// address of the batch document (shared/messages: GlueRunDocument)
    --warehouse   s3:// address above the tables: a table is at <warehouse>/<database>/<table>
    --database    Glue database of contracts that name none

The job fails with one line `<Name>: <what, where, what to do>`, which Glue hands on as the
run's error message.
"""

import contextlib
import csv
import functools
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.csv
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
    TruncateTransform,
    YearTransform,
)
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

BATCH_ID = "landfall.batch-id"
OBJECTS = "landfall.objects"
OBJECT_DIGESTS = "landfall.object-digests"
OBJECT_ROWS = "landfall.object-rows"

# A summary is copied into every later metadata file, so a long list would be paid for at
# every commit to come.
_OBJECTS_LIMIT_BYTES = 8 * 1024
_COMMIT_ATTEMPTS = 8
# Above the longest record that the check lets pass, so that no record spans two blocks.
_CSV_BLOCK_BYTES = 32 << 20


class JobError(Exception):
    """A failure with a stable name; its text is what Glue reports."""

    def __init__(self, name: str, message: str) -> None:
        """Joins name and message."""
        super().__init__(f"{name}: {message}")
        self.name = name


# --- What to load --------------------------------------------------------------------------


@dataclass(frozen=True)
class Arguments:
    """The job's arguments."""

    batch: str
    warehouse: str
    database: str

    @staticmethod
    def read(argv: Sequence[str], environment: Mapping[str, str]) -> "Arguments":
        """Takes them from the command line, else from the environment.

        Glue adds arguments of its own; those are passed over.
        """
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
            value = given.get(name) or environment.get(name)
            if not value:
                raise JobError(
                    "Job.ArgumentMissing", f"the job has no --{name}: start it with glue-trigger"
                )
            return value

        return Arguments(required("batch"), required("warehouse").rstrip("/"), required("database"))


@dataclass(frozen=True)
class ObjectVersion:
    """One version of one object (shared/messages: ObjectVersion)."""

    bucket: str
    key: str
    version: str
    version_id: str | None
    etag: str

    @property
    def id(self) -> str:
        """`s3://bucket/key#<version>`, as snapshot markers carry it."""
        return f"s3://{self.bucket}/{self.key}#{self.version}"


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
    """

    id: str
    dataset: str
    contract: ContractRef
    objects: tuple[ObjectVersion, ...]
    additions: tuple[tuple[str, str], ...] = ()
    previous_batch_ids: tuple[str, ...] = ()


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
        )
    except KeyError as error:
        reason = f"{error} is missing"
    except (TypeError, ValueError) as error:
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
    """The first 16 digits of an object's digest (shared/lake)."""
    return object_digest(object_id)[:16]


def marker(batch_id: str, rows: Mapping[ObjectVersion, int]) -> dict[str, str]:
    """The snapshot summary properties that say which batch, and how many rows of which
    objects, a snapshot adds (shared/lake: Marker)."""
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


# --- The contract --------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """One column of the contract."""

    name: str
    type: IcebergType
    required: bool
    description: str | None
    is_primary_key: bool


@dataclass(frozen=True)
class CsvFormat:
    """Dialect of delimited text."""

    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    null_value: str | None = None
    # What the server states and this job cannot follow, in words.
    unsupported: str | None = None


@dataclass(frozen=True)
class Contract:
    """What the job needs of an ODCS document that the check has found valid."""

    database: str | None
    table: str
    columns: tuple[Column, ...]
    # (column, transform as written), in partitionKeyPosition order.
    partition: tuple[tuple[str, str], ...]
    # (location, format) of each server of type s3.
    sources: tuple[tuple[str, CsvFormat], ...]
    # `onDrift: evolve`: the table stops requiring what the contract does not.
    relaxes: bool = False
    # Columns whose values, together, no two rows of a batch may share.
    keys: tuple[tuple[str, ...], ...] = ()

    def format_of(self, bucket: str, key: str) -> CsvFormat:
        """The dialect of the source that claims the object."""
        for location, csv_format in self.sources:
            if location_matches(location, bucket, key):
                if csv_format.unsupported:
                    raise _unsupported(csv_format.unsupported)
                return csv_format
        raise JobError(
            "Contract.NotFound",
            f"the contract of {self.table} claims no s3://{bucket}/{key}: compare the key with the "
            "location of its servers of type s3",
        )


def parse_contract(text: str | bytes) -> Contract:
    """Reads an ODCS document."""
    try:
        document = yaml.safe_load(text)
        schema = document["schema"][0]
        servers = document.get("servers") or []
        properties = schema["properties"]
        for item in properties:
            if words := _unsupported_column(item):
                raise _unsupported(words)
        columns = tuple(
            Column(
                name=item.get("physicalName") or item["name"],
                type=column_type(item),
                required=_is_required(item),
                description=item.get("description"),
                is_primary_key=bool(item.get("primaryKey")),
            )
            for item in properties
        )
        partitioned = sorted(
            (item for item in properties if item.get("partitioned")),
            key=lambda item: item.get("partitionKeyPosition") or sys.maxsize,
        )
        return Contract(
            database=next((item["database"] for item in servers if item["type"] == "glue"), None),
            table=schema.get("physicalName") or schema["name"],
            columns=columns,
            partition=tuple(
                (
                    item.get("physicalName") or item["name"],
                    str(_custom(item).get("partitionTransform", "identity")),
                )
                for item in partitioned
            ),
            sources=tuple(
                (item["location"], _csv_format(item)) for item in servers if item["type"] == "s3"
            ),
            relaxes=_custom(document).get("onDrift") == "evolve",
            keys=_keys(schema),
        )
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise JobError(
            "Contract.Invalid",
            f"the contract cannot be read ({type(error).__name__}: {error}); upload a valid one, "
            "then the file again",
        ) from error


def _custom(item: Mapping[str, Any]) -> dict[str, Any]:
    return {entry["property"]: entry["value"] for entry in item.get("customProperties") or []}


def _is_required(item: Mapping[str, Any]) -> bool:
    """`required: true`, or the library rule that says the same."""
    if item.get("required"):
        return True
    return any(
        rule.get("type", "library") == "library"
        and rule.get("metric", rule.get("rule")) in ("nullValues", "nullCheck")
        and str(rule.get("severity", "error")).lower() == "error"
        and 0 in (rule.get("mustBe"), rule.get("mustBeLessOrEqualTo"))
        for rule in item.get("quality") or []
    )


def _unsupported(words: str) -> JobError:
    return JobError(
        "Job.ContractUnsupported",
        f"{words}, and the Glue job cannot follow that yet: set `engine: lambda` in the contract",
    )


# Of shared/contract: text that means delimited text.
_DELIMITED = ("csv", "tsv", "txt", "text", "delimited")
# Integers that need a decimal column.
_WIDE_INTEGERS = ("u64", "i128", "u128")


def _unsupported_column(item: Mapping[str, Any]) -> str | None:
    """What the property states and this job cannot follow."""
    name = item.get("name")
    physical = str(item.get("physicalType") or "").lower()
    nested = physical.startswith(("array", "list", "map", "struct", "row", "object"))
    if nested or item.get("logicalType") in ("array", "object"):
        return f"column {name} is nested"
    options = item.get("logicalTypeOptions") or {}
    own_format = options.get("format")
    if item.get("logicalType") in ("date", "time", "timestamp"):
        for option in ("format", "defaultTimezone"):
            if options.get(option):
                return f"column {name} has a `{option}`"
        if physical in ("", "none") and options.get("timezone") not in (None, True, False):
            return f"column {name} has a `timezone` of its own"
    if item.get("logicalType") == "integer" and own_format in _WIDE_INTEGERS:
        return f"column {name} has the format {own_format}"
    if _custom(item).get("missingValues"):
        return f"column {name} has `missingValues`"
    return None


def _keys(schema: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Every key of the contract: `unique`, `primaryKey`, and rules that allow no duplicates."""
    properties = schema["properties"]
    columns = {item["name"]: item.get("physicalName") or item["name"] for item in properties}
    primary = sorted(
        (item for item in properties if item.get("primaryKey")),
        key=lambda item: item.get("primaryKeyPosition") or sys.maxsize,
    )
    keys = [[item["name"]] for item in properties if item.get("unique")]
    keys.append([item["name"] for item in primary])
    keys.extend(
        [item["name"]]
        for item in properties
        for rule in item.get("quality") or []
        if _allows_no_duplicates(rule)
    )
    keys.extend(
        list((rule.get("arguments") or {}).get("properties") or [])
        for rule in schema.get("quality") or []
        if _allows_no_duplicates(rule)
    )
    named = (tuple(columns[name] for name in key if name in columns) for key in keys)
    return tuple(dict.fromkeys(key for key in named if key))


def _allows_no_duplicates(rule: Mapping[str, Any]) -> bool:
    return (
        rule.get("type", "library") == "library"
        and rule.get("metric", rule.get("rule")) in ("duplicateValues", "duplicateCount")
        and str(rule.get("severity", "error")).lower() == "error"
        and 0 in (rule.get("mustBe"), rule.get("mustBeLessOrEqualTo"))
    )


def _csv_format(server: Mapping[str, Any]) -> CsvFormat:
    custom = _custom(server)
    written = str(server.get("format", "csv")).lower()
    comma = "\t" if written == "tsv" else ","
    delimiter = str(server.get("delimiter", custom.get("delimiter", comma)))
    unsupported = None
    if written not in _DELIMITED:
        unsupported = f"the contract's files are {written}"
    for knob, harmless in (("comment", ""), ("skipLines", 0)):
        value = server.get(knob, custom.get(knob, harmless))
        if value not in (harmless, str(harmless), None):
            unsupported = f"the contract has the option `{knob}`"
    null_value = custom.get("nullValue")
    header = custom.get("header", True)
    return CsvFormat(
        delimiter="\t" if delimiter in ("tab", "\\t") else delimiter,
        quote=str(custom.get("quote", '"')),
        header=header if isinstance(header, bool) else str(header).lower() == "true",
        null_value=None if null_value is None else str(null_value),
        unsupported=unsupported,
    )


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


_PHYSICAL_TYPES: dict[str, IcebergType] = {
    **dict.fromkeys(("boolean", "bool"), BooleanType()),
    **dict.fromkeys(("int", "integer", "int4", "int32", "smallint", "tinyint"), IntegerType()),
    **dict.fromkeys(("bigint", "long", "int64"), LongType()),
    **dict.fromkeys(("float", "real", "float4", "float32"), FloatType()),
    **dict.fromkeys(("double", "double precision", "float8", "float64"), DoubleType()),
    "date": DateType(),
    **dict.fromkeys(("time", "time without time zone"), TimeType()),
    **dict.fromkeys(
        ("timestamp", "timestamp without time zone", "timestamp_ntz", "datetime"), TimestampType()
    ),
    **dict.fromkeys(
        (
            "timestamptz",
            "timestamp with time zone",
            "timestamp with local time zone",
            "timestamp_tz",
            "timestamp_ltz",
        ),
        TimestamptzType(),
    ),
    **dict.fromkeys(
        ("string", "text", "varchar", "character varying", "char", "character", "nvarchar"),
        StringType(),
    ),
    "uuid": UUIDType(),
}


def column_type(item: Mapping[str, Any]) -> IcebergType:
    """The Iceberg type of a property, as shared/contract decides it: physicalType, then
    logicalType."""
    words = " ".join(str(item.get("physicalType") or "").lower().split())
    name, bracket, rest = words.partition("(")
    arguments, _, suffix = rest.partition(")")
    name = " ".join(filter(None, [name.strip(), suffix.strip()]))
    if bracket and name in ("decimal", "numeric", "number", "dec"):
        precision, _, scale = arguments.partition(",")
        return DecimalType(int(precision), int(scale or 0))
    if name in _PHYSICAL_TYPES:
        return _PHYSICAL_TYPES[name]
    options = item.get("logicalTypeOptions") or {}
    logical = item.get("logicalType")
    if logical == "integer":
        narrow = options.get("format") in ("i8", "i16", "i32", "u8", "u16")
        return IntegerType() if narrow else LongType()
    if logical == "number":
        return FloatType() if options.get("format") == "f32" else DoubleType()
    if logical == "timestamp":
        return TimestamptzType() if options.get("timezone") is True else TimestampType()
    if logical in ("string", "boolean", "date", "time"):
        return _PHYSICAL_TYPES[logical]
    raise ValueError(f"column {item.get('name')} has no type that Landfall knows")


def iceberg_schema(columns: Sequence[Column]) -> Schema:
    """The schema of a new table. Primary key columns become identifier fields where Iceberg
    allows it (https://iceberg.apache.org/spec/#identifier-field-ids)."""
    fields = [
        NestedField(
            number, column.name, column.type, required=column.required, doc=column.description
        )
        for number, column in enumerate(columns, start=1)
    ]
    identifiers = [
        number
        for number, column in enumerate(columns, start=1)
        if column.is_primary_key
        and column.required
        and not isinstance(column.type, FloatType | DoubleType)
    ]
    return Schema(*fields, identifier_field_ids=identifiers)


def parse_transform(text: str) -> tuple[Transform[Any, Any], str]:
    """A partition transform, and what it adds to the name of the partition field."""
    word, _, argument = text.removesuffix("]").partition("[")
    simple: dict[str, tuple[Transform[Any, Any], str]] = {
        "identity": (IdentityTransform(), ""),
        "year": (YearTransform(), "_year"),
        "month": (MonthTransform(), "_month"),
        "day": (DayTransform(), "_day"),
        "hour": (HourTransform(), "_hour"),
    }
    if word in simple and not argument:
        return simple[word]
    if word == "bucket" and argument.isdecimal():
        return BucketTransform(int(argument)), "_bucket"
    if word == "truncate" and argument.isdecimal():
        return TruncateTransform(int(argument)), "_trunc"
    raise ValueError(f"{text!r} is not a partition transform")


def partition_spec(contract: Contract, schema: Schema) -> PartitionSpec:
    """The partition spec of a new table, its fields named as Spark names them."""
    fields = []
    for number, (column, text) in enumerate(contract.partition, start=1000):
        transform, suffix = parse_transform(text)
        source = schema.find_field(column).field_id
        fields.append(PartitionField(source, number, transform, column + suffix))
    return PartitionSpec(*fields)


# --- Objects -------------------------------------------------------------------------------


class Objects:
    """Reads objects, each pinned to the version that was checked."""

    def __init__(self, s3: Any) -> None:  # noqa: ANN401 - boto3 makes clients at run time
        """Takes the S3 client."""
        self._s3 = s3

    def read(self, bucket: str, key: str, etag: str, version_id: str | None) -> Any:  # noqa: ANN401
        """The object's body."""
        pin = {"VersionId": version_id} if version_id else {"IfMatch": f'"{etag}"'}
        where = f"s3://{bucket}/{key}"
        try:
            return self._s3.get_object(Bucket=bucket, Key=key, **pin)["Body"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("PreconditionFailed", "412"):
                raise JobError(
                    "Object.Changed",
                    f"{where} was overwritten since it was checked; the newer "
                    "version has an execution of its own",
                ) from error
            if code in ("NoSuchKey", "NoSuchVersion", "404"):
                raise JobError(
                    "Object.Gone", f"{where} is gone since it was checked; upload it again"
                ) from error
            if code in ("AccessDenied", "403"):
                raise JobError(
                    "Object.AccessDenied", f"the job's role may not read {where}: {error}"
                ) from error
            raise

    def exists(self, bucket: str, key: str) -> bool:
        """Whether there is such an object."""
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True


# S3's limit on a key, and the longest ending of what the check writes about an object.
_MAX_KEY_BYTES = 1024
_LONGEST_ENDING = ".rejected.parquet"


def split_off_rows(batch: Batch, item: ObjectVersion) -> str:
    """Where the check keeps the bad rows of an object (schema-check, `address.rs`).

    A key that would be too long is cut: the object's digest and the key's end are left.
    """
    start = f"quarantine/{batch.dataset}/{batch.id}/"
    room = _MAX_KEY_BYTES - len((start + _LONGEST_ENDING).encode())
    key = item.key.encode()
    if len(key) <= room:
        return f"{start}{item.key}.rejected.csv"
    digest = object_digest(item.id)
    kept = key[-(room - len(digest) - 1) :]
    while kept and kept[0] & 0xC0 == 0x80:
        kept = kept[1:]
    return f"{start}{digest}-{kept.decode()}.rejected.csv"


def refuse_split_objects(objects: Objects, batch: Batch) -> None:
    """Fails when the check split bad rows off an object of the batch.

    The check loads the rest of such a file in the Lambda engine. This job would load the bad
    rows too, which are in quarantine already.
    """
    for item in batch.objects:
        split_off = split_off_rows(batch, item)
        if objects.exists(item.bucket, split_off):
            raise JobError(
                "Job.BadRowsUnsupported",
                f"s3://{item.bucket}/{item.key} has bad rows (s3://{item.bucket}/{split_off}) and "
                "the Glue job cannot leave rows out yet: mend the file, or set `engine: lambda` in "
                "the contract",
            )


# gzip, zstd (a frame, and one to be skipped) and bzip2, by their first bytes.
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh")


def refuse_compressed(path: str) -> None:
    """Fails for a compressed file, whose bytes would be taken for text."""
    with open(path, "rb") as file:
        head = file.read(4)
    if head.startswith(_COMPRESSED) or head[1:] == b"\x2a\x4d\x18":
        raise JobError(
            "Job.CompressionUnsupported",
            "the file is compressed, and the Glue job cannot read that yet: set `engine: lambda` "
            "in the contract, or upload it uncompressed",
        )


def refuse_repeated_keys(tables: Sequence[pa.Table], keys: Sequence[Sequence[str]]) -> None:
    """Fails when two rows share a key.

    The check looks at keys as far as its memory goes and then leaves them to this job. A key
    with a null in it is equal to nothing. Values are not shown: they may be sensitive.
    """
    for key in keys:
        parts = [table.select(list(key)).drop_null() for table in tables]
        rows = pa.concat_tables(parts)
        distinct = rows.group_by(list(key)).aggregate([]).num_rows
        if distinct != rows.num_rows:
            raise JobError(
                "File.BadRows",
                f"{rows.num_rows - distinct} rows of the batch repeat the key {', '.join(key)} of "
                "an earlier row; remove them and upload the files again",
            )


def read_csv(path: str, csv_format: CsvFormat, schema: Schema, columns: Sequence[str]) -> pa.Table:
    """Reads a CSV file as rows of the table, strictly: a value that is not of its column's
    type fails, and so does a record with too many or too few fields.

    `columns` are the contract's, which name the fields of a file without a header.
    """
    target = schema.as_arrow()
    names = _header(path, csv_format) if csv_format.header else list(columns)
    unknown = [name for name in names if name not in target.names]
    if unknown:
        raise JobError(
            "Schema.ColumnUnknown",
            f"neither the contract nor the table has the column {', '.join(unknown)}, and the "
            "check did not say to add it: run the batch again, so that it is checked again",
        )
    parse_as = {
        name: pa.string() if _is_uuid(schema, name) else _csv_type(target.field(name).type)
        for name in names
    }
    nulls = [""] if csv_format.null_value is None else ["", csv_format.null_value]
    try:
        table = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(
                column_names=None if csv_format.header else names, block_size=_CSV_BLOCK_BYTES
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=csv_format.delimiter, quote_char=csv_format.quote, newlines_in_values=True
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=parse_as,
                null_values=nulls,
                strings_can_be_null=True,
                # A quoted empty field is an empty text, not a missing one.
                quoted_strings_can_be_null=False,
                true_values=["true", "True", "TRUE"],
                false_values=["false", "False", "FALSE"],
            ),
        )
    except pa.ArrowInvalid as error:
        # Without its cause: pyarrow repeats the value, which the contract may call sensitive.
        raise JobError(
            "File.BadRows",
            f"{fault_in_words(str(error), names, schema)}; the file passed the check, so read the "
            "check's report and compare the contract with the table",
        ) from None
    return conform(table, schema)


def fault_in_words(message: str, names: Sequence[str], schema: Schema) -> str:
    """What pyarrow's CSV reader complains of, without any value of the file."""
    if column := re.search(r"In CSV column #(\d+): ", message):
        name = names[int(column[1])]
        return f"column {name} has a value that is no {schema.find_field(name).field_type}"
    if ragged := re.search(r"Expected (\d+) columns, got (\d+)", message):
        return f"a record has {ragged[2]} fields instead of {ragged[1]}"
    return "a record is malformed"


def _header(path: str, csv_format: CsvFormat) -> list[str]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=csv_format.delimiter, quotechar=csv_format.quote)
        return next((row for row in reader if row), [])


def _is_uuid(schema: Schema, name: str) -> bool:
    return isinstance(schema.find_field(name).field_type, UUIDType)


def _csv_type(arrow_type: pa.DataType) -> pa.DataType:
    """The type that the CSV reader makes of a column. It knows the plain variants only."""
    return pa.string() if pa.types.is_large_string(arrow_type) else arrow_type


def conform(table: pa.Table, schema: Schema) -> pa.Table:
    """The rows with exactly the table's columns; columns the file lacks are null."""
    target = schema.as_arrow()
    columns = []
    for field in target:
        if field.name not in table.column_names:
            column = pa.nulls(table.num_rows, field.type)
        elif _is_uuid(schema, field.name):
            column = _uuids(table[field.name], field.type)
        else:
            column = table[field.name].cast(field.type)
        if not field.nullable and column.null_count:
            raise JobError(
                "File.BadRows",
                f"the required column {field.name} has {column.null_count} empty values",
            )
        columns.append(column)
    return pa.table(columns, schema=target)


def _uuids(column: pa.ChunkedArray, arrow_type: pa.DataType) -> pa.Array:
    values = [None if text is None else uuid.UUID(text).bytes for text in column.to_pylist()]
    return pa.array(values, pa.binary(16)).cast(arrow_type)


# --- The table -----------------------------------------------------------------------------


def open_catalog(environment: Mapping[str, str], *, commits: bool = False) -> Catalog:
    """The Glue Data Catalog of the job's account and region.

    A catalog for commits repeats no request. A repeated UpdateTable whose first attempt went
    through would look like a conflict, and PyIceberg deletes the files of what it takes for
    a failed commit.
    """
    retries = {"total_max_attempts": 1 if commits else 6, "mode": "standard"}
    # Without one of the two, the SDK has other places to look.
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    glue = boto3.client("glue", region_name=region, config=Config(retries=retries))
    properties = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}
    if region:
        properties["s3.region"] = region
    # pyarrow's S3 client does not know these variables, which the SDKs do.
    if endpoint := environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL"):
        properties["s3.endpoint"] = endpoint
    return GlueCatalog("glue", client=glue, **properties)


def open_table(
    catalog: Catalog, contract: Contract, added: Sequence[Column], database: str, warehouse: str
) -> Table:
    """The contract's table, created when it is missing and evolved when it lacks columns.

    `added` are the columns that the files bring along.
    """
    for _ in range(_COMMIT_ATTEMPTS):
        try:
            table = catalog.load_table((database, contract.table))
        except NoSuchTableError:
            table = _create_table(catalog, contract, database, warehouse)
        try:
            return evolve(table, contract, added)
        except CommitFailedException:
            # Another writer was faster; it may have brought the columns.
            continue
    raise _outrun()


def _outrun() -> JobError:
    return JobError(
        "Iceberg.CommitConflict",
        f"other writers were faster {_COMMIT_ATTEMPTS} times; run the batch again",
    )


def _create_table(catalog: Catalog, contract: Contract, database: str, warehouse: str) -> Table:
    if not catalog.namespace_exists(database):
        with contextlib.suppress(NamespaceAlreadyExistsError):
            catalog.create_namespace(database, {"location": f"{warehouse}/{database}"})
    schema = iceberg_schema(contract.columns)
    try:
        return catalog.create_table(
            (database, contract.table),
            schema,
            location=f"{warehouse}/{database}/{contract.table}",
            partition_spec=partition_spec(contract, schema),
            properties={"format-version": "2"},
        )
    except TableAlreadyExistsError:
        # Another batch of the dataset was faster.
        return catalog.load_table((database, contract.table))


def evolve(table: Table, contract: Contract, added: Sequence[Column]) -> Table:
    """Adds the contract's and the files' new columns to the table, widens types as the
    contract did, and makes optional what a contract with `onDrift: evolve` allows to be null."""
    known = {field.name: field for field in table.schema().fields}
    in_contract = {column.name for column in contract.columns}
    widened = []
    for column in contract.columns:
        field = known.get(column.name)
        if field is None or field.field_type == column.type:
            continue
        if is_widening(field.field_type, column.type):
            widened.append(column)
        elif not is_widening(column.type, field.field_type):
            raise JobError(
                "Iceberg.SchemaMismatch",
                f"column {column.name} is {field.field_type} in the table and {column.type} in "
                "the contract; change the contract back, or load into a new table",
            )
    wanted = [*contract.columns, *(column for column in added if column.name not in in_contract)]
    missing = [column for column in wanted if column.name not in known]
    optional = [
        column.name
        for column in contract.columns
        if contract.relaxes
        and not column.required
        and column.name in known
        and known[column.name].required
    ]
    if widened or missing or optional:
        with table.update_schema() as update:
            if table.schema().identifier_field_names().intersection(optional):
                # Some of a key's columns identify nothing.
                update.set_identifier_fields()
            for column in widened:
                update.update_column(column.name, column.type)
            for name in optional:
                update.make_column_optional(name)
            for column in missing:
                # The rows that are there have no value for it, so it cannot be required.
                update.add_column(column.name, column.type, doc=column.description)
    return table


def added_columns(batch: Batch) -> list[Column]:
    """The columns that the files bring along."""
    return [
        Column(name, column_type({"name": name, "physicalType": text}), False, None, False)
        for name, text in batch.additions
    ]


def is_widening(before: IcebergType, after: IcebergType) -> bool:
    """Iceberg's type promotions (https://iceberg.apache.org/spec/#schema-evolution)."""
    if isinstance(before, DecimalType) and isinstance(after, DecimalType):
        return before.precision < after.precision and before.scale == after.scale
    return (before, after) in ((IntegerType(), LongType()), (FloatType(), DoubleType()))


@dataclass(frozen=True)
class Committed:
    """A snapshot that carries a batch."""

    snapshot_id: int
    summary: Mapping[str, str]


def find_commit(table: Table, batch_id: str) -> Committed | None:
    """The snapshot that carries the batch, if one does.

    All snapshots count, not only the ancestors of the current one: what somebody rolled back
    was committed, and must not come back by itself.
    """
    for snapshot in table.snapshots():
        summary = snapshot.summary.additional_properties if snapshot.summary else {}
        if summary.get(BATCH_ID) == batch_id:
            return Committed(snapshot.snapshot_id, summary)
    return None


def objects_to_load(table: Table, batch: Batch) -> list[ObjectVersion]:
    """The batch's objects but those that a previous owner has committed after all."""
    found = [find_commit(table, batch_id) for batch_id in batch.previous_batch_ids]
    summaries = [commit.summary for commit in found if commit is not None]
    return [
        item for item in batch.objects if not any(holds(summary, item) for summary in summaries)
    ]


def append_once(
    catalog: Catalog,
    committing_catalog: Catalog,
    table: Table,
    batch: Batch,
    rows_of: Callable[[ObjectVersion], pa.Table],
) -> int | None:
    """Appends the objects' rows in one snapshot that carries the batch's marker; returns its
    id, or None when previous owners have committed every object.

    Each attempt looks for the markers, and commits against the very metadata it looked at.
    """
    for _ in range(_COMMIT_ATTEMPTS):
        if commit := find_commit(table, batch.id):
            return commit.snapshot_id
        rows = {item: rows_of(item) for item in objects_to_load(table, batch)}
        if not rows:
            return None
        properties = marker(batch.id, {item: data.num_rows for item, data in rows.items()})
        try:
            _pinned(table, committing_catalog).append(
                pa.concat_tables(rows.values()), snapshot_properties=properties
            )
        except CommitFailedException:
            table = catalog.load_table(table.name())
            continue
        except Exception as error:
            # Whether it went through is not known. The table is the judge.
            if commit := find_commit(catalog.load_table(table.name()), batch.id):
                return commit.snapshot_id
            raise JobError(
                "Iceberg.CommitUnknown",
                f"the commit of batch {batch.id} had no answer and is not in the table "
                f"({type(error).__name__}: {error}); run the batch again",
            ) from error
        commit = find_commit(catalog.load_table(table.name()), batch.id)
        if commit is None:
            raise JobError(
                "Iceberg.SnapshotNotFound",
                f"the commit of batch {batch.id} succeeded and table {table.name()} has no such "
                "snapshot: see who expires its snapshots",
            )
        return commit.snapshot_id
    raise _outrun()


def _pinned(table: Table, committing_catalog: Catalog) -> Table:
    """The table as it was loaded, for one attempt to commit.

    PyIceberg would answer a conflict by rebasing onto metadata in which nobody has looked
    for the markers. The property that forbids it is set on this copy only: what is written
    derives from the catalog's own metadata.
    """
    properties = {**table.metadata.properties, "commit.retry.num-retries": "0"}
    return Table(
        identifier=table.name(),
        metadata=table.metadata.model_copy(update={"properties": properties}),
        metadata_location=table.metadata_location,
        io=table.io,
        catalog=committing_catalog,
    )


# --- The job -------------------------------------------------------------------------------


def load(arguments: Arguments, environment: Mapping[str, str]) -> dict[str, Any]:
    """Loads the batch and says what it did."""
    objects = Objects(boto3.client("s3"))
    bucket, _, key = arguments.batch.removeprefix("s3://").partition("/")
    try:
        document = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise JobError("Batch.Invalid", f"cannot read {arguments.batch}: {error}") from error
    batch = parse_batch(document, arguments.batch)
    reference = batch.contract
    contract = parse_contract(
        objects.read(reference.bucket, reference.key, reference.etag, reference.version_id).read()
    )
    database = contract.database or arguments.database

    catalog = open_catalog(environment)
    added = added_columns(batch)
    table = open_table(catalog, contract, added, database, arguments.warehouse)
    if find_commit(table, batch.id) is None:
        refuse_split_objects(objects, batch)

    names = [column.name for column in contract.columns]
    schema = table.schema()

    @functools.cache
    def rows_of(item: ObjectVersion) -> pa.Table:
        return _read_object(objects, item, contract, schema, names)

    if contract.keys and find_commit(table, batch.id) is None:
        refuse_repeated_keys([rows_of(item) for item in batch.objects], contract.keys)
    committing_catalog = open_catalog(environment, commits=True)
    snapshot = append_once(catalog, committing_catalog, table, batch, rows_of)
    return {
        "batchId": batch.id,
        "table": f"{database}.{contract.table}",
        "snapshotId": None if snapshot is None else str(snapshot),
    }


def _read_object(
    objects: Objects,
    item: ObjectVersion,
    contract: Contract,
    schema: Schema,
    names: Sequence[str],
) -> pa.Table:
    csv_format = contract.format_of(item.bucket, item.key)
    with tempfile.NamedTemporaryFile(suffix=".csv") as copy:
        shutil.copyfileobj(objects.read(item.bucket, item.key, item.etag, item.version_id), copy)
        copy.flush()
        try:
            refuse_compressed(copy.name)
            return read_csv(copy.name, csv_format, schema, names)
        except JobError as error:
            text = str(error).partition(": ")[2]
            raise JobError(error.name, f"s3://{item.bucket}/{item.key}: {text}") from None


def main() -> None:
    """Runs the job.

    Both Glue and MiniStack take the error message from what ends the process, so it ends with
    one line; the traceback goes to the log before it.
    """
    try:
        arguments = Arguments.read(sys.argv[1:], os.environ)
        print(json.dumps(load(arguments, os.environ)), flush=True)
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        text = str(error) if isinstance(error, JobError) else f"{type(error).__name__}: {error}"
        sys.exit(text)


if __name__ == "__main__":
    main()
