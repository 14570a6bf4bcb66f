"""The demo: real files through the real template on this machine, from upload to table.

Builds, starts a local cloud of its own, deploys, lands the sample files one after another,
and shows for each what happened to it. At the end the tables are read back by PyIceberg and
the ledger is counted. Exits non-zero when the counts are not those of
`samples/expected.json`. Leaves nothing running, however it ends.

    python -m local.demo
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local import build, cloud, console, read_table
from local.spark import jars
from local.stack import DEFAULT_REGION, ROOT, LocalCloudError, Stack, host_architecture

_STACK = "landfall-demo"
_SAMPLES = ROOT / "samples"
_PARAMETERS = {
    # Between the monthly files and the one of nine months, which goes to Glue.
    "LambdaEngineMaxBytes": "1000000",
    "ReviewTimeoutSeconds": "300",
}
_SETTLED = {"committed", "quarantined", "rejected", "duplicate", "failed"}
_FILE_SECONDS = 240
_POLL_SECONDS = 0.25
_ALERT_LINES = 28
_REASON_LINES = 24


@dataclass(frozen=True)
class Delivery:
    """One thing that happens to the landing bucket."""

    key: str
    title: str
    # The same S3 event once more, as at-least-once delivery allows.
    again: bool = False


_DELIVERIES = (
    Delivery("weather/2013-01.csv", "a good file; its dataset has no table yet"),
    Delivery("weather/2013-01.csv", "the same event delivered a second time", again=True),
    Delivery("weather/2013-02.csv", "a new column, and a contract that evolves the table"),
    Delivery("weather/2013-03.csv", "bad rows, and a contract that refuses such files"),
    Delivery(
        "weather/2013-q2.csv", "too large for the Lambda engine: the Glue job loads it, on Spark"
    ),
    Delivery("airports/airports.csv", "bad rows, and a contract that sets them aside"),
    Delivery(
        "observations/jfk-2013-01.jsonl.gz",
        "compressed JSON Lines with a nested column; two bad documents are set aside",
    ),
    Delivery("flights/2013-01-01.parquet", "a Parquet file; most is known from its footer"),
    Delivery("planes/2013-01.csv", "a good file of a fifth dataset"),
    Delivery("planes/2013-02.csv", "a new column, and a contract that asks a person"),
)


@dataclass
class Visit:
    """One state an execution went through. Times are Unix seconds.

    `errors` are the names of the attempts that failed; the state was left all the same when
    another attempt went well or a catcher took over.
    """

    state: str
    entered: float
    exited: float | None = None
    errors: list[str] = field(default_factory=list)

    def outcome(self) -> str:
        """What came of it, in a word or two."""
        if self.errors:
            return f"{len(self.errors)} failed: {self.errors[-1]}"
        return "" if self.exited is None else "done"


def visits(history: list[dict[str, Any]]) -> list[Visit]:
    """The states of an execution in the order they were entered, from its history."""
    found: list[Visit] = []
    for event in history:
        moment = _seconds(event["timestamp"])
        if details := event.get("stateEnteredEventDetails"):
            found.append(Visit(details["name"], moment))
        elif details := event.get("stateExitedEventDetails"):
            for visit in reversed(found):
                if visit.state == details["name"] and visit.exited is None:
                    visit.exited = moment
                    break
        elif found and (error := _error_of(event)):
            found[-1].errors.append(error)
    return found


def _error_of(event: dict[str, Any]) -> str | None:
    """The error name of a failed or timed-out attempt."""
    for name, details in event.items():
        if name.endswith(("FailedEventDetails", "TimedOutEventDetails")):
            return str(details.get("error") or "States.TaskFailed")
    return None


def _seconds(moment: datetime | float) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


@dataclass(frozen=True)
class Alert:
    """One alert as a subscriber received it: an SNS envelope with the chat document."""

    subject: str
    kind: str
    batch_id: str
    title: str
    description: str
    next_steps: tuple[str, ...]

    @staticmethod
    def read(body: str) -> "Alert":
        """Reads the body of a queue's message."""
        envelope = json.loads(body)
        document = json.loads(envelope["Message"])
        content, metadata = document["content"], document["metadata"]
        return Alert(
            subject=envelope.get("Subject", ""),
            kind=envelope.get("MessageAttributes", {}).get("kind", {}).get("Value", ""),
            batch_id=metadata["threadId"],
            title=content["title"],
            description=content["description"],
            next_steps=tuple(content.get("nextSteps", ())),
        )

    def command(self, purpose: str) -> str:
        """The command that the alert gives for the purpose, for instance `Approve`."""
        match = re.search(rf"{purpose}:\n```\n(.+?)\n```", self.description)
        if match is None:
            raise LocalCloudError(f"the alert {self.subject!r} has no command to {purpose.lower()}")
        return match[1]


