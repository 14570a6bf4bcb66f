"""The rules of the local cloud's programs, and the life and death of its processes."""

import json
import os
import socket
import struct
import sys
import time
from pathlib import Path

import pytest

from local import artifacts, asl_lint, build, cloud, demo, glue_runner, processes, stack
from local.spark import jars


def test_only_the_local_keys_reach_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    variables = stack.environment("eu-west-1", "http://127.0.0.1:1")
    assert "AWS_PROFILE" not in variables and "AWS_SESSION_TOKEN" not in variables
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert variables["AWS_CONFIG_FILE"] == os.devnull
    assert "AWS_ENDPOINT_URL" not in stack.environment("eu-west-1")


def test_stack_names_stay_inside_the_state_directory() -> None:
    assert stack.state_dir("two") == stack.ROOT / ".local" / "two"
    for name in ["", "../x", "A", "1a", "a" * 32]:
        with pytest.raises(stack.LocalCloudError):
            stack.state_dir(name)


def test_a_busy_port_is_passed_over() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        assert cloud.free_port(taken) != taken
    assert cloud.free_port(taken) == taken


def test_stopping_takes_the_children_and_those_that_ignore_sigterm(tmp_path: Path) -> None:
    script = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', "
        "'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'])\n"
        "open('child', 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    environment = dict(os.environ)
    started = processes.start(
        "stubborn", [sys.executable, "-c", script], environment, tmp_path, tmp_path
    )
    quick = processes.start("quick", ["sleep", "60"], environment, tmp_path, tmp_path)
    deadline = time.monotonic() + 10
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = int((tmp_path / "child").read_text())
    assert processes.recorded(tmp_path) == [started, quick]
    # Give the grandchild the time to ignore SIGTERM.
    time.sleep(0.3)

    stopped = processes.stop_all(tmp_path, grace_seconds=0.5)

    assert stopped == [started, quick]
    assert not started.is_alive() and not quick.is_alive()
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text()
    assert processes.recorded(tmp_path) == []


def test_a_reused_process_id_is_left_alone(tmp_path: Path) -> None:
    impostor = processes.Process("impostor", os.getpid(), start_ticks=1)
    (tmp_path / "processes.json").write_text(
        json.dumps([{"name": impostor.name, "pid": impostor.pid, "start_ticks": 1}])
    )
    assert processes.stop_all(tmp_path) == []


def test_parameters_of_samconfig_are_kept_and_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"Architecture": "x86_64", "GlueDatabase": "sales"}
    monkeypatch.setattr(build, "_samconfig_parameters", lambda: dict(kept))
    assert build.overrides({"Architecture": "arm64", "LogLevel": "debug"}) == [
        "--parameter-overrides",
        "Architecture=arm64",
        "GlueDatabase=sales",
        "LogLevel=debug",
    ]


def test_build_output_names_the_step() -> None:
    assert build._step_in("Building codeuri: /x runtime: y functions: IntakeFunction") == (
        "IntakeFunction"
    )
    assert build._step_in("   Compiling serde v1.0.0") == "serde"
    assert build._step_in("anything else") is None
    assert build._is_compiling("   Compiling serde v1.0.0")
    assert not build._is_compiling("  Downloaded serde v1.0.0")


def test_glue_events_are_those_aws_documents() -> None:
    run = {"Id": "jr_1", "JobName": "ingest", "JobRunState": "FAILED", "ErrorMessage": "Bad\n"}
    event = glue_runner.state_change_event(run, "111122223333", "eu-west-1")
    assert (event["source"], event["detail-type"]) == ("aws.glue", "Glue Job State Change")
    assert event["detail"] == {
        "jobName": "ingest",
        "severity": "ERROR",
        "state": "FAILED",
        "jobRunId": "jr_1",
        "message": "Bad",
    }
    done = glue_runner.state_change_event(run | {"JobRunState": "SUCCEEDED"}, "1", "r")
    assert done["detail"]["message"] == "Job run succeeded"
    assert done["detail"]["severity"] == "INFO"


def test_substitutions_become_json() -> None:
    filled = asl_lint.substituted('{"F": "${FunctionArn}", "T": ${Seconds}, "S": "a${Part}b"}')
    assert json.loads(filled) == {
        "F": "arn:aws:lambda:us-east-1:123456789012:function:FunctionArn",
        "T": 60,
        "S": "a60b",
    }


_DEFINITION = """
{"QueryLanguage": "JSONata", "StartAt": "A", "States": {
  "A": {"Type": "Pass", "Output": "{% $states.input.x %}", "Next": "B"},
  "B": {"Type": "Succeed"}}}
"""


