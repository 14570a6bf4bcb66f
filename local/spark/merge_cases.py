"""Batches that change rows, from a seed, and what they must make of a table.

The Lambda engine neither updates nor deletes. So what the Glue job makes of `writeMode: upsert`
and `onOverwrite: replace` is held against a model that knows neither Spark nor Iceberg: a
dictionary by key, and a list of rows by file. The model shares nothing with the job but the
texts of contract and files.
"""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from local.spark.iceberg_files import plain

_DATABASE = "merged"
_KEYS = ("int", "long", "string", "decimal(5,2)", "decimal(38,10)", "date", "boolean", "timestamp")
_VALUES = (*_KEYS, "double", "timestamptz", "decimal(18,0)")
_WORDS = ("", "a", "A", " a", "Ünï ☃", 'quo"te', "com,ma", "line\nfeed", "NULL")
_PARTITIONS = {"int": "bucket[3]", "long": "identity", "string": "truncate[1]", "date": "month"}
_MARKER = "gone"
_ORIGIN = "_landfall_object"

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Version:
    """One version of a file: what the batch document says of it, and its rows."""

    key: str
    number: int
    # None of a file that a backfill listed.
    sequencer: str
    rows: tuple[Row, ...]
    written: datetime = datetime(2026, 11, 21, 8, tzinfo=timezone.utc)

    @property
    def path(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://landing/{self.key}"

    @property
    def id(self) -> str:
        """The object id."""
        return f"{self.path}#v#{self.number}"

    @property
    def order(self) -> int:
        """S3's order of the writes to a key: sequencers are hexadecimal numbers."""
        return int(self.sequencer or "0", 16)

    @property
    def digest(self) -> str:
        """What stands for the version in its rows."""
        encoded = self.id.encode()
        return hashlib.sha256(len(encoded).to_bytes(8, "big") + encoded).hexdigest()[:16]


@dataclass
class Round:
    """One batch, the batches that its objects were taken over from, and the rows, as texts, that
    are in the table when it was loaded."""

    batch_id: str
    versions: tuple[Version, ...]
    previous: tuple[str, ...] = ()
    replaces: Mapping[Version, tuple[str, ...]] = field(default_factory=dict)
    # The newest version of each path that has been announced by then.
    latest: Mapping[str, Version] = field(default_factory=dict)
    expected: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class MergeCase:
    """A table's contract, and the batches that come one after the other."""

    name: str
    contract: str
    rounds: tuple[Round, ...]

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(len(version.rows) for it in self.rounds for version in it.versions)


class _Maker:
    """What upserts and replacements have in common: columns, values and files."""

    def __init__(self, rng: random.Random, name: str, directory: Path) -> None:
        self.rng, self.name, self.directory = rng, name, directory
        self.format = rng.choice(("csv", "json"))
        self.keys: list[tuple[str, str]] = []
        self.values = [(f"v{n}", rng.choice(_VALUES)) for n in range(rng.randint(1, 4))]
        self.marker = False
        self.partition: str | None = None
        self._versions = 0

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Name and type of each column."""
        return [*self.keys, *self.values, *([(_MARKER, "boolean")] if self.marker else [])]

    def partition_by(self, columns: Sequence[tuple[str, str]]) -> None:
        """Partitions the table by one of the columns, now and then."""
        usable = [name for name, kind in columns if kind in _PARTITIONS]
        if usable and self.rng.random() < 0.5:
            self.partition = self.rng.choice(usable)

    def contract(self, custom: Mapping[str, str]) -> str:
        """The document."""
        properties = []
        for name, kind in self.columns:
            item: dict[str, Any] = {"name": name, "physicalType": kind}
            if name in dict(self.keys):
                item["primaryKey"] = True
            if name == self.partition:
                transform = {"property": "partitionTransform", "value": _PARTITIONS[kind]}
                item |= {"partitioned": True, "customProperties": [transform]}
            properties.append(item)
        return json.dumps(
            {
                "apiVersion": "v3.1.0",
                "kind": "DataContract",
                "id": self.name,
                "version": "1.0.0",
                "status": "active",
                "servers": [
                    {"type": "s3", "location": "s3://landing/", "format": self.format},
                    {"type": "glue", "database": _DATABASE},
                ],
                "schema": [{"name": self.name, "properties": properties}],
                "customProperties": [
                    {"property": key, "value": value} for key, value in custom.items()
                ],
            }
        )

    def value(self, kind: str) -> Any:  # noqa: ANN401 - a value of any type
        """A value; few different ones of each type, so that keys meet."""
        rng = self.rng
        if kind.startswith("decimal"):
            precision, scale = map(int, kind[8:-1].split(","))
            unscaled = rng.choice((0, 5, -70, 10**precision - 1, 1 - 10**precision))
            # The exponent of a literal: arithmetic would round it to the context's precision.
            return Decimal(f"{unscaled}E-{scale}")
        moment = datetime(2026, 11, 21) + rng.choice((-1, 0, 1)) * timedelta(days=40, seconds=7)
        choices: dict[str, Sequence[Any]] = {
            "int": (0, 1, -(2**31), 2**31 - 1),
            "long": (0, 1, -(2**63), 2**63 - 1),
            "string": _WORDS,
            "date": (date(1969, 12, 31), date(2026, 11, 21), date(2026, 12, 1)),
            "boolean": (True, False),
            "timestamp": (moment, moment.replace(microsecond=1)),
            "timestamptz": (moment.replace(tzinfo=timezone.utc),),
            "double": (0.1, -1e300, 5e-324),
        }
        return rng.choice(choices[kind])

    def row(self) -> Row:
        """A row. All but the key may be null."""
        rng = self.rng
        key = [self.value(kind) for _, kind in self.keys]
        values = [None if rng.random() < 0.25 else self.value(kind) for _, kind in self.values]
        mark = [rng.choice((None, False, False, True))] if self.marker else []
        row = (*key, *values, *mark)
        # An empty line of delimited text is no record.
        return row if any(value is not None for value in row) else self.row()

    def version(self, key: str, sequencer: int, most: int) -> Version:
        """A new version of the file, written where the job reads it."""
        rng = self.rng
        self._versions += 1
        rows = [self.row() for _ in range(rng.randint(0, most))]
        rows += rng.sample(rows, rng.randint(0, min(2, len(rows))))
        digits = f"{sequencer:x}"
        shown = rng.choice((digits, digits.upper(), digits.rjust(rng.randint(1, 20), "0")))
        found = Version(key, self._versions, shown, tuple(rows))
        path = self.directory / "landing" / f"{key}@{found.number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._csv(rows) if self.format == "csv" else self._json(rows), newline="")
        return found

    def listed(self, version: Version) -> Version:
        """The version as a backfill may give it: by the time of its write, and often without a
        sequencer. Times are few, so that some are equal."""
        rng = self.rng
        hours = timedelta(hours=rng.randint(0, 3))
        sequencer = "" if rng.random() < 0.7 else version.sequencer
        return replace(version, sequencer=sequencer, written=version.written + hours)

    def _csv(self, rows: Sequence[Row]) -> str:
        def written(value: Any) -> str:  # noqa: ANN401
            if value is None:
                return ""
            text = self._text(value)
            return '"' + text.replace('"', '""') + '"' if isinstance(value, str) else text

        lines = [",".join(name for name, _ in self.columns)]
        lines += [",".join(map(written, row)) for row in rows]
        return "".join(line + "\n" for line in lines)

    def _json(self, rows: Sequence[Row]) -> str:
        def written(value: Any) -> str:  # noqa: ANN401
            if isinstance(value, bool | int | float | None):
                return json.dumps(value)
            return json.dumps(self._text(value), ensure_ascii=False)

        names = [json.dumps(name) for name, _ in self.columns]
        return "".join(
            "{" + ", ".join(map(": ".join, zip(names, map(written, row), strict=True))) + "}\n"
            for row in rows
        )

    def _text(self, value: Any) -> str:  # noqa: ANN401
        if isinstance(value, datetime) and value.tzinfo is not None:
            # The same moment as other zones write it.
            ahead = self.rng.choice((0, 330, -570))
            return value.astimezone(timezone(timedelta(minutes=ahead))).isoformat()
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, bool):
            return str(value).lower()
        return f"{value:f}" if isinstance(value, Decimal) else str(value)


def in_order(versions: Sequence[Version]) -> list[Version]:
    """The versions of a batch, the last write last: by sequencer, but by time where one of them
    has no sequencer; those that are equal as they stand in the batch."""
    if all(version.sequencer for version in versions):
        return sorted(versions, key=lambda it: it.order)
    return sorted(versions, key=lambda it: (it.written, it.order))


def upserts(seed: int, number: int, directory: Path) -> MergeCase:
    """A case of `writeMode: upsert`: by the primary key the last event wins, and a row whose
    delete marker is true deletes."""
    rng = random.Random(seed * 100_003 + number)  # noqa: S311 - not for secrets
    maker = _Maker(rng, f"upsert_{number}", directory)
    maker.keys = [(f"k{n}", rng.choice(_KEYS)) for n in range(rng.randint(1, 3))]
    maker.marker = rng.random() < 0.6
    maker.partition_by(maker.columns)
    custom = {"writeMode": "upsert"} | ({"deleteMarker": _MARKER} if maker.marker else {})
    table: dict[Row, Row] = {}
    width = len(maker.keys)
    rounds: list[Round] = []
    for place in range(rng.randint(2, 4)):
        # Events come in any order: the later one may stand first in the batch.
        sequencers = rng.sample(range(1, 5000), rng.randint(1, 3))
        versions = [maker.version(f"{maker.name}/{place}-{it}", it, 12) for it in sequencers]
        if rng.random() < 0.4:
            versions = [maker.listed(version) for version in versions]
        loaded: tuple[Version, ...] = ()
        previous: tuple[str, ...] = ()
        if rounds and rng.random() < 0.4:
            # Another batch is given what one before it has loaded already.
            before = rounds[-1]
            loaded = before.versions[:1]
            versions += loaded
            previous = (before.batch_id, *before.previous)
        for version in in_order(versions):
            for row in () if version in loaded else version.rows:
                if maker.marker and row[-1]:
                    table.pop(row[:width], None)
                else:
                    table[row[:width]] = row
        expected = sorted(plain(list(row)) for row in table.values())
        batch_id = f"{maker.name}-{place}"
        rounds.append(Round(batch_id, tuple(versions), previous, expected=expected))
    return MergeCase(maker.name, maker.contract(custom), tuple(rounds))


def replacements(seed: int, number: int, directory: Path) -> MergeCase:
    """A case of `onOverwrite: replace`: of all versions of a path, the rows of the newest are in
    the table, whenever the others arrive."""
    rng = random.Random(seed * 100_019 + number)  # noqa: S311 - not for secrets
    maker = _Maker(rng, f"replace_{number}", directory)
    maker.partition_by(maker.values)
    paths = [f"{maker.name}/{name}" for name in "abc"[: rng.randint(1, 3)]]
    seen: dict[str, list[Version]] = {path: [] for path in paths}
    table: dict[str, Version] = {}
    rounds = []
    for place in range(rng.randint(2, 4)):
        versions = []
        for path in rng.choices(paths, k=rng.randint(1, 3)):
            taken = {it.order for it in seen[path]}
            order = rng.choice([it for it in range(1, 40) if it not in taken])
            version = maker.version(path, order, 6)
            seen[path].append(version)
            versions.append(version)
        latest = {path: max(of, key=lambda it: it.order) for path, of in seen.items() if of}
        table |= {path: version for path, version in latest.items() if version in versions}
        replaces = {
            version: tuple(it.digest for it in seen[version.key] if it.order < version.order)
            for version in versions
        }
        expected = [
            plain([*row, version.digest]) for version in table.values() for row in version.rows
        ]
        rounds.append(
            Round(
                f"{maker.name}-{place}",
                tuple(versions),
                replaces=replaces,
                latest={version.path: version for version in latest.values()},
                expected=sorted(expected),
            )
        )
    contract = maker.contract({"onOverwrite": "replace"})
    return MergeCase(maker.name, contract, tuple(rounds))
