"""Measures the engines against each other on the same file: `make bench-engines`.

The Lambda engine is the function's own binary, as `local/bench.py` runs it. PyIceberg and Spark
are programs of their own (`local/bench_engines_pyiceberg.py`, `jobs/ingest.py`). All read the same
object from the local cloud's S3 and commit it to a table of the local cloud's Glue catalog, one
after the other. Measured is each process with its children: CPU seconds (user and system), wall
time, and the peak of resident memory, which for several processes is their sum at one moment.

    python -m local.bench_engines [--megabytes N ...] [--ready-built] [--write-docs]
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from local import bench, cloud, console, read_table
from local.stack import ROOT, VENV, LocalCloudError, Stack, state_dir, with_path

_STACK = "landfall-bench"
_DOCUMENT = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- begin: make bench-engines -->"
END = "<!-- end: make bench-engines -->"
_SAMPLE_SECONDS = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LIMIT_SECONDS = 500
_UPSERT = """
customProperties:
  - {property: writeMode, value: upsert}
"""
# Spark with one core, as a Glue worker's core would read one object.
_SPARK_CORES = 1


@dataclass(frozen=True)
class Cost:
    """What loading one file took."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Result:
    """One engine's part; `cost` is None when it was not run, and `note` says why."""

    engine: str
    cost: Cost | None
    note: str = ""


def cpu_seconds(process: int) -> float:
    """User and system time of a living process, without its children."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICKS


def family(process: int) -> list[int]:
    """The process and everything it has started, as far as it lives."""
    found = [process]
    for known in found:
        try:
            children = Path(f"/proc/{known}/task/{known}/children").read_text().split()
        except OSError:
            continue
        found += [int(child) for child in children]
    return found


def resident(processes: Sequence[int]) -> int:
    """Bytes of memory that the processes have to themselves or share, added up."""
    total = 0
    for process in processes:
        try:
            total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
        except OSError:
            continue
    return total


def run(command: Sequence[str], variables: Mapping[str, str]) -> Cost:
    """Runs a program to its end and measures it with all its children."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=dict(variables), stdout=output, stderr=subprocess.STDOUT, cwd=ROOT
        )
        peak = 0
        # A child that nobody waits for, as Spark's Python workers, is in no usage but its own.
        seen: dict[int, float] = {}
        while True:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            living = family(process.pid)
            peak = max(peak, resident(living))
            for member in living:
                with contextlib.suppress(OSError):
                    seen[member] = cpu_seconds(member)
            if time.perf_counter() - started > _LIMIT_SECONDS:
                process.kill()
            time.sleep(_SAMPLE_SECONDS)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise LocalCloudError(
                f"{command[0]} ended with {process.returncode}:\n"
                + output.read().decode(errors="replace")[-3000:]
            )
    return Cost(max(usage.ru_utime + usage.ru_stime, sum(seen.values())), wall, peak)


