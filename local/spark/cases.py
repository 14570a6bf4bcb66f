"""Pairs of contract and files from a seed: types, nulls, decimals, zones, nested values, quoting,
bad rows, evolution, compression.

A case is a table with one or two batches. Values are made as texts that the check takes, now
and then as ones that it does not; files with types of their own get the values.
"""

import bz2
import gzip
import io
import json
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "+05:30", "-09:30")
_TEXTS = (
    "",
    "a",
    "Ünïcode ☃",
    'quo"te',
    "com,ma",
    "semi;colon",
    "line\nfeed",
    "cr\rlf\r\n",
    " x ",
    "#x",
)
_TRANSFORMS = {
    "string": ("identity", "truncate[2]", "bucket[4]"),
    "int": ("identity", "bucket[3]", "truncate[10]"),
    "long": ("identity", "bucket[3]", "truncate[10]"),
    "decimal": ("identity", "bucket[3]", "truncate[10]"),
    "date": ("identity", "day", "month", "year", "bucket[2]"),
    "timestamp": ("day", "hour", "month", "bucket[2]"),
    "timestamptz": ("day", "hour", "year"),
    "boolean": ("identity",),
    # Not by identity: the Lambda engine's library writes no manifest with such a value.
    "uuid": ("bucket[4]",),
}


@dataclass
class Kind:
    """A primitive type of the contract, and how its texts are written."""

    name: str
    precision: int = 0
    scale: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def physical(self) -> str:
        """As `physicalType` has it."""
        return f"decimal({self.precision},{self.scale})" if self.name == "decimal" else self.name


@dataclass
class Field:
    """A column of the contract: a primitive type, or one nested in another."""

    name: str
    kind: Kind
    shape: str = "value"
    required: bool = False


class Cases:
    """Makes cases, each from the seed and its number."""

    def __init__(self, seed: int) -> None:
        """Takes the seed."""
        self._seed = seed

    def write(self, number: int, directory: Path) -> None:
        """Writes a case: contracts, files and `case.json`."""
        directory.mkdir(parents=True)
        _Case(random.Random(self._seed * 100_003 + number), directory).write()  # noqa: S311


