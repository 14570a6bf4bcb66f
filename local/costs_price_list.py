"""Compares the prices of `local/costs_prices.py` with AWS's price list, as it is today.

    python -m local.costs_price_list

Asks https://pricing.us-east-1.amazonaws.com, which needs no account
(https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-the-aws-price-list-bulk-api.html).
One file for each service, a few megabytes in all. Ends with 1 when a price differs or is not
found. Snowflake has no such list.
"""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from local import console
from local.costs_prices import ENGINE_PRICES, PRICES, Price

_BASE = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws"
_REGION = "us-east-1"
# In us-east-1, the oldest region, older usage types have no prefix.
_PREFIXES = ("", "USE1-")
_SECONDS = 120


def listed(offer: Mapping[str, Any], price: Price) -> set[float]:
    """Dollars of the price's usage type: the first tier that is not free, of every product.

    Only the product with the SKU counts where the offer has it; a usage type may have several
    (a custom and a partner event, say).
    """
    if price.row is None:
        return set()
    wanted = {prefix + price.row.usage_type for prefix in _PREFIXES}
    skus = [
        sku
        for sku, product in offer["products"].items()
        if product.get("attributes", {}).get("usagetype") in wanted
    ]
    if price.row.sku in skus:
        skus = [price.row.sku]
    found = set()
    for sku in skus:
        tiers = [
            (float(tier.get("beginRange", 0)), float(tier["pricePerUnit"]["USD"]))
            for term in offer["terms"].get("OnDemand", {}).get(sku, {}).values()
            for tier in term["priceDimensions"].values()
        ]
        paid = sorted(tier for tier in tiers if tier[1] > 0)
        if paid:
            found.add(paid[0][1])
    return found


def verdict(price: Price, found: set[float]) -> str:
    """Empty when the list has this price and no other; else what it has."""
    if not found:
        return "not in the list"
    # Both are decimal fractions of a dollar, read as floats.
    same = [dollars for dollars in found if abs(dollars / price.dollars - 1) < 1e-9]
    if same and len(found) == 1:
        return ""
    return "the list has " + ", ".join(f"${dollars:.10f}" for dollars in sorted(found))


def fetch(offer: str) -> dict[str, Any]:
    """A service's prices in us-east-1, as AWS publishes them today."""
    url = f"{_BASE}/{offer}/current/{_REGION}/index.json"
    with urllib.request.urlopen(url, timeout=_SECONDS) as response:  # noqa: S310, https only
        document: dict[str, Any] = json.load(response)
    return document


def main() -> int:
    """Compares every price that is in the list."""
    prices = [price for price in {**PRICES, **ENGINE_PRICES}.values() if price.row is not None]
    rows, differences = [["price", "for one", "list of", ""]], 0
    offers: dict[str, dict[str, Any]] = {}
    for price in prices:
        if price.row is None:
            continue
        name = price.row.offer
        try:
            offer = offers.get(name) or fetch(name)
        except urllib.error.URLError as error:
            console.say(console.bad(f"{_BASE}/{name} was not read: {error.reason}"))
            return 1
        offers[name] = offer
        problem = verdict(price, listed(offer, price))
        differences += bool(problem)
        published = str(offer.get("publicationDate", ""))[:10]
        rows.append([f"${price.dollars:.10f}", price.unit, published, problem or "the same"])
    console.table(rows)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
