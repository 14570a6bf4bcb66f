"""The rules of the storm: what it does, and what it takes for lost or doubled."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from local.stack import LocalCloudError
from local.storm import __main__ as command
from local.storm import event_source, figures, killer, report
from local.storm.event_source import Batch, Settings
from local.storm.plan import TARGETS, Duplicate, Plan, contract
from local.storm.verdict import Entry, Snapshot, Table, judge

BUCKET = "landing"


def plan(**arguments: Any) -> Plan:
    settings = {"files": 40, "datasets": 4, "duplicates": 0.2, "kills": 9, "seed": 1}
    return Plan.of(**{**settings, **arguments})


def test_a_plan_is_its_seeds() -> None:
    assert plan() == plan()
    assert plan() != plan(seed=2)


def test_every_row_id_is_one_files() -> None:
    ids = [id_ for file in plan().files for id_ in file.ids]
    assert len(ids) == len(set(ids)) == plan().rows
    assert sorted({file.dataset for file in plan().files}) == plan().datasets


def test_files_are_not_uploaded_in_their_order() -> None:
    numbers = [file.number for file in plan().files]
    assert numbers != sorted(numbers) and sorted(numbers) == list(range(40))


def test_duplicates_are_a_share_of_the_files_and_of_every_kind() -> None:
    duplicates = plan(files=400, duplicates=0.05).duplicates
    assert len(duplicates) == 20 == len({duplicate.key for duplicate in duplicates})
    assert {duplicate.when for duplicate in duplicates} == {"at once", "later", "after commit"}
    assert all((duplicate.delay > 0) == (duplicate.when == "later") for duplicate in duplicates)


def test_every_function_has_its_turn_to_be_killed_and_intake_while_files_arrive() -> None:
    for seed in range(50):
        kills = plan(kills=3, seed=seed).kills
        assert {kill.target for kill in kills} == set(TARGETS)
        kills = plan(kills=40, seed=seed).kills
        assert [kill.moment for kill in kills] == sorted(kill.moment for kill in kills)
        assert all(kill.moment <= 1 for kill in kills if kill.target == "intake")
        assert any(kill.moment > 1 for kill in kills)


def test_a_file_has_a_line_for_each_row_and_its_contract_the_same_columns() -> None:
    import yaml

    file = plan().files[0]
    lines = file.body().decode().splitlines()
    assert len(lines) == 1 + file.rows
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(file.ids)
    document = yaml.safe_load(contract(file.dataset, BUCKET))
    names = [column["name"] for column in document["schema"][0]["properties"]]
    assert lines[0].split(",") == names


# --- The event source --------------------------------------------------------------------


def settings(**changes: Any) -> Settings:
    return dataclasses.replace(Settings("u", "f", 3, 10.0, 5), **changes)


def message(name: str, body: str = "{}") -> dict[str, Any]:
    return {"MessageId": name, "ReceiptHandle": f"r-{name}", "Body": body}


def test_settings_are_those_of_the_deployed_mapping() -> None:
    mapping = {
        "UUID": "u",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:landfall-storm-intake",
        "BatchSize": 1000,
        "MaximumBatchingWindowInSeconds": 10,
        "ScalingConfig": {"MaximumConcurrency": 7},
    }
    assert Settings.of(mapping) == Settings("u", "landfall-storm-intake", 1000, 10, 7)
    assert Settings.of({**mapping, "ScalingConfig": None}).concurrency == 5


def test_a_batch_is_due_when_full_when_heavy_and_when_its_window_is_over() -> None:
    batch = Batch(settings())
    assert not batch.is_due(100.0)
    batch.add(message("a"), 100.0)
    batch.add(message("b"), 105.0)
    # The window starts with the first message.
    assert not batch.is_due(109.9) and batch.is_due(110.0)
    batch.add(message("c"), 105.0)
    assert batch.is_due(105.0)
    heavy = Batch(settings())
    heavy.add(message("a", "x" * 6_000_000), 0.0)
    assert heavy.is_due(0.0)


def test_messages_stay_when_the_function_says_so_or_says_nothing_sensible() -> None:
    messages = [message("a"), message("b")]

    def left(answer: dict[str, Any], payload: Any) -> set[str]:
        return event_source.failures(answer, json.dumps(payload).encode(), messages)

    assert left({}, {"batchItemFailures": []}) == set()
    assert left({}, None) == set()
    assert left({}, {"batchItemFailures": [{"itemIdentifier": "b"}]}) == {"b"}
    everything = {"a", "b"}
    assert left({"FunctionError": "Unhandled"}, {"errorType": "Runtime.ExitError"}) == everything
    assert left({}, {"batchItemFailures": [{"itemIdentifier": ""}]}) == everything
    assert left({}, {"batchItemFailures": [{"itemIdentifier": "c"}]}) == everything
    assert left({}, {"batchItemFailures": [{}]}) == everything


def test_a_failed_invocation_has_the_name_of_its_error() -> None:
    assert event_source.failure({}, b"{}") is None
    failed = {"FunctionError": "Unhandled"}
    assert event_source.failure(failed, b'{"errorType": "Sandbox.Timedout"}') == "Sandbox.Timedout"
    assert event_source.failure(failed, b"null") == "Unhandled"


def test_a_dead_letter_says_what_it_is_about() -> None:
    def said(detail_type: str, detail: dict[str, Any]) -> str:
        body = json.dumps({"detail-type": detail_type, "detail": detail})
        attributes = {"ApproximateReceiveCount": "6"}
        return command.dead_letter({"Body": body, "Attributes": attributes})

    upload = said("Object Created", {"object": {"key": "storm00/1.csv"}})
    assert upload == "Object Created of storm00/1.csv, received 6 times"
    assert "of arn:1," in said("Step Functions Execution Status Change", {"executionArn": "arn:1"})


# --- The verdict -------------------------------------------------------------------------


def path(key: str) -> str:
    return f"s3://{BUCKET}/{key}"


def good(storm: Plan) -> tuple[list[Entry], dict[str, Table]]:
    """Ledger and tables as they are when all went well: two snapshots a table."""
    after_commit = {d.key for d in storm.duplicates if d.when == "after commit"}
    entries: list[Entry] = []
    tables = {}
    for dataset in storm.datasets:
        files = [file for file in storm.files if file.dataset == dataset]
        half = len(files) // 2
        snapshots = []
        for name, part in ((f"{dataset}-1", files[:half]), (f"{dataset}-2", files[half:])):
            mine = [
                Entry(
                    path=path(file.key),
                    version="e#etag#1",
                    state="committed",
                    rows=file.rows,
                    deliveries=1 + (file.key in after_commit),
                    snapshot_id=name,
                    event_time="2026-11-21T08:00:00.500Z",
                )
                for file in part
            ]
            entries += mine
            # One of them lists ids, the other digests.
            ids = [e.object_id if name.endswith("1") else e.digest for e in mine]
            rows = [file.rows for file in part]
            snapshots.append(
                Snapshot(name, 1795248002000, sum(rows), name, tuple(ids), tuple(rows))
            )
        table_rows = [(id_, file.number) for file in files for id_ in file.ids]
        tables[dataset] = Table(table_rows, snapshots)
    return entries, tables


def problems(storm: Plan, entries: list[Entry], tables: dict[str, Table]) -> list[str]:
    return judge(storm, BUCKET, entries, tables).problems


def test_a_good_storm_has_no_problems() -> None:
    storm = plan()
    assert problems(storm, *good(storm)) == []


def test_a_lost_row_and_a_doubled_row_are_found() -> None:
    storm = plan()
    entries, tables = good(storm)
    rows = list(tables["storm00"].rows)
    tables["storm00"] = dataclasses.replace(tables["storm00"], rows=rows[1:])
    verdict = judge(storm, BUCKET, entries, tables)
    assert (verdict.lost_rows, verdict.doubled_rows) == (1, 0)
    # The numbers alone would agree here: one is lost and another is there twice.
    tables["storm00"] = dataclasses.replace(tables["storm00"], rows=[*rows[1:], rows[1]])
    verdict = judge(storm, BUCKET, entries, tables)
    assert (verdict.lost_rows, verdict.doubled_rows) == (1, 1)


def test_a_row_in_the_table_of_another_dataset_is_found() -> None:
    storm = plan()
    entries, tables = good(storm)
    stray = tables["storm01"].rows[0]
    tables["storm00"] = dataclasses.replace(
        tables["storm00"], rows=[*tables["storm00"].rows, stray]
    )
    assert any("no file's of this dataset" in it for it in problems(storm, entries, tables))


def test_a_missing_table_loses_all_of_its_rows() -> None:
    storm = plan()
    entries, tables = good(storm)
    del tables["storm02"]
    rows = sum(file.rows for file in storm.files if file.dataset == "storm02")
    assert judge(storm, BUCKET, entries, tables).lost_rows == rows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "failed", "reason": "Iceberg.CommitConflict"}, "Iceberg.CommitConflict"),
        ({"state": "claimed"}, "are claimed in the ledger"),
        ({"rows": 77}, "another number of rows in the ledger"),
        ({"snapshot_id": "other"}, "not in one marker"),
        ({"version": "e#etag#2"}, "not in one marker"),
        ({"deliveries": 0}, "fewer deliveries"),
    ],
)
def test_a_ledger_that_says_otherwise_is_found(change: dict[str, Any], said: str) -> None:
    storm = plan()
    entries, tables = good(storm)
    entries[0] = dataclasses.replace(entries[0], **change)
    assert any(said in it for it in problems(storm, entries, tables))


def test_a_file_without_an_item_and_one_with_two_are_found() -> None:
    storm = plan()
    entries, tables = good(storm)
    assert any("no item" in it for it in problems(storm, entries[1:], tables))
    again = dataclasses.replace(entries[0], version="e#etag#2")
    assert any("two items" in it for it in problems(storm, [*entries, again], tables))


def test_a_duplicate_after_the_commit_that_nobody_counted_is_found() -> None:
    storm = plan()
    entries, tables = good(storm)
    entries = [dataclasses.replace(entry, deliveries=1) for entry in entries]
    assert any("fewer deliveries" in it for it in problems(storm, entries, tables))


def test_an_object_in_two_markers_is_found() -> None:
    storm = plan()
    entries, tables = good(storm)
    table = tables["storm00"]
    first, second = table.snapshots
    doubled = dataclasses.replace(second, objects=(*second.objects, first.objects[0]))
    tables["storm00"] = dataclasses.replace(table, snapshots=[first, doubled])
    assert any("not in one marker" in it for it in problems(storm, entries, tables))


def test_markers_that_add_up_to_something_else_are_found() -> None:
    storm = plan()
    entries, tables = good(storm)
    table = tables["storm00"]
    first, second = table.snapshots
    tables["storm00"] = dataclasses.replace(
        table, snapshots=[first, dataclasses.replace(second, added_rows=1)]
    )
    assert any("the markers say" in it for it in problems(storm, entries, tables))


def test_ledger_items_and_summaries_are_read() -> None:
    entry = Entry.of(
        {
            "path": {"S": "s3://landing/a.csv"},
            "version": {"S": "v#1"},
            "state": {"S": "committed"},
            "rows": {"N": "5"},
            "deliveries": {"N": "2"},
            "snapshotId": {"S": "7"},
            "eventTime": {"S": "2026-11-21T08:00:00Z"},
        }
    )
    assert (entry.object_id, entry.rows, entry.deliveries) == ("s3://landing/a.csv#v#1", 5, 2)
    snapshot = Snapshot.of(
        "7",
        1,
        {
            "added-records": "5",
            "landfall.batch-id": "b",
            "landfall.objects": '["s3://landing/a.csv#v#1"]',
            "landfall.object-rows": "5",
        },
    )
    assert snapshot.objects == (entry.object_id,) and snapshot.object_rows == (5,)
    digests = Snapshot.of("7", 1, {"landfall.object-digests": "ab,cd"})
    assert digests.objects == ("ab", "cd") and digests.object_rows == ()


# --- Figures -----------------------------------------------------------------------------


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(1, 101)]
    assert figures.spread(values) == {"p50": 50.0, "p99": 99.0, "max": 100.0}
    assert figures.spread([3.0]) == {"p50": 3.0, "p99": 3.0, "max": 3.0}
    assert figures.spread([]) == {"p50": 0.0, "p99": 0.0, "max": 0.0}


def test_time_to_commit_is_the_tables() -> None:
    entries, tables = good(plan())
    took = figures.seconds_to_commit(entries, tables.values())
    # 08:00:02 and 08:00:00.5.
    assert len(took) == 40 and took == [pytest.approx(1.5)] * 40


def test_a_functions_log_is_counted() -> None:
    counted = figures.of_log(
        [
            "START RequestId: 1 Version: $LATEST",
            '{"level":"INFO","message":"another writer committed first","table":"t"}',
            "REPORT RequestId: 1\tDuration: 9 ms\tBilled Duration: 10 ms\tMemory Size: 1769 MB",
            "REPORT RequestId: 2\tDuration: 29 ms\tBilled Duration: 30 ms\tMemory Size: 1769 MB",
        ]
    )
    assert counted == {
        "invocations": 2,
        "billedMs": {"median": 20.0, "sum": 40.0},
        "conflicts": 1,
    }


def test_conflicts_are_logged_under_the_name_that_is_counted() -> None:
    source = Path(__file__).parents[2] / "functions" / "iceberg-append" / "src" / "append.rs"
    assert f'"{figures.CONFLICT}"' in source.read_text()


def test_killed_invocations_are_counted_by_function() -> None:
    line = "2026-11-21 09:00:00 WARNING [lambda] Lambda landfall-storm-{}: Runtime exited before "
    lines = [line.format("intake"), line.format("iceberg-append"), "Lambda x: Task timed out"]
    assert figures.killed_invocations(lines) == {"intake": 1, "iceberg-append": 1}


# --- Kills -------------------------------------------------------------------------------


def test_only_a_child_with_the_functions_name_is_killed() -> None:
    command = [sys.executable, "-c", "import time\nwhile True: time.sleep(0.001)"]

    def start(name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env={**os.environ, "AWS_LAMBDA_FUNCTION_NAME": name})

    target, other = start("s-intake"), start("s-schema-check")
    try:
        deadline = time.monotonic() + 10
        while killer.function_of(target.pid) != "s-intake":
            assert time.monotonic() < deadline
        plan_ = plan(kills=1).kills
        (kill,) = [dataclasses.replace(plan_[0], target="intake", moment=0.5)]
        worker = killer.Killer(os.getpid(), "s-", [kill], lambda: 0.6)
        worker.start()
        assert target.wait(timeout=20) == -signal.SIGKILL
        # Not while it may still have been starting.
        assert killer.age_seconds(other.pid) >= 2.0
        while not worker.is_done():
            time.sleep(0.01)
        assert [(it.target, it.pid) for it in worker.killed] == [("intake", target.pid)]
        assert other.poll() is None
        # A process of somebody else's is left alone.
        assert not killer._kill(other.pid, parent=1)
    finally:
        for process in (target, other):
            process.kill()
            process.wait()


# --- The command ---------------------------------------------------------------------------


def test_defaults_are_the_templates() -> None:
    assert 1 <= command.template_default("IntakeBatchingWindowSeconds") <= 60
    assert 0 <= command.template_default("IntakeMaximumConcurrency") <= 1000
    with pytest.raises(LocalCloudError):
        command.template_default("GlueDatabase")


class Queue:
    """Stands in for SQS."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def output(self, name: str) -> str:
        return name

    def client(self, _service: str) -> "Queue":
        return self

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:
        assert QueueUrl == "IntakeQueueUrl"
        self.bodies.append(MessageBody)


