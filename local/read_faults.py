"""Reads the tables that the fault sweep left behind, with PyIceberg.

An independent reader: the sweep (`tests/tests/faults`) judges the tables with the library that
wrote them, this program with another implementation.

    LANDFALL_FAULTS_DIR=target/faults cargo test --package landfall-tests --test faults
    python -m local.read_faults target/faults

Each directory below the given one is a run: its buckets, and `expected.json` with
`metadataLocation` and `ids`, the ids of all rows in order. Exits with 1 when a table has other
rows, when one of its snapshots cannot be read, or when there is nothing to read.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from pyiceberg.io import InputFile
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import StaticTable

ROOT = "landfall.root"


class BucketFileIO(PyArrowFileIO):
    """Reads `s3://bucket/key` from the file `bucket/key` below the directory of a run."""

    def new_input(self, location: str) -> InputFile:
        """The file in the directory."""
        bucket_and_key = location.removeprefix("s3://")
        return super().new_input(str(Path(self.properties[ROOT]) / bucket_and_key))


def problems(directory: Path) -> list[str]:
    """What is wrong with the table of one run, in words; nothing when it is right."""
    expected = json.loads((directory / "expected.json").read_text())
    table = StaticTable.from_metadata(
        expected["metadataLocation"],
        {"py-io-impl": f"{BucketFileIO.__module__}.BucketFileIO", ROOT: str(directory)},
    )
    found = sorted(table.scan().to_arrow()["id"].to_pylist())
    wrong = []
    if found != expected["ids"]:
        lost = Counter(expected["ids"]) - Counter(found)
        more = Counter(found) - Counter(expected["ids"])
        wrong.append(f"lost {sorted(lost.elements())}, too many {sorted(more.elements())}")
    # A snapshot's own count is the sum of what it and those before it have added.
    rows = 0
    for snapshot in sorted(table.metadata.snapshots, key=lambda it: it.sequence_number or 0):
        rows += int(snapshot.summary["added-records"]) if snapshot.summary else 0
        count = table.scan(snapshot_id=snapshot.snapshot_id).count()
        if count != rows:
            wrong.append(f"snapshot {snapshot.snapshot_id} has {count} rows instead of {rows}")
    return wrong


def main() -> int:
    """Reads every run."""
    parser = argparse.ArgumentParser(description="Read what the fault sweep left behind.")
    parser.add_argument("directory", type=Path, help="what LANDFALL_FAULTS_DIR was")
    directory = parser.parse_args().directory.resolve()
    runs = sorted(path.parent for path in directory.glob("*/expected.json"))
    broken = 0
    for run in runs:
        for problem in problems(run):
            broken += 1
            print(f"{run.name}: {problem}", file=sys.stderr)
    print(f"PyIceberg reads {len(runs)} tables, {broken} of them wrong")
    return 0 if runs and not broken else 1


if __name__ == "__main__":
    sys.exit(main())
