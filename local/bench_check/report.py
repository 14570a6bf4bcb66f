"""Tables for the terminal and the section of docs/benchmarks.md, from the same results."""

import textwrap
from typing import Any

from local.bench_check import limits

BEGIN = "<!-- begin: make bench-check -->"
END = "<!-- end: make bench-check -->"

_TITLES = {
    "csv-plain": "CSV, every rule but uniqueness",
    "csv-unique": "CSV, with uniqueness",
    "jsonl-plain": "JSON Lines, every rule but uniqueness",
    "jsonl-unique": "JSON Lines, with uniqueness",
    "parquet-plain": "Parquet, every value, every rule but uniqueness",
}
HEADER = ["", "CPU", "ratio", "wall", "peak", "MB/CPU s", "found", "false"]


def title(name: str) -> str:
    """A workload in words."""
    return _TITLES[name]


def rows(workload: dict[str, Any]) -> list[list[str]]:
    """A workload's table: Landfall, then the peers, the fastest first."""
    own = limits.landfall_of(workload)
    tools = sorted(workload["tools"], key=lambda t: (not t["landfall"], t["cpuSeconds"]))
    table = []
    for tool in tools:
        cpu = tool["cpuSeconds"]
        ratio = f"{cpu / own['cpuSeconds']:.2f}" if own and not own["failed"] else ""
        found = "" if tool["found"] is None else f"{tool['found']:,} of {workload['planted']:,}"
        table.append(
            [
                tool["label"] + (f" ({tool['note']})" if tool["note"] else ""),
                f"{cpu:.2f} s",
                ratio,
                f"{tool['wallSeconds']:.2f} s",
                f"{tool['peakBytes'] / 1e6:.0f} MB",
                f"{workload['bytes'] / 1e6 / cpu:,.0f}",
                found,
                "" if tool["found"] is None else f"{tool['false']:,}",
            ]
        )
    return table


def compressed_rows(results: dict[str, Any]) -> list[list[str]]:
    """The table of the compressed files: bytes are those after decompression."""
    table = []
    for run in results["compressed"]:
        table.append(
            [
                run["name"],
                f"{run['wallSeconds']:.2f} s",
                f"{run['decompressorSeconds']:.2f} s",
                f"{run['decompressorSeconds'] / run['wallSeconds']:.0%}",
                f"{run['peakBytes'] / 1e6:.0f} MB",
            ]
        )
    return table


COMPRESSED_HEADER = ["file", "landfall check, wall", "decompressor alone, wall", "share", "peak"]


def startup_rows(results: dict[str, Any]) -> list[list[str]]:
    """The table of start-up times."""
    return [
        [label, f"{seconds * 1000:,.1f} ms"]
        for label, seconds in sorted(results["startup"].items(), key=lambda item: item[1])
    ]


def limit_rows(results: dict[str, Any]) -> list[list[str]]:
    """The table of limits."""
    return [
        [outcome.name, outcome.limit, outcome.measured, "PASS" if outcome.passed else "MISS"]
        for outcome in limits.outcomes(results)
    ]


def _markdown(header: list[str], table: list[list[str]], left: int = 1) -> list[str]:
    rule = ["---" if index < left else "---:" for index in range(len(header))]
    return ["| " + " | ".join(row) + " |" for row in (header, rule, *table)]


def _paragraph(text: str) -> list[str]:
    return [*textwrap.wrap(text, 98, break_long_words=False, break_on_hyphens=False), ""]


def section(results: dict[str, Any]) -> str:
    """The section of docs/benchmarks.md, markers included."""
    data = results["data"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [BEGIN, "## `landfall check` against other checkers", ""]
    lines += _paragraph(
        "`make bench-check` prints these and, with `ARGUMENTS=--write-docs`, writes this section. "
        f"Taken on a shared machine with {results['cores']} {results['machine']} cores, "
        f"{results['date']}, all in one run on the same files."
    )
    lines += _paragraph(
        f"The data is made from a seed ({data['seed']}): {data['records']:,} records of "
        f"{data['columns']} columns, {data['csvBytes']:,} bytes as CSV, with quoted commas, "
        f"doubled quotes and line breaks in some; {data['planted']:,} of them have one fault "
        f"each, {data['each']} of each of {data['kinds']} kinds. `found` is how many of those a "
        "tool names by record number, `false` how many others it names."
    )
    lines += _paragraph(
        "Each tool is a program as somebody who knows it would write it "
        "([`local/bench_check/peers/`](../local/bench_check/peers)), from PyPI as pinned in "
        "`local/requirements/peers.txt`; qsv is what is on the PATH, one job, because with more "
        "it flags the wrong copies of a key. Measured is the whole process, start to exit, "
        "pinned to one core: user and system time, wall time, and peak resident memory. The "
        f"tools take turns, {results['rounds']} rounds, and the run with the least CPU counts "
        "(Great Expectations and frictionless run once). `ratio` is CPU over Landfall's. "
        f"Versions: {versions}." + ("" if results["qsv"] else " qsv was not on the PATH.")
    )
    lines += _paragraph(
        "What the counts mean: DuckDB's typed reader rounds 12.345 into decimal(12,2), so too "
        "many decimals go unseen. pandera and Great Expectations flag the first copy of a key "
        "too. datacontract-cli stops at the first value that it cannot convert and names no "
        "record; its times are those of the part that it read."
    )
    lines.pop()
    for name, workload in results["workloads"].items():
        lines += ["", f"### {title(name)}", "", f"{workload['bytes']:,} bytes.", ""]
        lines += _markdown(HEADER, rows(workload))
    if results["compressed"]:
        lines += [
            "",
            "### Compressed CSV",
            "",
            f"Every rule but uniqueness, wall time, all cores, best of {results['rounds']}; the",
            "decompressor writes to /dev/null.",
            "",
            *_markdown(COMPRESSED_HEADER, compressed_rows(results)),
        ]
    if results["footer"]:
        footer = results["footer"]
        lines += [
            "",
            "### Schema of a Parquet file",
            "",
            f"{footer['fileBytes']:,} bytes in {footer['rowGroups']} row groups: a real footer "
            "over a hole, made by",
            "`local/bench_check/sparse_parquet.py`. `landfall check` against types and required",
            f"columns read {footer['bytes']:,} bytes in {footer['ranges']} ranges, by strace.",
        ]
    if results["startup"]:
        lines += ["", "### Start-up", "", "Ten rows of CSV, wall time, median.", ""]
        lines += _markdown(["", "wall"], startup_rows(results))
    table = limit_rows(results)
    if table:
        lines += ["", "### Limits", ""]
        lines += _markdown(["", "limit", "measured", ""], table, left=4)
    lines += [
        "",
        f"Linux counts {results['floorBytes'] / 1e6:.0f} MB of the benchmark's own as every "
        "program's peak: smaller peaks show as that.",
        END,
    ]
    return "\n".join(lines) + "\n"


def put_section(document: str, text: str) -> str:
    """The document with its section replaced, or added at the end."""
    before, begin, rest = document.partition(BEGIN)
    if not begin:
        return document.rstrip("\n") + "\n\n" + text
    after = rest.partition(END)[2].lstrip("\n")
    return before + text + ("\n" + after if after else "")