def test_each_duplicate_is_sent_once_and_those_after_the_commit_only_then() -> None:
    wanted = [Duplicate("a", "at once"), Duplicate("b", "after commit")]
    queue: Any = Queue()
    duplicates = command.Duplicates(queue, wanted, window=0.01)
    duplicates.start()
    events = {key: json.dumps({"detail": {"object": {"key": key}}}) for key in "abc"}
    for _ in range(2):
        for event in events.values():
            duplicates.seen(event)
    deadline = time.monotonic() + 10
    while "a" not in duplicates.sent and time.monotonic() < deadline:
        time.sleep(0.01)
    assert queue.bodies == [events["a"]] and not duplicates.is_done()
    for _ in range(2):
        duplicates.committed({"a", "b", "c"})
    while not duplicates.is_done() and time.monotonic() < deadline:
        time.sleep(0.01)
    duplicates.stop()
    assert queue.bodies == [events["a"], events["b"]]


# --- The report --------------------------------------------------------------------------


def results(**changes: Any) -> dict[str, Any]:
    return {
        "date": "2026-11-21",
        "settings": {
            "command": "python -m local.storm",
            "datasets": 4,
            "windowSeconds": 10,
            "batchSize": 1000,
            "concurrency": 5,
            "retrySeconds": 50,
        },
        "counts": {
            "files": 40,
            "rows": 200,
            "duplicates": 2,
            "duplicatesByWhen": {"at once": 2},
            "deliveries": 42,
            "heldBack": 2,
            "intakeInvocations": 5,
            "failedIntakeInvocations": {"Runtime.ExitError": 1},
            "longestMessageSeconds": 12.34,
            "commits": 8,
            "commitsPerTable": {"least": 1, "median": 2, "most": 3},
            "conflicts": 0,
            "retries": 1,
        },
        "executions": {"SUCCEEDED": 8},
        "killed": {"processes": 1, "byFunction": {"intake": 1}, "invocations": 1},
        "secondsToCommit": {"p50": 1.0, "p99": 2.0, "max": 3.0},
        "seconds": {"upload": 1.0, "settle": 2.0},
        "bottleneck": {"cores": 2, "cloudCores": 0.95, "functionCores": 0.5, "idleCores": 0.2},
        "lostRows": 0,
        "doubledRows": 0,
        **changes,
    }


