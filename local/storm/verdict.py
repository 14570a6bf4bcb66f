"""Whether every row is in its table once, and whether ledger and markers say the same."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.storm.plan import File, Plan

_SHOWN = 5


@dataclass(frozen=True)
class Entry:
    """The ledger's item of an object version, as far as it is judged here."""

    path: str
    version: str
    state: str
    rows: int
    deliveries: int
    snapshot_id: str
    event_time: str
    reason: str = ""

    @staticmethod
    def of(item: dict[str, dict[str, Any]]) -> "Entry":
        """Reads a DynamoDB item."""

        def value(name: str, default: str = "") -> str:
            return str(next(iter(item.get(name, {"S": default}).values())))

        return Entry(
            path=value("path"),
            version=value("version"),
            state=value("state"),
            rows=int(value("rows", "0")),
            deliveries=int(value("deliveries", "0")),
            snapshot_id=value("snapshotId"),
            event_time=value("eventTime"),
            reason=value("reason"),
        )

    @property
    def object_id(self) -> str:
        """As markers list it."""
        return f"{self.path}#{self.version}"

    @property
    def digest(self) -> str:
        """As markers list it when the ids are too long (`shared/lake/src/marker.rs`)."""
        raw = self.object_id.encode()
        return hashlib.sha256(len(raw).to_bytes(8, "big") + raw).hexdigest()[:16]


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a table: what its marker lists, and the rows that it says it added."""

    id: str
    time_ms: int
    added_rows: int
    batch_id: str
    objects: tuple[str, ...]
    object_rows: tuple[int, ...]

    @staticmethod
    def of(id_: str, time_ms: int, summary: dict[str, str]) -> "Snapshot":
        """Reads a snapshot's summary."""
        if "landfall.objects" in summary:
            objects = json.loads(summary["landfall.objects"])
        else:
            objects = list(filter(None, summary.get("landfall.object-digests", "").split(",")))
        counts = filter(None, summary.get("landfall.object-rows", "").split(","))
        return Snapshot(
            id=id_,
            time_ms=time_ms,
            added_rows=int(summary.get("added-records", "0")),
            batch_id=summary.get("landfall.batch-id", ""),
            objects=tuple(objects),
            object_rows=tuple(int(count) for count in counts),
        )


@dataclass(frozen=True)
class Table:
    """A dataset's table as PyIceberg reads it: (id, file) of every row, and its snapshots."""

    rows: Sequence[tuple[int, int]]
    snapshots: Sequence[Snapshot]


@dataclass
class Verdict:
    """What is wrong, in sentences; nothing, after a good storm."""

    problems: list[str] = field(default_factory=list)
    lost_rows: int = 0
    doubled_rows: int = 0

    def add(self, what: str, which: Iterable[object] = ()) -> None:
        """Adds a sentence, with a few of the things it is about."""
        things = sorted(map(str, which))
        if things:
            shown = ", ".join(things[:_SHOWN])
            what += f": {shown}" + (f" and {len(things) - _SHOWN} more" * (len(things) > _SHOWN))
        self.problems.append(what)


def judge(plan: Plan, bucket: str, ledger: Sequence[Entry], tables: dict[str, Table]) -> Verdict:
    """Holds tables, ledger and markers against the plan."""
    verdict = Verdict()
    _judge_ledger(verdict, plan, bucket, ledger)
    files = {dataset: [f for f in plan.files if f.dataset == dataset] for dataset in plan.datasets}
    for dataset, its_files in files.items():
        table = tables.get(dataset)
        if table is None:
            verdict.lost_rows += sum(file.rows for file in its_files)
            verdict.add(f"{dataset}: there is no table")
            continue
        _judge_rows(verdict, dataset, its_files, table)
        prefix = f"s3://{bucket}/{dataset}/"
        entries = [entry for entry in ledger if entry.path.startswith(prefix)]
        _judge_markers(verdict, dataset, entries, table)
    return verdict


def _judge_ledger(verdict: Verdict, plan: Plan, bucket: str, ledger: Sequence[Entry]) -> None:
    planned = {f"s3://{bucket}/{file.key}": file for file in plan.files}
    known = Counter(entry.path for entry in ledger)
    if unheard := planned.keys() - known.keys():
        verdict.add(f"{len(unheard)} files have no item in the ledger", unheard)
    if twice := [path for path, count in known.items() if count > 1]:
        verdict.add(f"{len(twice)} files have two items, and were uploaded once", twice)
    for state, count in Counter(entry.state for entry in ledger).items():
        if state != "committed":
            of_state = [entry for entry in ledger if entry.state == state]
            reasons = {entry.reason for entry in of_state}
            verdict.add(
                f"{count} files are {state} in the ledger ({'; '.join(sorted(reasons))[:300]})",
                [entry.path for entry in of_state],
            )
    wrong = [
        entry.path
        for entry in ledger
        if entry.path in planned and entry.rows != planned[entry.path].rows
    ]
    if wrong:
        verdict.add(f"{len(wrong)} files have another number of rows in the ledger", wrong)
    # Two events that share a batch count as one delivery, so only those that came after the
    # commit surely make two.
    twice = {duplicate.key for duplicate in plan.duplicates if duplicate.when == "after commit"}
    missed = [
        entry.path
        for entry in ledger
        if entry.deliveries < 1 + (entry.path.removeprefix(f"s3://{bucket}/") in twice)
    ]
    if missed:
        verdict.add(f"{len(missed)} files have fewer deliveries in the ledger than made", missed)


def _judge_rows(verdict: Verdict, dataset: str, files: Sequence[File], table: Table) -> None:
    wanted = {id_: file.number for file in files for id_ in file.ids}
    found = Counter(id_ for id_, _ in table.rows)
    if lost := wanted.keys() - found.keys():
        verdict.lost_rows += len(lost)
        verdict.add(
            f"{dataset}: {len(lost)} rows are lost, of the files", {wanted[i] for i in lost}
        )
    if doubled := [id_ for id_, count in found.items() if count > 1]:
        verdict.doubled_rows += sum(found[id_] - 1 for id_ in doubled)
        of_files = {wanted.get(id_, "unknown") for id_ in doubled}
        verdict.add(
            f"{dataset}: {len(doubled)} rows are there more than once, of the files", of_files
        )
    if strange := {id_ for id_, number in table.rows if wanted.get(id_) != number}:
        verdict.add(f"{dataset}: {len(strange)} rows are no file's of this dataset", strange)


def _judge_markers(verdict: Verdict, dataset: str, entries: Sequence[Entry], table: Table) -> None:
    marked = sum(sum(snapshot.object_rows) for snapshot in table.snapshots)
    added = sum(snapshot.added_rows for snapshot in table.snapshots)
    if not marked == added == len(table.rows):
        verdict.add(
            f"{dataset}: the markers say {marked} rows, the snapshots added {added}, the table "
            f"has {len(table.rows)}"
        )
    holders: dict[str, list[str]] = {}
    for snapshot in table.snapshots:
        for name in snapshot.objects:
            holders.setdefault(name, []).append(snapshot.id)
    wrong = []
    for entry in entries:
        ids = holders.get(entry.object_id, []) + holders.get(entry.digest, [])
        if ids != [entry.snapshot_id]:
            wrong.append(f"{entry.path} in {ids}, the ledger says {entry.snapshot_id or 'none'}")
    if wrong:
        verdict.add(f"{dataset}: {len(wrong)} files are not in one marker, the ledger's", wrong)
