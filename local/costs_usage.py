"""Measures what an execution uses: requests by kind, billed durations, log bytes.

The functions' own binaries run against a Runtime API, as in `local/bench.py`, once for their
durations and once behind a proxy that counts their requests to the local cloud. Intake starts
executions of a state machine that does nothing, so that nothing else runs meanwhile.
"""

import http.client
import http.server
import json
import re
import statistics
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local import bench, cloud, console
from local.stack import Stack

_STACK = "landfall-costs"
_ROUNDS = 5
_WARM_UP = 2
_FILE_BYTES = 1_000_000
# The functions of an execution, by the names of bench's artifacts.
_FUNCTIONS = {
    "intake": "IntakeFunction",
    "schema-check": "SchemaCheckFunction",
    "iceberg-append": "IcebergAppendFunction",
    "iceberg-commit-notifier": "IcebergCommitNotifierFunction",
    "sns-alerter": "SnsAlerterFunction",
}
_DYNAMODB_READS = {"GetItem", "Query", "Scan", "BatchGetItem"}
_CATALOG_READS = {"GetTable", "GetDatabase", "GetTables"}
# START, END and REPORT, which Lambda itself writes for each invocation.
_PLATFORM_LOG_BYTES = 320


def kind_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
    """What a request is paid as: a name of `costs.LATENCY_SECONDS`."""
    service = re.search(r"/([a-z0-9-]+)/aws4_request", headers.get("Authorization", ""))
    name = service[1] if service else "unsigned"
    operation = headers.get("X-Amz-Target", "").rpartition(".")[2]
    if name == "s3":
        # A POST may be an upload's start or end, or a removal of many, which is free.
        query = parse_qs(urlsplit(path).query, keep_blank_values=True)
        if method == "DELETE" or (method == "POST" and "delete" in query):
            return "s3-delete"
        is_list = method == "GET" and ("list-type" in query or "versions" in query)
        return "s3-put" if method in ("PUT", "POST") or is_list else "s3-get"
    if name == "dynamodb":
        return "dynamodb-read" if operation in _DYNAMODB_READS else "dynamodb-write"
    if name == "glue":
        return "catalog-read" if operation in _CATALOG_READS else "catalog-write"
    if name == "events":
        return "custom-event"
    if name == "sns" and b"Action=Publish" in body:
        return "sns-publish"
    return name


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Says nothing: a function that is stopped leaves its connections open."""


class CountingProxy:
    """Passes requests on to the local cloud and counts them by kind."""

    def __init__(self, endpoint: str) -> None:
        """Listens on a free port of the loopback interface."""
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        address = urlsplit(endpoint)
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with proxy._lock:
                    proxy.counts[kind_of(self.command, self.path, self.headers, body)] += 1
                upstream = http.client.HTTPConnection(str(address.hostname), address.port)
                try:
                    headers = {
                        name: value
                        for name, value in self.headers.items()
                        if name.lower() not in ("connection", "expect")
                    }
                    upstream.request(self.command, self.path, body, headers)
                    answer = upstream.getresponse()
                    content = answer.read()
                    self.send_response(answer.status)
                    for name, value in answer.getheaders():
                        if name.lower() not in (
                            "connection",
                            "transfer-encoding",
                            "content-length",
                        ):
                            self.send_header(name, value)
                    length = answer.getheader("content-length") if self.command == "HEAD" else None
                    self.send_header("content-length", length or str(len(content)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(content)
                    self.wfile.flush()
                finally:
                    upstream.close()

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on

            def log_message(self, *_arguments: object) -> None:
                """Says nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self) -> dict[str, int]:
        """What was counted since the last time."""
        with self._lock:
            counts, self.counts = dict(sorted(self.counts.items())), Counter()
        return counts

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()


class _Functions:
    """An execution's functions, started."""

    def __init__(
        self, bench_: bench.Bench, machine: str, endpoint: str | None, log_level: str
    ) -> None:
        self.running: dict[str, bench.Runtime] = {}
        for name, artifact in _FUNCTIONS.items():
            variables = bench_.stack.environment() | bench_._environments[artifact]
            variables |= {"RUST_LOG": log_level, "STATE_MACHINE_ARN": machine}
            if endpoint:
                variables["AWS_ENDPOINT_URL"] = endpoint
            self.running[name] = bench.Runtime(artifact, variables)

    def close(self) -> None:
        for runtime in self.running.values():
            runtime.__exit__(None, None, None)


@contextmanager
def _started(
    bench_: bench.Bench, machine: str, endpoint: str | None = None
) -> Iterator[_Functions]:
    functions = _Functions(bench_, machine, endpoint, "error")
    try:
        yield functions
    finally:
        functions.close()


def measure(batches: Sequence[int], *, ready_built: bool) -> dict[str, Any]:
    """The document that `local/costs_usage.json` holds."""
    stack = cloud.up(_STACK, ready_built=ready_built)
    try:
        bench_ = bench.Bench(stack)
        # As the landing bucket is.
        bench_.s3.put_bucket_versioning(
            Bucket=bench._BUCKET, VersioningConfiguration={"Status": "Enabled"}
        )
        machine = _idle_machine(stack)
        proxy = CountingProxy(stack.endpoint)
        found: dict[int, list[dict[str, Any]]] = {}
        try:
            for files in batches:
                with console.Phase(f"batches of {files}"):
                    found[files] = _of_batch(bench_, machine, proxy, files)
        finally:
            proxy.close()
        items = stack.client("dynamodb").scan(TableName=stack.output("LedgerTable"))["Items"]
        item_bytes = max(map(_item_bytes, items), default=0)
    finally:
        cloud.down(_STACK)
    return {
        "measured": "two x86_64 cores, the local cloud's services on the same machine",
        "fileBytes": _FILE_BYTES,
        "itemBytes": item_bytes,
        "batches": [{"files": files, "steps": steps} for files, steps in found.items()],
    }