class _Case:
    def __init__(self, rng: random.Random, directory: Path) -> None:
        self.rng, self.directory = rng, directory
        self.format = rng.choice(("csv", "csv", "csv", "json", "json", "parquet", "avro"))
        self.policy = rng.choice(("quarantine", "quarantine", "warn", "reject"))
        self.has_bad = self.policy != "reject" and rng.random() < 0.7
        self.server: dict[str, Any] = {}
        self.custom: dict[str, Any] = {}
        self.fields = [self._field(place) for place in range(rng.randint(2, 7))]
        if all(item.shape != "value" for item in self.fields):
            self.fields[0].shape = "value"
        self.partition = self._partition()

    def _kind(self) -> Kind:
        rng = self.rng
        name = rng.choice((*_TRANSFORMS, "float", "double"))
        kind = Kind(name)
        if name == "decimal":
            kind.precision = rng.randint(1, 38)
            kind.scale = rng.randint(0, kind.precision)
        if self.format in ("csv", "json") and rng.random() < 0.4:
            if name == "timestamptz":
                kind.options["defaultTimezone"] = rng.choice(_ZONES)
            elif name == "date":
                kind.options["format"] = rng.choice(("dd.MM.yyyy", "yyyyMMdd", "d MMM yy"))
            elif name == "timestamp":
                kind.options["format"] = "dd/MM/yyyy HH:mm:ss"
        if self.format in ("parquet", "avro") and name == "timestamptz" and rng.random() < 0.05:
            kind.options["defaultTimezone"] = rng.choice(_ZONES)
        if name in ("int", "long") and rng.random() < 0.3:
            kind.options["minimum"] = -1_000_000
        return kind

    def _field(self, place: int) -> Field:
        shapes = ("value", "value", "value", "struct", "list", "map", "deep")
        shape = "value" if self.format == "csv" else self.rng.choice(shapes)
        kind = self._kind()
        if shape in ("map", "deep"):
            # Their parts are types alone.
            kind.options = {}
        return Field(f"c{place}", kind, shape, self.rng.random() < 0.2)

    def _partition(self) -> dict[str, str]:
        usable = [
            item for item in self.fields if item.shape == "value" and item.kind.name in _TRANSFORMS
        ]
        chosen = self.rng.sample(usable, min(len(usable), self.rng.randint(0, 2)))
        found = {item.name: self.rng.choice(_TRANSFORMS[item.kind.name]) for item in chosen}
        for item in chosen:
            # The least numbers of a type have no multiple below them: they are bad rows, and
            # would have every file refused.
            if self.policy == "reject" and found[item.name].startswith("truncate"):
                if item.kind.name == "decimal":
                    found[item.name] = "bucket[3]"
                elif item.kind.name in ("int", "long"):
                    item.kind.options["minimum"] = -1_000_000
        return found

    # --- The contract

    def _property(self, item: Field) -> dict[str, Any]:
        kind = item.kind
        if item.shape == "value":
            found: dict[str, Any] = {"name": item.name, "physicalType": kind.physical}
            if kind.options:
                found["logicalTypeOptions"] = dict(kind.options)
        elif item.shape == "struct":
            inner = self._property(Field("a", kind, "value", True))
            found = {
                "name": item.name,
                "logicalType": "object",
                "properties": [inner, {"name": "B", "logicalType": "string"}],
            }
        elif item.shape == "list":
            inner = self._property(Field("element", kind))
            found = {"name": item.name, "logicalType": "array", "items": inner}
        elif item.shape == "map":
            found = {"name": item.name, "physicalType": f"map<string,{kind.physical}>"}
        else:
            found = {
                "name": item.name,
                "physicalType": f"array<struct<x: {kind.physical}, y: map<string, array<int>>>>",
            }
        if item.required:
            found["required"] = True
        return found

    def contract(self, fields: Sequence[Field]) -> dict[str, Any]:
        """The document."""
        properties = [self._property(item) for item in fields]
        for position, (name, transform) in enumerate(self.partition.items(), start=1):
            item = next(found for found in properties if found["name"] == name)
            item |= {"partitioned": True, "partitionKeyPosition": position}
            item["customProperties"] = [{"property": "partitionTransform", "value": transform}]
        custom = [{"property": key, "value": value} for key, value in self.custom.items()]
        server = {"server": "landing", "type": "s3", "location": "s3://landing/case/"}
        server |= {"format": self.format, **self.server}
        return {
            "apiVersion": "v3.1.0",
            "kind": "DataContract",
            "id": "case",
            "name": "case",
            "version": "1.0.0",
            "status": "active",
            "servers": [server | ({"customProperties": custom} if custom else {})],
            "schema": [{"name": "t", "physicalName": "t", "properties": properties}],
            "customProperties": [
                {"property": "onBadRows", "value": self.policy},
                {"property": "onDrift", "value": "evolve"},
            ],
        }

    # --- Values

    def text(self, kind: Kind) -> str:
        """A text of the type."""
        rng = self.rng
        if kind.name == "boolean":
            return rng.choice(("true", "false", "TRUE", "False"))
        if kind.name in ("int", "long"):
            edge = 2**31 if kind.name == "int" else 2**63
            lowest = kind.options.get("minimum", -edge)
            number = rng.choice((0, 7, -3, edge - 1, lowest, rng.randint(lowest, edge - 1)))
            return f"{'-' if number < 0 else ''}{rng.choice(('', '00'))}{abs(number)}"
        if kind.name == "decimal":
            unscaled = rng.choice((0, 10**kind.precision - 1, rng.randrange(10**kind.precision)))
            digits = str(unscaled).rjust(kind.scale + 1, "0")
            whole, rest = digits[: len(digits) - kind.scale], digits[len(digits) - kind.scale :]
            sign = rng.choice(("", "-"))
            return sign + whole + (f".{rest}{rng.choice(('', '000'))}" if kind.scale else "")
        if kind.name in ("float", "double"):
            number = rng.choice((0.0, -0.0, 0.1, 1e-7, 12345.678, rng.uniform(-1e6, 1e6), 3.4e38))
            return rng.choice((repr(number), f"{number:.3f}", f"{number:e}"))
        if kind.name == "uuid":
            text = str(uuid.UUID(int=rng.getrandbits(128)))
            return rng.choice((text, text.upper()))
        if kind.name == "string":
            return rng.choice(_TEXTS + (f"s{rng.randint(0, 99)}",) * 4)
        moment = self.moment()
        stated = kind.options.get("format")
        if stated:
            marks = {"dd.MM.yyyy": "%d.%m.%Y", "yyyyMMdd": "%Y%m%d", "d MMM yy": "%d %b %y"}
            if stated == "d MMM yy":
                moment = moment.replace(year=2000 + moment.year % 100)
            return moment.strftime(marks.get(stated, "%d/%m/%Y %H:%M:%S"))
        if kind.name == "date":
            return moment.strftime("%Y-%m-%d")
        clock = rng.choice(("", ".5", ".000001", f".{moment.microsecond:06d}", ".120000000"))
        text = moment.strftime(f"%Y-%m-%d{rng.choice('T ')}%H:%M:%S") + clock
        if kind.name == "timestamp":
            return text
        if "defaultTimezone" in kind.options and rng.random() < 0.5:
            return text
        return text + rng.choice(("Z", "+00:00", "+05:30", "-11:00"))

    def moment(self) -> datetime:
        """A local time that every zone has once."""
        start = datetime(1970, 1, 1)
        days = self.rng.choice((0, -1, 20_000, self.rng.randint(-20_000, 30_000)))
        return start + timedelta(
            days=days,
            hours=self.rng.randint(5, 22),
            seconds=self.rng.randint(0, 3599),
            microseconds=self.rng.randint(0, 999_999),
        )

    def value(self, kind: Kind) -> Any:  # noqa: ANN401 - a value of any type
        """A value of the type, for files with types of their own."""
        text = self.text(
            Kind(
                kind.name,
                kind.precision,
                kind.scale,
                {key: value for key, value in kind.options.items() if key == "minimum"},
            )
        )
        if kind.name == "boolean":
            return text.lower() == "true"
        if kind.name in ("int", "long"):
            return int(text)
        if kind.name == "decimal":
            return Decimal(text).quantize(Decimal(1).scaleb(-kind.scale), context=_WIDE)
        if kind.name in ("float", "double"):
            return float(text)
        if kind.name in ("string", "uuid"):
            return text
        moment = self.moment()
        if kind.name == "date":
            return moment.date()
        if kind.name == "timestamptz" and "defaultTimezone" not in kind.options:
            return moment.replace(tzinfo=timezone.utc)
        return moment

    def nested(self, item: Field, leaf: Callable[[Kind], Any]) -> Any:  # noqa: ANN401
        """A value of a field, its leaves made by `leaf`; dictionaries for structs and maps."""
        rng, kind = self.rng, item.kind
        if not item.required and rng.random() < 0.2:
            return None
        if item.shape == "value":
            return leaf(kind)
        if item.shape == "struct":
            return {"a": leaf(kind), "B": rng.choice((None, "b", "é"))}
        if item.shape == "list":
            return [rng.choice((None, leaf(kind))) for _ in range(rng.randint(0, 3))]
        if item.shape == "map":
            return {f"k{n}": rng.choice((None, leaf(kind))) for n in range(rng.randint(0, 3))}
        return [
            {"x": leaf(kind), "y": {"m": [1, None], "n": []} if rng.random() < 0.5 else None}
            for _ in range(rng.randint(0, 2))
        ]

    # --- Files

    def write(self) -> None:
        """Writes the case."""
        rng = self.rng
        batches = []
        fields = list(self.fields)
        self._dialect()
        for number in range(rng.randint(1, 2)):
            extra: Field | None = None
            if number == 1:
                fields = [self._widened(item) for item in fields]
                if rng.random() < 0.5:
                    added = self._field(len(fields))
                    added.required = False
                    fields.append(added)
                if rng.random() < 0.4 and self.format in ("csv", "json"):
                    extra = Field("extra", Kind(rng.choice(("long", "string", "double", "date"))))
            contract = f"contract-{number}.json"
            (self.directory / contract).write_text(json.dumps(self.contract(fields)))
            objects = []
            for part in range(rng.randint(1, 2)):
                name = f"{number}-{part}.bin"
                (self.directory / name).write_bytes(self._file(fields, extra))
                objects.append({"key": f"case/{name}", "file": name})
            batches.append({"id": f"case-{number}", "contract": contract, "objects": objects})
        (self.directory / "case.json").write_text(json.dumps({"batches": batches}))

    def _widened(self, item: Field) -> Field:
        kind = item.kind
        if self.rng.random() > 0.3 or item.name in self.partition:
            return item
        wider = {"int": "long", "float": "double"}.get(kind.name)
        if wider:
            kind = Kind(wider, options=dict(kind.options))
        elif kind.name == "decimal" and kind.precision < 38:
            kind = Kind("decimal", kind.precision + 1, kind.scale)
        return Field(item.name, kind, item.shape, item.required)

    def _dialect(self) -> None:
        rng = self.rng
        if self.format == "csv":
            self.server["delimiter"] = rng.choice((",", ";", "tab", "|"))
            for key, value, share in (
                ("nullValue", "NULL", 0.3),
                ("header", False, 0.2),
                ("comment", "#", 0.2),
                ("skipLines", 2, 0.2),
                ("quote", "'", 0.2),
            ):
                if rng.random() < share:
                    self.custom[key] = value
        elif self.format == "json" and rng.random() < 0.4:
            self.server["delimiter"] = "array"

    def _file(self, fields: Sequence[Field], extra: Field | None) -> bytes:
        if self.format == "parquet":
            return self._parquet(fields)
        if self.format == "avro":
            return self._avro(fields)
        text = self._csv(fields, extra) if self.format == "csv" else self._json(fields, extra)
        if text.startswith(b"BZh") or text[:2] == b"\x1f\x8b":
            return text
        return self._compressed(text)

    def _compressed(self, text: bytes) -> bytes:
        import zstandard

        if "comment" in self.custom or self.rng.random() < 0.6:
            return text
        compress = (gzip.compress, bz2.compress, zstandard.ZstdCompressor().compress)
        return self.rng.choice(compress)(text)

    def _csv(self, fields: Sequence[Field], extra: Field | None) -> bytes:
        rng = self.rng
        header = self.custom.get("header", True)
        columns = list(fields)
        if header:
            rng.shuffle(columns)
            optional = [item for item in columns if not item.required]
            if len(columns) > 1 and optional and rng.random() < 0.2:
                columns.remove(rng.choice(optional))
            if extra:
                columns.append(extra)
        delimiter = {"tab": "\t"}.get(self.server["delimiter"], self.server["delimiter"])
        quote, end = self.custom.get("quote", '"'), rng.choice(("\n", "\r\n"))
        always = rng.random() < 0.2

        def written(text: str | None) -> str:
            if text is None:
                null = self.custom.get("nullValue")
                return rng.choice(("", null)) if null else ""
            special = any(sign in text for sign in (delimiter, quote, "\n", "\r"))
            hidden = text in ("", "NULL") or text.startswith("#")
            if special or hidden or always or rng.random() < 0.1:
                return quote + text.replace(quote, quote * 2) + quote
            return text

        lines = [f'preamble {n} "' for n in range(self.custom.get("skipLines", 0))]
        if header:
            spelled = [rng.choice((item.name, item.name.upper())) for item in columns]
            lines.append(delimiter.join(map(written, spelled)))
        for _ in range(rng.randint(1, 30)):
            values = [written(self.nested(item, self.text)) for item in columns]
            if self.has_bad and rng.random() < 0.2:
                self._spoil(values, columns, quote)
            line = delimiter.join(values)
            if line:
                lines.append(line)
            if rng.random() < 0.05:
                lines.append(rng.choice(("", "# no record") if "comment" in self.custom else ("",)))
        mark = "\ufeff" if rng.random() < 0.1 else ""
        last = end if rng.random() < 0.8 else ""
        return (mark + end.join(lines) + last).encode()

    def _spoil(self, values: list[str], columns: Sequence[Field], quote: str) -> None:
        rng = self.rng
        place = rng.randrange(len(values))
        match rng.choice(("type", "short", "long", "stray", "after")):
            case "type":
                values[place] = "no value of a type"
            case "short":
                values.pop()
            case "long":
                values.append("more")
            case "stray":
                values[place] = f"a{quote}b"
            case "after":
                values[place] = f"{quote}a{quote}b"
        del columns

    def _json(self, fields: Sequence[Field], extra: Field | None) -> bytes:
        rng = self.rng
        columns = [*fields, *([extra] if extra else [])]
        documents = []
        for _ in range(rng.randint(1, 30)):
            members = []
            for item in columns:
                value = self.nested(item, lambda kind: _Json(kind, self.text(kind)))
                if value is not None or rng.random() < 0.5:
                    members.append(f"{json.dumps(item.name)}: {_json_text(value)}")
            rng.shuffle(members)
            text = "{" + ", ".join(members) + "}"
            if self.has_bad and rng.random() < 0.2:
                broken = ('{"c0": }', '{"c0": [[[]]]}', "17", '{"c0": 1, "c0": 2}', '"x"')
                text = rng.choice(broken)
            documents.append(text)
        if self.server.get("delimiter") == "array":
            return ("[" + rng.choice((",", " ,\n")).join(documents) + "]").encode()
        return (rng.choice(("\n", "\r\n", "\n\n")).join(documents) + "\n").encode()

    def _parquet(self, fields: Sequence[Field]) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet

        rng, count = self.rng, self.rng.randint(1, 40)
        arrays, names = [], []
        for item in fields:
            if not item.required and len(fields) > 1 and rng.random() < 0.1:
                continue
            kind = item.kind
            leaf = _arrow_leaf(kind)
            if kind.name == "long" and rng.random() < 0.2:
                kind = Kind("int", options=kind.options)
                leaf = pa.int32()
            values = [
                self.nested(Field(item.name, kind, item.shape, item.required), self.value)
                for _ in range(count)
            ]
            arrays.append(pa.array(_pairs(values, item), _arrow_shape(item, leaf)))
            names.append(rng.choice((item.name, item.name.upper())))
        if not names:
            return self._parquet(fields)
        file = io.BytesIO()
        pyarrow.parquet.write_table(
            pa.table(arrays, names),
            file,
            row_group_size=rng.choice((7, 1000)),
            compression=rng.choice(("snappy", "zstd", "none")),
        )
        return file.getvalue()

    def _avro(self, fields: Sequence[Field]) -> bytes:
        import fastavro

        rng = self.rng
        names = iter(range(1000))
        schema = {
            "type": "record",
            "name": "row",
            "fields": [{"name": item.name, "type": _avro_field(item, names)} for item in fields],
        }
        records = [
            {item.name: self.nested(item, self.value) for item in fields}
            for _ in range(rng.randint(1, 40))
        ]
        file = io.BytesIO()
        fastavro.writer(
            file, fastavro.parse_schema(schema), records, codec=rng.choice(("null", "deflate"))
        )
        return file.getvalue()