@dataclass
class Counts:
    """What became of the files."""

    committed: int = 0
    duplicate: int = 0
    quarantined: int = 0
    review: int = 0
    failed: int = 0

    def line(self) -> str:
        """The demo's last line."""
        return "demo: " + ", ".join(f"{count} {name}" for name, count in vars(self).items())


def count(items: list[dict[str, Any]], reviewed_batches: set[str]) -> Counts:
    """Counts the ledger's items of object versions.

    A duplicate is a delivery beyond an object's first. A reviewed file is counted as such
    besides what became of it.
    """
    counts = Counts()
    for item in items:
        state = item["state"]
        counts.committed += state == "committed"
        counts.quarantined += state in ("quarantined", "rejected")
        counts.failed += state not in ("committed", "quarantined", "rejected", "duplicate")
        counts.duplicate += int(item.get("deliveries", 1)) - 1 + (state == "duplicate")
        counts.review += item.get("batchId") in reviewed_batches
    return counts


@dataclass
class Observer:
    """Watches the stack from outside, as its users do."""

    stack: Stack
    executions: dict[str, list[str]] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    _described: set[str] = field(default_factory=set)
    _tap: str = ""
    _alert_queue: str = ""

    def start(self) -> None:
        """Listens to alerts and, beside the intake queue, to uploads."""
        sqs = self.stack.client("sqs")
        self._tap, tap_arn = _queue(sqs, f"{self.stack.name}-tap", "events.amazonaws.com")
        self._alert_queue, alerts_arn = _queue(
            sqs, f"{self.stack.name}-people", "sns.amazonaws.com"
        )
        events = self.stack.client("events")
        pattern = {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [self.stack.output("LandingBucket")]}},
        }
        events.put_rule(Name=f"{self.stack.name}-tap", EventPattern=json.dumps(pattern))
        events.put_targets(Rule=f"{self.stack.name}-tap", Targets=[{"Id": "tap", "Arn": tap_arn}])
        self.stack.client("sns").subscribe(
            TopicArn=self.stack.output("AlertTopicArn"), Protocol="sqs", Endpoint=alerts_arn
        )
        self._sqs = sqs
        self._sfn = self.stack.client("stepfunctions")
        self._ledger = self.stack.client("dynamodb")

    def upload_event(self, key: str) -> str:
        """The upload's event, exactly as EventBridge delivered it to a queue."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for body in _receive(self._sqs, self._tap):
                if json.loads(body)["detail"]["object"]["key"] == key:
                    return body
        raise LocalCloudError(f"the tap saw no event for {key}")

    def deliver_again(self, event: str) -> None:
        """Puts an event into the intake queue a second time."""
        self._sqs.send_message(QueueUrl=self.stack.output("IntakeQueueUrl"), MessageBody=event)

    def look(self) -> None:
        """Takes in new executions and alerts."""
        self.alerts += [Alert.read(body) for body in _receive(self._sqs, self._alert_queue)]
        machine = self.stack.output("StateMachineArn")
        for page in self._sfn.get_paginator("list_executions").paginate(stateMachineArn=machine):
            for execution in page["executions"]:
                arn = execution["executionArn"]
                if arn in self._described:
                    continue
                self._described.add(arn)
                given = json.loads(self._sfn.describe_execution(executionArn=arn)["input"])
                for item in given["batch"]["objects"]:
                    self.executions.setdefault(item["key"], []).append(arn)

    def execution_of(self, key: str) -> str | None:
        """ARN of the execution that loads the key."""
        return next(iter(self.executions.get(key, [])), None)

    def visits(self, arn: str) -> list[Visit]:
        """The states that the execution went through so far."""
        pages = self._sfn.get_paginator("get_execution_history").paginate(executionArn=arn)
        return visits([event for page in pages for event in page["events"]])

    def status(self, arn: str) -> str:
        """`RUNNING`, `SUCCEEDED`, `FAILED`, ..."""
        status: str = self._sfn.describe_execution(executionArn=arn)["status"]
        return status

    def alerts_of(self, batch_id: str) -> list[Alert]:
        """The alerts about a batch."""
        return [alert for alert in self.alerts if alert.batch_id == batch_id]

    def ledger(self) -> list[dict[str, Any]]:
        """The ledger's items of object versions."""
        table = self.stack.output("LedgerTable")
        pages = self._ledger.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        items = (_plain(item) for page in pages for item in page["Items"])
        return [item for item in items if item["path"].startswith("s3://")]

    def entry(self, key: str) -> dict[str, Any] | None:
        """The ledger's item of the key, which is uploaded once here."""
        path = f"s3://{self.stack.output('LandingBucket')}/{key}"
        return next((item for item in self.ledger() if item["path"] == path), None)


