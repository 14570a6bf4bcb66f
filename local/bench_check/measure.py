"""Runs a program and says what it cost."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_CORE = str(max(os.sched_getaffinity(0)))
_TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Run:
    """One finished program.

    `cpu_seconds` are user and system time of the whole process with its children;
    `peak_bytes` is the high-water mark of its resident memory, and never less than this
    program's own, which Linux hands on.
    """

    code: int
    stdout: bytes
    stderr: bytes
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


def run(command: Sequence[str], one_core: bool = True, cwd: Path | None = None) -> Run:
    """Runs the program to its end, on one core or on all."""
    pinned = ["taskset", "-c", _CORE, *command] if one_core else list(command)
    # Libraries that count cores with other means than the affinity mask are told.
    environment = os.environ | ({"POLARS_MAX_THREADS": "1"} if one_core else {})
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            pinned, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd, env=environment
        )
        late = threading.Timer(_TIMEOUT_SECONDS, os.kill, (process.pid, signal.SIGKILL))
        late.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        late.cancel()
        # The child is reaped already; without this, Popen would look for it again.
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return Run(
            code=process.returncode,
            stdout=out.read(),
            stderr=err.read(),
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            wall_seconds=wall,
            peak_bytes=usage.ru_maxrss * 1024,
        )


@dataclass(frozen=True)
class Reads:
    """What a program read of one file."""

    calls: int
    ranges: int
    read_bytes: int


_CALL = re.compile(r"^(read|pread64|readv|preadv2?|lseek|mmap)\((.*)\) += (0x[0-9a-f]+|-?\d+)")


def count_reads(trace: str, path: str) -> Reads | None:
    """The reads of `path` in one thread's output of `strace -y`; None if it maps the file.

    A read that goes on where the one before it ended belongs to the same range, as it would
    to the same GET.
    """
    position = 0
    end = None
    calls = ranges = total = 0
    for line in trace.splitlines():
        match = _CALL.match(line)
        if match is None or f"<{path}>" not in line:
            continue
        name, arguments, result = match[1], match[2], int(match[3], 0)
        if name == "mmap":
            return None
        if name == "lseek":
            position = result
            continue
        if result <= 0:
            continue
        if name.startswith("pread"):
            start = int(arguments.split(", ")[3])
        else:
            start = position
            position += result
        calls += 1
        total += result
        ranges += start != end
        end = start + result
    return Reads(calls, ranges, total)


def reads(command: Sequence[str], path: Path) -> Reads | None:
    """What the program reads of the file; None without strace, or when it cannot be counted."""
    if not shutil.which("strace"):
        return None
    calls = "trace=read,pread64,readv,preadv,preadv2,lseek,mmap"
    with tempfile.TemporaryDirectory() as scratch:
        prefix = Path(scratch) / "thread"
        # A file for each thread: in one file, calls of several threads interrupt each other.
        tracer = ["strace", "-ff", "-qq", "-y", "-s", "0", "-e", calls, "-o", str(prefix)]
        finished = run([*tracer, *command], one_core=False)
        if finished.code not in (0, 1):
            return None
        counted = [
            count_reads(file.read_text(errors="replace"), str(path))
            for file in Path(scratch).iterdir()
        ]
    known = [each for each in counted if each is not None]
    if len(known) < len(counted):
        return None
    return Reads(
        sum(each.calls for each in known),
        sum(each.ranges for each in known),
        sum(each.read_bytes for each in known),
    )
