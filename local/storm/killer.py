"""Kills function processes of the storm's own stack, at the moments that the plan names."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local import console
from local.storm.plan import Kill

_LOOK_SECONDS = 0.05
# So long a function may have nothing to do before an idle process is killed instead.
_BUSY_SECONDS = 8.0
# A process this young may still start. On AWS that ends as Runtime.ExitError, which the state
# machine tries again; the local cloud has a name of its own for it, which AWS has not.
_YOUNG_SECONDS = 2.0
_NAME = b"AWS_LAMBDA_FUNCTION_NAME="


@dataclass(frozen=True)
class Killed:
    """A process that was killed, and whether it was at work then."""

    target: str
    pid: int
    busy: bool


class Killer:
    """Carries out the plan's kills, one after the other.

    `progress` says how far the storm is, as [`Kill.moment`][local.storm.plan.Kill] counts it.
    """

    def __init__(
        self, parent: int, prefix: str, kills: list[Kill], progress: Callable[[], float]
    ) -> None:
        """`parent` is the local cloud's process, whose children alone are killed.

        `prefix` comes before the target in a function's name.
        """
        self._parent = parent
        self._prefix = prefix
        self._kills = kills
        self._progress = progress
        self._stop = threading.Event()
        self.killed: list[Killed] = []
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, whatever is left to do."""
        self._stop.set()
        self._thread.join(timeout=30)

    def is_done(self) -> bool:
        """Whether every kill was tried."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        for kill in self._kills:
            while self._progress() < kill.moment:
                if self._stop.wait(_LOOK_SECONDS):
                    return
            if killed := self._kill(kill.target):
                self.killed.append(killed)
                state = "at work" if killed.busy else "idle"
                console.say(f"    killed {killed.target}, process {killed.pid}, {state}")
            if self._stop.is_set():
                return

    def _kill(self, target: str) -> Killed | None:
        """Kills a process of the target that is at work, else any; none when there is none."""
        function = f"{self._prefix}{target}"
        deadline = time.monotonic() + _BUSY_SECONDS
        before = children(self._parent)
        while not self._stop.wait(_LOOK_SECONDS):
            now = children(self._parent)
            busy = [pid for pid, ticks in now.items() if ticks > before.get(pid, ticks)]
            is_last = time.monotonic() > deadline
            for pid in [*busy, *(now if is_last else ())]:
                is_target = function_of(pid) == function and age_seconds(pid) >= _YOUNG_SECONDS
                if is_target and _kill(pid, self._parent):
                    return Killed(target, pid, pid in busy)
            if is_last:
                return None
            before = now
        return None


def children(parent: int) -> dict[int, int]:
    """The process's children, each with the CPU time that it has used, in clock ticks."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))) and int(stat[1]) == parent:
            found[int(entry)] = int(stat[11]) + int(stat[12])
    return found


def cpu_seconds(pid: int) -> tuple[float, float]:
    """CPU time of the process, and of its children that are alive or were waited for."""
    tick = os.sysconf("SC_CLK_TCK")
    stat = _stat(pid)
    if stat is None:
        return 0.0, 0.0
    own = (int(stat[11]) + int(stat[12])) / tick
    ended = (int(stat[13]) + int(stat[14])) / tick
    return own, ended + sum(children(pid).values()) / tick


def age_seconds(pid: int) -> float:
    """Seconds since the process was started; 0 of one that is gone."""
    stat = _stat(pid)
    if stat is None:
        return 0.0
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return uptime - int(stat[19]) / os.sysconf("SC_CLK_TCK")


def idle_seconds() -> float:
    """Time that this machine's cores had nothing to do, all of them together, since it started."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[4]) / os.sysconf("SC_CLK_TCK")


def function_of(pid: int) -> str | None:
    """Name of the Lambda function that the process serves."""
    with contextlib.suppress(OSError):
        for variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if variable.startswith(_NAME):
                return variable.removeprefix(_NAME).decode()
    return None


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat from the third on."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text()
        return text[text.rindex(")") + 2 :].split()
    return None


def _kill(pid: int, parent: int) -> bool:
    """SIGKILL, to no other process than the one that was looked at."""
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(pid)
        try:
            # From here on the handle is this process, even if its id is used again.
            stat = _stat(pid)
            if stat is None or int(stat[1]) != parent or stat[0] == "Z":
                return False
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            return True
        finally:
            os.close(handle)
    return False