def _queue(sqs: Any, name: str, service: str) -> tuple[str, str]:  # noqa: ANN401
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = got["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    return url, arn


def _receive(sqs: Any, queue: str) -> Iterator[str]:  # noqa: ANN401
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        yield message["Body"]


def _plain(item: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A DynamoDB item without its type marks."""
    return {name: next(iter(value.values())) for name, value in item.items()}


# --- The story of each file ----------------------------------------------------------------


def land(observer: Observer, delivery: Delivery, events: dict[str, str]) -> None:
    """Delivers one file, follows it to its end and tells what happened."""
    console.heading(f"{delivery.key}: {delivery.title}")
    if delivery.again:
        _land_again(observer, delivery, events)
        return
    stack = observer.stack
    path = _SAMPLES / delivery.key
    stack.client("s3").put_object(
        Bucket=stack.output("LandingBucket"), Key=delivery.key, Body=path.read_bytes()
    )
    events[delivery.key] = observer.upload_event(delivery.key)
    with console.Phase("follow it") as phase:
        arn = _follow(observer, delivery.key, phase)
    _tell(observer, delivery.key, arn)


def _land_again(observer: Observer, delivery: Delivery, events: dict[str, str]) -> None:
    before = len(observer.executions.get(delivery.key, []))
    observer.deliver_again(events[delivery.key])
    with console.Phase("wait for intake") as phase:
        while True:
            entry = observer.entry(delivery.key)
            deliveries = int(entry.get("deliveries", 1)) if entry else 0
            if deliveries > 1:
                break
            if phase.elapsed() > _FILE_SECONDS:
                raise LocalCloudError(f"intake never counted the second event of {delivery.key}")
            phase.update(f"{deliveries} deliveries in the ledger")
            time.sleep(_POLL_SECONDS)
    observer.look()
    started = len(observer.executions.get(delivery.key, [])) - before
    console.say(f"    {deliveries} deliveries in the ledger, {started} more executions")


def _follow(observer: Observer, key: str, phase: console.Phase) -> str:
    """Waits until the file's execution has ended; answers its review."""
    answered = False
    while phase.elapsed() < _FILE_SECONDS:
        observer.look()
        arn = observer.execution_of(key)
        if arn is None:
            phase.update("in the intake queue")
        else:
            seen = observer.visits(arn)
            phase.update(seen[-1].state if seen else "starting")
            review = next(
                (alert for alert in observer.alerts_of(_batch_of(arn)) if alert.kind == "review"),
                None,
            )
            if review and not answered:
                answered = True
                _approve(observer.stack, review)
            if observer.status(arn) != "RUNNING":
                _await_alert(observer, _batch_of(arn))
                return arn
        time.sleep(_POLL_SECONDS)
    raise LocalCloudError(
        f"{key} is not loaded after {_FILE_SECONDS} s; the functions' log is "
        f"{observer.stack.directory / 'ministack.log'}"
    )


def _batch_of(arn: str) -> str:
    """A batch id is the name of its execution."""
    return arn.rpartition(":")[2]


def _await_alert(observer: Observer, batch_id: str) -> None:
    """The last alert is published just before the execution ends; give it time to arrive."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if any(alert.kind != "review" for alert in observer.alerts_of(batch_id)):
            return
        time.sleep(0.1)
        observer.look()


def _approve(stack: Stack, review: Alert) -> None:
    """Approves as a person would: with the command from the alert, in a shell."""
    _show_alert(review)
    command = review.command("Approve")
    console.say(f"    {console.bold('$')} {_shortened(command)}")
    done = subprocess.run(
        ["sh", "-c", command], env=stack.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LocalCloudError(f"the command of the review alert failed: {done.stderr.strip()}")


def _shortened(command: str) -> str:
    """The command with its task token cut, to be looked at."""
    return re.sub(r"(--task-token '?[^\s']{16})[^\s']{32,}", r"\1...", command)


_OUTCOME_COLOUR = {"committed": console.good, "failed": console.bad}


def _tell(observer: Observer, key: str, arn: str) -> None:
    rows = [["state", "duration", "outcome"]]
    seen = observer.visits(arn)
    for visit in seen:
        took = "" if visit.exited is None else console.duration(visit.exited - visit.entered)
        rows.append([visit.state, took, visit.outcome()])
    console.table(rows, indent=4, right=(1,))
    entry = observer.entry(key) or {"state": "unknown"}
    paint = _OUTCOME_COLOUR.get(entry["state"], console.warn)
    facts = [
        f"{entry[name]} {words}"
        for name, words in (("rows", "rows"), ("rejectedRows", "rows set aside"))
        if entry.get(name)
    ]
    ended = [visit.exited or visit.entered for visit in seen]
    total = max(ended) - seen[0].entered if seen else 0.0
    outcome = ", ".join([paint(entry["state"]), *facts, f"in {console.duration(total)}"])
    console.say(f"    outcome: {outcome}")
    if reason := entry.get("reason"):
        console.say(f"    reason: {reason}")
    _show_findings(observer.stack, _batch_of(arn))
    for alert in observer.alerts_of(_batch_of(arn)):
        if alert.kind != "review":
            _show_alert(alert)


def _show_findings(stack: Stack, batch_id: str) -> None:
    """What the check wrote about the batch's files, and set aside of them."""
    s3 = stack.client("s3")
    bucket = stack.output("LandingBucket")
    for prefix in ("reports/", "quarantine/"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for item in (item for page in pages for item in page.get("Contents", [])):
            key = item["Key"]
            if f"/{batch_id}/" not in key:
                continue
            console.say(f"    {prefix.rstrip('/')}: s3://{bucket}/{key}")
            if key.endswith(_SHOWN_ENDINGS):
                body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                _show_text(finding(key, body.decode()), _REASON_LINES)


# docs/checks.md, "Reports". What else is there is a copy of a file, or in a binary format.
_SHOWN_ENDINGS = (
    ".reason.json",
    ".report.json",
    ".errors.jsonl",
    ".rejected.csv",
    ".rejected.jsonl",
)


def finding(key: str, text: str) -> str:
    """One of the check's texts as the demo shows it: a report in short, because its bad rows
    stand in the file beside it."""
    if key.endswith(".report.json"):
        return report_in_short(json.loads(text))
    if key.endswith(".errors.jsonl"):
        return "\n".join(bad_row_in_words(json.loads(line)) for line in text.splitlines())
    if key.endswith(".reason.json"):
        reason = json.loads(text)
        reason.pop("firstBadRows", None)
        return json.dumps(reason, indent=2, ensure_ascii=False)
    return text


def report_in_short(report: dict[str, Any]) -> str:
    """The sentence and the figures of a report."""
    lines = [
        f"{report['verdict']}: {report['message']}",
        f"{report['rows']} rows, {report['badRows']} bad, {report['rowsToLoad']} to load",
    ]
    if compression := report.get("compression"):
        lines.append(f"{report['bytesChecked']} bytes came out of {compression}")
    for total in report.get("totals", []):
        place = f"column {total['column']}" if "column" in total else "row"
        lines.append(f"{place}, rule {total['rule']}: {total['rows']}")
    return "\n".join(lines)


def bad_row_in_words(bad_row: dict[str, Any]) -> str:
    """Where a bad value is, and what is wrong with it."""
    line = bad_row.get("line")
    place = f"record {bad_row['record']}" if line is None else f"line {line}"
    column = f", column {bad_row['column']}" if "column" in bad_row else ""
    return f"{place}{column}, rule {bad_row['rule']}: {bad_row['message']}"


def _show_alert(alert: Alert) -> None:
    console.say(f"    alert: {console.bold(alert.subject)}")
    lines = [alert.title, "", *alert.description.splitlines()]
    if alert.next_steps:
        lines += ["", *(f"next: {step}" for step in alert.next_steps)]
    _show_text("\n".join(map(_shortened, lines)), _ALERT_LINES)


def _show_text(text: str, limit: int) -> None:
    lines = text.splitlines()
    for line in lines[:limit]:
        console.say("      " + console.dim("| ") + line)
    if len(lines) > limit:
        console.say("      " + console.dim(f"| ... {len(lines) - limit} lines more"))


# --- The tables ----------------------------------------------------------------------------


def iceberg_tables(stack: Stack) -> list[tuple[str, str]]:
    """(database, table) of every Iceberg table in the catalog."""
    glue = stack.client("glue")
    return [
        (database["Name"], table["Name"])
        for page in glue.get_paginator("get_databases").paginate()
        for database in page["DatabaseList"]
        for tables in glue.get_paginator("get_tables").paginate(DatabaseName=database["Name"])
        for table in tables["TableList"]
        if table.get("Parameters", {}).get("table_type", "").upper() == "ICEBERG"
    ]


def show_table(document: dict[str, Any], name: str) -> None:
    """Prints a table's rows, snapshots and schema history."""
    partition = ", ".join(
        item["column"]
        if item["transform"] == "identity"
        else f"{item['transform']}({item['column']})"
        for item in document["partitionSpec"]
    )
    console.say(
        f"  {console.bold(name)}: {document['rowCount']} rows, "
        f"partitioned by {partition or 'nothing'}"
    )
    rows = [["snapshot", "operation", "added rows", "batch"]]
    for snapshot in document["snapshots"]:
        summary = snapshot["summary"]
        rows.append(
            [
                snapshot["id"],
                snapshot["operation"] or "",
                summary.get("added-records", ""),
                summary.get("landfall.batch-id", ""),
            ]
        )
    console.table(rows, indent=4, right=(2,))
    known: dict[int, tuple[str, str]] = {}
    for schema in document["schemas"]:
        fields = {item["id"]: (item["name"], item["type"]) for item in schema["fields"]}
        if not known:
            change = f"{len(fields)} columns"
        else:
            added = [f"+ {name} {kind}" for id_, (name, kind) in fields.items() if id_ not in known]
            widened = [
                f"{name}: {known[id_][1]} to {kind}"
                for id_, (name, kind) in fields.items()
                if id_ in known and known[id_][1] != kind
            ]
            change = ", ".join(added + widened) or "no change"
        console.say(f"    schema {schema['schemaId']}: {change}")
        known = fields


def _difference(counts: Counts, row_counts: dict[str, int], expected: dict[str, Any]) -> list[str]:
    wanted = Counts(**expected["files"])
    found = [] if counts == wanted else [f"the files should give: {wanted.line()}"]
    for table, rows in expected["rows"].items():
        if row_counts.get(table) != rows:
            found.append(
                f"table {table} should have {rows} rows, has {row_counts.get(table, 'none')}"
            )
    return found


def run(region: str) -> int:
    """Runs the demo; returns the exit code."""
    expected = json.loads((_SAMPLES / "expected.json").read_text())
    phases: list[list[str]] = [["phase", "time"]]

    def took(name: str, started: float) -> None:
        phases.append([name, console.duration(time.monotonic() - started)])

    begun = time.monotonic()
    console.heading("Build the deployment artifacts (minutes the first time, seconds after)")
    build.build(host_architecture())
    took("build", begun)
    try:
        started = time.monotonic()
        console.heading("Start the local cloud and deploy the template")
        parameters = dict(_PARAMETERS)
        if (lack := jars.missing()) is not None:
            # The file that is for Glue is small enough for the other engine after all.
            del parameters["LambdaEngineMaxBytes"]
            console.say(console.warn(f"  The Glue path is left out: {lack}."))
            console.say(console.warn("  The Lambda engine loads the file that Glue would load."))
        stack = cloud.up(_STACK, region, parameters=parameters, ready_built=True)
        observer = Observer(stack)
        observer.start()
        took("start and deploy", started)

        started = time.monotonic()
        events: dict[str, str] = {}
        for delivery in _DELIVERIES:
            land(observer, delivery, events)
        took("load the samples", started)

        started = time.monotonic()
        console.heading("The tables, read back by PyIceberg")
        row_counts = {}
        for database, table in iceberg_tables(stack):
            document = read_table.describe(stack, database, table)
            row_counts[table] = document["rowCount"]
            show_table(document, f"{database}.{table}")
        took("read the tables back", started)

        reviewed = {
            _batch_of(arn)
            for arns in observer.executions.values()
            for arn in arns
            if any(visit.state == "Ask for review" for visit in observer.visits(arn))
        }
        counts = count(observer.ledger(), reviewed)
    finally:
        started = time.monotonic()
        cloud.down(_STACK, keep_logs=sys.exc_info()[0] is not None)
    took("stop everything", started)
    took("in all", begun)

    console.heading("Where the time went")
    console.table(phases, right=(1,))
    problems = _difference(counts, row_counts, expected)
    console.say()
    for problem in problems:
        console.say(console.bad(problem))
    console.say(counts.line())
    return 1 if problems else 0


def main() -> int:
    """Runs the demo."""
    parser = argparse.ArgumentParser(description="Run the demo on the local cloud.")
    parser.add_argument("--region", default=DEFAULT_REGION, help="default: %(default)s")
    arguments = parser.parse_args()
    cloud.exit_on_sigterm()
    try:
        return run(arguments.region)
    except LocalCloudError as error:
        console.say(console.bad(str(error)))
    except KeyboardInterrupt:
        console.say(console.bad("interrupted; everything is stopped"))
    return 1


if __name__ == "__main__":
    sys.exit(main())
