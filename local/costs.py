"""What 1,000 files cost on AWS, by one formula, against other ways to load them.

    python -m local.costs [--write-docs]         the table, from local/costs_usage.json
    python -m local.costs --measure              measures that file again, on a local cloud

The formula is `landfall`: counted usage times price. The usage of one execution is measured
(`local/costs_usage.py`); prices and their pages are `local/costs_prices.py`. Money is US dollars.
"""

import argparse
import json
import math
import re
import sys
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

from local import console
from local.costs_prices import (
    ENGINE_PRICES,
    PRICES,
    SNOWPIPE_CREDITS_PER_1000_FILES,
    SNOWPIPE_CREDITS_PER_GB,
    SNOWPIPE_SOURCES,
    Price,
    Text,
)
from local.stack import ROOT, LocalCloudError

USAGE = ROOT / "local" / "costs_usage.json"
_DOCUMENT = ROOT / "docs" / "costs.md"
_MACHINE = ROOT / "statemachines" / "ingest.asl.json"
_TEMPLATE = ROOT / "template.yaml"
BEGIN = "<!-- begin: python -m local.costs -->"
END = "<!-- end: python -m local.costs -->"
FILES = 1_000
BATCHES = (1, 10, 100)


# A Glue job for each file, as pipelines in the manner of the Serverless Data Lake Framework
# start them: two workers of one DPU, and no file that needs longer than what is billed at least.
GLUE_WORKERS = 2
GLUE_MINIMUM_SECONDS = 60.0
# Each write changes the time by which the index of the ledger is sorted: the item itself, the
# index's old entry removed, the new one put
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html).
_WRITES_PER_WRITE = 3
MONTH_HOURS = 730.0
MONTH_DAYS = 30.0

# What a request takes on AWS and not on this machine's loopback, in seconds. Every request
# counts in full, as if none were in flight beside another: an upper bound.
LATENCY_SECONDS: dict[str, float] = {
    "s3-get": 0.020,
    "s3-put": 0.040,
    "s3-delete": 0.020,
    "dynamodb-write": 0.006,
    "dynamodb-read": 0.004,
    "catalog-read": 0.030,
    "catalog-write": 0.100,
    "states": 0.040,
    "sns-publish": 0.030,
    "custom-event": 0.030,
}


@dataclass(frozen=True)
class Step:
    """One function's part in an execution, as measured.

    `billed_seconds` is measured on a loopback interface. `requests` are by the names of
    `LATENCY_SECONDS`. `log_bytes` is what it writes.
    """

    function: str
    billed_seconds: float
    requests: Mapping[str, int]
    log_bytes: int

    def seconds_on_aws(self) -> float:
        """The billed duration with AWS's latencies, rounded up to a millisecond."""
        waiting = sum(LATENCY_SECONDS[name] * count for name, count in self.requests.items())
        # A sum of milliseconds may come out a hair above the one it is.
        return math.ceil(round((self.billed_seconds + waiting) * 1000, 6)) / 1000


@dataclass(frozen=True)
class Usage:
    """What one execution of a batch uses."""

    files: int
    file_bytes: int
    transitions: int
    steps: tuple[Step, ...]
    # Size of the largest ledger item, and of what else is written beside it.
    item_bytes: int


def memory_gb(template: str) -> dict[str, float]:
    """Each function's memory in GB, from the template's text."""
    return {
        match[1]: int(match[2]) / 1024
        for match in re.finditer(
            r"BuildProperties: \{ Binary: ([a-z-]+) \}.*?MemorySize: (\d+)", template, re.DOTALL
        )
    }


def transitions(machine: Mapping[str, Any]) -> int:
    """States that an execution enters when every choice goes its default way.

    The one choice with a condition for the good case is `Look for a new snapshot`: something
    was committed.
    """
    states, name, count = machine["States"], machine["StartAt"], 0
    while True:
        state = states[name]
        count += 1
        if count > len(states):
            raise ValueError("the default way through the state machine is a circle")
        if state["Type"] == "Succeed":
            return count
        if name == "Look for a new snapshot":
            name = state["Choices"][0]["Next"]
        else:
            name = state.get("Default") or state["Next"]


def read_machine() -> dict[str, Any]:
    """The state machine; numbers that the template fills in are 1."""
    machine: dict[str, Any] = json.loads(
        re.sub(r":\s*\$\{[A-Za-z]+\}", ": 1", _MACHINE.read_text())
    )
    return machine


