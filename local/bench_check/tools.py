"""The programs that are measured, and what they say about a file."""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.bench_check import measure
from local.bench_check.peers import qsv

PEERS_PYTHON = Path(".venv/peers/bin/python")
LANDFALL = "landfall check"
# More than the bad rows of any kind, so that each of them is shown.
_EXAMPLES = "1000"


@dataclass(frozen=True)
class Peer:
    """A program of `local/bench_check/peers/`; the slow ones run in one round only."""

    label: str
    module: str
    formats: tuple[str, ...] = ("csv",)
    slow: bool = False


PEERS = (
    Peer("DuckDB, typed reader", "duckdb_typed"),
    Peer("DuckDB, text and TRY_CAST", "duckdb_text", ("csv", "jsonl")),
    Peer("Polars, text", "polars_text", ("csv", "jsonl")),
    Peer("pandera (Polars)", "pandera_polars"),
    Peer("datacontract-cli", "datacontract_rules"),
    Peer("Great Expectations", "great_expectations_rules", slow=True),
    Peer("frictionless", "frictionless_rules", slow=True),
)


@dataclass
class Finding:
    """What one tool cost and found on one file. `records` is None if it names none."""

    label: str
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    records: set[int] | None
    note: str = ""
    # Landfall's own answer, compared with the truth in full: (record, line, column, rule).
    values: set[tuple[Any, ...]] = field(default_factory=set)
    failed: bool = False


def _finding(label: str, run: measure.Run) -> Finding:
    return Finding(label, run.cpu_seconds, run.wall_seconds, run.peak_bytes, None)


def _last_words(run: measure.Run) -> str:
    lines = run.stderr.decode(errors="replace").strip().splitlines()
    return f"exit code {run.code}: {lines[-1] if lines else 'no message'}"


def check_command(binary: Path, path: Path, contract: Path) -> list[str]:
    """The command line of `landfall check`."""
    options = ["--contract", str(contract), "--format", "json", "--examples", _EXAMPLES]
    return [str(binary), "check", str(path), *options]


def landfall(binary: Path, path: Path, contract: Path, one_core: bool = True) -> Finding:
    """Runs `landfall check`."""
    finished = measure.run(check_command(binary, path, contract), one_core)
    finding = Finding(
        LANDFALL, finished.cpu_seconds, finished.wall_seconds, finished.peak_bytes, None
    )
    try:
        file = json.loads(finished.stdout)["files"][0]
        rows = file["firstBadRows"]
        finding.values = {
            (row["record"], row.get("line"), row.get("column"), row["rule"]) for row in rows
        }
        finding.records = {row["record"] for row in rows}
    except (ValueError, LookupError):
        file = {}
    if finished.code not in (0, 1) or finding.records is None:
        finding.failed, finding.note = True, file.get("error") or _last_words(finished)
    elif file["badRows"] != len(finding.records):
        finding.failed, finding.note = True, f"counts {file['badRows']} bad rows, shows others"
    return finding


def peer(tool: Peer, path: Path, unique: bool) -> Finding:
    """Runs a peer's program."""
    module = f"local.bench_check.peers.{tool.module}"
    command = [str(PEERS_PYTHON), "-m", module, str(path), *(["--unique"] if unique else [])]
    finished = measure.run(command)
    finding = Finding(
        tool.label, finished.cpu_seconds, finished.wall_seconds, finished.peak_bytes, None
    )
    try:
        # Some libraries print to standard output too; the answer comes last.
        answer = json.loads(finished.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        finding.failed, finding.note = True, _last_words(finished)
        return finding
    finding.note = answer["note"]
    if answer["records"] is not None:
        finding.records = set(answer["records"])
    return finding


def qsv_rules(binary: str, path: Path, unique: bool) -> Finding:
    """Runs `qsv validate` with a JSON Schema."""
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        finished = measure.run(qsv.command(binary, path, Path(scratch), unique))
        records = qsv.records(Path(scratch))
    finding = _finding("qsv, JSON Schema", finished)
    finding.records = records
    return finding


def qsv_structure(binary: str, path: Path) -> Finding:
    """Runs `qsv validate` without rules: is the file CSV, and UTF-8?"""
    finished = measure.run([binary, "validate", "--quiet", str(path)])
    finding = _finding("qsv, structure only", finished)
    finding.note = "no rules"
    return finding
