"""Great Expectations on a pandas frame of text, with columns for what casts."""

import os

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd

from local.bench_check import orders
from local.bench_check.peers import _arguments


def _expectations(unique: bool) -> list[gxe.Expectation]:
    found: list[gxe.Expectation] = [
        gxe.ExpectColumnValuesToNotBeNull(column=name) for name in orders.REQUIRED
    ]
    patterns = {
        "order_id": orders.ORDER_ID,
        "amount": orders.DECIMAL_TEXT,
        "request_id": orders.UUID_TEXT,
        "country": orders.COUNTRY,
        "email": orders.EMAIL,
    }
    found += [
        gxe.ExpectColumnValuesToMatchRegex(column=name, regex=pattern)
        for name, pattern in patterns.items()
    ]
    bounds = {
        "customer": (orders.CUSTOMER_MIN, orders.CUSTOMER_MAX),
        "amount": (orders.AMOUNT_MIN, orders.AMOUNT_MAX),
        "weight": (orders.WEIGHT_MIN, orders.WEIGHT_MAX),
        "quantity": (orders.QUANTITY_MIN, None),
    }
    for name, (low, high) in bounds.items():
        found.append(
            gxe.ExpectColumnValuesToBeBetween(column=f"{name}_value", min_value=low, max_value=high)
        )
    found += [
        gxe.ExpectColumnValuesToNotBeNull(column=f"{name}_value")
        for name in ("customer", "amount", "weight", "quantity", "order_date", "paid_at")
    ]
    found += [
        gxe.ExpectColumnValuesToBeInSet(column="quantity_rest", value_set=[0]),
        gxe.ExpectColumnValuesToBeInSet(column="gift", value_set=["true", "false"]),
        gxe.ExpectColumnValuesToBeInSet(column="status", value_set=list(orders.STATUSES)),
        gxe.ExpectColumnValueLengthsToBeBetween(column="note", max_value=orders.NOTE_MAX),
    ]
    if unique:
        found.append(gxe.ExpectColumnValuesToBeUnique(column="order_id"))
    return found


def main() -> None:
    """Checks the file."""
    path, unique = _arguments.parse()
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], engine="c")
    for name in ("customer", "amount", "weight", "quantity"):
        frame[f"{name}_value"] = pd.to_numeric(frame[name], errors="coerce")
    frame["quantity_rest"] = frame["quantity_value"] % orders.QUANTITY_STEP
    frame["order_date_value"] = pd.to_datetime(
        frame["order_date"], format="%Y-%m-%d", errors="coerce"
    )
    frame["paid_at_value"] = pd.to_datetime(
        frame["paid_at"], format="%Y-%m-%dT%H:%M:%SZ", errors="coerce"
    )
    frame["record"] = frame.index + 1

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas("pandas")
        .add_dataframe_asset("orders")
        .add_batch_definition_whole_dataframe("whole")
        .get_batch({"dataframe": frame})
    )
    suite = gx.ExpectationSuite(name="orders", expectations=_expectations(unique))
    result = batch.validate(
        suite,
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": ["record"],
            "return_unexpected_index_query": False,
        },
    )
    failures = []
    for outcome in result.results:
        if outcome.exception_info.get("raised_exception"):
            raise RuntimeError(str(outcome.exception_info))
        failures += outcome.result.get("unexpected_index_list") or []
    _arguments.answer(entry["record"] for entry in failures)


if __name__ == "__main__":
    main()
