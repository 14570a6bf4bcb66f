"""DuckDB's typed CSV reader with store_rejects, and the rules as a query.

What cannot be converted goes to the table of rejects with its line; the rules see the rest.
"""

import bisect

import duckdb

from local.bench_check import orders
from local.bench_check.peers import _arguments

_TYPES = {
    "bigint": "bigint",
    "decimal(12,2)": "decimal(12,2)",
    "double": "double",
    "int": "integer",
    "boolean": "boolean",
    "date": "date",
    "timestamptz": "timestamp",
    "uuid": "uuid",
}
_VALUES = ", ".join(f"'{status}'" for status in orders.STATUSES)
_REQUIRED = " and ".join(f"{name} is not null" for name in orders.REQUIRED)
_GOOD = f"""
    {_REQUIRED}
    and regexp_matches(order_id, '{orders.ORDER_ID}')
    and customer between {orders.CUSTOMER_MIN} and {orders.CUSTOMER_MAX}
    and amount between {orders.AMOUNT_MIN} and {orders.AMOUNT_MAX}
    and weight between {orders.WEIGHT_MIN} and {orders.WEIGHT_MAX}
    and quantity >= {orders.QUANTITY_MIN} and quantity % {orders.QUANTITY_STEP} = 0
    and status in ({_VALUES})
    and regexp_matches(country, '{orders.COUNTRY}')
    and regexp_matches(email, '{orders.EMAIL}')
    and (note is null or length(note) <= {orders.NOTE_MAX})
"""


def _records(numbers: list[int], rejected: list[int]) -> list[int]:
    """Record numbers in the file, from the numbers among the records that were not rejected."""
    # The k-th rejected record stands behind `rejected[k] - k - 1` records that were not.
    before = [record - index - 1 for index, record in enumerate(rejected)]
    return [number + bisect.bisect_left(before, number) for number in numbers]


def main() -> None:
    """Checks the file."""
    path, unique = _arguments.parse()
    types = ", ".join(f"'{c.name}': '{_TYPES.get(c.physical, 'varchar')}'" for c in orders.COLUMNS)
    numbered = f"""
        select row_number() over () as record, *
        from read_csv('{path}', header = true, columns = {{{types}}}, auto_detect = false,
             delim = ',', quote = '"', escape = '"', new_line = '\\n',
             store_rejects = true, rejects_limit = 0)
    """  # noqa: S608
    connection = duckdb.connect()
    rules = f"({_GOOD}) is not true"
    if unique:
        columns = f"record, order_id, {rules} as bad"
        connection.execute(f"create temp table checked as select {columns} from ({numbered})")  # noqa: S608
        query = """
            select record from checked where bad
            union all
            select record from checked
            join (select order_id, min(record) as first from checked
                  group by order_id having count(*) > 1) using (order_id)
            where record > first
        """
    else:
        query = f"select record from ({numbered}) where {rules}"  # noqa: S608
    broken = sorted(row[0] for row in connection.execute(query).fetchall())
    # The reader counts the header as line 1, and counts records, not physical lines.
    lines = connection.execute("select distinct line - 1 from reject_errors order by 1").fetchall()
    rejected = [row[0] for row in lines]
    _arguments.answer([*_records(broken, rejected), *rejected])


if __name__ == "__main__":
    main()