class Engines:
    """The engines, on one stack and one object."""

    def __init__(self, stack: Stack, megabytes: int) -> None:
        """Uploads the file."""
        self.stack = stack
        self.bench = bench.Bench(stack)
        # Every row has a key of its own.
        body = bench.csv_rows(megabytes * 1_000_000)
        self.size, self.rows = len(body), body.count(b"\n") - 1
        self.object = self.bench.upload(f"engines-{uuid.uuid4().hex[:8]}.csv", body)

    def _batch(self, engine: str, *, upsert: bool = False) -> dict[str, Any]:
        contract = bench._CONTRACT.format(dataset=f"engines_{engine}", bucket=bench._BUCKET)
        if upsert:
            contract = contract.replace("required: true", "primaryKey: true") + _UPSERT
        # Every engine has a table of its own, and reads the one object.
        contract = contract.replace(
            f"s3://{bench._BUCKET}/engines_{engine}/", f"s3://{bench._BUCKET}/"
        )
        key = f"contracts/engines-{engine}.yaml"
        answer = self.bench.s3.put_object(Bucket=self.bench.config, Key=key, Body=contract.encode())
        reference = {"bucket": self.bench.config, "key": key, "etag": answer["ETag"].strip('"')}
        return {
            "id": f"engines_{engine}-{uuid.uuid4().hex[:8]}",
            "dataset": f"engines_{engine}",
            "contract": reference,
            "objects": [self.object],
        }

    def lambda_engine(self) -> Cost:
        """`iceberg-append`, warm: its first file opened the connections."""
        with self.bench.runtime("IcebergAppendFunction") as function:
            execution = "arn:aws:states:us-east-1:000000000000:execution:ingest:engines"
            small = self.bench.batch(f"warm-{uuid.uuid4().hex[:8]}", bench.csv_rows(1_000))
            event = {"task": "append", "load": [0], "additions": [], "executionArn": execution}
            function.invoke(event | {"batch": small})
            batch = self._batch("lambda")
            before = cpu_seconds(function._process.pid)
            answer, wall = function.invoke(event | {"batch": batch})
            if answer["rows"] != self.rows:
                raise LocalCloudError(f"{answer['rows']} of {self.rows} rows were loaded")
            after = cpu_seconds(function._process.pid)
            return Cost(after - before, wall, function.peak_bytes())

    def pyiceberg(self) -> Cost:
        """PyIceberg and PyArrow, as somebody who knows them would load one file."""
        program = [str(VENV / "tools" / "bin" / "python"), "-m", "local.bench_engines_pyiceberg"]
        program += [bench._BUCKET, self.object["key"], self.stack.output("WarehouseBucket")]
        return run(program, self.stack.environment())

    def spark(self) -> Cost:
        """`jobs/ingest.py` with spark-submit, as the local Glue runner starts it."""
        return self._job(self._batch("spark"))

    def spark_merge(self) -> Cost:
        """The job when every row of the file updates one of the table: the dearest merge."""
        self._job(self._batch("spark_merge", upsert=True))
        # What is loaded is not loaded again, so the same rows come under another version.
        again = self.object | {"version": self.object["version"] + "-again"}
        batch = self._batch("spark_merge", upsert=True) | {"objects": [again]}
        cost = self._job(batch)
        table = (self.stack.output("GlueDatabase"), batch["dataset"])
        snapshot = read_table.catalog(self.stack).load_table(table).current_snapshot()
        summary = snapshot.summary if snapshot else {}
        counts = {name: summary.get(name) for name in ("total-records", "added-records")}
        if set(counts.values()) != {str(self.rows)}:
            raise LocalCloudError(f"not every one of {self.rows} rows was updated: {counts}")
        return cost

    def _job(self, batch: Mapping[str, Any]) -> Cost:
        from local import glue_runner
        from local.spark import jars

        if (lack := jars.missing()) is not None:
            raise NotRunError(f"not run: {lack}")
        execution = "arn:aws:states:us-east-1:000000000000:execution:ingest:engines"
        warehouse = self.stack.output("WarehouseBucket")
        document = {"batch": batch, "executionArn": execution}
        document["checked"] = [{"index": 0, "records": self.rows, "rejected": 0}]
        key = f"batches/{batch['id']}.json"
        self.bench.s3.put_object(Bucket=warehouse, Key=key, Body=json.dumps(document).encode())
        self._claim(batch, execution)
        job = self.stack.client("glue").get_job(JobName=self.stack.output("GlueJobName"))["Job"]
        defaults = job["DefaultArguments"]
        settings = glue_runner.settings_of(defaults.get("--conf", ""))
        settings |= glue_runner.endpoint_settings(settings, self.stack.endpoint, self.stack.region)
        settings |= glue_runner._LOCAL_SETTINGS | {"spark.master": f"local[{_SPARK_CORES}]"}
        arguments = defaults | {"--batch": f"s3://{warehouse}/{key}"}
        command = glue_runner.command_of(
            ROOT / "jobs" / "ingest.py", arguments, settings, jars.fetch()
        )
        return run(command, with_path(self.stack.environment(), "spark"))

    def _claim(self, batch: Mapping[str, Any], execution: str) -> None:
        """Owns the object, as glue-trigger would: the job reads the claim before it commits."""
        item = batch["objects"][0]
        texts = {
            "path": f"s3://{item['bucket']}/{item['key']}",
            "version": item["version"],
            "state": "claimed",
            "batchId": batch["id"],
            "executionArn": execution,
        }
        self.stack.client("dynamodb").put_item(
            TableName=self.stack.output("LedgerTable"),
            Item={name: {"S": text} for name, text in texts.items()},
        )


class NotRunError(Exception):
    """An engine is not there, and why."""


def measured(engine: str, load: Callable[[], Cost]) -> Result:
    """The engine's result, also when it cannot be run here."""
    try:
        with console.Phase(engine):
            return Result(engine, load())
    except NotRunError as reason:
        return Result(engine, None, str(reason))


def table(results: Sequence[Result]) -> list[list[str]]:
    """One line for each engine, with its ratios to the first."""
    lines = [["engine", "CPU", "ratio", "wall", "ratio", "peak", "ratio"]]
    first = results[0].cost
    for result in results:
        cost = result.cost
        if cost is None or first is None:
            lines.append([f"{result.engine} ({result.note})", *[""] * 6])
            continue
        lines.append(
            [
                result.engine,
                f"{cost.cpu_seconds:.2f} s",
                f"{cost.cpu_seconds / first.cpu_seconds:.1f}",
                f"{cost.wall_seconds:.2f} s",
                f"{cost.wall_seconds / first.wall_seconds:.1f}",
                f"{cost.peak_bytes / 1e6:.0f} MB",
                f"{cost.peak_bytes / first.peak_bytes:.1f}",
            ]
        )
    return lines


