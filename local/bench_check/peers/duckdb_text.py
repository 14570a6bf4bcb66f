"""DuckDB reading every column as text and casting with TRY_CAST: CSV and JSON Lines."""

import duckdb

from local.bench_check import orders
from local.bench_check.peers import _arguments

_VALUES = ", ".join(f"'{status}'" for status in orders.STATUSES)
# True for a good record. A cast that fails is null, and so is a comparison with it.
_GOOD = f"""
    regexp_matches(order_id, '{orders.ORDER_ID}')
    and try_cast(customer as bigint) between {orders.CUSTOMER_MIN} and {orders.CUSTOMER_MAX}
    and regexp_matches(amount, '{orders.DECIMAL_TEXT}')
    and try_cast(amount as decimal(12,2)) between {orders.AMOUNT_MIN} and {orders.AMOUNT_MAX}
    and try_cast(weight as double) between {orders.WEIGHT_MIN} and {orders.WEIGHT_MAX}
    and try_cast(quantity as integer) >= {orders.QUANTITY_MIN}
    and try_cast(quantity as integer) % {orders.QUANTITY_STEP} = 0
    and try_cast(gift as boolean) is not null
    and try_cast(order_date as date) is not null
    and try_cast(paid_at as timestamp) is not null
    and try_cast(request_id as uuid) is not null
    and status in ({_VALUES})
    and regexp_matches(country, '{orders.COUNTRY}')
    and regexp_matches(email, '{orders.EMAIL}')
    and (note is null or length(note) <= {orders.NOTE_MAX})
"""


def _source(path: str) -> str:
    types = "{" + ", ".join(f"'{name}': 'varchar'" for name in orders.NAMES) + "}"
    if path.endswith(".jsonl"):
        return f"read_json('{path}', format = 'newline_delimited', columns = {types})"
    return (
        f"read_csv('{path}', header = true, columns = {types}, auto_detect = false, "
        "delim = ',', quote = '\"', escape = '\"', new_line = '\\n')"
    )


def main() -> None:
    """Checks the file."""
    path, unique = _arguments.parse()
    numbered = f"select row_number() over () as record, * from {_source(path)}"  # noqa: S608
    connection = duckdb.connect()
    # Of what the table would hold, the rules need two columns; the rest is never stored.
    rules = f"({_GOOD}) is not true"
    if not unique:
        query = f"select record from ({numbered}) where {rules}"  # noqa: S608
        _arguments.answer(row[0] for row in connection.execute(query).fetchall())
        return
    columns = f"record, order_id, {rules} as bad"
    connection.execute(f"create temp table checked as select {columns} from ({numbered})")  # noqa: S608
    # Few keys occur twice: find those first, then which copies come later.
    query = """
        select record from checked where bad
        union all
        select record from checked
        join (select order_id, min(record) as first from checked
              group by order_id having count(*) > 1) using (order_id)
        where record > first
    """
    _arguments.answer(row[0] for row in connection.execute(query).fetchall())


if __name__ == "__main__":
    main()
