"""Frictionless: a Table Schema, and checks in Python for what it has no constraint for."""

import attrs
from frictionless import Check, Checklist, Field, Resource, Schema, errors, system, validate

from local.bench_check import orders
from local.bench_check.peers import _arguments

_TYPES = {
    "bigint": "integer",
    "int": "integer",
    "decimal(12,2)": "number",
    "double": "number",
    "boolean": "boolean",
    "date": "date",
    "timestamptz": "datetime",
}
_LIMIT = 1_000_000


@attrs.define(kw_only=True, repr=False)
class _Exact(Check):
    """Multiples, and decimals that a number field would take with any scale."""

    type = "exact"
    Errors = [errors.RowConstraintError]  # noqa: RUF012

    def validate_row(self, row):  # noqa: ANN001, ANN202
        quantity, amount = row["quantity"], row["amount"]
        if quantity is not None and quantity % orders.QUANTITY_STEP:
            yield errors.RowConstraintError.from_row(row, note="quantity is no multiple")
        if amount is not None and amount.as_tuple().exponent < -2:
            yield errors.RowConstraintError.from_row(row, note="amount has too many decimals")


def _field(column: orders.Column, unique: bool) -> Field:
    names = ("pattern", "minimum", "maximum", "maxLength")
    constraints = {name: column.options[name] for name in names if name in column.options}
    if column.required:
        constraints["required"] = True
    if column.valid_values:
        constraints["enum"] = list(column.valid_values)
    if unique and column.name == "order_id":
        constraints["unique"] = True
    descriptor = {
        "name": column.name,
        "type": _TYPES.get(column.physical, "string"),
        "constraints": constraints,
    }
    if column.physical == "uuid":
        descriptor["format"] = "uuid"
    return Field.from_descriptor(descriptor)


def main() -> None:
    """Checks the file."""
    path, unique = _arguments.parse()
    schema = Schema(fields=[_field(column, unique) for column in orders.COLUMNS])
    # Else it refuses absolute paths.
    with system.use_context(trusted=True):
        report = validate(
            Resource(path=path, schema=schema),
            checklist=Checklist(checks=[_Exact()]),
            limit_errors=_LIMIT,
        )
    rows = report.flatten(["rowNumber", "note"])
    failures = [note for row, note in rows if row is None]
    if failures:
        raise RuntimeError(failures[0])
    # The header is row 1.
    _arguments.answer(row - 1 for row, _ in rows)


if __name__ == "__main__":
    main()