def further_bytes(
    smallest: tuple[int, Sequence[Result]], largest: tuple[int, Sequence[Result]]
) -> list[list[str]]:
    """What the bytes take by themselves: the largest file's CPU time less the smallest's.

    Each argument is the file's bytes and its results, of the same engines in the same order. The
    constants of `shared/engine/src/figures.rs` are from this table.
    """
    lines = [["engine", "CPU for the smallest", "CPU for what the largest has more", "MB/CPU s"]]
    megabytes = (largest[0] - smallest[0]) / 1e6
    for small, large in zip(smallest[1], largest[1], strict=True):
        if small.cost is None or large.cost is None:
            continue
        more = large.cost.cpu_seconds - small.cost.cpu_seconds
        lines.append(
            [
                small.engine,
                f"{small.cost.cpu_seconds:.2f} s",
                f"{more:.2f} s",
                f"{megabytes / more:.0f}" if more > 0 else "",
            ]
        )
    return lines


def section(tables: Mapping[str, list[list[str]]]) -> str:
    """What stands between the marks in docs/benchmarks.md."""
    parts = [
        BEGIN,
        "## The engines on the same file",
        "`make bench-engines` prints these and, with `ENGINES=--write-docs`, writes this section. "
        f"Taken on a shared machine with {os.cpu_count()} cores, "
        f"{datetime.now(timezone.utc):%d %B %Y}, all in one run: CSV of five columns over three "
        "partitions, from the local cloud's S3 to a committed snapshot in its Glue catalog. The "
        "Lambda engine is warm and checks every value while it loads; PyIceberg and Spark start "
        "up first, as they would, and Spark has one core for its tasks. `peak` is resident "
        "memory, of all processes together. `ratio` is to the Lambda engine. Wall times are those "
        "of a machine that does other work too: compare CPU time and memory. An upsert is measured "
        "at its dearest: every row has a key that the table has, so that every data file is "
        "written anew.",
    ]
    parts = [part if part.startswith("<") else textwrap.fill(part, 100) for part in parts]
    for title, lines in tables.items():
        marks = ["---", *["---:"] * (len(lines[0]) - 1)]
        parts += [f"### {title}"]
        parts.append(
            "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], marks, *lines[1:]])
        )
    return "\n\n".join([*parts, END])


def put_section(document: str, text: str) -> str:
    """The document with the section in the place of the old one, or at its end."""
    if BEGIN in document:
        start, end = document.index(BEGIN), document.index(END) + len(END)
        return document[:start] + text + document[end:]
    return document.rstrip() + "\n\n" + text + "\n"


def main() -> int:
    """Measures every engine on every size."""
    parser = argparse.ArgumentParser(
        prog="local.bench_engines", description="The engines against each other, same file."
    )
    parser.add_argument("--megabytes", type=int, nargs="+", default=[8, 100, 400])
    parser.add_argument("--only", nargs="+", choices=["lambda", "pyiceberg", "spark", "merge"])
    parser.add_argument("--ready-built", action="store_true", help="deploy what was built last")
    parser.add_argument("--stack", help="measure on this stack, which is up, and leave it so")
    parser.add_argument("--write-docs", action="store_true", help="put it into benchmarks.md")
    arguments = parser.parse_args()
    tables: dict[str, list[list[str]]] = {}
    by_size: dict[int, list[Result]] = {}
    running = arguments.stack and Stack.read(state_dir(arguments.stack) / "stack.json")
    stack = running or cloud.up(_STACK, ready_built=arguments.ready_built)
    try:
        for megabytes in arguments.megabytes:
            engines = Engines(stack, megabytes)
            loads = {
                "lambda": ("Lambda engine (iceberg-append)", engines.lambda_engine),
                "pyiceberg": ("PyIceberg", engines.pyiceberg),
                "spark": ("Spark, local (jobs/ingest.py)", engines.spark),
                "merge": ("Spark, local, every row an update", engines.spark_merge),
            }
            wanted = arguments.only or list(loads)
            results = by_size[engines.size] = [measured(*loads[name]) for name in wanted]
            lines = table(results)
            title = f"{engines.size:,} bytes, {engines.rows:,} rows"
            tables[title] = lines
            console.heading(title)
            console.table(lines, right=[1, 2, 3, 4, 5, 6])
        if len(by_size) > 1:
            smallest, *_, largest = sorted(by_size.items())
            title = f"{smallest[0] / 1e6:.0f} MB against {largest[0] / 1e6:.0f} MB"
            tables[title] = further_bytes(smallest, largest)
            console.heading(title)
            console.table(tables[title], right=[1, 2, 3])
    except LocalCloudError as error:
        console.say(console.bad(str(error)))
        return 1
    finally:
        if not running:
            cloud.down(_STACK)
    if arguments.write_docs:
        _DOCUMENT.write_text(put_section(_DOCUMENT.read_text(), section(tables)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
