"""The formula of docs/costs.md, and what is measured for it."""

import dataclasses
import json
import re
from typing import Any

import pytest

from local import costs, costs_usage
from local.costs import Step, Usage
from local.costs_prices import ENGINE_PRICES, PRICES, Price, Text

ONE = dict.fromkeys(PRICES, Price(1.0, "", "", ""))


def usage(**changes: Any) -> Usage:
    base = Usage(
        files=10,
        file_bytes=1_000_000,
        transitions=11,
        steps=(Step("intake", 0.010, {"dynamodb-write": 10, "states": 1}, 1000),),
        item_bytes=700,
    )
    return dataclasses.replace(base, **changes)


def priced(name: str, of: Usage, memory_gb: float = 0.5) -> dict[str, float]:
    """Costs when everything is free but one thing, which costs a dollar."""
    free = {key: dataclasses.replace(price, dollars=0.0) for key, price in ONE.items()}
    return costs.landfall(of, {"intake": memory_gb}, {**free, name: ONE[name]})


def test_what_is_paid_for_is_counted_once_for_each_execution() -> None:
    # 1,000 files in batches of ten are a hundred executions.
    assert priced("transition", usage())["Step Functions"] == 1_100
    # The item, and the entry of the index taken out and put in again.
    assert priced("dynamodb-write", usage())["DynamoDB"] == 3 * 1_000
    assert priced("lambda-request", usage())["Lambda"] == 100
    assert priced("s3-event", usage())["EventBridge"] == 1_000
    assert priced("log-gb", usage())["CloudWatch Logs"] == pytest.approx(100 * 1000 / 1e9)
    # Eleven messages are sent; two times two requests take and delete them.
    assert priced("sqs-request", usage())["SQS"] == 100 * (11 + 4)


def test_every_price_of_aws_that_landfall_pays_reaches_the_sum() -> None:
    requests = {
        "s3-get": 1,
        "s3-put": 1,
        "dynamodb-read": 1,
        "dynamodb-write": 1,
        "catalog-read": 1,
        "catalog-write": 1,
        "sns-publish": 1,
        "custom-event": 1,
    }
    full = usage(steps=(Step("intake", 0.010, requests, 1000),))
    others = {"dpu-hour", "mwaa-small-hour", "snowflake-credit"}
    for name in PRICES:
        assert (sum(priced(name, full).values()) > 0) == (name not in others), name


def test_lambda_pays_memory_times_duration_with_aws_latencies() -> None:
    # 10 ms here, ten writes of 6 ms and a call of 40 ms there.
    step = usage().steps[0]
    assert step.seconds_on_aws() == pytest.approx(0.110)
    assert priced("lambda-gb-second", usage())["Lambda"] == pytest.approx(100 * 0.110 * 0.5)
    assert dataclasses.replace(step, billed_seconds=0.0101).seconds_on_aws() == 0.111


def test_large_items_cost_more_units() -> None:
    assert priced("dynamodb-write", usage(item_bytes=1024))["DynamoDB"] == 3_000
    assert priced("dynamodb-write", usage(item_bytes=1025))["DynamoDB"] == 6_000


def test_the_others_cost_what_a_calculator_says() -> None:
    # 1,000 x 2 DPU x 1/60 h x $0.44.
    assert costs.glue_job_per_file(PRICES) == pytest.approx(14.6667, abs=1e-4)
    assert costs.glue_job_per_file(PRICES, 10) == costs.glue_job_per_file(PRICES)
    assert costs.glue_job_per_file(PRICES, 120) == pytest.approx(29.3333, abs=1e-4)
    assert costs.snowpipe_by_files(PRICES) == pytest.approx(0.18)
    assert costs.snowpipe_by_size(PRICES, 1_000_000) == pytest.approx(0.0111)
    # $357.70 a month over 30,000 files.
    assert costs.airflow(PRICES, 1_000) == pytest.approx(11.9233, abs=1e-4)


def test_the_good_way_through_the_state_machine_is_counted() -> None:
    states = {
        "A": {"Type": "Choice", "Choices": [{"Next": "X"}], "Default": "B"},
        "B": {"Type": "Task", "Next": "Look for a new snapshot"},
        "Look for a new snapshot": {
            "Type": "Choice",
            "Choices": [{"Next": "C"}],
            "Default": "D",
        },
        "C": {"Type": "Task", "Next": "D"},
        "D": {"Type": "Succeed"},
    }
    assert costs.transitions({"StartAt": "A", "States": states}) == 5
    states["C"]["Next"] = "A"
    with pytest.raises(ValueError, match="circle"):
        costs.transitions({"StartAt": "A", "States": states})


def test_the_real_state_machine_appends_announces_and_alerts() -> None:
    machine = costs.read_machine()
    assert "Append to Iceberg" in machine["States"]
    assert 8 <= costs.transitions(machine) <= len(machine["States"])


def test_memory_is_the_templates() -> None:
    memory = costs.memory_gb((costs.ROOT / "template.yaml").read_text())
    assert {"intake", "schema-check", "iceberg-append", "sns-alerter"} <= memory.keys()
    assert memory["iceberg-append"] > memory["sns-alerter"] > 0


def test_every_price_has_its_page() -> None:
    for name, price in {**PRICES, **ENGINE_PRICES}.items():
        assert price.page.startswith("https://"), name
        assert price.dollars > 0 and price.unit and price.seen, name


def test_only_other_peoples_words_and_other_regions_are_to_be_checked() -> None:
    rows = costs.price_rows({**PRICES, **ENGINE_PRICES})
    marked = {row[1] for row in rows[1:] if row[-1] == "yes"}
    texts = {Text.OTHERS, Text.ELSEWHERE}
    assert marked == {
        price.unit for price in (PRICES | ENGINE_PRICES).values() if price.text in texts
    }


