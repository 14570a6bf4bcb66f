"""MiniStack as it would stand behind a proxy that terminates TLS, with Glue runs that somebody
else carries out.

The template's bucket, queue and topic policies refuse plain HTTP, and MiniStack enforces
them. The local cloud speaks plain HTTP, on the loopback interface only; every request is
therefore marked as one that came by HTTPS, in the way such a proxy marks it. The policies
stay as AWS gets them.

MiniStack calls a Spark run a success at once and runs nothing. Here a run stays under way until
`local/glue_runner.py`, which runs the script, leaves a file that says how it ended.

Runs in MiniStack's own virtual environment; `local/cloud.py` sets its environment.
"""

import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ministack.app
import ministack.services.glue

_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]

_POLL_SECONDS = 0.1

_emulator = ministack.app.app


async def _behind_tls(scope: dict[str, Any], receive: _Receive, send: _Send) -> None:
    if scope["type"] == "http":
        headers = [*scope["headers"], (b"x-forwarded-proto", b"https")]
        scope = {**scope, "headers": headers}
    await _emulator(scope, receive, send)


def _until_run_ends(run: dict[str, Any], *_: Any) -> None:  # noqa: ANN401 - MiniStack's own
    """Waits for the runner's word, in the thread that MiniStack gives to each run."""
    outcome = Path(os.environ["LANDFALL_GLUE_RUNS"]) / f"{run['Id']}.json"
    while run["JobRunState"] == "RUNNING" and not outcome.exists():
        time.sleep(_POLL_SECONDS)
    if run["JobRunState"] == "RUNNING":
        told = json.loads(outcome.read_text())
        run["ErrorMessage"] = told.get("message", "")
        run["JobRunState"] = told["state"]


def _take_over_glue_runs() -> None:
    glue = ministack.services.glue
    start = glue._start_job_run

    def start_job_run(request: dict[str, Any]) -> Any:  # noqa: ANN401
        # A template's parameters reach MiniStack as texts, and it answers with them.
        job = glue._jobs.get(request.get("JobName"), {})
        for name in ("NumberOfWorkers", "MaxCapacity", "Timeout"):
            if isinstance(job.get(name), str):
                job[name] = int(job[name])
        return start(request)

    glue._start_job_run = start_job_run
    # Where MiniStack would start a container: it asks for an image, and gets an answer.
    glue._get_docker = lambda: SimpleNamespace(images=SimpleNamespace(get=lambda _: None))
    glue._execute_spark_docker = _until_run_ends


if __name__ == "__main__":
    _take_over_glue_runs()
    # What main() serves.
    ministack.app.app = _behind_tls
    ministack.app.main()
