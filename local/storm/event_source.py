"""What Lambda's event source mapping for SQS does and the local cloud's does not: gather
messages over the batching window, up to the batch size.

The local cloud's own mapping hands over at most ten messages, at once. With it, files of many
datasets become executions of one file each, which is not what the template describes. So the
storm switches it off and polls the queue itself, by the settings of the deployed mapping:

- up to `concurrency` batches at one time, five if nothing is set;
- a batch is full at `batch_size` messages, at 6 MB, or when its window is over, which starts
  with its first message;
- messages that the function reports as failed, and all of those of a failed invocation, stay
  in the queue until their visibility timeout.

Besides, it reorders: messages of a batch are shuffled, and some are held back into a later one.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local import console
from local.stack import LocalCloudError, Stack

_RECEIVE = 10
_DEFAULT_CONCURRENCY = 5
_MOST_BYTES = 5_500_000
_PAUSE_SECONDS = 0.1
_STOP_SECONDS = 15.0
# Beside a message's own fields, when it was taken from the queue.
_TAKEN = "taken"


@dataclass(frozen=True)
class Settings:
    """Of an event source mapping."""

    uuid: str
    function: str
    batch_size: int
    window_seconds: float
    concurrency: int

    @staticmethod
    def of(mapping: dict[str, Any]) -> "Settings":
        """Those of a mapping as ListEventSourceMappings describes it."""
        scaling = mapping.get("ScalingConfig") or {}
        return Settings(
            uuid=mapping["UUID"],
            function=mapping["FunctionArn"].rpartition(":")[2],
            batch_size=mapping["BatchSize"],
            window_seconds=mapping["MaximumBatchingWindowInSeconds"],
            concurrency=scaling.get("MaximumConcurrency") or _DEFAULT_CONCURRENCY,
        )


@dataclass
class Batch:
    """Messages that are gathered for one invocation."""

    settings: Settings
    messages: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0
    started: float = 0.0

    def add(self, message: dict[str, Any], now: float) -> None:
        """Takes one in; the window starts with the first."""
        if not self.messages:
            self.started = now
        self.messages.append(message)
        self.size += len(message["Body"])

    def is_due(self, now: float) -> bool:
        """Whether it is to be handed over."""
        return bool(self.messages) and (
            len(self.messages) >= self.settings.batch_size
            or self.size >= _MOST_BYTES
            or now - self.started >= self.settings.window_seconds
        )


@dataclass
class Counts:
    """What the event source has done so far."""

    invocations: int = 0
    # By the name of the error that they ended with.
    failed_invocations: Counter[str] = field(default_factory=Counter)
    failed_messages: int = 0
    messages: int = 0
    held_back: int = 0
    # The longest time from the queue to the function's answer, of a message that it has handled.
    # A message for which that is longer than the visibility timeout is delivered again.
    longest_seconds: float = 0.0


class EventSource:
    """The intake queue's event source mapping, as AWS would run it."""

    def __init__(
        self,
        stack: Stack,
        *,
        seed: int,
        held_back: float,
        seen: Callable[[str], None],
    ) -> None:
        """Switches the local cloud's own mapping off.

        `held_back` is the share of the messages that go into a later batch than their own.
        `seen` is called with the body of each message that is taken from the queue.
        """
        functions = stack.client("lambda")
        sqs, queue = stack.client("sqs"), stack.output("IntakeQueueUrl")
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        mappings = functions.list_event_source_mappings(
            EventSourceArn=attributes["Attributes"]["QueueArn"]
        )["EventSourceMappings"]
        if len(mappings) != 1:
            raise LocalCloudError(
                f"the intake queue has {len(mappings)} event source mappings, and the storm "
                "stands in for one"
            )
        self.settings = Settings.of(mappings[0])
        functions.update_event_source_mapping(UUID=self.settings.uuid, Enabled=False)
        self._stack = stack
        self._queue = queue
        self._held_back = held_back
        self._seen = seen
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._waiting = 0
        self.counts = Counts()
        self._threads = [
            # Which messages a poller gets is not repeatable; what it does with them is.
            threading.Thread(
                target=self._poll,
                args=(random.Random(seed * 1000 + number),),  # noqa: S311
                name=f"event-source-{number}",
                daemon=True,
            )
            for number in range(self.settings.concurrency)
        ]

    def start(self) -> None:
        """Starts to poll."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops; messages that were not handed over stay in the queue."""
        self._stop.set()
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def waiting(self) -> int:
        """Messages that were taken from the queue and are not handed over, or are right now."""
        with self._lock:
            return self._waiting

    def _poll(self, chance: random.Random) -> None:
        sqs, functions = self._stack.client("sqs"), self._stack.client("lambda")
        batch = Batch(self.settings)
        held: list[tuple[float, dict[str, Any]]] = []
        while not self._stop.is_set():
            received = sqs.receive_message(
                QueueUrl=self._queue,
                MaxNumberOfMessages=_RECEIVE,
                MessageSystemAttributeNames=["All"],
            ).get("Messages", [])
            now = time.monotonic()
            with self._lock:
                self._waiting += len(received)
            for message in received:
                message[_TAKEN] = now
                self._seen(message["Body"])
                if chance.random() < self._held_back:
                    until = now + self.settings.window_seconds * chance.uniform(0.5, 1.5)
                    held.append((until, message))
                    with self._lock:
                        self.counts.held_back += 1
                else:
                    batch.add(message, now)
            for entry in [entry for entry in held if entry[0] <= now]:
                held.remove(entry)
                batch.add(entry[1], now)
            if batch.is_due(now):
                chance.shuffle(batch.messages)
                self._hand_over(sqs, functions, batch.messages)
                batch = Batch(self.settings)
            elif not received:
                time.sleep(_PAUSE_SECONDS)

    def _hand_over(self, sqs: Any, functions: Any, messages: list[dict[str, Any]]) -> None:  # noqa: ANN401
        payload = json.dumps({"Records": [record(it) for it in messages]}).encode()
        try:
            answer = functions.invoke(FunctionName=self.settings.function, Payload=payload)
            said = answer["Payload"].read()
            failed, error_name = failures(answer, said, messages), failure(answer, said)
        except (BotoCoreError, ClientError) as error:
            # Throttled, for instance. The messages come back, as they do on AWS.
            console.say(console.warn(f"    intake was not invoked: {error}"))
            failed, error_name = {it["MessageId"] for it in messages}, "not invoked"
        finally:
            with self._lock:
                self._waiting -= len(messages)
        done = [message for message in messages if message["MessageId"] not in failed]
        now = time.monotonic()
        with self._lock:
            counts = self.counts
            counts.invocations += 1
            if error_name:
                counts.failed_invocations[error_name] += 1
            counts.messages += len(messages)
            counts.failed_messages += len(failed)
            longest = max((now - message[_TAKEN] for message in done), default=0.0)
            counts.longest_seconds = max(counts.longest_seconds, longest)
        for start in range(0, len(done), _RECEIVE):
            sqs.delete_message_batch(
                QueueUrl=self._queue,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                    for index, message in enumerate(done[start : start + _RECEIVE])
                ],
            )


def record(message: dict[str, Any]) -> dict[str, Any]:
    """A received message as Lambda hands it to the function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "awsRegion": "us-east-1",
    }


def failure(answer: dict[str, Any], payload: bytes) -> str | None:
    """The name of the error that an invocation ended with, or none."""
    if "FunctionError" not in answer:
        return None
    try:
        return str(json.loads(payload)["errorType"])
    except (ValueError, KeyError, TypeError):
        return str(answer["FunctionError"])


def failures(answer: dict[str, Any], payload: bytes, messages: list[dict[str, Any]]) -> set[str]:
    """Ids of the messages that stay in the queue.

    All of them, when the invocation failed or names one that is empty or unknown, as Lambda
    has it.
    """
    everything = {message["MessageId"] for message in messages}
    if "FunctionError" in answer:
        return everything
    try:
        items = (json.loads(payload) or {}).get("batchItemFailures") or []
        named = {item["itemIdentifier"] for item in items}
    except (ValueError, AttributeError, KeyError, TypeError):
        return everything
    return named if named <= everything else everything
