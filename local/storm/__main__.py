"""A storm of small files on the local cloud: `make storm`.

    python -m local.storm [--files N] [--datasets N] [--duplicates SHARE] [--kills N] [--seed N]
                          [--window SECONDS] [--concurrency N] [--retry-seconds N] [--minutes N]
                          [--ready-built] [--write-docs]

Brings up a local cloud of its own, uploads the files, delivers events twice, out of order and
after the commit, kills function processes in the middle of their work, waits until the ledger
has an answer for every file, and holds the tables, as PyIceberg reads them, against what was
uploaded. Results go to `.local/storm/results.json`. The exit code is 1 when a row is lost or
doubled, or when ledger, markers and tables disagree. Leaves nothing running.
"""

import argparse
import datetime
import heapq
import itertools
import json
import os
import re
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from local import build, cloud, console, processes, read_table
from local.stack import DEFAULT_REGION, ROOT, LocalCloudError, Stack, host_architecture
from local.storm import figures, report
from local.storm.event_source import EventSource
from local.storm.killer import Killer, cpu_seconds, idle_seconds
from local.storm.plan import Duplicate, File, Plan, contract
from local.storm.verdict import Entry, Snapshot, Table, Verdict, judge

_STACK = "landfall-storm"
_RESULTS = ROOT / ".local" / "storm" / "results.json"
_DOCUMENT = ROOT / "docs" / "storm.md"
_UPLOADERS = 8
_HELD_BACK = 0.05
_LOOK_SECONDS = 2.0
# A window, a message that is held back into a later batch, and twice intake's timeout: it may wait
# for its poller's batch before, and is in the next one then.
_RETRY_SECONDS = 120


class Duplicates:
    """Delivers events again, when the plan says so.

    The bodies are those that the queue delivered first.
    """

    def __init__(self, stack: Stack, duplicates: list[Duplicate], window: float) -> None:
        """Nothing is sent before the event was seen a first time."""
        self._stack = stack
        self._window = window
        self._planned = {duplicate.key: duplicate for duplicate in duplicates}
        self._bodies: dict[str, str] = {}
        self._due: list[tuple[float, str]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.sent: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="duplicates", daemon=True)

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def stop(self) -> None:
        """Ends; what was not sent stays unsent."""
        self._stop.set()
        self._thread.join(timeout=10)

    def seen(self, body: str) -> None:
        """An event was taken from the queue."""
        event = json.loads(body)
        key = event.get("detail", {}).get("object", {}).get("key", "")
        duplicate = self._planned.get(key)
        with self._lock:
            if duplicate is None or key in self._bodies:
                return
            self._bodies[key] = body
            if duplicate.when != "after commit":
                due = time.monotonic() + duplicate.delay * self._window
                heapq.heappush(self._due, (due, key))

    def committed(self, keys: set[str]) -> None:
        """The files are committed: those that are to be delivered after that are due now."""
        with self._lock:
            known = {key for _, key in self._due} | self.sent
            for key in keys & self._bodies.keys():
                if self._planned[key].when == "after commit" and key not in known:
                    heapq.heappush(self._due, (time.monotonic(), key))

    def is_done(self) -> bool:
        """Whether all of them were sent."""
        with self._lock:
            return len(self.sent) == len(self._planned)

    def _run(self) -> None:
        sqs, queue = self._stack.client("sqs"), self._stack.output("IntakeQueueUrl")
        while not self._stop.wait(0.05):
            with self._lock:
                due = []
                while self._due and self._due[0][0] <= time.monotonic():
                    due.append(heapq.heappop(self._due)[1])
            for key in due:
                sqs.send_message(QueueUrl=queue, MessageBody=self._bodies[key])
                with self._lock:
                    self.sent.add(key)


