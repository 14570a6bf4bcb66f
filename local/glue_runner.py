"""Stand-in for AWS Glue's runner: runs the job's script on Spark, and tells EventBridge.

MiniStack keeps Glue jobs and their runs, and runs nothing. This process takes every run that is
started and runs the very script that the job names with spark-submit: with the permissions of
the job's role, the run's arguments and the job's `--conf`. It leaves word of how the run ended,
which `local/gateway.py` passes on to MiniStack. Then it delivers the event that AWS would to the
targets of every rule on the default bus that matches it. MiniStack, like AWS, lets nobody else
put `aws.*` events on a bus, so the delivery is made here: MiniStack judges the pattern
(TestEventPattern), and the event goes to Lambda functions and queues as EventBridge would send it.

It polls because it stands for the inside of AWS Glue. Landfall itself waits for the event.

    python -m local.glue_runner --job NAME --runs DIRECTORY
                                      (endpoint, region and keys from the environment)
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from local.spark import jars
from local.stack import VENV

_POLL_SECONDS = 0.3
_ENDED = {"SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED"}
# https://docs.aws.amazon.com/glue/latest/dg/automating-awsglue-with-cloudwatch-events.html
_SEVERITY = {"SUCCEEDED": "INFO", "STOPPED": "INFO", "FAILED": "ERROR", "TIMEOUT": "WARN"}
_MESSAGE = {
    "SUCCEEDED": "Job run succeeded",
    "STOPPED": "Job run stopped",
    "TIMEOUT": "Job run timed out",
}


def state_change_event(run: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    """The event that AWS Glue sends when a run ends, from the run as GetJobRuns gives it."""
    state = run["JobRunState"]
    message = _MESSAGE.get(state) or run.get("ErrorMessage", "").strip() or "Job run failed"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Glue Job State Change",
        "source": "aws.glue",
        "account": account,
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [],
        "detail": {
            "jobName": run["JobName"],
            "severity": _SEVERITY[state],
            "state": state,
            "jobRunId": run["Id"],
            "message": message,
        },
    }


class EventDelivery:
    """Sends an event where the default bus's rules would."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401 - a boto3 session
        """Makes the clients."""
        self._events = session.client("events")
        self._lambda = session.client("lambda")
        self._sqs = session.client("sqs")

    def deliver(self, event: dict[str, Any]) -> list[str]:
        """Sends the event to every target of every matching rule; returns their ARNs."""
        text = json.dumps(event)
        reached = []
        for rule in self._matching_rules(text):
            for target in self._targets(rule):
                self._send(target, text)
                reached.append(target["Arn"])
        return reached

    def _matching_rules(self, event: str) -> Iterator[str]:
        for page in self._events.get_paginator("list_rules").paginate():
            for rule in page["Rules"]:
                pattern = rule.get("EventPattern")
                if not pattern or rule.get("State") == "DISABLED":
                    continue
                if self._events.test_event_pattern(EventPattern=pattern, Event=event)["Result"]:
                    yield rule["Name"]

    def _targets(self, rule: str) -> list[dict[str, Any]]:
        targets: list[dict[str, Any]] = self._events.list_targets_by_rule(Rule=rule)["Targets"]
        return targets

    def _send(self, target: dict[str, Any], event: str) -> None:
        changed = {"Input", "InputPath", "InputTransformer"} & target.keys()
        if changed:
            raise NotImplementedError(f"{', '.join(changed)} on target {target['Arn']}")
        service = target["Arn"].split(":")[2]
        if service == "lambda":
            self._lambda.invoke(
                FunctionName=target["Arn"], InvocationType="Event", Payload=event.encode()
            )
        elif service == "sqs":
            name = target["Arn"].rpartition(":")[2]
            address = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
            self._sqs.send_message(QueueUrl=address, MessageBody=event)
        else:
            raise NotImplementedError(f"event target {target['Arn']}")


# Spark for one machine: the files of the tests and the demo are small.
_LOCAL_SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
}
# Arguments of a job that are for Glue, not for its script:
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
_FOR_GLUE = {"--conf", "--datalake-formats", "--additional-python-modules"}
_MESSAGE_LENGTH = 2000


def settings_of(conf: str) -> dict[str, str]:
    """The Spark settings in a job's `--conf`, which Glue takes several of as one argument."""
    pairs = (pair.strip().partition("=") for pair in conf.split("--conf ") if pair.strip())
    return {name: value for name, _, value in pairs}


def endpoint_settings(settings: Mapping[str, str], endpoint: str, region: str) -> dict[str, str]:
    """What makes every Iceberg catalog of the settings talk to an endpoint."""
    catalogs = [name for name in settings if re.fullmatch(r"spark\.sql\.catalog\.\w+", name)]
    return {
        f"{catalog}.{key}": value
        for catalog in catalogs
        for key, value in {
            "s3.endpoint": endpoint,
            "s3.path-style-access": "true",
            "glue.endpoint": endpoint,
            "client.region": region,
        }.items()
    }


def command_of(
    script: Path,
    arguments: Mapping[str, str],
    settings: Mapping[str, str],
    jar_files: Sequence[Path],
) -> list[str]:
    """The command that runs the script as Glue would."""
    command = [str(VENV / "spark" / "bin" / "spark-submit")]
    command += ["--jars", ",".join(map(str, jar_files))]
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    command.append(str(script))
    for name, value in arguments.items():
        if name not in _FOR_GLUE:
            command += [name, value]
    return command


