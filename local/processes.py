"""Background processes that outlive the command that started them, and their end.

Each is recorded with the kernel's start time beside its id, so that an id that was reused
by another program is never signalled.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process, told from every other by id and start time."""

    name: str
    pid: int
    # In clock ticks since boot: field 22 of /proc/<pid>/stat.
    start_ticks: int

    def is_alive(self) -> bool:
        """Whether it still runs. A zombie does not."""
        stat = _stat(self.pid)
        return stat is not None and stat.start_ticks == self.start_ticks and stat.state != "Z"


# Our own children: somebody must take their exit status, or they stay as zombies.
_children: dict[int, "subprocess.Popen[bytes]"] = {}


@dataclass(frozen=True)
class _Stat:
    state: str
    parent: int
    group: int
    start_ticks: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command, in parentheses, may hold spaces and parentheses itself.
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(fields[0], int(fields[1]), int(fields[2]), int(fields[19]))


def _record(state_dir: Path) -> Path:
    return state_dir / "processes.json"


def recorded(state_dir: Path) -> list[Process]:
    """The processes recorded in the directory, in the order they were started."""
    try:
        return [Process(**entry) for entry in json.loads(_record(state_dir).read_text())]
    except FileNotFoundError:
        return []


def _write(state_dir: Path, processes: Sequence[Process]) -> None:
    path = _record(state_dir)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps([asdict(process) for process in processes], indent=2) + "\n")
    scratch.replace(path)


def start(
    name: str, command: Sequence[str], environment: Mapping[str, str], state_dir: Path, cwd: Path
) -> Process:
    """Starts a process in a session of its own and records it.

    Its output goes to `<state_dir>/<name>.log`. A session of its own keeps the terminal's
    Ctrl-C from it, so that it is stopped in order, and makes its children findable.
    """
    with (state_dir / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    stat = _stat(child.pid)
    process = Process(name, child.pid, stat.start_ticks if stat else 0)
    _children[child.pid] = child
    _write(state_dir, [*recorded(state_dir), process])
    return process


def stop_all(state_dir: Path, grace_seconds: float = 5.0) -> list[Process]:
    """Stops every recorded process and all of their children; returns those that were alive.

    SIGTERM first; what is left after the grace period gets SIGKILL.
    """
    processes = recorded(state_dir)
    alive = [process for process in processes if process.is_alive()]
    family = {member.pid: member for process in processes for member in _family(process)}
    # The last one started depends on the others, so it goes first.
    for process in reversed(processes):
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(process.is_alive() for process in alive):
        _reap()
        time.sleep(0.05)
    # Children started since the first look belong to the family too.
    family |= {member.pid: member for process in processes for member in _family(process)}
    for member in family.values():
        if member.is_alive():
            _kill(member.pid, signal.SIGKILL)
    while any(member.is_alive() for member in family.values()):
        _reap()
        time.sleep(0.02)
    _reap()
    _record(state_dir).unlink(missing_ok=True)
    return alive


def _is_reused(process: Process) -> bool:
    """Whether another program has the id now. While its group lives, an id is not reused."""
    stat = _stat(process.pid)
    return stat is not None and stat.start_ticks != process.start_ticks


def _family(process: Process) -> list[Process]:
    """The process, everything in its process group and all of their descendants."""
    if _is_reused(process):
        return []
    table = {
        int(entry): stat
        for entry in os.listdir("/proc")
        if entry.isdigit() and (stat := _stat(int(entry))) is not None
    }
    members = {pid for pid, stat in table.items() if stat.group == process.pid}
    grown = True
    while grown:
        children = {pid for pid, stat in table.items() if stat.parent in members} - members
        members |= children
        grown = bool(children)
    return [Process(process.name, pid, table[pid].start_ticks) for pid in members]


def _signal_group(process: Process, number: int) -> None:
    if not _is_reused(process):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap() -> None:
    for child in _children.values():
        child.poll()
