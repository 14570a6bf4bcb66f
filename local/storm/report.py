"""A storm's figures as a table: for the terminal, and for docs/storm.md."""

from pathlib import Path
from typing import Any

BEGIN = "<!-- begin: make storm -->"
END = "<!-- end: make storm -->"
_FEW_IDLE = 0.2


def rows(results: dict[str, Any]) -> list[list[str]]:
    """Name and value of each figure."""
    settings, counts = results["settings"], results["counts"]
    commit, per_table = results["secondsToCommit"], counts["commitsPerTable"]
    killed = results["killed"]
    return [
        ["files, in datasets", f"{counts['files']:,} in {settings['datasets']}"],
        ["rows", f"{counts['rows']:,}"],
        ["rows lost, doubled", f"{results['lostRows']:,}, {results['doubledRows']:,}"],
        [
            "duplicate deliveries made",
            f"{counts['duplicates']:,} ("
            + ", ".join(f"{count:,} {when}" for when, count in counts["duplicatesByWhen"].items())
            + ")",
        ],
        ["deliveries that the ledger counted", f"{counts['deliveries']:,}"],
        ["messages held back into a later batch", f"{counts['heldBack']:,}"],
        ["invocations of intake", _invocations(counts)],
        [
            "longest from the queue to intake's answer",
            f"{counts['longestMessageSeconds']:.1f} s (visibility timeout "
            f"{settings['retrySeconds']} s)",
        ],
        ["executions", ", ".join(f"{n:,} {s.lower()}" for s, n in results["executions"].items())],
        ["commits", f"{counts['commits']:,}"],
        [
            "commits per table (least, median, most)",
            f"{per_table['least']}, {per_table['median']:g}, {per_table['most']}",
        ],
        ["files per commit", f"{counts['files'] / max(1, counts['commits']):.1f}"],
        ["commit conflicts", f"{counts['conflicts']:,}"],
        ["repeated invocations of the steps", f"{counts['retries']:,}"],
        [
            "processes killed",
            ", ".join(f"{count} {name}" for name, count in killed["byFunction"].items())
            + f"; {killed['invocations']} in the middle of an invocation"
            if killed["processes"]
            else "none",
        ],
        [
            "upload to commit (p50, p99, max)",
            ", ".join(f"{commit[name]:.1f} s" for name in ("p50", "p99", "max")),
        ],
        [
            "time to upload, to settle",
            f"{results['seconds']['upload']:.0f} s, {results['seconds']['settle']:.0f} s",
        ],
        [
            "processor",
            f"{results['bottleneck']['cores']} cores; the local cloud's process used "
            f"{results['bottleneck']['cloudCores']:.2f}, the functions "
            f"{results['bottleneck']['functionCores']:.2f} on average",
        ],
    ]


def _invocations(counts: dict[str, Any]) -> str:
    failed = counts["failedIntakeInvocations"]
    names = ", ".join(f"{count} {name}" for name, count in failed.items())
    return f"{counts['intakeInvocations']:,}, of which failed: {names or 'none'}"


def bottleneck(results: dict[str, Any]) -> str:
    """What kept the storm from being faster, in a sentence that its figures bear out."""
    found = results["bottleneck"]
    cores, idle, cloud = found["cores"], found["idleCores"], found["cloudCores"]
    times = cloud / max(found["functionCores"], 0.01)
    ratio = f"The local cloud's one process took {times:.1f} times the functions' processor time."
    if idle <= _FEW_IDLE * cores:
        return (
            f"The bottleneck was this machine, and the local cloud on it: {idle:.2f} of {cores} "
            f"cores were idle on average. {ratio}"
        )
    return (
        f"{idle:.2f} of {cores} cores were idle on average: that time went into batching windows, "
        f"pauses before retries and the visibility timeout of killed invocations. {ratio}"
    )


def section(results: dict[str, Any]) -> str:
    """What stands between the marks in docs/storm.md."""
    settings = results["settings"]
    lines = [
        BEGIN,
        "",
        f"`{settings['command']}`, {results['date']}, {results['bottleneck']['cores']} cores. "
        f"Batching window {settings['windowSeconds']:g} s, batch size "
        f"{settings['batchSize']:,}, at most {settings['concurrency']} batches at one time, "
        f"visibility timeout {settings['retrySeconds']} s.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows(results)),
        "",
        bottleneck(results),
        "",
        END,
    ]
    return "\n".join(lines)


def write(document: Path, results: dict[str, Any]) -> None:
    """Replaces what stands between the marks."""
    text = document.read_text()
    start, end = text.index(BEGIN), text.index(END) + len(END)
    document.write_text(text[:start] + section(results) + text[end:])