def test_the_linter_sees_dangling_states_and_broken_expressions() -> None:
    assert asl_lint.problems(_DEFINITION) == []
    assert (
        "Nowhere" in asl_lint.problems(_DEFINITION.replace('"Next": "B"', '"Next": "Nowhere"'))[0]
    )
    broken = asl_lint.problems(_DEFINITION.replace("input.x", "input.(x"))
    assert broken[0].startswith("/States/A/Output: ")


def test_states_are_timed_even_when_entered_twice() -> None:
    def event(kind: str, name: str, second: float) -> dict[str, object]:
        return {"timestamp": second, f"state{kind}EventDetails": {"name": name}}

    history = [
        {"timestamp": 0.0, "type": "ExecutionStarted"},
        event("Entered", "Check", 1.0),
        event("Exited", "Check", 3.5),
        event("Entered", "Check", 4.0),
        {"timestamp": 4.5, "taskFailedEventDetails": {"error": "Object.Unreadable"}},
        event("Exited", "Check", 5.0),
        event("Entered", "Fail", 6.0),
    ]
    found = demo.visits(history)
    assert found == [
        demo.Visit("Check", 1.0, 3.5),
        demo.Visit("Check", 4.0, 5.0, ["Object.Unreadable"]),
        demo.Visit("Fail", 6.0, None),
    ]
    outcomes = [visit.outcome() for visit in found]
    assert outcomes == ["done", "1 failed: Object.Unreadable", ""]


def test_the_ledger_is_counted() -> None:
    items = [
        {"state": "committed", "deliveries": "2", "batchId": "a"},
        {"state": "committed", "deliveries": "1", "batchId": "b"},
        {"state": "quarantined", "batchId": "c"},
        {"state": "failed", "deliveries": "1"},
        {"state": "claimed", "deliveries": "1"},
    ]
    counts = demo.count(items, {"b"})
    # What is neither loaded nor refused when everything has ended has failed.
    assert counts == demo.Counts(committed=2, duplicate=1, quarantined=1, review=1, failed=2)
    assert counts.line() == ("demo: 2 committed, 1 duplicate, 1 quarantined, 1 review, 2 failed")


def test_the_check_s_findings_are_shown_in_words() -> None:
    bad_row = {
        "line": 100,
        "record": 100,
        "column": "wind.direction",
        "rule": "maximum",
        "message": '"370" is above the maximum 360',
        "value": "370",
    }
    row = {"record": 7, "rule": "field-count", "message": "it has 3 fields"}
    lines = "".join(json.dumps(item) + "\n" for item in (bad_row, row))
    assert demo.finding("reports/d/b/k.errors.jsonl", lines).splitlines() == [
        'line 100, column wind.direction, rule maximum: "370" is above the maximum 360',
        "record 7, rule field-count: it has 3 fields",
    ]
    report = {
        "verdict": "accept",
        "message": "2 of 742 rows are set aside",
        "bytesChecked": 1000,
        "compression": "gzip",
        "rows": 742,
        "badRows": 2,
        "rowsToLoad": 740,
        "totals": [
            {"column": "wind.direction", "rule": "maximum", "rows": 1},
            {"rule": "syntax", "rows": 1},
        ],
        "firstBadRows": [bad_row],
    }
    assert demo.finding("quarantine/d/b/k.report.json", json.dumps(report)).splitlines() == [
        "accept: 2 of 742 rows are set aside",
        "742 rows, 2 bad, 740 to load",
        "1000 bytes came out of gzip",
        "column wind.direction, rule maximum: 1",
        "row, rule syntax: 1",
    ]
    reason = {"reason": "File.BadRows", "badRows": 1, "firstBadRows": [bad_row]}
    shown = json.loads(demo.finding("quarantine/d/b/k.reason.json", json.dumps(reason)))
    assert shown == {"reason": "File.BadRows", "badRows": 1}
    rejected = '{"a":1}\n'
    assert demo.finding("quarantine/d/b/k.rejected.jsonl", rejected) == rejected


def test_every_delivery_is_a_sample_of_an_expected_table() -> None:
    expected = json.loads((stack.ROOT / "samples" / "expected.json").read_text())
    keys = {delivery.key for delivery in demo._DELIVERIES}
    assert {key.partition("/")[0] for key in keys} == set(expected["rows"])
    for key in keys:
        assert (stack.ROOT / "samples" / key).stat().st_size > 0
        assert (stack.ROOT / "contracts" / f"{key.partition('/')[0]}.yaml").exists()
    assert sum(expected["files"][name] for name in ("committed", "quarantined")) == len(keys)


