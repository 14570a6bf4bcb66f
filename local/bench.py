"""Measures what docs/benchmarks.md states: `make bench`.

The functions' own binaries run against a Runtime API of this program, so that what is timed
is the function and not the local cloud's way of starting it:

- cold start: from spawning the process to its first request for an event;
- billed duration: from handing over the event to receiving the response, which is what
  Lambda bills (rounded up to a millisecond there, not here);
- peak memory: the process's high-water mark.

S3, Glue, DynamoDB, SNS and EventBridge are the local cloud's, on this machine.

    python -m local.bench [--iterations N] [--big-megabytes N]
"""

import argparse
import http.server
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from local import artifacts, cloud, console
from local.stack import SAM_BUILD, Stack

_STACK = "landfall-bench"
_DATASET = "bench"
# A bucket of its own: no event leads from it into the deployed pipeline.
_BUCKET = "landfall-bench-objects"
_RUNTIME = "/2018-06-01/runtime/invocation/"
_COLD_STARTS = 11
_EVENT_SECONDS = 120

_CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: {dataset}
name: {dataset}
version: 1.0.0
status: active
servers:
  - {{server: landing, type: s3, location: "s3://{bucket}/{dataset}/", format: csv}}
schema:
  - name: {dataset}
    physicalName: {dataset}
    logicalType: object
    properties:
      - {{name: id, logicalType: integer, physicalType: bigint, required: true,
         logicalTypeOptions: {{minimum: 1}}}}
      - {{name: name, logicalType: string, logicalTypeOptions: {{minLength: 2, maxLength: 30,
         pattern: "^[A-Z][a-z]+$"}}}}
      - {{name: amount, logicalType: number, physicalType: "decimal(12,2)",
         logicalTypeOptions: {{minimum: 0}}}}
      - {{name: day, logicalType: date, partitioned: true, partitionKeyPosition: 1}}
      - {{name: at, logicalType: timestamp, physicalType: timestamptz}}
