"""Measures how the cost of a commit grows with a table's history: `make bench-growth`.

Runs `functions/iceberg-append/examples/growth`, which makes every commit with the function's own
code over services in memory, and lets PyIceberg append to the very same tables, in the same run.

    python -m local.growth [--sizes 10 1000 10000] [--profile release] [--write-docs]

With `--write-docs` the tables of docs/growth.md are written anew.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.io import InputFile, OutputFile
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.update import TableRequirement, TableUpdate
from pyiceberg.typedef import EMPTY_DICT, Identifier, Properties

_ROOT = Path(__file__).resolve().parent.parent
_TABLES = _ROOT / "target" / "growth"
_DOCS = _ROOT / "docs" / "growth.md"
_BEGIN = "<!-- written by `make bench-growth`: begin -->"
_END = "<!-- written by `make bench-growth`: end -->"
_IDENTIFIER = ("lake", "readings")
_ROWS = 100
_SAMPLES = 7


class CountingFileIO(PyArrowFileIO):
    """`s3://bucket/key` as the file `bucket/key` below a directory, with what was opened."""

    def __init__(self, directory: Path) -> None:
        """Counts from nothing."""
        super().__init__()
        self._directory = directory
        self.opened: Counter[str] = Counter()

    def new_input(self, location: str) -> InputFile:
        """The file, as one request."""
        self.opened[f"GET {_kind(location)}"] += 1
        return super().new_input(str(self._file(location)))

    def new_output(self, location: str) -> OutputFile:
        """The file, as one request."""
        self.opened[f"PUT {_kind(location)}"] += 1
        file = self._file(location)
        file.parent.mkdir(parents=True, exist_ok=True)
        return super().new_output(str(file))

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Old metadata files are not among what was saved: one request, and nothing to do."""
        self.opened["DELETE metadata.json"] += 1

    def size(self, location: str) -> int:
        """Bytes of the file."""
        return self._file(location).stat().st_size

    def _file(self, location: str) -> Path:
        return self._directory / location.removeprefix("s3://")


class OneTable(NoopCatalog, MetastoreCatalog):
    """A catalog of the saved table: reading and swapping its metadata is all it does."""

    def __init__(self, directory: Path) -> None:
        """The table as it was saved."""
        super().__init__("saved")
        self.location = (directory / "current").read_text()
        self.io = CountingFileIO(directory)

    def load_table(self, identifier: str | Identifier) -> Table:
        """The table, from its metadata file."""
        metadata = FromInputFile.table_metadata(self.io.new_input(self.location))
        return Table(_IDENTIFIER, metadata, self.location, self.io, self)

    def commit_table(
        self,
        table: Table,
        requirements: tuple[TableRequirement, ...],
        updates: tuple[TableUpdate, ...],
    ) -> CommitTableResponse:
        """Loads the table, as every catalog does, and makes the new metadata current."""
        current = self.load_table(_IDENTIFIER)
        staged = self._update_and_stage_table(current, _IDENTIFIER, requirements, updates)
        self._write_metadata(staged.metadata, self.io, staged.metadata_location)
        self.location = staged.metadata_location
        return CommitTableResponse(metadata=staged.metadata, metadata_location=self.location)

    def _load_file_io(
        self, properties: Properties = EMPTY_DICT, location: str | None = None
    ) -> CountingFileIO:
        return self.io


def _kind(location: str) -> str:
    name = location.rsplit("/", 1)[-1]
    if name.endswith(".metadata.json"):
        return "metadata.json"
    if name.startswith("snap-"):
        return "manifest list"
    return "manifests" if name.endswith(".avro") else "data"


def append_with_pyiceberg(directory: Path) -> dict[str, Any]:
    """The median of some appends of 100 rows to the saved table: load, write, commit."""
    catalog = OneTable(directory)
    rows = pa.table(
        {
            "id": pa.array(range(_ROWS), pa.int64()),
            "station": pa.array([f"station-{row % 7}" for row in range(_ROWS)]),
            "celsius": pa.array([row % 40 + 0.5 for row in range(_ROWS)], pa.float64()),
        },
        schema=pa.schema(
            [
                pa.field("id", pa.int64(), nullable=False),
                pa.field("station", pa.string()),
                pa.field("celsius", pa.float64()),
            ]
        ),
    )
    milliseconds = []
    for sample in range(_SAMPLES):
        catalog.io.opened.clear()
        started = time.perf_counter()
        table = catalog.load_table(_IDENTIFIER)
        table.append(rows, snapshot_properties={"landfall.batch-id": f"peer-{sample}"})
        milliseconds.append((time.perf_counter() - started) * 1000)
    return {
        "milliseconds": statistics.median(milliseconds),
        "requests": dict(catalog.io.opened),
        "metadataBytes": catalog.io.size(catalog.location),
    }


