"""The figures of a storm: from the ledger, the tables and the functions' logs."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from local.stack import Stack
from local.storm.verdict import Entry, Table

_BILLED = re.compile(r"Billed Duration: ([0-9.]+) ms")
_MESSAGE = re.compile(r'"message":"((?:[^"\\]|\\.)*)"')
CONFLICT = "another writer committed first"
# What the local cloud's own log says of an invocation whose process was killed.
_KILLED = re.compile(r"Lambda \S+?-(intake|schema-check|iceberg-append)\S*: Runtime exited before")
FUNCTIONS = ("intake", "schema-check", "iceberg-append", "iceberg-commit-notifier", "sns-alerter")


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of ordered values; 0 of none."""
    if not ordered:
        return 0.0
    rank = max(1, -(-len(ordered) * round(share * 1000) // 1000))
    return ordered[min(rank, len(ordered)) - 1]


def seconds_to_commit(ledger: Iterable[Entry], tables: Iterable[Table]) -> list[float]:
    """From each upload to the snapshot that holds its rows, in order of size.

    The table's own time, not the ledger's: a delivery after the commit writes the ledger's
    item once more.
    """
    moments = {
        snapshot.id: snapshot.time_ms / 1000 for table in tables for snapshot in table.snapshots
    }
    return sorted(
        moments[entry.snapshot_id] - _seconds(entry.event_time)
        for entry in ledger
        if entry.snapshot_id in moments
    )


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def spread(values: Iterable[float]) -> dict[str, float]:
    """`p50`, `p99` and `max`."""
    ordered = sorted(values)
    return {
        "p50": percentile(ordered, 0.5),
        "p99": percentile(ordered, 0.99),
        "max": ordered[-1] if ordered else 0.0,
    }


def of_log(lines: Iterable[str]) -> dict[str, Any]:
    """One function's log: `invocations`, `billedMs` (median and sum), `conflicts`."""
    billed: list[float] = []
    messages: Counter[str] = Counter()
    for line in lines:
        if match := _BILLED.search(line):
            billed.append(float(match[1]))
        elif match := _MESSAGE.search(line):
            messages[match[1]] += 1
    return {
        "invocations": len(billed),
        "billedMs": {"median": statistics.median(billed) if billed else 0.0, "sum": sum(billed)},
        "conflicts": messages[CONFLICT],
    }


def killed_invocations(lines: Iterable[str]) -> Counter[str]:
    """By function, the invocations that ended because their process was killed."""
    return Counter(match[1] for line in lines if (match := _KILLED.search(line)))


def log_lines(stack: Stack, function: str) -> Iterator[str]:
    """Of the function's log, the lines that are counted here.

    The local cloud answers with the first 10,000 lines that match and tells of no more, hence
    one question for each kind of line.
    """
    client = stack.client("logs")
    for pattern in ("REPORT", f'"{CONFLICT}"'):
        found = client.filter_log_events(
            logGroupName=f"/aws/lambda/{stack.name}-{function}", filterPattern=pattern
        )
        for event in found["events"]:
            yield event["message"]


def executions(stack: Stack) -> Counter[str]:
    """Executions of `ingest` by status."""
    pages = stack.client("stepfunctions").get_paginator("list_executions")
    machine = stack.output("StateMachineArn")
    return Counter(
        execution["status"]
        for page in pages.paginate(stateMachineArn=machine)
        for execution in page["executions"]
    )
