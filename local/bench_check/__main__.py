"""Measures `landfall check` against other checkers: `make bench-check`.

    python -m local.bench_check [--megabytes N] [--seed N] [--rounds N] [--write-docs]
                                [--binary PATH | --skip-landfall]

Results go to `.local/bench-check/results.json`, the tables to the terminal and, with
`--write-docs`, to docs/benchmarks.md. The exit code is 1 when Landfall's findings are not
exactly what was planted; figures over their limits are printed and fail nothing, because a
shared machine is no judge of speed.
"""

import argparse
import datetime
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import console
from local.bench_check import data, measure, orders, report, sparse_parquet, tools
from local.bench_check.peers import qsv

_ROOT = Path(__file__).resolve().parents[2]
_CACHE = _ROOT / ".local" / "bench-check"
_DOCUMENT = _ROOT / "docs" / "benchmarks.md"
_SOURCES = ("data.py", "orders.py", "sparse_parquet.py")
_PACKAGES = (
    "duckdb",
    "polars",
    "pandera",
    "datacontract-cli",
    "great_expectations",
    "frictionless",
)
_STARTUP_RUNS = 20
_PEER_STARTUP_RUNS = 3


@dataclass(frozen=True)
class Truth:
    """The planted faults of the files."""

    entries: list[dict[str, Any]]

    def records(self, unique: bool) -> set[int]:
        """The bad records, with or without those whose only fault is a copied key."""
        return {e["record"] for e in self.entries if unique or e["rule"] != "unique"}

    def values(self, unique: bool, lines: str) -> set[tuple[Any, ...]]:
        """The faults as Landfall names them. `lines`: csv has its own, jsonl one a record."""
        line = {"csv": lambda e: e["line"], "jsonl": lambda e: e["record"]}[lines]
        return {
            (e["record"], line(e), e["column"], e["rule"])
            for e in self.entries
            if unique or e["rule"] != "unique"
        }


def data_directory(megabytes: int, seed: int) -> Path:
    """The files of the measurement, made unless they are there."""
    directory = _CACHE / f"{seed}-{megabytes}"
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((Path(__file__).parent / name).read_bytes())
    stamp = directory / ".made-by"
    if not stamp.exists() or stamp.read_text() != digest.hexdigest():
        console.say(f"  making {megabytes} MB of data")
        shutil.rmtree(directory, ignore_errors=True)
        arguments = ["--megabytes", str(megabytes), "--seed", str(seed)]
        maker = [str(tools.PEERS_PYTHON), "-m", "local.bench_check.data", str(directory)]
        subprocess.run([*maker, *arguments], cwd=_ROOT, check=True)
        stamp.write_text(digest.hexdigest())
    return directory