def _of_batch(
    bench_: bench.Bench, machine: str, proxy: CountingProxy, files: int
) -> list[dict[str, Any]]:
    durations: dict[str, list[float]] = {}
    rounds = _ROUNDS if files < 100 else 3
    with _started(bench_, machine) as functions:
        for number in range(_WARM_UP + rounds):
            for step, seconds, _ in _run(bench_, functions, files):
                if number >= _WARM_UP:
                    durations.setdefault(step, []).append(seconds)
    counts: dict[str, dict[str, int]] = {}
    with _started(bench_, machine, proxy.endpoint) as functions:
        for _ in range(2):  # The first round also fills caches, as a cold start does.
            proxy.take()
            for _step in _run(bench_, functions, files, proxy, counts):
                pass
    return [
        {
            "function": step.partition(" ")[0],
            "billedMs": round(statistics.median(durations[step]) * 1000, 2),
            "requests": counts[step],
            # What they log at the level `info` is a line for each file and one for the batch;
            # the rest is Lambda's own.
            "logBytes": _PLATFORM_LOG_BYTES + _LOG_LINE_BYTES * _log_lines(step, files),
        }
        for step in durations
    ]


_LOG_LINE_BYTES = 450


def _log_lines(step: str, files: int) -> int:
    """Lines that a step logs of a good batch at the level `info`."""
    return {"schema-check": files + 1, "iceberg-append": 0, "intake ended": 0}.get(step, 1)


def _run(
    bench_: bench.Bench,
    functions: _Functions,
    files: int,
    proxy: CountingProxy | None = None,
    counts: dict[str, dict[str, int]] | None = None,
) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """Takes one batch through all functions; yields step, billed seconds and answer."""

    def call(step: str, event: dict[str, Any]) -> tuple[str, float, dict[str, Any]]:
        name = step.partition(" ")[0]
        answer, seconds = functions.running[name].invoke(event)
        if proxy is not None and counts is not None:
            counts[step] = proxy.take()
        return step, seconds, answer

    name = uuid.uuid4().hex[:8]
    body = bench.csv_rows(_FILE_BYTES)
    batch = bench_.batch(name, body)
    batch["objects"] += [bench_.upload(f"{name}-{number}", body) for number in range(1, files)]
    for item in batch["objects"]:
        # As intake names a version, so that all steps write one item of the ledger.
        item["version"] = f"v#{item['versionId']}"
    if proxy is not None:
        proxy.take()
    arn = f"arn:aws:states:us-east-1:000000000000:execution:ingest:{batch['id']}"
    uploads = {"Records": [_message(_upload(it)) for it in batch["objects"]]}
    taken = call("intake", uploads)
    if taken[2]["batchItemFailures"]:
        raise RuntimeError(f"intake gave messages back: {taken[2]}")
    yield taken
    checked = call("schema-check", {"task": "check", "batch": batch})
    yield checked
    load = checked[2]["accepted"]
    if len(load) != files:
        raise RuntimeError(f"{len(load)} of {files} files were accepted: {checked[2]}")
    appended = call(
        "iceberg-append",
        {"task": "append", "batch": batch, "load": load, "additions": [], "executionArn": arn},
    )
    yield appended
    committed = call(
        "iceberg-commit-notifier",
        {"table": appended[2]["table"], "batchId": batch["id"], "dataset": batch["dataset"]},
    )
    yield committed
    yield call(
        "sns-alerter",
        {
            "batch": batch,
            "execution": {"arn": arn, "startTime": "2026-11-21T08:00:00Z"},
            "check": checked[2],
            "append": appended[2],
            "commit": committed[2],
        },
    )
    ended = {
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "time": "2026-11-21T08:00:00Z",
        "detail": {
            "executionArn": arn,
            "name": batch["id"],
            "status": "SUCCEEDED",
            "input": json.dumps({"batch": batch}),
        },
    }
    yield call("intake ended", {"Records": [_message(ended)]})


def _upload(item: dict[str, Any]) -> dict[str, Any]:
    """The S3 event of an object, with the version id that AWS's events have."""
    return {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": item["eventTime"],
        "detail": {
            "bucket": {"name": item["bucket"]},
            "object": {
                "key": item["key"],
                "size": item["size"],
                "etag": item["etag"],
                "version-id": item["versionId"],
                "sequencer": "00000660C5789207A2",
            },
            "reason": "PutObject",
        },
    }


def _message(event: dict[str, Any]) -> dict[str, Any]:
    return {"messageId": uuid.uuid4().hex, "body": json.dumps(event)}


def _idle_machine(stack: Stack) -> str:
    """A state machine that takes executions and does nothing."""
    client = stack.client("stepfunctions")
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    role = client.describe_state_machine(stateMachineArn=stack.output("StateMachineArn"))["roleArn"]
    arn: str = client.create_state_machine(
        name=f"{_STACK}-idle", definition=json.dumps(definition), roleArn=role
    )["stateMachineArn"]
    return arn


def _item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Size of an item as DynamoDB counts it, near enough: names, and values as text."""
    return sum(len(name) + len(str(next(iter(value.values())))) for name, value in item.items())