class Uploads:
    """Uploads the files, several at a time."""

    def __init__(self, stack: Stack, files: list[File]) -> None:
        """In the order of the list."""
        self._stack = stack
        self._next = iter(files)
        self._lock = threading.Lock()
        self._total = len(files)
        self._count = itertools.count(1)
        self._failure: BaseException | None = None
        self.uploaded = 0
        self.ended: float | None = None
        self._threads = [
            threading.Thread(target=self._run, name=f"upload-{number}", daemon=True)
            for number in range(_UPLOADERS)
        ]

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    def are_done(self) -> bool:
        """Whether all are uploaded.

        Raises what an upload failed with.
        """
        if self._failure is not None:
            raise self._failure
        return self.ended is not None

    def _run(self) -> None:
        s3, bucket = self._stack.client("s3"), self._stack.output("LandingBucket")
        try:
            while True:
                with self._lock:
                    file = next(self._next, None)
                if file is None:
                    return
                s3.put_object(Bucket=bucket, Key=file.key, Body=file.body())
                with self._lock:
                    self.uploaded = next(self._count)
                    if self.uploaded == self._total:
                        self.ended = time.monotonic()
        except Exception as error:  # Raised again where the storm waits.
            self._failure = error


def ledger(stack: Stack) -> list[Entry]:
    """The ledger's items of the storm's files."""
    pages = stack.client("dynamodb").get_paginator("scan")
    prefix = f"s3://{stack.output('LandingBucket')}/storm"
    return [
        Entry.of(item)
        for page in pages.paginate(TableName=stack.output("LedgerTable"))
        for item in page["Items"]
        if item["path"]["S"].startswith(prefix)
    ]


def queued(stack: Stack, output: str) -> int:
    """Messages in a queue, visible or not."""
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    got = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.output(output), AttributeNames=names
    )["Attributes"]
    return sum(int(got.get(name, 0)) for name in names)


def dead_letters(stack: Stack) -> list[str]:
    """What each message in intake's dead-letter queue is about.

    Raises LocalCloudError when the queue has messages and hands none of them out.
    """
    sqs, queue = stack.client("sqs"), stack.output("IntakeDlqUrl")
    letters: dict[str, str] = {}
    while len(letters) < queued(stack, "IntakeDlqUrl"):
        received = sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            # None comes twice while the rest is read.
            VisibilityTimeout=600,
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])
        if not received:
            raise LocalCloudError("messages in intake's dead-letter queue cannot be received")
        letters |= {message["MessageId"]: dead_letter(message) for message in received}
    return sorted(letters.values())


def dead_letter(message: dict[str, Any]) -> str:
    """What a message is about, in a few words."""
    event = json.loads(message["Body"])
    detail = event.get("detail", {})
    subject = detail.get("object", {}).get("key") or detail.get("executionArn") or "?"
    times = message.get("Attributes", {}).get("ApproximateReceiveCount", "?")
    return f"{event.get('detail-type')} of {subject}, received {times} times"


def running(stack: Stack) -> int:
    """Executions that run."""
    pages = stack.client("stepfunctions").get_paginator("list_executions")
    machine = stack.output("StateMachineArn")
    return sum(
        len(page["executions"])
        for page in pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
    )


def read(stack: Stack, datasets: list[str], phase: console.Phase) -> dict[str, Table]:
    """The datasets' tables, read by PyIceberg."""
    from pyiceberg.exceptions import NoSuchTableError

    catalog = read_table.catalog(stack)
    tables = {}
    for number, dataset in enumerate(datasets):
        phase.update(f"{number} of {len(datasets)}")
        try:
            table = catalog.load_table((stack.output("GlueDatabase"), dataset))
        except NoSuchTableError:
            continue
        data = table.scan(selected_fields=("id", "file")).to_arrow()
        tables[dataset] = Table(
            rows=list(zip(data["id"].to_pylist(), data["file"].to_pylist(), strict=True)),
            snapshots=[
                Snapshot.of(
                    str(snapshot.snapshot_id),
                    snapshot.timestamp_ms,
                    dict(snapshot.summary.additional_properties) if snapshot.summary else {},
                )
                for snapshot in table.metadata.snapshots
            ],
        )
    return tables


