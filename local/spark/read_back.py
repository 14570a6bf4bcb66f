"""Reads tables by PyIceberg, which is neither of the engines, as they were after each snapshot.

    python -m local.spark.read_back DIRECTORY

`DIRECTORY/tables.json` says for each name the location of a table's metadata and the ids of
snapshots; `DIRECTORY/rows.json` says for each name the rows of each of these, as texts.
"""

import json
import sys
from pathlib import Path

from local.spark.iceberg_files import rows_of


def read(metadata: str, snapshots: list[int | None]) -> list[list[str]]:
    """The rows after each snapshot, sorted; before the first one there are none."""
    from pyiceberg.table import StaticTable

    table = StaticTable.from_metadata(metadata)
    names = [column.name for column in table.schema().fields]
    found = []
    for snapshot in snapshots:
        rows = (
            [] if snapshot is None else rows_of(table.scan(snapshot_id=snapshot).to_arrow(), names)
        )
        found.append(sorted(rows))
    return found


def main() -> int:
    """Reads all tables."""
    directory = Path(sys.argv[1])
    tables = json.loads((directory / "tables.json").read_text())
    found = {name: read(table["metadata"], table["snapshots"]) for name, table in tables.items()}
    (directory / "rows.json").write_text(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
