"""Pandera on Polars: columns read as text, one check each, all failures collected."""

import pandera.polars as pa
import polars as pl

from local.bench_check import orders
from local.bench_check.peers import _arguments
from local.bench_check.peers.polars_text import RULES


def _check(rule: pl.Expr) -> pa.Check:
    return pa.Check(lambda data: data.lazyframe.select(rule), ignore_na=True)


def main() -> None:
    """Checks the file."""
    path, unique = _arguments.parse()
    checks: dict[str, list[pa.Check]] = {name: [] for name in orders.NAMES}
    for rule in RULES:
        checks[rule.meta.root_names()[0]].append(_check(rule.fill_null(False)))
    schema = pa.DataFrameSchema(
        {
            column.name: pa.Column(
                pl.String,
                checks[column.name],
                nullable=not column.required,
                unique=unique and column.name == "order_id",
            )
            for column in orders.COLUMNS
        }
    )
    frame = pl.read_csv(path, schema=dict.fromkeys(orders.NAMES, pl.String))
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        _arguments.answer(index + 1 for index in cases["index"].drop_nulls().to_list())
    else:
        _arguments.answer([])


if __name__ == "__main__":
    main()