"""


class Runtime:
    """One function's process, and the Runtime API it talks to."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        """Starts the process and waits until it asks for an event."""
        self._events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._answers: queue.Queue[tuple[str, bytes, float]] = queue.Queue()
        self._ready = threading.Event()
        self._handed_over = 0.0
        self.ready_at = 0.0
        runtime = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A response in two packets would wait for an acknowledgement in between, which
            # takes 40 ms on Linux and would be counted as the function's.
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self) -> None:
                if not runtime._ready.is_set():
                    runtime.ready_at = time.perf_counter()
                    runtime._ready.set()
                request_id, event = runtime._events.get()
                self.send_response(200)
                deadline = int((time.time() + _EVENT_SECONDS) * 1000)
                self.send_header("lambda-runtime-aws-request-id", request_id)
                self.send_header("lambda-runtime-deadline-ms", str(deadline))
                self.send_header(
                    "lambda-runtime-invoked-function-arn",
                    f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
                )
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(event)))
                self.end_headers()
                runtime._handed_over = time.perf_counter()
                self.wfile.write(event)
                self.wfile.flush()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                runtime._answers.put((self.path, body, time.perf_counter()))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Says nothing: a line a request would be timed too."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{self._server.server_address[1]}"
        binary = SAM_BUILD / name / "bootstrap"
        variables = environment | {
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
            "AWS_LAMBDA_LOG_GROUP_NAME": "bench",
            "_X_AMZN_TRACE_ID": "",
        }
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [str(binary)], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        if not self._ready.wait(20):
            self._process.kill()
            raise RuntimeError(f"{name} did not ask for an event: {self._errors()}")
        self.cold_start = self.ready_at - started

    def __enter__(self) -> "Runtime":
        """The running process."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Stops it."""
        self._process.kill()
        self._process.wait()
        self._server.shutdown()
        self._server.server_close()

    def _errors(self) -> str:
        return self._process.stderr.read().decode() if self._process.stderr else ""

    def invoke(self, event: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """The function's answer and its billed duration in seconds."""
        self._events.put((str(uuid.uuid4()), json.dumps(event).encode()))
        path, body, answered = self._answers.get(timeout=_EVENT_SECONDS)
        if not path.endswith("/response"):
            raise RuntimeError(f"{path}: {body.decode()}")
        return json.loads(body), answered - self._handed_over

    def peak_bytes(self) -> int:
        """The process's high-water mark of resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


def csv_rows(size: int, first: int = 1) -> bytes:
    """About `size` bytes of good rows over three days, the same for the same arguments."""
    rows = [b"id,name,amount,day,at\n"]
    length = len(rows[0])
    number = first
    while length < size:
        day = number % 3 + 1
        row = (
            f"{number},Name{'abcdefgh'[number % 8] * 6},{number % 10_000}.{number % 100:02d},"
            f"2026-11-{day:02d},2026-11-{day:02d}T{number % 24:02d}:00:00Z\n"
        ).encode()
        rows.append(row)
        length += len(row)
        number += 1
    return b"".join(rows)


class Bench:
    """The stack under measurement."""

    def __init__(self, stack: Stack) -> None:
        """Finds the deployed functions and uploads the contract."""
        self.stack = stack
        self.s3 = stack.client("s3")
        self.landing = stack.output("LandingBucket")
        self.config = stack.output("ConfigBucket")
        self.functions = sorted(path.name for path in SAM_BUILD.iterdir() if path.is_dir())
        key = f"contracts/{_DATASET}.yaml"
        self.s3.create_bucket(Bucket=_BUCKET)
        text = _CONTRACT.format(dataset=_DATASET, bucket=_BUCKET)
        etag = self.s3.put_object(Bucket=self.config, Key=key, Body=text.encode())["ETag"]
        self.contract = {"bucket": self.config, "key": key, "etag": etag.strip('"')}
        self._environments = self._deployed_environments()

    def _deployed_environments(self) -> dict[str, dict[str, str]]:
        """Each function's variables as the template deployed them, by logical name."""
        resources = self.stack.client("cloudformation").describe_stack_resources(
            StackName=self.stack.name
        )["StackResources"]
        client = self.stack.client("lambda")
        environments = {}
        for resource in resources:
            logical = resource["LogicalResourceId"]
            if resource["ResourceType"] == "AWS::Lambda::Function" and logical in self.functions:
                deployed = client.get_function_configuration(
                    FunctionName=resource["PhysicalResourceId"]
                )
                environments[logical] = deployed["Environment"]["Variables"]
        return environments

    def runtime(self, name: str) -> Runtime:
        """The function, started."""
        return Runtime(
            name, self.stack.environment() | self._environments[name] | {"RUST_LOG": "error"}
        )

    def upload(self, name: str, body: bytes) -> dict[str, Any]:
        """Puts an object and describes it as intake would."""
        key = f"{_DATASET}/{name}"
        answer = self.s3.put_object(Bucket=_BUCKET, Key=key, Body=body)
        etag = answer["ETag"].strip('"')
        version = {"versionId": answer["VersionId"]} if "VersionId" in answer else {}
        return {
            "bucket": _BUCKET,
            "key": key,
            "version": f"e#{etag}#{name}",
            "etag": etag,
            "size": len(body),
            "eventTime": "2026-11-21T08:00:00Z",
            **version,
        }

    def batch(self, name: str, body: bytes) -> dict[str, Any]:
        """A batch of one object."""
        return {
            "id": f"{_DATASET}-{name}",
            "dataset": _DATASET,
            "contract": self.contract,
            "objects": [self.upload(name, body)],
        }


def cold_starts(bench: Bench) -> dict[str, float]:
    """Median seconds from spawn to the first request for an event, by function."""
    medians = {}
    for name in bench.functions:
        times = []
        for _ in range(_COLD_STARTS):
            with bench.runtime(name) as runtime:
                times.append(runtime.cold_start)
        # The first run also reads the binary from disk.
        medians[name] = statistics.median(times[1:])
    return medians


def warm(bench: Bench, iterations: int) -> dict[str, float]:
    """Median billed seconds of each step for a 1 MB CSV, warm, with `sum` and `samples`."""
    execution = f"arn:aws:states:us-east-1:000000000000:execution:ingest:{_DATASET}"
    steps: dict[str, list[float]] = {}
    with (
        bench.runtime("SchemaCheckFunction") as check,
        bench.runtime("IcebergAppendFunction") as append,
        bench.runtime("IcebergCommitNotifierFunction") as notify,
        bench.runtime("SnsAlerterFunction") as alert,
    ):
        for number in range(iterations + 2):
            name = f"warm-{uuid.uuid4().hex[:8]}"
            batch = bench.batch(name, csv_rows(1_000_000, 1 + number))
            checked, check_seconds = check.invoke({"task": "check", "batch": batch})
            if checked["accepted"] != [0]:
                raise RuntimeError(f"the file was not accepted: {checked}")
            appended, append_seconds = append.invoke(
                {
                    "task": "append",
                    "batch": batch,
                    "load": [0],
                    "additions": [],
                    "executionArn": execution,
                }
            )
            commit, notify_seconds = notify.invoke(
                {"table": appended["table"], "batchId": batch["id"], "dataset": _DATASET}
            )
            _, alert_seconds = alert.invoke(
                {
                    "batch": batch,
                    "execution": {"arn": execution, "startTime": "2026-11-21T08:00:00Z"},
                    "check": checked,
                    "append": appended,
                    "commit": commit,
                }
            )
            if number < 2:
                continue  # Connections are opened, caches filled.
            timed = {
                "schema-check": check_seconds,
                "iceberg-append": append_seconds,
                "iceberg-commit-notifier": notify_seconds,
                "sns-alerter": alert_seconds,
            }
            for step, seconds in (timed | {"sum": sum(timed.values())}).items():
                steps.setdefault(step, []).append(seconds)
    return {step: statistics.median(times) for step, times in steps.items()}


def put_to_alert(bench: Bench, iterations: int) -> float:
    """Median seconds from PutObject to the alert, through the whole deployed pipeline."""
    sns, sqs = bench.stack.client("sns"), bench.stack.client("sqs")
    dataset = "bench_whole"
    text = _CONTRACT.format(dataset=dataset, bucket=bench.landing)
    bench.s3.put_object(Bucket=bench.config, Key=f"contracts/{dataset}.yaml", Body=text.encode())
    url = sqs.create_queue(QueueName=f"bench-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(
        TopicArn=bench.stack.output("AlertTopicArn"),
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"FilterPolicy": json.dumps({"dataset": [dataset]})},
    )
    times = []
    for number in range(iterations + 1):
        body = csv_rows(1_000_000, 1 + number)
        started = time.perf_counter()
        bench.s3.put_object(Bucket=bench.landing, Key=f"{dataset}/{number}.csv", Body=body)
        while not sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0).get("Messages"):
            if time.perf_counter() - started > _EVENT_SECONDS:
                raise RuntimeError("no alert arrived")
            time.sleep(0.01)
        times.append(time.perf_counter() - started)
        sqs.purge_queue(QueueUrl=url)
    return statistics.median(times[1:])