def landfall(
    usage: Usage, memory: Mapping[str, float], prices: Mapping[str, Price]
) -> dict[str, float]:
    """Dollars for `FILES` files in batches of the usage's size, by what is paid for.

    An intake invocation is counted for each execution, as if no other dataset had files in
    the same batching window.
    """

    def of(name: str, count: float) -> float:
        return prices[name].dollars * count

    requests: dict[str, int] = {}
    for step in usage.steps:
        for name, count in step.requests.items():
            requests[name] = requests.get(name, 0) + count
    units = math.ceil(usage.item_bytes / 1024) * _WRITES_PER_WRITE
    read_units = math.ceil(usage.item_bytes / 4096)
    gb_seconds = sum(step.seconds_on_aws() * memory[step.function] for step in usage.steps)
    # One message for each upload, one for the execution's end. Lambda takes and deletes up to
    # ten at a time.
    messages = usage.files + 1
    sqs = messages + 2 * (math.ceil(usage.files / 10) + 1)
    costs = {
        "Step Functions": of("transition", usage.transitions),
        "Lambda": of("lambda-gb-second", gb_seconds) + of("lambda-request", len(usage.steps)),
        "S3": of("s3-put", requests.get("s3-put", 0)) + of("s3-get", requests.get("s3-get", 0)),
        "DynamoDB": of("dynamodb-write", requests.get("dynamodb-write", 0) * units)
        + of("dynamodb-read", requests.get("dynamodb-read", 0) * read_units),
        "EventBridge": of("s3-event", usage.files)
        + of("custom-event", requests.get("custom-event", 0)),
        "SQS": of("sqs-request", sqs),
        "Glue Data Catalog": of(
            "catalog-request",
            requests.get("catalog-read", 0) + requests.get("catalog-write", 0),
        ),
        "SNS": of("sns-publish", requests.get("sns-publish", 0)),
        "CloudWatch Logs": of("log-gb", sum(step.log_bytes for step in usage.steps) / 1e9),
    }
    executions = FILES / usage.files
    return {name: dollars * executions for name, dollars in costs.items()}


def glue_job_per_file(prices: Mapping[str, Price], seconds: float = GLUE_MINIMUM_SECONDS) -> float:
    """Dollars for `FILES` runs of a Glue job of so many seconds."""
    billed = max(seconds, GLUE_MINIMUM_SECONDS)
    return FILES * GLUE_WORKERS * billed / 3600 * prices["dpu-hour"].dollars


def snowpipe_by_files(prices: Mapping[str, Price]) -> float:
    """Dollars for `FILES` files by the former price, its compute left out."""
    return FILES / 1000 * SNOWPIPE_CREDITS_PER_1000_FILES * prices["snowflake-credit"].dollars


def snowpipe_by_size(prices: Mapping[str, Price], file_bytes: int) -> float:
    """Dollars for `FILES` files by the price of today."""
    gigabytes = FILES * file_bytes / 1e9
    return gigabytes * SNOWPIPE_CREDITS_PER_GB * prices["snowflake-credit"].dollars


def airflow(prices: Mapping[str, Price], files_per_day: int) -> float:
    """Dollars for `FILES` files of an MWAA environment that runs all month, without compute."""
    month = MONTH_HOURS * prices["mwaa-small-hour"].dollars
    return month / (files_per_day * MONTH_DAYS) * FILES


def read_usage(document: Mapping[str, Any], machine: Mapping[str, Any]) -> list[Usage]:
    """The measured usages, in the order of their batch sizes."""
    count = transitions(machine)
    return [
        Usage(
            files=batch["files"],
            file_bytes=document["fileBytes"],
            transitions=count,
            steps=tuple(
                Step(
                    function=step["function"],
                    billed_seconds=step["billedMs"] / 1000,
                    requests=step["requests"],
                    log_bytes=step["logBytes"],
                )
                for step in batch["steps"]
            ),
            item_bytes=document["itemBytes"],
        )
        for batch in sorted(document["batches"], key=lambda batch: int(batch["files"]))
    ]


# --- The tables --------------------------------------------------------------------------


def money(dollars: float) -> str:
    """`$14.67`, and small sums with two digits that matter."""
    if dollars >= 1:
        return f"${dollars:,.2f}"
    digits = 4 if dollars <= 0 else max(4, 1 - math.floor(math.log10(dollars)))
    return f"${dollars:.{digits}f}"


def cost_rows(usages: list[Usage], memory: Mapping[str, float]) -> list[list[str]]:
    """Dollars per 1,000 files by what is paid for, a column for each batch size."""
    columns = [landfall(usage, memory, PRICES) for usage in usages]
    rows = [["", *(f"{usage.files} per batch" for usage in usages)]]
    rows += [[name, *(money(column[name]) for column in columns)] for name in columns[0]]
    return [*rows, ["**sum**", *(f"**{money(sum(column.values()))}**" for column in columns)]]


