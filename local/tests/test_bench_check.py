import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from local.bench_check import data, limits, measure, orders, report, sparse_parquet


def test_the_truth_names_each_fault_and_its_place(
    tmp_path: Path,
) -> None:
    data.write_text(tmp_path, 1, seed=7)
    truth = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    assert len(truth) == data.EACH * len(data.FAULTS)

    text = (tmp_path / "orders.csv").read_text()
    records = list(csv.DictReader(io.StringIO(text, newline="")))
    lines = text.split("\n")
    documents = (tmp_path / "orders.jsonl").read_text().splitlines()
    assert len(documents) == len(records)
    seen: dict[str, int] = {}
    for number, record in enumerate(records, 1):
        seen.setdefault(record["order_id"], number)
    for entry in truth:
        record = records[entry["record"] - 1]
        assert lines[entry["line"] - 1].startswith(record["order_id"])
        assert json.loads(documents[entry["record"] - 1])["order_id"] == record["order_id"]
        assert (entry["rule"] == "unique") == (seen[record["order_id"]] != entry["record"])


def test_the_same_seed_makes_the_same_rows() -> None:
    first, again, other = (
        [data.csv_line(row) for row, _ in data.rows(20_000, seed)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_a_fault_changes_its_column_alone() -> None:
    rng = random.Random(3)  # noqa: S311
    for variants in data.FAULTS:
        for fault in variants:
            row = data.good_row(5, rng)
            assert set(row) == set(orders.NAMES)
            if fault.rule != "unique":
                assert fault.spoil(row, rng) != row[fault.column]


def test_the_sparse_file_has_a_footer_that_a_reader_takes(tmp_path: Path) -> None:
    path = tmp_path / "sparse.parquet"
    sparse_parquet.write(path, 3_000_000_000)
    assert path.stat().st_size > 3_000_000_000
    assert path.stat().st_blocks * 512 < 1_000_000
    footer = pq.read_metadata(path)
    assert footer.num_row_groups == sparse_parquet.row_groups(3_000_000_000)
    assert tuple(footer.schema.to_arrow_schema().names) == orders.NAMES
    last = footer.row_group(footer.num_row_groups - 1).column(12)
    assert last.path_in_schema == "note"
    assert last.statistics.null_count == 0
    assert last.data_page_offset + last.total_compressed_size < path.stat().st_size


def test_reads_that_follow_each_other_are_one_range() -> None:
    trace = "\n".join(
        [
            'read(3</lib/libc.so>, ""..., 832) = 832',
            'pread64(4</data/a file>, ""..., 8, 992) = 8',
            'pread64(4</data/a file>, ""..., 100, 800) = 100',
            'pread64(4</data/a file>, ""..., 92, 900) = 92',
            "lseek(4</data/a file>, 10, SEEK_SET)      = 10",
            'read(4</data/a file>, ""..., 64) = 5',
            'read(4</data/a file>, ""..., 64) = 0',
        ]
    )
    assert measure.count_reads(trace, "/data/a file") == measure.Reads(4, 3, 205)
    mapped = "mmap(NULL, 99, PROT_READ, MAP_SHARED, 4</data/a file>, 0) = 0x7f0000000000"
    assert measure.count_reads(mapped, "/data/a file") is None


def tool(label: str, cpu: float, found: int | None = 10, peak: int = 50_000_000) -> dict[str, Any]:
    return {
        "label": label,
        "landfall": label == "landfall check",
        "cpuSeconds": cpu,
        "wallSeconds": cpu,
        "peakBytes": peak,
        "found": found,
        "false": 0,
        "note": "",
        "failed": False,
    }


def results(own_cpu: float, own_peak: int = 50_000_000) -> dict[str, Any]:
    tools = [
        tool("landfall check", own_cpu, peak=own_peak),
        tool("slow", 9.0),
        tool("best", 3.0),
        tool("no rules", 0.1, found=None),
    ]
    return {
        "workloads": {"csv-plain": {"bytes": 94_000_000, "planted": 10, "tools": tools}},
        "compressed": [],
        "startup": {"landfall check": 0.016},
        "footer": {"calls": 3, "ranges": 2, "bytes": 20_000},
    }


def test_limits_compare_with_the_best_peer_that_finds_records() -> None:
    passed = {outcome.name: outcome.passed for outcome in limits.outcomes(results(1.0))}
    assert passed == {
        "CSV without uniqueness, CPU of the best peer": True,
        "Peak memory without uniqueness": True,
        "Start-up: ten rows, median of 20 runs": False,
        "Parquet schema check, ranges read": True,
        "Parquet schema check, bytes read": True,
    }
    missed = [o.name for o in limits.outcomes(results(1.1, 97_000_000)) if not o.passed]
    assert missed[:2] == [
        "CSV without uniqueness, CPU of the best peer",
        "Peak memory without uniqueness",
    ]


def test_landfall_comes_first_and_ratios_are_over_it() -> None:
    rows = report.rows(results(2.0)["workloads"]["csv-plain"])
    assert [(row[0], row[2]) for row in rows] == [
        ("landfall check", "1.00"),
        ("no rules", "0.05"),
        ("best", "1.50"),
        ("slow", "4.50"),
    ]


def test_the_section_is_replaced_and_the_rest_kept() -> None:
    section = f"{report.BEGIN}\nnew\n{report.END}\n"
    added = report.put_section("# Title\n\ntext\n", section.replace("new", "old"))
    assert report.put_section(added, section) == f"# Title\n\ntext\n\n{section}"
    assert report.put_section(added + "\n## More\n", section).endswith(f"{section}\n## More\n")