def big_check(bench: Bench, megabytes: int) -> tuple[float, int]:
    """Billed seconds and peak bytes of schema-check on one big CSV."""
    block = csv_rows(8_000_000)
    header, rows = block.split(b"\n", 1)
    body = header + b"\n" + rows * (megabytes * 1_000_000 // len(rows) + 1)
    batch = bench.batch(f"big-{uuid.uuid4().hex[:8]}", body)
    size = len(body)
    del body
    with bench.runtime("SchemaCheckFunction") as check:
        checked, seconds = check.invoke({"task": "check", "batch": batch})
        if checked["accepted"] != [0]:
            raise RuntimeError(f"the file was not accepted: {checked}")
        peak = check.peak_bytes()
    bench.s3.delete_object(Bucket=_BUCKET, Key=batch["objects"][0]["key"])
    console.say(f"  {size:,} bytes, {checked['rows']:,} rows")
    return seconds, peak


def main() -> int:
    """Runs every measurement and prints it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--big-megabytes", type=int, default=1000)
    arguments = parser.parse_args()
    stack = cloud.up(_STACK)
    try:
        bench = Bench(stack)
        console.heading("Cold start: spawn to the first request for an event (limit 20 ms)")
        cold = cold_starts(bench)
        console.table(
            [[name, f"{seconds * 1000:.1f} ms"] for name, seconds in cold.items()], right=[1]
        )

        console.heading("Deployed zip (limit 6 MB, iceberg-append 12 MB)")
        console.table(
            [
                [artifact.name, f"{artifact.zip_bytes / 1e6:.2f} MB"]
                for artifact in artifacts.artifacts()
            ],
            right=[1],
        )

        console.heading("Warm, 1 MB CSV: billed duration (limit of the sum 150 ms)")
        steps = warm(bench, arguments.iterations)
        console.table(
            [[step, f"{seconds * 1000:.1f} ms"] for step, seconds in steps.items()], right=[1]
        )
        whole = put_to_alert(bench, arguments.iterations)
        console.say(
            f"  PutObject to alert {whole * 1000:.0f} ms; the functions are "
            f"{steps['sum'] / whole:.0%} of it"
        )

        console.heading(f"schema-check on a CSV of {arguments.big_megabytes} MB (limit 128 MB)")
        seconds, peak = big_check(bench, arguments.big_megabytes)
        console.say(f"  {seconds:.2f} s, peak memory {peak / 1e6:.1f} MB")
    finally:
        cloud.down(_STACK)
    failed = [
        *(f"cold start of {name}" for name, seconds in cold.items() if seconds > 0.020),
        *(["warm sum"] if steps["sum"] > 0.150 else []),
        *(["peak memory"] if peak > 128_000_000 else []),
    ]
    for name in failed:
        console.say(console.bad(f"  over its limit: {name}"))
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