def message_of(errors: str) -> str:
    """What a failed script says, of all that Spark writes: its last line with a name of ours,
    else the end."""
    named = re.findall(r"(?m)^[A-Z]\w+\.[A-Z]\w+: .*$", errors)
    return (named[-1] if named else errors.strip()[-_MESSAGE_LENGTH:])[:_MESSAGE_LENGTH]


def _with_databases(policy: dict[str, Any]) -> dict[str, Any]:
    """The policy with the name that MiniStack has for the database of a GetDatabase: it takes
    that for a table."""
    for statement in policy["Statement"]:
        if isinstance(statement["Resource"], list):
            databases = [name for name in statement["Resource"] if ":database/" in name]
            statement["Resource"] += [name.replace(":database/", ":table/") for name in databases]
    return policy


class Runner:
    """Runs the job's script, one run at a time."""

    def __init__(self, session: Any, job: str, directory: Path) -> None:  # noqa: ANN401
        """Takes a boto3 session, the job's name and the directory of its runs."""
        self._session, self._job, self._directory = session, job, directory
        self._glue = session.client("glue")
        self._user: dict[str, str] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def run(self, run: dict[str, Any]) -> None:
        """Carries a run out, and leaves word of how it ended."""
        try:
            outcome = self._carry_out(run)
        except Exception as error:
            outcome = {"state": "FAILED", "message": f"{type(error).__name__}: {error}"}
        path = self._directory / f"{run['Id']}.json"
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(outcome))
        scratch.replace(path)

    def _carry_out(self, run: dict[str, Any]) -> dict[str, str]:
        if (lack := jars.missing()) is not None:
            return {"state": "FAILED", "message": f"Spark.Missing: {lack}"}
        job = self._glue.get_job(JobName=self._job)["Job"]
        bucket, _, key = job["Command"]["ScriptLocation"].removeprefix("s3://").partition("/")
        script = self._directory / f"{run['Id']}-{key.rpartition('/')[2]}"
        self._session.client("s3").download_file(bucket, key, str(script))
        arguments = {**job.get("DefaultArguments", {}), **run.get("Arguments", {})}
        settings = settings_of(arguments.get("--conf", "")) | _LOCAL_SETTINGS
        endpoint, region = os.environ["AWS_ENDPOINT_URL"], self._session.region_name
        settings |= endpoint_settings(settings, endpoint, region)
        settings["spark.local.dir"] = str(self._directory)
        python = str(VENV / "spark" / "bin" / "python")
        variables = os.environ | self._keys(job["Role"]) | {"PYSPARK_PYTHON": python}
        log = self._directory / f"{run['Id']}.log"
        with log.open("wb") as output:
            child = subprocess.Popen(
                command_of(script, arguments, settings, jars.fetch()),
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                while child.poll() is None:
                    if self._state(run) == "STOPPED":
                        return {"state": "STOPPED"}
                    time.sleep(_POLL_SECONDS)
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
        if child.returncode == 0:
            return {"state": "SUCCEEDED"}
        return {"state": "FAILED", "message": message_of(log.read_text(errors="replace"))}

    def _state(self, run: dict[str, Any]) -> str:
        found = self._glue.get_job_run(JobName=self._job, RunId=run["Id"])
        return str(found["JobRun"]["JobRunState"])

    def _keys(self, role: str) -> dict[str, str]:
        """The environment of a program that may do what the role may, and nothing else.

        Only Glue itself can take the job's role. A user with its policies is as restricted.
        """
        if self._user is None:
            iam, name = self._session.client("iam"), role.rpartition("/")[2]
            iam.create_user(UserName=name)
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                found = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                document = json.dumps(_with_databases(found))
                iam.put_user_policy(UserName=name, PolicyName=policy, PolicyDocument=document)
            made = iam.create_access_key(UserName=name)["AccessKey"]
            self._user = {
                "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
            }
        return self._user


def watch(job: str, directory: Path) -> None:
    """Carries out every run of the job that is started, and sends one event for each that ends,
    until the process is stopped."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    session = boto3.Session()
    glue = session.client("glue")
    account = session.client("sts").get_caller_identity()["Account"]
    delivery = EventDelivery(session)
    runner = Runner(session, job, directory)
    taken: set[str] = set()
    told: set[str] = set()
    while True:
        try:
            for run in _runs(glue, job):
                if run["JobRunState"] in _ENDED and run["Id"] not in told:
                    event = state_change_event(run, account, session.region_name)
                    reached = delivery.deliver(event)
                    told.add(run["Id"])
                    _log(event["detail"], reached)
                elif run["JobRunState"] == "RUNNING" and run["Id"] not in taken:
                    taken.add(run["Id"])
                    runner.run(run)
        except (BotoCoreError, ClientError) as error:
            # The cloud may be going down or still coming up; the next round tells.
            print(f"glue-runner: {error}", file=sys.stderr, flush=True)
            time.sleep(1)
        time.sleep(_POLL_SECONDS)


def _runs(glue: Any, job: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    for page in glue.get_paginator("get_job_runs").paginate(JobName=job):
        yield from page["JobRuns"]


def _log(detail: dict[str, str], reached: list[str]) -> None:
    print(json.dumps({**detail, "deliveredTo": reached}), flush=True)


def main() -> int:
    """Watches one job."""
    parser = argparse.ArgumentParser(description="Run a Glue job's runs, and tell EventBridge.")
    parser.add_argument("--job", required=True, help="name of the Glue job")
    parser.add_argument("--runs", required=True, type=Path, help="directory of its runs")
    arguments = parser.parse_args()
    watch(arguments.job, arguments.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
