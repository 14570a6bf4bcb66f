"""Makes the files of the measurement from a seed, and the truth about them.

    python -m local.bench_check.data DIRECTORY --megabytes 94 --seed 1

Run as a process of its own: a process that has read the rows is big, and Linux counts the
peak memory of the process that starts another one as the other one's too.

What is made, in DIRECTORY:

- `orders.csv`, `orders.jsonl`: the same records; `orders.csv.gz` (gzip -6), `orders.csv.zst`
  (zstd -3); `tiny.csv`: ten good records;
- `truth.jsonl`: one line per bad record: `record` from 1, `line` (physical, of the CSV file),
  `column`, `rule` as Landfall names it;
- `orders.parquet`: the good records; `sparse.parquet`: a footer of 10 GB of row groups over a
  hole, which only a reader of the footer can read;
- `<format>-<unique|plain>.yaml`, `parquet-schema.yaml`: the contracts.
"""

import argparse
import itertools
import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.bench_check import orders, sparse_parquet

# Bad records of each kind.
EACH = 80
# Records that leave room for every fault, and keys enough to copy.
_FEWEST = 20_000
SPARSE_BYTES = 10_000_000_000
_WORDS = (
    *("leave", "at", "the", "door", "ring", "twice", "gift", "wrap", "fragile", "handle"),
    *("with", "care", "call", "before", "delivery", "blue", "box", "second", "floor", "back"),
    *("yard", "neighbour", "signature", "needed", "no", "plastic", "please", "thanks"),
)
_COUNTRIES = ("DE", "FR", "NL", "US", "GB", "PL", "ES", "IT", "SE", "CH", "AT", "BE")
_HOSTS = ("example.com", "mail.example", "post-box.org", "shop.net")


@dataclass(frozen=True)
class Fault:
    """One way to spoil a record: which column, which rule it breaks, and how."""

    column: str
    rule: str
    spoil: Callable[[dict[str, Any], random.Random], Any]


def _spoil_uuid(row: dict[str, Any], rng: random.Random) -> str:
    at = rng.randrange(8)
    return row["request_id"][:at] + "g" + row["request_id"][at + 1 :]


# Fourteen kinds, some of several columns. The generator, which knows the keys, copies one for
# `unique`.
FAULTS: tuple[tuple[Fault, ...], ...] = (
    (
        Fault("order_id", "pattern", lambda row, _: row["order_id"].replace("ORD-", "ORD ")),
        Fault("country", "pattern", lambda row, _: row["country"].lower()),
        Fault("email", "pattern", lambda row, _: row["email"].replace("@", " at ")),
    ),
    (Fault("order_id", "unique", lambda row, _: row["order_id"]),),
    (Fault("customer", "required", lambda *_: None),),
    (Fault("customer", "type", lambda row, _: f"{row['customer']}x"),),
    (Fault("amount", "type", lambda row, rng: f"{row['amount']}{rng.randint(1, 9)}"),),
    (Fault("amount", "minimum", lambda row, _: f"-{row['amount']}"),),
    (Fault("weight", "maximum", lambda row, _: f"{1001 + float(row['weight']):.3f}"),),
    (Fault("quantity", "multiple-of", lambda row, rng: row["quantity"] + rng.randint(1, 4)),),
    (Fault("gift", "type", lambda *_: "maybe"),),
    (Fault("order_date", "type", lambda row, _: row["order_date"][:4] + "-02-30"),),
    (Fault("paid_at", "type", lambda row, _: row["paid_at"][:4] + "-02-30T10:00:00Z"),),
    (Fault("request_id", "type", _spoil_uuid),),
    (Fault("status", "valid-values", lambda row, _: row["status"] + "?"),),
    (Fault("note", "max-length", lambda *_: "far too long, " * 10),),
)


def _note(rng: random.Random) -> str | None:
    dice = rng.random()
    if dice < 0.25:
        return None
    words = rng.choices(_WORDS, k=2 + int(dice * 6))
    text = " ".join(words)
    if dice > 0.97:
        return f"{text}\n{words[0]}"
    if dice > 0.94:
        return f'say "{words[0]}", {text}'
    return f"{text}, {words[0]}" if dice > 0.85 else text


def good_row(number: int, rng: random.Random) -> dict[str, Any]:
    """The record with the number, before anything is spoiled. Numbers with a fraction are text."""
    day = f"{2024 + rng.randrange(3)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    bits = f"{rng.getrandbits(128):032x}"
    clock = rng.randrange(86_400)
    return {
        # The factor is prime to the modulus, so the keys differ and are in no order.
        "order_id": f"ORD-{number * 7_654_321 % 100_000_000:08d}",
        "customer": 1 + rng.randrange(orders.CUSTOMER_MAX),
        # Not zero, so that the same with a minus sign is below zero.
        "amount": f"{rng.randrange(5000)}.{rng.randint(1, 99):02d}",
        "weight": f"{rng.random() * 60:.3f}",
        "quantity": orders.QUANTITY_STEP * rng.randint(1, 40),
        "gift": rng.random() < 0.1,
        "order_date": day,
        "paid_at": f"{day}T{clock // 3600:02d}:{clock // 60 % 60:02d}:{clock % 60:02d}Z",
        "request_id": f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}",
        "status": rng.choice(orders.STATUSES),
        "country": rng.choice(_COUNTRIES),
        "email": f"{rng.choice(_WORDS)}.{number % 9973}@{rng.choice(_HOSTS)}",
        "note": _note(rng),
    }