_WIDE = Context(prec=60)


@dataclass(frozen=True)
class _Json:
    kind: Kind
    text: str


def _json_text(value: Any) -> str:  # noqa: ANN401 - a nested value
    if isinstance(value, _Json):
        name, text = value.kind.name, value.text
        if name == "boolean":
            return text.lower()
        if name in ("int", "long", "float", "double"):
            sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
            whole, point, rest = digits.partition(".")
            return sign + (whole.lstrip("0") or "0" if whole.isdecimal() else whole) + point + rest
        return json.dumps(text, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {_json_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _arrow_leaf(kind: Kind) -> Any:  # noqa: ANN401 - a type
    import pyarrow as pa

    if kind.name == "decimal":
        return pa.decimal128(kind.precision, kind.scale)
    zone = None if "defaultTimezone" in kind.options else "UTC"
    return {
        "boolean": pa.bool_(),
        "int": pa.int32(),
        "long": pa.int64(),
        "float": pa.float32(),
        "double": pa.float64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", tz=zone),
        "string": pa.string(),
        "uuid": pa.string(),
    }[kind.name]


def _arrow_shape(item: Field, leaf: Any) -> Any:  # noqa: ANN401 - types
    import pyarrow as pa

    if item.shape == "struct":
        return pa.struct([("B", pa.string()), ("a", leaf)])
    if item.shape == "list":
        return pa.list_(leaf)
    if item.shape == "map":
        return pa.map_(pa.string(), leaf)
    if item.shape == "deep":
        inner = pa.map_(pa.string(), pa.list_(pa.int32()))
        return pa.list_(pa.struct([("x", leaf), ("y", inner)]))
    return leaf


def _pairs(values: list[Any], item: Field) -> list[Any]:
    """Maps as pyarrow takes them."""

    def of(value: Any, depth: int) -> Any:  # noqa: ANN401
        if item.shape == "map" and isinstance(value, dict):
            return list(value.items())
        if item.shape == "deep" and isinstance(value, list) and depth == 0:
            return [
                part | {"y": None if part["y"] is None else list(part["y"].items())}
                for part in value
            ]
        return value

    return [of(value, 0) for value in values]


def _avro_leaf(kind: Kind) -> Any:  # noqa: ANN401 - JSON
    if kind.name == "decimal":
        return {
            "type": "bytes",
            "logicalType": "decimal",
            "precision": kind.precision,
            "scale": kind.scale,
        }
    local = "local-" if "defaultTimezone" in kind.options else ""
    return {
        "date": {"type": "int", "logicalType": "date"},
        "timestamp": {"type": "long", "logicalType": "local-timestamp-micros"},
        "timestamptz": {"type": "long", "logicalType": f"{local}timestamp-micros"},
        "uuid": "string",
    }.get(kind.name, kind.name)


def _avro_field(item: Field, names: Any) -> Any:  # noqa: ANN401 - JSON
    leaf = _avro_leaf(item.kind)
    if item.shape == "struct":
        fields = [{"name": "a", "type": leaf}, {"name": "B", "type": ["null", "string"]}]
        found: Any = {"type": "record", "name": f"r{next(names)}", "fields": fields}
    elif item.shape == "list":
        found = {"type": "array", "items": ["null", leaf]}
    elif item.shape == "map":
        found = {"type": "map", "values": ["null", leaf]}
    elif item.shape == "deep":
        inner = {"type": "map", "values": {"type": "array", "items": ["null", "int"]}}
        fields = [{"name": "x", "type": leaf}, {"name": "y", "type": ["null", inner]}]
        found = {
            "type": "array",
            "items": {"type": "record", "name": f"r{next(names)}", "fields": fields},
        }
    else:
        found = leaf
    return found if item.required else ["null", found]