def build() -> Path:
    """Builds the program for release and returns its path."""
    command = ["cargo", "build", "--release", "--locked", "-p", "landfall", "--bin", "landfall"]
    subprocess.run(command, cwd=_ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", _ROOT / "target"))
    return target / "release" / "landfall"


def _entry(finding: tools.Finding, planted: set[int]) -> dict[str, Any]:
    records = finding.records
    return {
        "label": finding.label,
        "landfall": finding.label == tools.LANDFALL,
        "cpuSeconds": finding.cpu_seconds,
        "wallSeconds": finding.wall_seconds,
        "peakBytes": finding.peak_bytes,
        "found": None if records is None else len(records & planted),
        "false": None if records is None else len(records - planted),
        "note": finding.note,
        "failed": finding.failed,
    }


class Bench:
    """One run of everything."""

    def __init__(self, directory: Path, binary: Path | None, rounds: int) -> None:
        """Reads the truth."""
        self.rounds = rounds
        self.directory = directory
        self.binary = binary
        with (directory / "truth.jsonl").open() as file:
            self.truth = Truth([json.loads(line) for line in file])
        # What Landfall got wrong, in words.
        self.wrong: list[str] = []

    def _landfall(self, path: Path, contract: str, planted: set[tuple[Any, ...]]) -> tools.Finding:
        """Landfall on one core, its findings compared with the truth in full."""
        if self.binary is None:
            raise RuntimeError("there is no program to run")
        one_core = path.suffix not in (".gz", ".zst")
        finding = tools.landfall(self.binary, path, self.directory / contract, one_core=one_core)
        if finding.failed:
            self.wrong.append(f"{path.name}, {contract}: {finding.note}")
        for missed in sorted(planted - finding.values, key=repr)[:5]:
            self.wrong.append(f"{path.name}, {contract}: not found {missed}")
        for invented in sorted(finding.values - planted, key=repr)[:5]:
            self.wrong.append(f"{path.name}, {contract}: not planted {invented}")
        return finding

    def _round(
        self, path: Path, contract: str, values: set[tuple[Any, ...]], unique: bool, first: bool
    ) -> Iterator[tools.Finding]:
        """Every tool once; the slow ones in the first round alone."""
        file_format = path.suffix.removeprefix(".")
        if self.binary is not None:
            yield self._landfall(path, contract, values)
        for peer in tools.PEERS:
            if file_format in peer.formats and (first or not peer.slow):
                yield tools.peer(peer, path, unique)
        program = qsv.program()
        if program is not None and file_format == "csv":
            yield tools.qsv_rules(program, path, unique)
            if not unique:
                yield tools.qsv_structure(program, path)

    def workload(self, file_format: str, unique: bool) -> dict[str, Any]:
        """Everybody on one file."""
        path = self.directory / f"orders.{file_format}"
        contract = f"{file_format}-{'unique' if unique else 'plain'}.yaml"
        # The Parquet file holds the good records alone.
        empty = file_format == "parquet"
        planted = set() if empty else self.truth.records(unique)
        values = set() if empty else self.truth.values(unique, file_format)
        best: dict[str, tools.Finding] = {}
        # In turns, so that a busy minute of the machine is nobody's alone.
        for turn in range(self.rounds):
            console.say(f"  round {turn + 1} of {self.rounds}")
            for finding in self._round(path, contract, values, unique, first=turn == 0):
                known = best.get(finding.label)
                if known is None or finding.cpu_seconds < known.cpu_seconds:
                    best[finding.label] = finding
        workload = {
            "bytes": path.stat().st_size,
            "planted": len(planted),
            "tools": [_entry(finding, planted) for finding in best.values()],
        }
        console.table(
            [report.HEADER, *report.rows(workload)], right=list(range(1, len(report.HEADER)))
        )
        return workload

    def compressed(self) -> list[dict[str, Any]]:
        """Landfall on compressed files, and their decompressors alone."""
        found = []
        planted = self.truth.values(unique=False, lines="csv")
        for suffix, program in (("gz", "gzip"), ("zst", "zstd")):
            path = self.directory / f"orders.csv.{suffix}"
            if self.binary is None or not path.exists():
                continue
            runs = [self._landfall(path, "csv-plain.yaml", planted) for _ in range(self.rounds)]
            finding = min(runs, key=lambda run: run.wall_seconds)
            # The shell opens /dev/null, so that no pipe is measured.
            command = ["sh", "-c", 'exec "$0" -dc "$1" >/dev/null', program, str(path)]
            alone = min(
                measure.run(command, one_core=False).wall_seconds for _ in range(self.rounds)
            )
            found.append(
                {
                    "name": path.name,
                    "decompressor": f"{program} -dc",
                    "decompressorSeconds": alone,
                    "wallSeconds": finding.wall_seconds,
                    "peakBytes": finding.peak_bytes,
                    "failed": finding.failed,
                }
            )
        return found

    def footer(self) -> dict[str, Any] | None:
        """What Landfall reads of a Parquet file whose values no rule asks for."""
        if self.binary is None:
            return None
        path = self.directory / "sparse.parquet"
        contract = self.directory / "parquet-schema.yaml"
        finding = self._landfall(path, contract.name, set())
        counted = measure.reads(tools.check_command(self.binary, path, contract), path)
        if finding.failed or counted is None:
            console.say("  reads of the Parquet file could not be counted")
            return None
        return {
            "fileBytes": path.stat().st_size,
            "rowGroups": sparse_parquet.row_groups(data.SPARSE_BYTES),
            "calls": counted.calls,
            "ranges": counted.ranges,
            "bytes": counted.read_bytes,
        }

    def startup(self) -> dict[str, float]:
        """Median wall seconds on ten rows."""
        path = self.directory / "tiny.csv"
        medians = {}
        if self.binary is not None:
            command = tools.check_command(self.binary, path, self.directory / "csv-plain.yaml")
            runs = [measure.run(command).wall_seconds for _ in range(_STARTUP_RUNS)]
            medians[tools.LANDFALL] = statistics.median(runs)
        for peer in tools.PEERS:
            walls = [
                tools.peer(peer, path, unique=False).wall_seconds for _ in range(_PEER_STARTUP_RUNS)
            ]
            medians[peer.label] = statistics.median(walls)
        return medians


def _versions() -> dict[str, str]:
    script = (
        "import importlib.metadata as m, json, sys; "
        "print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    )
    command = [str(tools.PEERS_PYTHON), "-c", script, *_PACKAGES]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    versions = json.loads(printed)
    program = qsv.program()
    if program is not None:
        words = subprocess.run(
            [program, "--version"], check=True, capture_output=True, text=True
        ).stdout.split()
        versions[words[0]] = words[1].partition("-")[0]
    return versions


def main() -> int:
    """Runs every measurement, prints it and keeps it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=94)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many counts")
    parser.add_argument("--binary", type=Path, help="measure this program; build none")
    parser.add_argument("--skip-landfall", action="store_true", help="measure the peers alone")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    os.chdir(_ROOT)

    binary = None
    if not arguments.skip_landfall:
        binary = arguments.binary.resolve() if arguments.binary else build()
    bench = Bench(data_directory(arguments.megabytes, arguments.seed), binary, arguments.rounds)
    with (bench.directory / "orders.jsonl").open("rb") as file:
        records = sum(1 for _ in file)
    results: dict[str, Any] = {
        "date": f"{datetime.date.today():%-d %B %Y}",
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "versions": _versions(),
        "qsv": qsv.program() is not None,
        "rounds": arguments.rounds,
        "floorBytes": measure.run(["true"]).peak_bytes,
        "data": {
            "seed": arguments.seed,
            "records": records,
            "columns": len(orders.COLUMNS),
            "csvBytes": (bench.directory / "orders.csv").stat().st_size,
            "planted": len(bench.truth.entries),
            "each": data.EACH,
            "kinds": len(data.FAULTS),
        },
        "workloads": {},
    }
    for file_format in ("csv", "jsonl"):
        for unique in (False, True):
            name = f"{file_format}-{'unique' if unique else 'plain'}"
            console.heading(report.title(name))
            results["workloads"][name] = bench.workload(file_format, unique)
    if binary is not None:
        console.heading(report.title("parquet-plain"))
        results["workloads"]["parquet-plain"] = bench.workload("parquet", unique=False)
    results["compressed"] = bench.compressed()
    if results["compressed"]:
        console.heading("Compressed CSV")
        table = [report.COMPRESSED_HEADER, *report.compressed_rows(results)]
        console.table(table, right=[1, 2, 3, 4])
    console.heading("Start-up, ten rows")
    results["startup"] = bench.startup()
    console.table(report.startup_rows(results), right=[1])
    results["footer"] = bench.footer()
    console.heading("Limits")
    console.table(report.limit_rows(results))

    path = _CACHE / "results.json"
    path.write_text(json.dumps(results, indent=2) + "\n")
    console.say(f"  kept in {path.relative_to(_ROOT)}")
    if arguments.write_docs:
        text = report.put_section(_DOCUMENT.read_text(), report.section(results))
        _DOCUMENT.write_text(text)
    # Every round says the same.
    for line in dict.fromkeys(bench.wrong):
        console.say(console.bad(f"  wrong: {line}"))
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