def csv_line(row: dict[str, Any]) -> str:
    """The record as RFC 4180 wants it, with a bare newline; null is the empty field."""
    return ",".join(map(_csv_field, row.values())) + "\n"


def _csv_field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if "," in text or '"' in text or "\n" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


_NUMBERS = ("amount", "weight")


def json_line(row: dict[str, Any]) -> str:
    """The record as a JSON document. A number keeps its digits, which a float would not."""
    values = {name: json.dumps(value) for name, value in row.items()}
    for name in _NUMBERS:
        values[name] = row[name]
    return "{" + ",".join(f'"{name}":{value}' for name, value in values.items()) + "}\n"


def rows(count: int, seed: int) -> Iterator[tuple[dict[str, Any], Fault | None]]:
    """`count` records, each with the fault that it has."""
    rng = random.Random(seed)  # noqa: S311 - the same data again is the point
    kinds = [variants[i % len(variants)] for variants in FAULTS for i in range(EACH)]
    rng.shuffle(kinds)
    # The first records are good, so that a copied key has something to copy.
    places = sorted(rng.sample(range(1000, count), len(kinds)))
    faults = dict(zip(places, kinds, strict=True))
    keys: list[str] = []
    for number in range(count):
        row = good_row(number, rng)
        fault = faults.get(number)
        if fault is None:
            if number % 50 == 0:
                keys.append(row["order_id"])
        elif fault.rule == "unique":
            # Each key is copied once: the second copy would be one fault more than planted.
            row["order_id"] = keys.pop(rng.randrange(len(keys)))
        else:
            row[fault.column] = fault.spoil(row, rng)
        yield row, fault


def _count(size: int, seed: int) -> int:
    sample = [len(csv_line(row).encode()) for row, _ in rows(_FEWEST, seed)]
    return max(_FEWEST, round(size * len(sample) / sum(sample)))


def write_text(directory: Path, size: int, seed: int) -> None:
    """Writes the CSV and JSON Lines files, the good records apart, and the truth."""
    header = ",".join(orders.NAMES) + "\n"
    line = 2
    with (
        (directory / "orders.csv").open("w", newline="") as as_csv,
        (directory / "good.csv").open("w", newline="") as good,
        (directory / "orders.jsonl").open("w") as as_json,
        (directory / "truth.jsonl").open("w") as truth,
    ):
        as_csv.write(header)
        good.write(header)
        for record, (row, fault) in enumerate(rows(_count(size, seed), seed), 1):
            text = csv_line(row)
            as_csv.write(text)
            as_json.write(json_line(row))
            if fault is None:
                good.write(text)
            else:
                entry = {
                    "record": record,
                    "line": line,
                    "column": fault.column,
                    "rule": fault.rule,
                }
                truth.write(json.dumps(entry) + "\n")
            line += text.count("\n")
    tiny = (csv_line(row) for row, _ in itertools.islice(rows(_FEWEST, seed), 10))
    (directory / "tiny.csv").write_text(header + "".join(tiny))


def write_parquet(directory: Path) -> None:
    """Writes the good records as Parquet, and removes their text."""
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    types = {
        "bigint": pa.int64(),
        "decimal(12,2)": pa.decimal128(12, 2),
        "double": pa.float64(),
        "int": pa.int32(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamptz": pa.timestamp("us", "UTC"),
    }
    source = directory / "good.csv"
    table = pc.read_csv(
        source,
        parse_options=pc.ParseOptions(newlines_in_values=True),
        convert_options=pc.ConvertOptions(
            column_types={c.name: types.get(c.physical, pa.string()) for c in orders.COLUMNS},
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    at = orders.NAMES.index("request_id")
    texts = table.column(at).combine_chunks().to_pylist()
    raw = pa.array([bytes.fromhex(text.replace("-", "")) for text in texts], pa.binary(16))
    identifiers = pa.ExtensionArray.from_storage(pa.uuid(), raw)
    table = table.set_column(at, "request_id", identifiers)
    pq.write_table(table, directory / "orders.parquet", row_group_size=128 * 1024)
    source.unlink()


def write_compressed(directory: Path) -> None:
    """Writes the compressed files; those whose program is not here are left out."""
    source = directory / "orders.csv"
    for command, name in (
        (["gzip", "-6", "--no-name", "--stdout"], "orders.csv.gz"),
        (["zstd", "-3", "--quiet", "--stdout"], "orders.csv.zst"),
    ):
        if shutil.which(command[0]):
            with (directory / name).open("wb") as target:
                subprocess.run([*command, str(source)], stdout=target, check=True)


def write_contracts(directory: Path) -> None:
    """Writes every contract."""
    for file_format in ("csv", "jsonl", "parquet"):
        for name, unique in (("unique", True), ("plain", False)):
            path = directory / f"{file_format}-{name}.yaml"
            path.write_text(orders.contract(file_format, unique))
    schema = orders.contract("parquet", unique=False, rules=False)
    (directory / "parquet-schema.yaml").write_text(schema)


def main() -> None:
    """Writes everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--megabytes", type=int, default=94)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    directory: Path = arguments.directory
    directory.mkdir(parents=True, exist_ok=True)
    write_contracts(directory)
    write_text(directory, arguments.megabytes * 1_000_000, arguments.seed)
    write_compressed(directory)
    write_parquet(directory)
    sparse_parquet.write(directory / "sparse.parquet", SPARSE_BYTES)


if __name__ == "__main__":
    main()
