"""qsv: the rules as a JSON Schema, and how to read its report of errors.

qsv is a program of its own, so this makes its command line instead of being run.
"""

import csv
import json
import shutil
from pathlib import Path

from local.bench_check import orders

_AMOUNT = r"^(100000(\.0{1,2})?|[0-9]{1,5}(\.[0-9]{1,2})?)$"


def program() -> str | None:
    """Path of `qsv`, or of its smaller build, which has the same `validate`."""
    return shutil.which("qsv") or shutil.which("qsvlite")


def _property(column: orders.Column) -> dict[str, object]:
    kinds = {"integer": "integer", "number": "number", "boolean": "boolean"}
    kind = kinds.get(column.logical, "string")
    options: dict[str, object] = {
        name: value for name, value in column.options.items() if name != "timezone"
    }
    if column.name == "amount":
        # As a number it would be a double, and 2487.12 no multiple of 0.01.
        return {"type": "string", "pattern": _AMOUNT}
    if column.valid_values:
        options["enum"] = list(column.valid_values)
    form = {"date": "date", "timestamptz": "date-time", "uuid": "uuid"}.get(column.physical)
    if form:
        options["format"] = form
    return {"type": kind if column.required else [kind, "null"], **options}


def schema(unique: bool) -> str:
    """The JSON Schema, draft 2020-12."""
    document: dict[str, object] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {column.name: _property(column) for column in orders.COLUMNS},
        "required": list(orders.NAMES),
    }
    if unique:
        document["uniqueCombinedWith"] = ["order_id"]
    return json.dumps(document)


def command(binary: str, path: Path, scratch: Path, unique: bool) -> list[str]:
    """Checks the rules. The files that it writes go to the scratch directory."""
    linked = scratch / path.name
    linked.symlink_to(path.resolve())
    rules = scratch / "schema.json"
    rules.write_text(schema(unique))
    # One job: with more, uniqueness flags whichever copy comes second in time.
    return [binary, "validate", "--quiet", "--jobs", "1", str(linked), str(rules)]


def records(scratch: Path) -> set[int]:
    """The bad records of its report."""
    reports = list(scratch.glob("*.validation-errors.tsv"))
    found = set()
    for report in reports:
        with report.open(newline="") as file:
            found |= {int(row["row_number"]) for row in csv.DictReader(file, delimiter="\t")}
    return found
