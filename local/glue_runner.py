"""Stand-in for what MiniStack's Glue leaves out: the "Glue Job State Change" event.

MiniStack runs Python shell jobs itself, but tells nobody when a run ends. This process asks
for the job's runs and delivers the event that AWS would to the targets of every rule on the
default bus that matches it. MiniStack, like AWS, lets nobody else put `aws.*` events on a
bus, so the delivery is made here: MiniStack judges the pattern (TestEventPattern), and the
event goes to Lambda functions and queues as EventBridge would send it.

It polls because it stands for the inside of AWS Glue. Landfall itself waits for the event.

    python -m local.glue_runner --job NAME     (endpoint, region and keys from the environment)
"""

import argparse
import json
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

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


def watch(job: str) -> None:
    """Sends one event for each run of the job that ends, until the process is stopped."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    session = boto3.Session()
    glue = session.client("glue")
    account = session.client("sts").get_caller_identity()["Account"]
    delivery = EventDelivery(session)
    told: set[str] = set()
    while True:
        try:
            for run in _ended_runs(glue, job):
                if run["Id"] in told:
                    continue
                event = state_change_event(run, account, session.region_name)
                reached = delivery.deliver(event)
                told.add(run["Id"])
                _log(event["detail"], reached)
        except (BotoCoreError, ClientError) as error:
            # The cloud may be going down or still coming up; the next round tells.
            print(f"glue-runner: {error}", file=sys.stderr, flush=True)
            time.sleep(1)
        time.sleep(_POLL_SECONDS)


def _ended_runs(glue: Any, job: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    for page in glue.get_paginator("get_job_runs").paginate(JobName=job):
        yield from (run for run in page["JobRuns"] if run["JobRunState"] in _ENDED)


def _log(detail: dict[str, str], reached: list[str]) -> None:
    print(json.dumps({**detail, "deliveredTo": reached}), flush=True)


def main() -> int:
    """Watches one job."""
    parser = argparse.ArgumentParser(description="Tell EventBridge how Glue runs end.")
    parser.add_argument("--job", required=True, help="name of the Glue job")
    watch(parser.parse_args().job)
    return 0


if __name__ == "__main__":
    sys.exit(main())