def test_an_alert_gives_its_command() -> None:
    document = {
        "content": {"title": "t", "description": "x\n\nApprove:\n```\naws a 'b'\n```\n\nlink"},
        "metadata": {"threadId": "b-1"},
    }
    attributes = {"kind": {"Type": "String", "Value": "review"}}
    alert = demo.Alert.read(
        json.dumps(
            {"Message": json.dumps(document), "Subject": "s", "MessageAttributes": attributes}
        )
    )
    assert (alert.kind, alert.batch_id) == ("review", "b-1")
    assert alert.command("Approve") == "aws a 'b'"
    with pytest.raises(stack.LocalCloudError):
        alert.command("Refuse")


def test_glibc_versions_compare_as_numbers() -> None:
    assert artifacts.highest_glibc({"GLIBC_2.9", "GLIBC_2.34", "GCC_4.2", "GLIBC_2.3.4"}) == (2, 34)
    assert artifacts.highest_glibc({"GCC_3.0"}) == ()
    with pytest.raises(artifacts.NotAnElfFile):
        artifacts.needed_versions(b"#!/bin/sh\n")


def test_needed_versions_of_a_small_elf_file() -> None:
    strings = b"\0libc.so.6\0GLIBC_2.17\0GLIBC_2.34\0"
    need = struct.pack("<HHIII", 1, 2, 1, 16, 0)
    need += struct.pack("<IHHII", 0, 0, 2, 11, 16)
    need += struct.pack("<IHHII", 0, 0, 3, 22, 0)
    header_size = 64
    strings_at, need_at = header_size, header_size + len(strings)
    sections_at = need_at + len(need)

    def section(kind: int, link: int, offset: int, size: int) -> bytes:
        return struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, offset, size, link, 0, 1, 0)

    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, sections_at, 0, 64, 0, 0, 64, 2, 0)
    elf = header + strings + need
    elf += section(3, 0, strings_at, len(strings))
    elf += section(0x6FFFFFFE, 0, need_at, len(need))
    assert artifacts.needed_versions(elf) == {"GLIBC_2.17", "GLIBC_2.34"}


def test_limits_of_artifacts() -> None:
    fine = artifacts.Artifact("IntakeFunction", (2, 34), 6_000_000)
    assert fine.problems() == []
    assert artifacts.Artifact("IcebergAppendFunction", (2, 30), 12_000_000).problems() == []
    assert len(artifacts.Artifact("IntakeFunction", (2, 35), 6_000_001).problems()) == 2


def test_the_settings_of_a_glue_job_reach_spark_with_the_local_endpoint(tmp_path: Path) -> None:
    conf = (
        "spark.sql.extensions=a.B --conf spark.sql.catalog.glue_catalog=c.D "
        "--conf spark.sql.catalog.glue_catalog.warehouse=s3://w?a=b"
    )
    settings = glue_runner.settings_of(conf)
    assert settings == {
        "spark.sql.extensions": "a.B",
        "spark.sql.catalog.glue_catalog": "c.D",
        "spark.sql.catalog.glue_catalog.warehouse": "s3://w?a=b",
    }
    added = glue_runner.endpoint_settings(settings, "http://127.0.0.1:1", "eu-west-1")
    assert added["spark.sql.catalog.glue_catalog.glue.endpoint"] == "http://127.0.0.1:1"
    assert all(name.startswith("spark.sql.catalog.glue_catalog.") for name in added)
    arguments = {"--conf": conf, "--datalake-formats": "iceberg", "--batch": "s3://w/b.json"}
    command = glue_runner.command_of(tmp_path / "job.py", arguments, {"x": "y"}, [tmp_path / "j"])
    script = command.index(str(tmp_path / "job.py"))
    assert command[script + 1 :] == ["--batch", "s3://w/b.json"]
    assert command[script - 2 : script] == ["--conf", "x=y"]


def test_a_failed_run_says_the_jobs_own_words() -> None:
    log = "26/11/21 INFO x\nJob.NotAsChecked: s3://b/k is not as\n26/11/21 INFO SparkContext: bye\n"
    assert glue_runner.message_of(log) == "Job.NotAsChecked: s3://b/k is not as"
    assert glue_runner.message_of("no name\n").endswith("no name")


def test_a_jar_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source.jar"
    source.write_bytes(b"other bytes")
    monkeypatch.setattr(jars, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(jars.Jar, "address", source.as_uri())
    monkeypatch.setattr(jars, "JARS", (jars.Jar("g", "n", "1", "0" * 64),))
    with pytest.raises(stack.LocalCloudError, match="not the file that is pinned"):
        jars.fetch()
    assert list((tmp_path / "cache").iterdir()) == []