class Storm:
    """One storm on a stack that is up."""

    def __init__(self, stack: Stack, plan: Plan, arguments: argparse.Namespace) -> None:
        """Puts the contracts, so that every file is claimed by one when it arrives."""
        self.stack, self.plan, self.arguments = stack, plan, arguments
        bucket = stack.output("LandingBucket")
        for dataset in plan.datasets:
            stack.client("s3").put_object(
                Bucket=stack.output("ConfigBucket"),
                Key=f"contracts/{dataset}.yaml",
                Body=contract(dataset, bucket).encode(),
            )
        self.uploads = Uploads(stack, plan.files)
        self.duplicates = Duplicates(stack, plan.duplicates, arguments.window)
        self.source = EventSource(
            stack, seed=arguments.seed, held_back=_HELD_BACK, seen=self.duplicates.seen
        )
        self.cloud = next(
            process.pid
            for process in processes.recorded(stack.directory)
            if process.name == "ministack"
        )
        self.killer = Killer(self.cloud, f"{stack.name}-", plan.kills, self._progress)
        self.seconds = {"upload": 0.0, "settle": 0.0}
        self.cpu = (0.0, 0.0)
        self.idle_cores = 0.0

    def _progress(self) -> float:
        if self.uploads.ended is None:
            return min(self.uploads.uploaded / len(self.plan.files), 1.0)
        return 1.0 + (time.monotonic() - self.uploads.ended) / self.arguments.window

    def run(self) -> bool:
        """Uploads, disturbs, and waits; returns whether everything was settled in time."""
        began, cpu, idle = time.monotonic(), cpu_seconds(self.cloud), idle_seconds()
        workers = (self.duplicates, self.source, self.uploads, self.killer)
        for worker in workers:
            worker.start()
        try:
            with console.Phase(f"load {len(self.plan.files):,} files") as phase:
                settled = self._wait(phase)
        finally:
            self.killer.stop()
            self.duplicates.stop()
            self.source.stop()
        self.seconds["upload"] = (self.uploads.ended or time.monotonic()) - began
        self.seconds["settle"] = time.monotonic() - began
        after = cpu_seconds(self.cloud)
        self.cpu = (after[0] - cpu[0], after[1] - cpu[1])
        self.idle_cores = (idle_seconds() - idle) / self.seconds["settle"]
        return settled

    def _wait(self, phase: console.Phase) -> bool:
        pause = _LOOK_SECONDS
        while phase.elapsed() < self.arguments.minutes * 60:
            time.sleep(pause)
            looked = time.monotonic()
            entries = ledger(self.stack)
            # Looking costs the local cloud time that the storm needs.
            pause = max(_LOOK_SECONDS, 4 * (time.monotonic() - looked))
            uploaded = self.uploads.are_done()
            states = Counter(entry.state for entry in entries)
            prefix = f"s3://{self.stack.output('LandingBucket')}/"
            self.duplicates.committed(
                # One that failed is delivered again as well, which is its second chance.
                {
                    entry.path.removeprefix(prefix)
                    for entry in entries
                    if entry.state in ("committed", "failed")
                }
            )
            phase.update(
                f"{self.uploads.uploaded:,} uploaded; "
                + ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
                + f"; {len(self.duplicates.sent)} duplicates, {len(self.killer.killed)} killed"
            )
            if (
                uploaded
                and states["committed"] + states["failed"] == len(self.plan.files)
                and self.duplicates.is_done()
                and self.killer.is_done()
                and not self.source.waiting()
                and not queued(self.stack, "IntakeQueueUrl")
                and not running(self.stack)
            ):
                return True
        return False

    def results(self) -> tuple[dict[str, Any], Verdict]:
        """Reads everything back and judges it."""
        entries = ledger(self.stack)
        with console.Phase("read the tables back with PyIceberg") as phase:
            tables = read(self.stack, self.plan.datasets, phase)
        verdict = judge(self.plan, self.stack.output("LandingBucket"), entries, tables)
        for letter in dead_letters(self.stack):
            verdict.add(f"in intake's dead-letter queue: {letter}")
        with console.Phase("read the functions' logs"):
            logs = {
                name: figures.of_log(figures.log_lines(self.stack, name))
                for name in figures.FUNCTIONS
            }
            log = (self.stack.directory / "ministack.log").read_text(errors="replace")
            in_flight = figures.killed_invocations(log.splitlines())
            executions = figures.executions(self.stack)
        started = sum(executions.values())
        per_table = sorted(len(table.snapshots) for table in tables.values()) or [0]
        killed = Counter(killed.target for killed in self.killer.killed)
        settings = self.source.settings
        results = {
            "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            "settings": {
                "command": _command(self.arguments),
                "seed": self.arguments.seed,
                "datasets": len(self.plan.datasets),
                "windowSeconds": settings.window_seconds,
                "batchSize": settings.batch_size,
                "concurrency": settings.concurrency,
                "retrySeconds": self.arguments.retry_seconds,
            },
            "counts": {
                "files": len(self.plan.files),
                "rows": self.plan.rows,
                "duplicates": len(self.duplicates.sent),
                "duplicatesByWhen": dict(
                    sorted(Counter(duplicate.when for duplicate in self.plan.duplicates).items())
                ),
                "deliveries": sum(entry.deliveries for entry in entries),
                "heldBack": self.source.counts.held_back,
                "intakeInvocations": self.source.counts.invocations,
                "failedIntakeInvocations": dict(
                    sorted(self.source.counts.failed_invocations.items())
                ),
                "failedIntakeMessages": self.source.counts.failed_messages,
                "longestMessageSeconds": self.source.counts.longest_seconds,
                "commits": sum(per_table),
                "commitsPerTable": {
                    "least": per_table[0],
                    "median": statistics.median(per_table),
                    "most": per_table[-1],
                },
                "conflicts": logs["iceberg-append"]["conflicts"],
                # Each execution calls each of these once, when nothing goes wrong.
                "retries": sum(
                    max(0, logs[name]["invocations"] - started)
                    for name in ("schema-check", "iceberg-append")
                ),
            },
            "executions": dict(sorted(executions.items())),
            "killed": {
                "planned": len(self.plan.kills),
                "processes": len(self.killer.killed),
                "byFunction": dict(sorted(killed.items())),
                "invocations": sum(in_flight.values()),
                "invocationsByFunction": dict(sorted(in_flight.items())),
            },
            "secondsToCommit": figures.spread(figures.seconds_to_commit(entries, tables.values())),
            "seconds": self.seconds,
            "bottleneck": {
                "cores": len(os.sched_getaffinity(0)),
                "cloudCores": self.cpu[0] / self.seconds["settle"],
                "idleCores": self.idle_cores,
                "functionCores": self.cpu[1] / self.seconds["settle"],
            },
            "functions": logs,
            "lostRows": verdict.lost_rows,
            "doubledRows": verdict.doubled_rows,
            "problems": verdict.problems,
        }
        return results, verdict


