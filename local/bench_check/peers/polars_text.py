"""Polars reading every column as text and casting without strictness: CSV and JSON Lines."""

import polars as pl

from local.bench_check import orders
from local.bench_check.peers import _arguments

_col = pl.col
# Each is true for a good value.
RULES = (
    _col("order_id").str.contains(orders.ORDER_ID),
    _col("customer")
    .cast(pl.Int64, strict=False)
    .is_between(orders.CUSTOMER_MIN, orders.CUSTOMER_MAX),
    _col("amount").str.contains(orders.DECIMAL_TEXT),
    _col("amount").cast(pl.Float64, strict=False).is_between(orders.AMOUNT_MIN, orders.AMOUNT_MAX),
    _col("weight").cast(pl.Float64, strict=False).is_between(orders.WEIGHT_MIN, orders.WEIGHT_MAX),
    _col("quantity").cast(pl.Int32, strict=False) >= orders.QUANTITY_MIN,
    _col("quantity").cast(pl.Int32, strict=False) % orders.QUANTITY_STEP == 0,
    _col("gift").is_in(["true", "false"]),
    _col("order_date").str.to_date("%Y-%m-%d", strict=False).is_not_null(),
    _col("paid_at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", strict=False).is_not_null(),
    _col("request_id").str.contains(orders.UUID_TEXT),
    _col("status").is_in(orders.STATUSES),
    _col("country").str.contains(orders.COUNTRY),
    _col("email").str.contains(orders.EMAIL),
    _col("note").is_null() | (_col("note").str.len_chars() <= orders.NOTE_MAX),
)


def main() -> None:
    """Checks the file."""
    path, unique = _arguments.parse()
    schema = dict.fromkeys(orders.NAMES, pl.String)
    if path.endswith(".jsonl"):
        frame = pl.scan_ndjson(path, schema=schema, row_index_name="record", row_index_offset=1)
    else:
        frame = pl.scan_csv(path, schema=schema, row_index_name="record", row_index_offset=1)
    # Null where the value is missing or could not be cast: neither is good.
    good = pl.all_horizontal(rule.fill_null(False) for rule in RULES)
    if unique:
        good = good & _col("order_id").is_first_distinct()
    bad = frame.filter(~good).select("record").collect(engine="streaming")
    _arguments.answer(bad["record"].to_list())


if __name__ == "__main__":
    main()
