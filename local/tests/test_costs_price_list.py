"""The comparison with AWS's price list, on documents in its form."""

from typing import Any

import pytest

from local.costs_price_list import listed, verdict
from local.costs_prices import ENGINE_PRICES, PRICES, Price, Row

PRICE = Price(0.0000005, "publish", "", "", row=Row("AmazonSNS", "Requests-Tier1"))


def offer(products: dict[str, str], tiers: dict[str, list[tuple[str, str]]]) -> dict[str, Any]:
    """An offer of SKUs with usage types, and each SKU's tiers: where it begins, dollars."""
    return {
        "publicationDate": "2026-10-01T00:00:00Z",
        "products": {sku: {"attributes": {"usagetype": usage}} for sku, usage in products.items()},
        "terms": {
            "OnDemand": {
                sku: {
                    f"{sku}.TERM": {
                        "priceDimensions": {
                            f"{sku}.TERM.{index}": {
                                "beginRange": begin,
                                "pricePerUnit": {"USD": dollars},
                            }
                            for index, (begin, dollars) in enumerate(of)
                        }
                    }
                }
                for sku, of in tiers.items()
            }
        },
    }


def test_the_first_tier_that_costs_something_is_the_price() -> None:
    tiers = [("1000000", "0.0000005000"), ("0", "0.0000000000"), ("100000000000", "0.0000003000")]
    document = offer({"A": "Requests-Tier1", "B": "Requests-Tier2"}, {"A": tiers, "B": tiers})
    assert listed(document, PRICE) == {0.0000005}
    assert verdict(PRICE, {0.0000005}) == ""


@pytest.mark.parametrize("usage_type", ["Requests-Tier1", "USE1-Requests-Tier1"])
def test_the_prefix_of_the_region_may_be_there_or_not(usage_type: str) -> None:
    document = offer({"A": usage_type}, {"A": [("0", "0.0000005")]})
    assert listed(document, PRICE) == {0.0000005}


def test_another_region_or_a_longer_usage_type_is_something_else() -> None:
    document = offer(
        {"A": "EU-Requests-Tier1", "B": "Requests-Tier10"},
        {"A": [("0", "0.0000005")], "B": [("0", "0.0000005")]},
    )
    assert listed(document, PRICE) == set()
    assert verdict(PRICE, set()) == "not in the list"


def test_a_different_amount_is_told() -> None:
    assert verdict(PRICE, {0.0000006}) == "the list has $0.0000006000"
    # Two products of one usage type that cost different amounts: nobody knows which is meant.
    assert verdict(PRICE, {0.0000005, 0.0000006}).startswith("the list has $0.0000005000, ")


def test_the_sku_tells_products_of_one_usage_type_apart() -> None:
    document = offer(
        {"ZA92ERYNKX457AJD": "USE1-Event-64K-Chunks", "B": "USE1-Event-64K-Chunks"},
        {"ZA92ERYNKX457AJD": [("0", "0.0000010000")], "B": [("0", "0.0000020000")]},
    )
    assert listed(document, PRICES["custom-event"]) == {0.000001}


def test_a_product_without_terms_has_no_price() -> None:
    assert listed(offer({"A": "Requests-Tier1"}, {}), PRICE) == set()


def test_no_two_prices_are_the_same_row() -> None:
    rows = [price.row for price in (PRICES | ENGINE_PRICES).values() if price.row is not None]
    assert len(rows) == len(set(rows))