def append_with_landfall(sizes: list[int], profile: str) -> list[dict[str, Any]]:
    """What the example tells, line by line; its progress goes to standard error."""
    shutil.rmtree(_TABLES, ignore_errors=True)
    command = ["cargo", "run", "--locked", "--quiet", "--profile", profile]
    command += ["--package", "iceberg-append", "--example", "growth", "--"]
    command += [str(_TABLES), *map(str, sizes)]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    results = []
    for line in process.stdout or ():
        results.append(json.loads(line))
        print(line.rstrip(), file=sys.stderr)
    if process.wait() != 0:
        sys.exit("the measurement failed")
    return results


def _moved(result: dict[str, Any], kind: str) -> str:
    moved = result["bytes"].get(kind, {"read": 0, "written": 0})
    return f"{moved['read']:,} / {moved['written']:,}"


def _requests(result: dict[str, Any]) -> str:
    services: Counter[str] = Counter()
    for name, count in result["requests"].items():
        service = name.split(" ")[0]
        services[service if service in ("Glue", "DynamoDB") else "S3"] += count
    return ", ".join(f"{service} {count}" for service, count in sorted(services.items()))


def tables(
    results: list[dict[str, Any]], peers: dict[int, dict[str, Any]], profile: str
) -> list[str]:
    """The tables of docs/growth.md."""
    kinds = ("metadata.json", "manifest list", "manifests")
    lines = [
        f"One append of one file with {_ROWS} rows, median of {_SAMPLES}; profile `{profile}`. "
        "Bytes are read / written.",
        "",
        "| Previous commits | ms | metadata.json | manifest list | manifest | requests "
        "| PyIceberg ms | times Landfall's |",
        "|---:|---:|---:|---:|---:|---|---:|---:|",
    ]
    cases = {"expired": "only the newest 100 snapshots kept", "gzip": "metadata compressed"}
    for result in (result for result in results if "case" in result):
        columns = [_moved(result, kind) for kind in kinds]
        name = f"{result['commits']:,}"
        peer = peers.get(result["commits"]) if result["case"] == "whole" else None
        if result["case"] != "whole":
            name += f", {cases[result['case']]}"
        ours = result["milliseconds"]
        columns = [name, f"{ours:.1f}", *columns, _requests(result)]
        columns += [f"{peer['milliseconds']:.1f}"] if peer else [""]
        columns += [f"{peer['milliseconds'] / ours:.1f}"] if peer else [""]
        lines.append(f"| {' | '.join(columns)} |")
    lines += ["", "What one snapshot adds to every later metadata file:", ""]
    lines += ["| Objects of the batch | bytes |", "|---:|---:|"]
    lines += [
        f"| {result['objects']} | {result['snapshotBytes']:,} |"
        for result in results
        if "objects" in result
    ]
    return lines


def main() -> int:
    """Measures, prints, and writes the page when asked to."""
    parser = argparse.ArgumentParser(description="Measure how the cost of a commit grows.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 1_000, 10_000])
    parser.add_argument("--profile", default="release", help="of cargo: release or dev")
    parser.add_argument("--write-docs", action="store_true", help="write docs/growth.md anew")
    arguments = parser.parse_args()
    results = append_with_landfall(arguments.sizes, arguments.profile)
    peers = {}
    for size in arguments.sizes:
        print(f"PyIceberg appends to the table of {size} commits", file=sys.stderr)
        peers[size] = append_with_pyiceberg(_TABLES / str(size))
        print(json.dumps({"peer": size, **peers[size]}), file=sys.stderr)
    lines = tables(results, peers, arguments.profile)
    print("\n".join(lines))
    if arguments.write_docs:
        page = _DOCS.read_text()
        before, rest = page.split(_BEGIN)
        _, after = rest.split(_END)
        _DOCS.write_text("\n".join([before + _BEGIN, "", *lines, "", _END]) + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