def test_the_document_keeps_what_is_around_the_figures(tmp_path: Path) -> None:
    document = tmp_path / "storm.md"
    document.write_text(f"# Storm\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter.\n")
    report.write(document, results())
    text = document.read_text()
    assert text.startswith("# Storm\n\n") and text.endswith("\n\nAfter.\n") and "old" not in text
    assert "| files per commit | 5.0 |" in text
    assert "| invocations of intake | 5, of which failed: 1 Runtime.ExitError |" in text


def test_the_bottleneck_follows_from_the_figures() -> None:
    def said(idle: float) -> str:
        found = {"cores": 2, "cloudCores": 0.9, "functionCores": 0.3, "idleCores": idle}
        return report.bottleneck(results(bottleneck=found))

    assert said(0.1).startswith("The bottleneck was this machine, and the local cloud on it")
    assert said(0.9).startswith("0.90 of 2 cores were idle") and "3.0 times" in said(0.9)


def test_a_process_that_is_gone_has_no_age() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert killer.age_seconds(process.pid) == 0.0
    assert killer.age_seconds(os.getpid()) > 0.0


def test_idle_time_grows() -> None:
    before = killer.idle_seconds()
    time.sleep(0.2)
    assert before <= killer.idle_seconds() <= before + 2 * (os.cpu_count() or 1)