def usage_rows(usages: list[Usage], memory: Mapping[str, float]) -> list[list[str]]:
    """What one execution uses, a column for each batch size."""

    def total(usage: Usage, *names: str) -> str:
        return f"{sum(step.requests.get(name, 0) for step in usage.steps for name in names):,}"

    def column(title: str, of: Any) -> list[str]:  # noqa: ANN401
        return [title, *(of(usage) for usage in usages)]

    rows = [
        ["one execution", *(f"{usage.files} per batch" for usage in usages)],
        column("state transitions", lambda usage: f"{usage.transitions}"),
        column("Lambda invocations", lambda usage: f"{len(usage.steps)}"),
    ]
    for index, step in enumerate(usages[0].steps):
        rows.append(
            column(
                f"{step.function}{_purpose(usages[0].steps, index)}: measured here, "
                "with AWS's latencies",
                lambda usage, index=index: (
                    f"{usage.steps[index].billed_seconds * 1000:,.0f} ms, "
                    f"{usage.steps[index].seconds_on_aws() * 1000:,.0f} ms"
                ),
            )
        )
    return [
        *rows,
        column(
            "Lambda GB-seconds",
            lambda usage: (
                f"{sum(s.seconds_on_aws() * memory[s.function] for s in usage.steps):.2f}"
            ),
        ),
        column("S3 PUT, LIST", lambda usage: total(usage, "s3-put")),
        column("S3 GET, HEAD", lambda usage: total(usage, "s3-get")),
        column("S3 DELETE, free of charge", lambda usage: total(usage, "s3-delete")),
        column("DynamoDB writes", lambda usage: total(usage, "dynamodb-write")),
        column("DynamoDB reads", lambda usage: total(usage, "dynamodb-read")),
        column("Glue Data Catalog requests", lambda u: total(u, "catalog-read", "catalog-write")),
        column("log bytes", lambda usage: f"{sum(s.log_bytes for s in usage.steps):,}"),
    ]


def _purpose(steps: tuple[Step, ...], index: int) -> str:
    """Tells intake's two invocations apart."""
    first = next(i for i, step in enumerate(steps) if step.function == steps[index].function)
    return "" if first == index else ", after the end"


@dataclass(frozen=True)
class Way:
    """A way to load `FILES` files: its dollars by the prices, and what they leave out."""

    title: str
    dollars: Callable[[Mapping[str, Price]], float]
    leaves_out: str


def ways(usages: list[Usage], memory: Mapping[str, float]) -> list[Way]:
    """Landfall for each batch size, and the others."""

    def batches(usage: Usage) -> Callable[[Mapping[str, Price]], float]:
        return lambda prices: sum(landfall(usage, memory, prices).values())

    def days(files: int) -> Callable[[Mapping[str, Price]], float]:
        return lambda prices: airflow(prices, files)

    size = usages[0].file_bytes
    return [
        *(
            Way(
                f"Landfall, batches of {usage.files}",
                batches(usage),
                "storage, X-Ray, Spark when a file needs it",
            )
            for usage in usages
        ),
        Way(
            f"a Glue job for each file ({GLUE_WORKERS} x G.1X, one minute)",
            glue_job_per_file,
            "its orchestration, the check, files that need longer",
        ),
        Way(
            "Snowpipe until 2025, by files",
            snowpipe_by_files,
            "its compute by the second, the check",
        ),
        Way(
            f"Snowpipe, by size, {size / 1e6:g} MB a file",
            lambda prices: snowpipe_by_size(prices, size),
            "the check",
        ),
        *(
            Way(
                f"MWAA small, always on, {files:,} files a day",
                days(files),
                "everything that does the work",
            )
            for files in (100, 1_000, 10_000, 100_000)
        ),
    ]


def comparison_rows(usages: list[Usage], memory: Mapping[str, float]) -> list[list[str]]:
    """Dollars per 1,000 files of each way."""
    rows = [["1,000 files", "cost", "what it leaves out"]]
    for way in ways(usages, memory):
        rows.append([way.title, money(way.dollars(PRICES)), way.leaves_out])
    return rows


def share(dollars: Callable[[Mapping[str, Price]], float], texts: Container[Text]) -> float:
    """The part of a sum that rests on prices read in these words, from 0 to 1."""
    kept = {
        name: price if price.text in texts else replace(price, dollars=0.0)
        for name, price in PRICES.items()
    }
    return dollars(kept) / dollars(PRICES)