def template_default(parameter: str) -> int:
    """The default of a number among the template's parameters."""
    text = (ROOT / "template.yaml").read_text()
    match = re.search(rf"^  {parameter}:\n(?:    .*\n)*?    Default: (\d+)\n", text, re.MULTILINE)
    if match is None:
        raise LocalCloudError(f"template.yaml has no parameter {parameter} with a number")
    return int(match[1])


def _command(arguments: argparse.Namespace) -> str:
    return (
        f"python -m local.storm --files {arguments.files} --datasets {arguments.datasets} "
        f"--duplicates {arguments.duplicates:g} --kills {arguments.kills} "
        f"--seed {arguments.seed} --window {arguments.window} "
        f"--concurrency {arguments.concurrency} --retry-seconds {arguments.retry_seconds}"
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs a storm; returns the exit code."""
    plan = Plan.of(
        arguments.files, arguments.datasets, arguments.duplicates, arguments.kills, arguments.seed
    )
    if not arguments.ready_built:
        build.build(host_architecture())
    console.heading("Start the local cloud and deploy the template")
    parameters = {
        "IntakeBatchingWindowSeconds": str(arguments.window),
        "IntakeMaximumConcurrency": str(arguments.concurrency),
        "IntakeRetrySeconds": str(arguments.retry_seconds),
        # Commit conflicts are told at this level.
        "LogLevel": "info",
    }
    is_good = False
    try:
        stack = cloud.up(_STACK, arguments.region, parameters=parameters, ready_built=True)
        console.heading(
            f"{len(plan.files):,} files with {plan.rows:,} rows over {len(plan.datasets)} "
            f"datasets, {len(plan.duplicates):,} duplicates, {len(plan.kills)} kills"
        )
        storm = Storm(stack, plan, arguments)
        settled = storm.run()
        results, verdict = storm.results()
        if not settled:
            verdict.add(f"the storm was not over after {arguments.minutes:g} minutes")
        is_good = not verdict.problems
    finally:
        # The logs of a storm that went wrong are what one wants to read next.
        cloud.down(_STACK, keep_logs=not is_good)
    _RESULTS.parent.mkdir(parents=True, exist_ok=True)
    _RESULTS.write_text(json.dumps(results, indent=2) + "\n")

    console.heading("Figures")
    console.table(report.rows(results))
    console.say()
    console.say(report.bottleneck(results))
    if arguments.write_docs and is_good:
        report.write(_DOCUMENT, results)
    for problem in verdict.problems:
        console.say(console.bad(problem))
    console.say()
    count = f"{len(plan.files):,}"
    console.say(
        console.good(f"storm: {count} of {count} files, nothing lost or doubled")
        if is_good
        else console.bad(
            f"storm: {verdict.lost_rows:,} rows lost, {verdict.doubled_rows:,} doubled, "
            f"{len(verdict.problems)} problems; results in {_relative(_RESULTS)}, "
            f"logs in {_relative(stack.directory)}"
        )
    )
    return 0 if is_good else 1


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be a share from 0 to 1")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def main() -> int:
    """Runs a storm."""
    parser = argparse.ArgumentParser(
        prog="local.storm", description="A storm of small files on the local cloud."
    )
    number = {"type": _positive, "metavar": "N"}
    parser.add_argument("--files", default=10_000, **number, help="default: %(default)s")
    parser.add_argument("--datasets", default=20, **number, help="default: %(default)s")
    parser.add_argument(
        "--duplicates", type=_share, default=0.05, metavar="SHARE", help="default: %(default)s"
    )
    parser.add_argument("--kills", type=int, default=40, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--window",
        default=template_default("IntakeBatchingWindowSeconds"),
        **number,
        help="intake's batching window in seconds; default: %(default)s, as the template's",
    )
    parser.add_argument(
        "--concurrency",
        # Zero means no limit there; Lambda begins with five then.
        default=template_default("IntakeMaximumConcurrency") or 5,
        **number,
        help="batches that intake takes at one time; default: %(default)s, as the template's",
    )
    parser.add_argument(
        "--retry-seconds",
        default=_RETRY_SECONDS,
        **number,
        help="the queue's visibility timeout: how long the messages of a killed intake wait, and "
        "longer than any message may be out of the queue; default: %(default)s",
    )
    parser.add_argument(
        "--minutes", type=float, default=30, metavar="N", help="give up after; default: %(default)s"
    )
    parser.add_argument("--region", default=DEFAULT_REGION, help="default: %(default)s")
    parser.add_argument(
        "--ready-built", action="store_true", help="deploy what the last build made"
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="put the figures into docs/storm.md"
    )
    arguments = parser.parse_args()
    cloud.exit_on_sigterm()
    try:
        return run(arguments)
    except LocalCloudError as error:
        console.say(console.bad(str(error)))
    except KeyboardInterrupt:
        console.say(console.bad("interrupted; everything is stopped"))
    return 1


if __name__ == "__main__":
    sys.exit(main())
