"""Plain terminal output: phases, progress, tables.

On a terminal, progress rewrites one line. In a log it prints a line now and then, so that
a reader sees that something moves without reading thousands of lines.
"""

import os
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType

_QUIET_SECONDS = 20.0

_is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
_has_colour = _is_terminal and "NO_COLOR" not in os.environ
_lock = threading.Lock()
_status_width = 0


def _styled(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if _has_colour else text


def bold(text: str) -> str:
    """The text in bold, where the terminal can."""
    return _styled(text, "1")


def dim(text: str) -> str:
    """The text dimmed, where the terminal can."""
    return _styled(text, "2")


def good(text: str) -> str:
    """The text in green, where the terminal can."""
    return _styled(text, "32")


def bad(text: str) -> str:
    """The text in red, where the terminal can."""
    return _styled(text, "31")


def warn(text: str) -> str:
    """The text in yellow, where the terminal can."""
    return _styled(text, "33")


def say(text: str = "") -> None:
    """Prints a line, above the progress line if there is one."""
    global _status_width
    with _lock:
        if _status_width:
            sys.stdout.write("\r" + " " * _status_width + "\r")
            _status_width = 0
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def heading(text: str) -> None:
    """Prints a heading with room above it."""
    say()
    say(bold(text))


def duration(seconds: float) -> str:
    """`0.42 s`, `12.3 s` or `3 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def table(rows: Sequence[Sequence[str]], indent: int = 2, right: Sequence[int] = ()) -> None:
    """Prints rows in aligned columns; `right` names the columns aligned to the right."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        say((" " * indent + "  ".join(cells)).rstrip())


class Phase:
    """A step that takes a while: named when it starts, timed when it ends.

    `update` says what it is doing now.
    """

    def __init__(self, name: str) -> None:
        """Names the step; it starts on entry."""
        self.name = name
        self.seconds = 0.0
        self._started = 0.0
        self._last_printed = 0.0

    def __enter__(self) -> "Phase":
        """Starts the clock."""
        self._started = self._last_printed = time.monotonic()
        if not _is_terminal:
            say(f"  {self.name} ...")
        return self

    def elapsed(self) -> float:
        """Seconds since the step started."""
        return time.monotonic() - self._started

    def update(self, detail: str = "") -> None:
        """Shows what the step is doing."""
        global _status_width
        now = time.monotonic()
        text = f"  {self.name} ... {duration(self.elapsed())}  {detail}"
        if _is_terminal:
            columns = shutil.get_terminal_size().columns - 1
            with _lock:
                line = text[:columns]
                sys.stdout.write("\r" + line.ljust(_status_width))
                sys.stdout.flush()
                _status_width = len(line)
        elif now - self._last_printed >= _QUIET_SECONDS:
            self._last_printed = now
            say(text)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Prints how long the step took, or that it failed."""
        self.seconds = self.elapsed()
        mark = good("done") if kind is None else bad("failed")
        say(f"  {self.name} {mark} {dim('in ' + duration(self.seconds))}")
