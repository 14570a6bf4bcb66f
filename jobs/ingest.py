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

It loads delimited text with columns of single values, plain or compressed. What else a
contract states and this job cannot follow is refused by name before anything is written.

The job fails with one line `<Name>: <what, where, what to do>`, which Glue hands on as the
run's error message.
"""

import bz2
import contextlib
import csv
import functools
import hashlib
import itertools
import json
import os
import re
import sys
import tempfile
import traceback
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import yaml
import zstandard
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
_CHUNK_BYTES = 64 << 10
_NAMED_REPEATS = 5


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
    """Dialect of delimited text, and how it is compressed."""

    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    null_value: str | None = None
    # A line that starts with it is no record.
    comment: str | None = None
    # Lines before the header, or the first record, that are none.
    skip_lines: int = 0
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
    # (location, dialect) of each server of type s3; the format's name where it is no
    # delimited text.
    sources: tuple[tuple[str, CsvFormat | str], ...]
    # `onDrift: evolve`: the table stops requiring what the contract does not.
    relaxes: bool = False
    # Columns whose values, together, no two rows of a batch may share.
    keys: tuple[tuple[str, ...], ...] = ()
    # `onBadRows`: `reject`, `quarantine` or `warn`.
    on_bad_rows: str = "reject"

    def format_of(self, bucket: str, key: str) -> CsvFormat:
        """The dialect of the source that claims the object.

        Fails when its format is no delimited text, and when no source claims it.
        """
        for location, source_format in self.sources:
            if location_matches(location, bucket, key):
                if isinstance(source_format, str):
                    raise _unsupported(f"s3://{bucket}/{key} is of format `{source_format}`")
                return source_format
        raise JobError(
            "Contract.NotFound",
            f"the contract of {self.table} claims no s3://{bucket}/{key}: compare the key with the "
            "location of its servers of type s3",
        )


def _unsupported(words: str) -> JobError:
    return JobError(
        "Job.ContractUnsupported",
        f"{words}, and the Glue job cannot load that yet: set `engine: lambda` in the contract and "
        "upload the file again, in smaller files if there are more keys than the check has memory "
        "for",
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

    Fails with `Job.ContractUnsupported` when a column is one that this job cannot load.
    """
    try:
        document = yaml.load(text, _CoreSchemaLoader)  # noqa: S506 - it is a SafeLoader
        odcs_3_0 = str(document["apiVersion"]).startswith("v3.0")
        schema = document["schema"][0]
        servers = document.get("servers") or []
        properties = schema["properties"]
        for item in properties:
            if words := unsupported_column(item, odcs_3_0=odcs_3_0):
                raise _unsupported(words)
        columns = tuple(
            Column(
                name=_column_name(item),
                type=column_type(item, odcs_3_0=odcs_3_0),
                required=_is_required(item, odcs_3_0=odcs_3_0),
                description=item.get("description"),
                is_primary_key=item.get("primaryKey") is True,
            )
            for item in properties
        )
        knobs = _custom(document)
        return Contract(
            database=next((item["database"] for item in servers if item["type"] == "glue"), None),
            table=schema.get("physicalName") or schema["name"],
            columns=columns,
            partition=tuple(
                (_column_name(item), str(_custom(item).get("partitionTransform") or "identity"))
                for item in _in_order(properties, "partitioned", "partitionKeyPosition")
            ),
            sources=tuple(
                (item["location"], _source_format(item)) for item in servers if item["type"] == "s3"
            ),
            relaxes=knobs.get("onDrift") == "evolve",
            keys=_keys(schema, odcs_3_0=odcs_3_0),
            on_bad_rows=knobs.get("onBadRows") or "reject",
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

    primary = _in_order(properties, "primaryKey", "primaryKeyPosition")
    keys = [tuple(map(_column_name, primary))]
    keys += [(_column_name(item),) for item in properties if item.get("unique") is True]
    keys += [
        (_column_name(item),)
        for item in properties
        if any(map(forbids_duplicates, item.get("quality") or []))
    ]
    keys += [
        # A rule of ODCS 3.0 without properties is one that Landfall lists and does not enforce.
        tuple(names[name] for name in _arguments(rule, "properties"))
        for rule in schema.get("quality") or []
        if forbids_duplicates(rule)
    ]
    distinct = {frozenset(key): key for key in reversed(keys) if key}
    return tuple(key for key in dict.fromkeys(keys) if distinct.get(frozenset(key)) is key)


def _source_format(server: Mapping[str, Any]) -> CsvFormat | str:
    """The dialect of a server's files, or the name of a format that is no delimited text."""
    name = str(server["format"])
    if name not in ("csv", "tsv"):
        return name
    custom = _custom(server)

    def character(value: str | None, default: str | None) -> str | None:
        return "\t" if value in ("tab", "\\t") else value or default

    stated = server.get("delimiter") or custom.get("delimiter")
    null_value = custom.get("nullValue")
    if isinstance(null_value, bool):
        null_value = str(null_value).lower()
    compression = custom.get("compression") or "auto"
    if compression not in ("auto", "none", *_CODECS):
        raise _unsupported(f"the contract states the compression `{compression}`")
    skipped = custom.get("skipLines")
    return CsvFormat(
        delimiter="\t" if name == "tsv" else character(stated, ",") or ",",
        quote=character(custom.get("quote"), '"') or '"',
        header=custom.get("header") is not False,
        null_value=null_value,
        comment=character(custom.get("comment"), None),
        skip_lines=int(skipped) if skipped is not None else 0,
        compression=compression,
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


_NESTED_TYPES = ("array", "list", "map", "struct", "row", "record", "object")

# Formats whose every text is read alike as ISO 8601, which pyarrow knows. The fraction has
# as many digits as a microsecond at most.
_DATE = r"(yyyy|uuuu)-(MM|LL)-dd"
_CLOCK = r"HH:mm:ss(\.S{1,6})?"
_ISO_FORMATS: tuple[tuple[str, IcebergType], ...] = (
    (_DATE, DateType()),
    (_CLOCK, TimeType()),
    (rf"{_DATE}( |' '|'T'){_CLOCK}", TimestampType()),
    (rf"{_DATE}( |' '|'T'){_CLOCK}XXX", TimestamptzType()),
)


def _type_of_iso_format(text: str | None) -> IcebergType | None:
    return next((kind for form, kind in _ISO_FORMATS if re.fullmatch(form, text or "")), None)


def _physical_name(item: Mapping[str, Any]) -> tuple[str, str | None]:
    """The name of a physical type without its arguments, and those."""
    words = " ".join(str(item.get("physicalType") or "").lower().split())
    name, bracket, rest = words.partition("(")
    arguments, _, suffix = rest.partition(")")
    name = " ".join(filter(None, [name.strip(), suffix.strip()]))
    return name, arguments if bracket else None


def unsupported_column(item: Mapping[str, Any], *, odcs_3_0: bool = False) -> str | None:
    """What the property states and this job cannot load, in words."""
    column = f"column {_column_name(item)}"
    physical, _ = _physical_name(item)
    logical = item.get("logicalType")
    is_nested = physical.partition("<")[0].strip() in _NESTED_TYPES
    if is_nested or logical in ("array", "object"):
        return f"{column} is nested"
    if logical is None and (item.get("properties") or item.get("items")):
        return f"{column} is nested"
    options = item.get("logicalTypeOptions") or {}
    kind = column_type(item, odcs_3_0=odcs_3_0)
    if not isinstance(kind, DateType | TimeType | TimestampType | TimestamptzType):
        return None
    stated = options.get("format")
    if stated is not None and _type_of_iso_format(stated) != kind:
        return f"{column} has the format `{stated}`"
    # Where the format has an offset, every value has, and the default says nothing.
    if options.get("defaultTimezone") is not None and stated is None:
        return f"{column} has times without a zone, which are of `{options['defaultTimezone']}`"
    return None


def column_type(item: Mapping[str, Any], *, odcs_3_0: bool = False) -> IcebergType:
    """The Iceberg type of a property, as shared/contract decides it: physicalType, then
    logicalType."""
    name, arguments = _physical_name(item)
    if arguments is not None and name in ("decimal", "numeric", "number", "dec"):
        precision, _, scale = arguments.partition(",")
        return DecimalType(int(precision), int(scale or 0))
    if name in _PHYSICAL_TYPES:
        return _PHYSICAL_TYPES[name]
    options = item.get("logicalTypeOptions") or {}
    logical, stated = item.get("logicalType"), options.get("format")
    if logical == "integer":
        if stated in ("i8", "i16", "i32", "u8", "u16"):
            return IntegerType()
        if stated in ("i128", "u128"):
            return DecimalType(38, 0)
        return DecimalType(20, 0) if stated == "u64" else LongType()
    if logical == "number":
        return FloatType() if stated == "f32" else DoubleType()
    if logical == "timestamp":
        return TimestamptzType() if options.get("timezone") is True else TimestampType()
    if logical == "date" and odcs_3_0:
        # It has no logical timestamp or time: `date` stands for all three.
        return _type_of_iso_format(stated) or DateType()
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

    def names(self, bucket: str, prefix: str) -> set[str]:
        """Keys that start with the prefix, up to a thousand."""
        listed = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return {item["Key"] for item in listed.get("Contents", ())}


# S3's limit on a key, and the longest ending of what the check writes about an object.
_MAX_KEY_BYTES = 1024
_LONGEST_ENDING = ".rejected.parquet"
_REJECTED_EXTENSIONS = ("csv", "tsv", "jsonl", "parquet", "avro")


def split_off_rows(batch: Batch, item: ObjectVersion) -> str:
    """Where the check keeps the bad rows of an object, up to the extension (schema-check,
    `address.rs`).

    A key that would be too long is cut: the object's digest and the key's end are left.
    """
    start = f"quarantine/{batch.dataset}/{batch.id}/"
    room = _MAX_KEY_BYTES - len((start + _LONGEST_ENDING).encode())
    key = item.key.encode()
    if len(key) <= room:
        return f"{start}{item.key}.rejected."
    digest = object_digest(item.id)
    kept = key[-(room - len(digest) - 1) :]
    while kept and kept[0] & 0xC0 == 0x80:
        kept = kept[1:]
    return f"{start}{digest}-{kept.decode()}.rejected."


def refuse_split_objects(objects: Objects, batch: Batch) -> None:
    """Fails when the check split bad rows off an object of the batch.

    The check loads the rest of such a file in the Lambda engine. This job would load the bad
    rows too, which are in quarantine already.
    """
    for item in batch.objects:
        start = split_off_rows(batch, item)
        possible = {start + extension for extension in _REJECTED_EXTENSIONS}
        for split_off in sorted(possible & objects.names(item.bucket, start)):
            raise JobError(
                "Job.BadRowsUnsupported",
                f"s3://{item.bucket}/{item.key} has bad rows (s3://{item.bucket}/{split_off}) and "
                "the Glue job cannot leave rows out yet: mend the file, or set `engine: lambda` in "
                "the contract",
            )


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


_LONE_CR = re.compile(rb"\r(?!\n)")


def fetch_text(body: Any, csv_format: CsvFormat, path: Path) -> None:  # noqa: ANN401
    """Writes an object's text to a file that pyarrow reads as the check does: decompressed,
    and without the lines that are no records.

    Fails when a record has a carriage return by itself outside quotes: to the check it is
    data, to pyarrow the end of a line.
    """
    suspicious = _fetch_bytes(body, csv_format, path)
    if csv_format.comment is None and not csv_format.skip_lines:
        if suspicious:
            for _ in lines_of_records(path, csv_format):
                pass
        return
    raw = path.rename(path.with_suffix(".raw"))
    with path.open("wb") as text:
        text.writelines(line for _, _, line in lines_of_records(raw, csv_format))
    raw.unlink()


def _fetch_bytes(body: Any, csv_format: CsvFormat, path: Path) -> bool:  # noqa: ANN401
    """Writes what comes out of an object; whether a carriage return is by itself in it."""
    suspicious, held = False, b""
    with path.open("wb") as file:
        chunks = iter(functools.partial(body.read, _CHUNK_BYTES), b"")
        for piece in decompressed(chunks, csv_format.compression):
            file.write(piece)
            seen = held + piece
            # The next piece says what follows the last byte.
            held = b"\r" if seen.endswith(b"\r") else b""
            suspicious = suspicious or bool(_LONE_CR.search(seen, 0, len(seen) - len(held)))
    return suspicious or bool(held)


def lines_of_records(path: Path, csv_format: CsvFormat) -> Iterator[tuple[int, bool, bytes]]:
    """The lines that records, and the header, are made of: the line's number from 1, whether
    a record starts in it, and its bytes.

    Quotes stand where they should in a file that passed the check, so that their number says
    whether a line ends inside a quoted field.
    """
    quote = csv_format.quote.encode()
    comment = (csv_format.comment or "").encode()
    quoted = False
    with path.open("rb") as file:
        for number, whole in enumerate(file, start=1):
            line = whole.removeprefix(b"\xef\xbb\xbf") if number == 1 else whole
            if number <= csv_format.skip_lines:
                continue
            starts = not quoted
            if starts and (line in (b"", b"\n", b"\r\n") or (comment and line.startswith(comment))):
                continue
            if b"\r" in line:
                _refuse_lone_cr(line, quote, number, quoted=quoted)
            quoted ^= line.count(quote) % 2 == 1
            yield number, starts, line


def _refuse_lone_cr(line: bytes, quote: bytes, number: int, *, quoted: bool) -> None:
    for match in _LONE_CR.finditer(line):
        if quoted == (line.count(quote, 0, match.start()) % 2 == 1):
            raise JobError(
                "Job.LineEndUnsupported",
                f"line {number} has a carriage return inside an unquoted field, which the Glue job "
                "cannot tell from the end of a line: quote the field, or set `engine: lambda` in "
                "the contract",
            )


# --- Keys ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A row: its object, and its record from 1, the header not counted."""

    item: ObjectVersion
    record: int


@dataclass(frozen=True)
class Repeats:
    """Rows that repeat a key: how many, and the first of them with the row they repeat."""

    key: tuple[str, ...]
    rows: int
    first: tuple[tuple[Place, Place], ...]


def find_repeats(rows: Mapping[ObjectVersion, pa.Table], key: tuple[str, ...]) -> Repeats | None:
    """The rows whose key an earlier row has, in the order of the batch.

    Exact, whatever the check had memory for. Keys are compared as values; zero is equal to
    minus zero, and a key with a null in it to nothing.
    """
    tables = [table.select(list(key)) for table in rows.values()]
    starts = [0, *itertools.accumulate(table.num_rows for table in tables)]
    columns = pa.concat_tables(tables).columns
    names = [f"k{position}" for position in range(len(key))]
    table = pa.table([*map(_comparable, columns), pa.arange(0, starts[-1])], names=[*names, "row"])
    table = table.drop_null()
    groups = table.group_by(names).aggregate([("row", "min")])
    repeated = table.num_rows - groups.num_rows
    if not repeated:
        return None
    is_later = pc.invert(pc.is_in(table["row"], value_set=groups["row_min"].combine_chunks()))
    later = table.filter(is_later).slice(0, _NAMED_REPEATS)
    items = list(rows)

    def place(row: int) -> Place:
        index = next(index for index, end in enumerate(starts[1:]) if row < end)
        return Place(items[index], row - starts[index] + 1)

    first = []
    for found in range(later.num_rows):
        equal = functools.reduce(
            pc.and_, (pc.equal(table[name], later[name][found]) for name in names)
        )
        earlier = pc.min(table["row"].filter(equal)).as_py()
        first.append((place(later["row"][found].as_py()), place(earlier)))
    return Repeats(key, repeated, tuple(first))


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as values of a fixed width that are equal when its own are."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
    if pa.types.is_large_string(kind) or pa.types.is_string(kind):
        # Each text by its number: pyarrow groups texts slowly, and only so many bytes of them.
        encoded = pc.dictionary_encode(column.cast(pa.large_string()))
        return pa.chunked_array([chunk.indices for chunk in encoded.chunks], pa.int32())
    # Minus zero and zero make zero.
    return pc.add(column, pa.scalar(0, kind)) if pa.types.is_floating(kind) else column


def refuse_repeats(
    repeats: Repeats,
    lines_of: Callable[[ObjectVersion, set[int]], Mapping[int, int]],
) -> None:
    """Fails for rows that repeat a key. It says where the first are, and no value of theirs,
    which may be sensitive. `lines_of` gives the lines of some records of an object."""
    wanted: dict[ObjectVersion, set[int]] = {}
    for place in itertools.chain.from_iterable(repeats.first):
        wanted.setdefault(place.item, set()).add(place.record)
    lines = {item: lines_of(item, records) for item, records in wanted.items()}

    def where(place: Place) -> str:
        line = lines[place.item].get(place.record)
        return f"record {place.record}" if line is None else f"line {line}"

    named = []
    for later, earlier in repeats.first:
        of_other = "" if later.item == earlier.item else f" of s3://{earlier.item.bucket}/"
        other = f"{of_other}{earlier.item.key}" if of_other else ""
        named.append(
            f"s3://{later.item.bucket}/{later.item.key} {where(later)} repeats "
            f"{where(earlier)}{other}"
        )
    count = "1 row repeats" if repeats.rows == 1 else f"{repeats.rows} rows repeat"
    more = ", and more" if repeats.rows > len(named) else ""
    raise JobError(
        "File.BadRows",
        f"{count} the key {', '.join(repeats.key)} of an earlier row of the batch: "
        f"{'; '.join(named)}{more}. The Glue job cannot leave rows out yet: remove the repeated "
        "rows and upload the files again",
    )


# --- Text to rows --------------------------------------------------------------------------


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
    texts = [name for name in names if pa.types.is_string(parse_as[name])]
    others = [name for name in names if name not in texts]

    def read(columns: Sequence[str], *, quoted_nulls: bool) -> pa.Table:
        return _parse_csv(path, csv_format, names, parse_as, columns, quoted_nulls=quoted_nulls)

    try:
        try:
            table = read(names, quoted_nulls=False)
        except pa.ArrowInvalid:
            if not texts or not others:
                table = read(names, quoted_nulls=not texts)
            else:
                # A quoted empty field is an empty text, and of other types no value. pyarrow
                # knows one rule for all columns.
                table = read(others, quoted_nulls=True)
                strings = read(texts, quoted_nulls=False)
                for name in texts:
                    table = table.append_column(name, strings[name])
    except pa.ArrowInvalid as error:
        # Without its cause: pyarrow repeats the value, which the contract may call sensitive.
        raise JobError(
            "File.BadRows",
            f"{fault_in_words(str(error), names, schema)}; the file passed the check, so read the "
            "check's report and compare the contract with the table",
        ) from None
    return conform(table, schema)


def _parse_csv(
    path: str,
    csv_format: CsvFormat,
    names: Sequence[str],
    parse_as: Mapping[str, pa.DataType],
    columns: Sequence[str],
    *,
    quoted_nulls: bool,
) -> pa.Table:
    """Some columns of a CSV file. `names` are all its columns."""
    nulls = [""] if csv_format.null_value is None else ["", csv_format.null_value]
    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(
            column_names=None if csv_format.header else names, block_size=_CSV_BLOCK_BYTES
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=csv_format.delimiter, quote_char=csv_format.quote, newlines_in_values=True
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=parse_as,
            include_columns=columns,
            null_values=nulls,
            strings_can_be_null=True,
            quoted_strings_can_be_null=quoted_nulls,
            true_values=_in_any_case("true"),
            false_values=_in_any_case("false"),
        ),
    )


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


def _in_any_case(word: str) -> list[str]:
    return ["".join(letters) for letters in itertools.product(*((c, c.upper()) for c in word))]


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
    # A quoted empty field is no text here, but null.
    values = [uuid.UUID(text).bytes if text else None for text in column.to_pylist()]
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
    judge: Callable[[Mapping[ObjectVersion, pa.Table]], None],
) -> int | None:
    """Appends the objects' rows in one snapshot that carries the batch's marker; returns its
    id, or None when previous owners have committed every object.

    `judge` sees all rows that are to be appended, and fails when they may not be. Each attempt
    looks for the markers, and commits against the very metadata it looked at.
    """
    for _ in range(_COMMIT_ATTEMPTS):
        if commit := find_commit(table, batch.id):
            return commit.snapshot_id
        rows = {item: rows_of(item) for item in objects_to_load(table, batch)}
        if not rows:
            return None
        judge(rows)
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
    for item in batch.objects:
        # Nothing is created for a batch that cannot be loaded.
        contract.format_of(item.bucket, item.key)

    catalog = open_catalog(environment)
    added = added_columns(batch)
    table = open_table(catalog, contract, added, database, arguments.warehouse)
    if find_commit(table, batch.id) is None:
        refuse_split_objects(objects, batch)

    names = [column.name for column in contract.columns]
    schema = table.schema()
    repeated_key_rows: dict[str, int] = {}

    @functools.cache
    def rows_of(item: ObjectVersion) -> pa.Table:
        return _read_object(objects, item, contract, schema, names)

    def lines_of(item: ObjectVersion, records: set[int]) -> Mapping[int, int]:
        return _lines_of(objects, item, contract.format_of(item.bucket, item.key), records)

    def judge(rows: Mapping[ObjectVersion, pa.Table]) -> None:
        # The check looks at keys as far as its memory goes, and leaves the rest to this job.
        for key in contract.keys:
            if repeats := find_repeats(rows, key):
                if contract.on_bad_rows != "warn":
                    refuse_repeats(repeats, lines_of)
                repeated_key_rows[",".join(key)] = repeats.rows

    committing_catalog = open_catalog(environment, commits=True)
    snapshot = append_once(catalog, committing_catalog, table, batch, rows_of, judge)
    return {
        "batchId": batch.id,
        "table": f"{database}.{contract.table}",
        "snapshotId": None if snapshot is None else str(snapshot),
        **({"repeatedKeyRows": repeated_key_rows} if repeated_key_rows else {}),
    }


def _read_object(
    objects: Objects,
    item: ObjectVersion,
    contract: Contract,
    schema: Schema,
    names: Sequence[str],
) -> pa.Table:
    csv_format = contract.format_of(item.bucket, item.key)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rows.csv"
        body = objects.read(item.bucket, item.key, item.etag, item.version_id)
        try:
            fetch_text(body, csv_format, path)
            return read_csv(str(path), csv_format, schema, names)
        except JobError as error:
            text = str(error).partition(": ")[2]
            raise JobError(error.name, f"s3://{item.bucket}/{item.key}: {text}") from None


def _lines_of(
    objects: Objects, item: ObjectVersion, csv_format: CsvFormat, records: set[int]
) -> dict[int, int]:
    """The lines in which some records of an object start."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rows.csv"
        _fetch_bytes(
            objects.read(item.bucket, item.key, item.etag, item.version_id), csv_format, path
        )
        starts = (number for number, starts, _ in lines_of_records(path, csv_format) if starts)
        first = 0 if csv_format.header else 1
        return {record: line for record, line in enumerate(starts, first) if record in records}


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
