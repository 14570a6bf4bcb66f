"""What every peer's program is told, and how it answers."""

import argparse
import json
from collections.abc import Iterable


def parse() -> tuple[str, bool]:
    """The file, and whether keys must be unique."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--unique", action="store_true")
    arguments = parser.parse_args()
    return arguments.file, arguments.unique


def answer(records: Iterable[int] | None, note: str = "") -> None:
    """Prints the numbers of the bad records; None when the tool cannot name them."""
    found = None if records is None else sorted({int(record) for record in records})
    print(json.dumps({"records": found, "note": note}))
