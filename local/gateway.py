"""MiniStack as it would stand behind a proxy that terminates TLS.

The template's bucket, queue and topic policies refuse plain HTTP, and MiniStack enforces
them. The local cloud speaks plain HTTP, on the loopback interface only; every request is
therefore marked as one that came by HTTPS, in the way such a proxy marks it. The policies
stay as AWS gets them.

Runs in MiniStack's own virtual environment; `local/cloud.py` sets its environment.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import ministack.app

_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]

_emulator = ministack.app.app


async def _behind_tls(scope: dict[str, Any], receive: _Receive, send: _Send) -> None:
    if scope["type"] == "http":
        headers = [*scope["headers"], (b"x-forwarded-proto", b"https")]
        scope = {**scope, "headers": headers}
    await _emulator(scope, receive, send)


if __name__ == "__main__":
    # What main() serves.
    ministack.app.app = _behind_tls
    ministack.app.main()