def share_rows(usages: list[Usage], memory: Mapping[str, float]) -> list[list[str]]:
    """Whose words each way's sum rests on. Ways that differ by a factor only are one row."""
    rows = [["1,000 files", Text.OWN.value, Text.QUOTED.value, "to be checked"]]
    unchecked = [text for text in Text if not text.checked]
    for way in ways(usages, memory):
        # An environment for 100 files a day and one for 1,000 have the same one price.
        title = "MWAA small, always on" if way.title.startswith("MWAA") else way.title
        parts = [share(way.dollars, texts) for texts in ([Text.OWN], [Text.QUOTED], unchecked)]
        row = [title, *map(percent, parts)]
        if row not in rows:
            rows.append(row)
    return rows


def percent(part: float) -> str:
    """`79 %`, and small parts with one digit more."""
    if part <= 0:
        return "-"
    return f"{part * 100:.1f} %" if part < 0.1 else f"{part * 100:.0f} %"


def price_rows(prices: Mapping[str, Price] = PRICES) -> list[list[str]]:
    """Every price with its source."""
    rows = [
        ["price", "for one", "published at", "in the price list", "read", "text", "to be checked"]
    ]
    for price in prices.values():
        row = price.row
        rows.append(
            [
                f"${price.dollars:.10f}".rstrip("0").rstrip("."),
                price.unit,
                price.page,
                " ".join(filter(None, (row.offer, row.usage_type, row.sku))) if row else "",
                price.seen,
                price.text.value,
                "" if price.text.checked else "yes",
            ]
        )
    return rows


def markdown(rows: list[list[str]], right: tuple[int, ...] = ()) -> str:
    """The rows as a table; the first is the header."""
    marks = ["---:" if index in right else "---" for index in range(len(rows[0]))]
    lines = [rows[0], marks, *rows[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def section(usages: list[Usage], memory: Mapping[str, float], measured: str) -> str:
    """What stands between the marks in docs/costs.md."""
    numbers = tuple(range(1, 1 + len(usages)))
    return "\n\n".join(
        [
            BEGIN,
            "### Landfall, 1,000 files",
            markdown(cost_rows(usages, memory), numbers),
            "### Against other ways",
            markdown(comparison_rows(usages, memory), (1,)),
            "### Whose prices the sums rest on",
            markdown(share_rows(usages, memory), (1, 2, 3)),
            "### What one execution uses",
            f"Measured on {measured}, files of {usages[0].file_bytes:,} bytes, ledger items of "
            f"at most {usages[0].item_bytes:,} bytes.",
            markdown(usage_rows(usages, memory), numbers),
            "### Prices",
            f"us-east-1. Snowpipe's credits: {SNOWPIPE_SOURCES}.",
            markdown(price_rows()),
            "### Prices of the comparison in engines.md",
            "Those of Lambda and Glue are above.",
            markdown(price_rows(ENGINE_PRICES)),
            END,
        ]
    )


def main() -> int:
    """Prints the tables, or measures their inputs."""
    parser = argparse.ArgumentParser(
        prog="local.costs", description="What 1,000 files cost on AWS."
    )
    parser.add_argument("--measure", action="store_true", help="measure local/costs_usage.json")
    parser.add_argument(
        "--ready-built", action="store_true", help="with --measure: deploy what was built last"
    )
    parser.add_argument("--write-docs", action="store_true", help="put them into docs/costs.md")
    arguments = parser.parse_args()
    if arguments.measure:
        from local import costs_usage

        try:
            measured = costs_usage.measure(BATCHES, ready_built=arguments.ready_built)
        except LocalCloudError as error:
            console.say(console.bad(str(error)))
            return 1
        USAGE.write_text(json.dumps(measured, indent=2) + "\n")
    document = json.loads(USAGE.read_text())
    usages = read_usage(document, read_machine())
    memory = memory_gb(_TEMPLATE.read_text())
    for title, rows in (
        ("Landfall, 1,000 files", cost_rows(usages, memory)),
        ("Against other ways", comparison_rows(usages, memory)),
        ("Whose prices the sums rest on", share_rows(usages, memory)),
        ("What one execution uses", usage_rows(usages, memory)),
    ):
        console.heading(title)
        console.table([[cell.replace("**", "") for cell in row] for row in rows])
    if arguments.write_docs:
        text = _DOCUMENT.read_text()
        start, end = text.index(BEGIN), text.index(END) + len(END)
        text = text[:start] + section(usages, memory, document["measured"]) + text[end:]
        _DOCUMENT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