def test_every_price_of_aws_that_is_checked_has_its_row_in_the_price_list() -> None:
    for name, price in {**PRICES, **ENGINE_PRICES}.items():
        if price.text.checked:
            assert price.row is not None and price.row.offer and price.row.usage_type, name


def test_a_sum_is_split_by_the_words_its_prices_were_read_in() -> None:
    full = usage(steps=(Step("intake", 0.010, {"s3-put": 7}, 1000),))

    def dollars(prices: Any) -> float:
        return sum(costs.landfall(full, {"intake": 0.5}, prices).values())

    parts = [costs.share(dollars, [text]) for text in Text]
    assert sum(parts) == pytest.approx(1)
    # 11 transitions of $0.000025 in each of 100 executions; their price is on AWS's own page.
    assert PRICES["transition"].text is Text.OWN
    assert costs.share(dollars, [Text.OWN]) == pytest.approx(0.0275 / dollars(PRICES))
    assert costs.share(lambda prices: costs.airflow(prices, 7), [Text.OTHERS]) == 1
    assert [costs.percent(part) for part in (0.791, 0.0029, 0)] == ["79 %", "0.3 %", "-"]


def test_the_engines_have_the_same_prices() -> None:
    figures = (costs.ROOT / "shared" / "engine" / "src" / "figures.rs").read_text()
    constants = dict(re.findall(r"pub const (\w+_DOLLARS): f64 = ([\d.]+);", figures))
    expected = {
        "LAMBDA_GB_SECOND_DOLLARS": PRICES["lambda-gb-second"],
        "LAMBDA_INVOCATION_DOLLARS": PRICES["lambda-request"],
        "DPU_HOUR_DOLLARS": PRICES["dpu-hour"],
        "FLEX_DPU_HOUR_DOLLARS": ENGINE_PRICES["flex-dpu-hour"],
        "ATHENA_TB_DOLLARS": ENGINE_PRICES["athena-tb"],
        "EMR_VCPU_HOUR_DOLLARS": ENGINE_PRICES["emr-vcpu-hour"],
        "EMR_GB_HOUR_DOLLARS": ENGINE_PRICES["emr-gb-hour"],
    }
    assert constants.keys() == expected.keys()
    for name, price in expected.items():
        assert float(constants[name]) == pytest.approx(price.dollars, rel=1e-9), name


def test_the_document_is_what_the_prices_and_the_usage_give() -> None:
    document = json.loads(costs.USAGE.read_text())
    usages = costs.read_usage(document, costs.read_machine())
    memory = costs.memory_gb((costs.ROOT / "template.yaml").read_text())
    text = (costs.ROOT / "docs" / "costs.md").read_text()
    written = costs.section(usages, memory, document["measured"]) in text
    assert written, "write it again: python -m local.costs --write-docs"


@pytest.mark.skipif(not costs.USAGE.exists(), reason="not measured yet")
def test_the_measured_usage_has_every_batch_size_and_known_kinds_only() -> None:
    document = json.loads(costs.USAGE.read_text())
    usages = costs.read_usage(document, costs.read_machine())
    assert tuple(usage.files for usage in usages) == costs.BATCHES
    memory = costs.memory_gb((costs.ROOT / "template.yaml").read_text())
    for one in usages:
        for step in one.steps:
            assert step.requests.keys() <= costs.LATENCY_SECONDS.keys(), step
            assert step.function in memory
    sums = [sum(costs.landfall(one, memory, PRICES).values()) for one in usages]
    # A larger batch costs less for each file, or batching would be for nothing.
    assert sums == sorted(sums, reverse=True)


SIGNED = "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/{}/aws4_request, SignedHeaders=host"


@pytest.mark.parametrize(
    ("service", "method", "path", "target", "kind"),
    [
        ("s3", "GET", "/bucket/key", "", "s3-get"),
        ("s3", "HEAD", "/bucket/key", "", "s3-get"),
        ("s3", "GET", "/bucket?list-type=2&prefix=contracts", "", "s3-put"),
        ("s3", "PUT", "/bucket/key", "", "s3-put"),
        ("s3", "POST", "/bucket/key?uploads", "", "s3-put"),
        ("s3", "POST", "/bucket?delete", "", "s3-delete"),
        ("s3", "DELETE", "/bucket/key", "", "s3-delete"),
        ("dynamodb", "POST", "/", "DynamoDB_20120810.GetItem", "dynamodb-read"),
        ("dynamodb", "POST", "/", "DynamoDB_20120810.UpdateItem", "dynamodb-write"),
        ("glue", "POST", "/", "AWSGlue.GetTable", "catalog-read"),
        ("glue", "POST", "/", "AWSGlue.UpdateTable", "catalog-write"),
        ("events", "POST", "/", "AWSEvents.PutEvents", "custom-event"),
        ("states", "POST", "/", "AWSStepFunctions.StartExecution", "states"),
    ],
)
def test_requests_are_told_apart(
    service: str, method: str, path: str, target: str, kind: str
) -> None:
    headers = {"Authorization": SIGNED.format(service), "X-Amz-Target": target}
    assert costs_usage.kind_of(method, path, headers, b"") == kind


def test_a_publish_is_told_by_its_body() -> None:
    headers = {"Authorization": SIGNED.format("sns")}
    body = b"Action=Publish&TopicArn=arn"
    assert costs_usage.kind_of("POST", "/", headers, body) == "sns-publish"


def test_small_sums_keep_the_digits_that_matter() -> None:
    cases = [(14.667, "$14.67"), (0.3443, "$0.3443"), (0.00004, "$0.000040"), (0.0, "$0.0000")]
    assert [costs.money(dollars) for dollars, _ in cases] == [text for _, text in cases]
