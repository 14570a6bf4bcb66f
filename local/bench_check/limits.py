"""What `landfall check` has to keep, and whether it did: pure functions of the results."""

from dataclasses import dataclass
from typing import Any

CSV_PLAIN_RATIO = 3.0
CSV_UNIQUE_RATIO = 2.0
JSON_RATIO = 2.0
PEAK_BYTES = 96_000_000
STARTUP_SECONDS = 0.015
DECOMPRESSION_SHARE = 0.8
FOOTER_RANGES = 3
FOOTER_BYTES = 1_000_000

_RATIOS = {
    "csv-plain": ("CSV without uniqueness, CPU of the best peer", CSV_PLAIN_RATIO),
    "csv-unique": ("CSV with uniqueness, CPU of the best peer", CSV_UNIQUE_RATIO),
    "jsonl-plain": ("JSON Lines without uniqueness, CPU of the best peer", JSON_RATIO),
    "jsonl-unique": ("JSON Lines with uniqueness, CPU of the best peer", JSON_RATIO),
}


@dataclass(frozen=True)
class Outcome:
    """One limit: what was asked, what was measured, and whether it holds."""

    name: str
    limit: str
    measured: str
    passed: bool


def landfall_of(workload: dict[str, Any]) -> dict[str, Any] | None:
    """Landfall's own line of a workload."""
    return next((tool for tool in workload["tools"] if tool["landfall"]), None)


def best_peer(workload: dict[str, Any]) -> dict[str, Any] | None:
    """The peer with the least CPU among those that name the bad records of the whole file."""
    peers = [t for t in workload["tools"] if not t["landfall"] and t["found"] is not None]
    return min(peers, key=lambda tool: tool["cpuSeconds"], default=None)


def outcomes(results: dict[str, Any]) -> list[Outcome]:
    """Every limit that the results can answer."""
    found = []
    peaks = []
    for name, workload in results["workloads"].items():
        own, peer = landfall_of(workload), best_peer(workload)
        if own is None or own["failed"]:
            continue
        # Keys that must be unique have a memory limit of their own.
        if not name.endswith("-unique"):
            peaks.append(own["peakBytes"])
        if peer is not None and name in _RATIOS:
            title, limit = _RATIOS[name]
            ratio = peer["cpuSeconds"] / own["cpuSeconds"]
            measured = f"{ratio:.2f} times, {peer['label']}"
            found.append(Outcome(title, f"at least {limit:.0f} times", measured, ratio >= limit))
    for run in results["compressed"]:
        if run["failed"]:
            continue
        peaks.append(run["peakBytes"])
        share = run["decompressorSeconds"] / run["wallSeconds"]
        title = f"{run['name']}, speed against `{run['decompressor']}`"
        limit = f"at least {DECOMPRESSION_SHARE:.0%}"
        found.append(Outcome(title, limit, f"{share:.0%}", share >= DECOMPRESSION_SHARE))
    if peaks:
        peak = max(peaks)
        title = "Peak memory without uniqueness"
        limit = f"at most {PEAK_BYTES / 1e6:.0f} MB"
        found.append(Outcome(title, limit, f"{peak / 1e6:.1f} MB", peak <= PEAK_BYTES))
    startup = results["startup"].get("landfall check")
    if startup is not None:
        title = "Start-up: ten rows, median of 20 runs"
        limit = f"at most {STARTUP_SECONDS * 1000:.0f} ms"
        measured = f"{startup * 1000:.1f} ms"
        found.append(Outcome(title, limit, measured, startup <= STARTUP_SECONDS))
    footer = results["footer"]
    if footer is not None:
        found += [
            Outcome(
                "Parquet schema check, ranges read",
                f"at most {FOOTER_RANGES}",
                f"{footer['ranges']} in {footer['calls']} calls",
                footer["ranges"] <= FOOTER_RANGES,
            ),
            Outcome(
                "Parquet schema check, bytes read",
                f"at most {FOOTER_BYTES / 1e6:.0f} MB",
                f"{footer['bytes']:,}",
                footer["bytes"] <= FOOTER_BYTES,
            ),
        ]
    return found
