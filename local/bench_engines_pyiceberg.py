"""One CSV object into one Iceberg table with PyIceberg, as `local/bench_engines.py` measures it.

PyArrow reads the file with the table's types; nothing is checked beyond that they parse.

    python -m local.bench_engines_pyiceberg BUCKET KEY WAREHOUSE_BUCKET
"""

import os
import sys

import pyarrow as pa
import pyarrow.csv
from pyarrow import fs
from pyiceberg.catalog import load_catalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    DateType,
    DecimalType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

_TABLE = "landfall.engines_pyiceberg"
_SCHEMA = Schema(
    NestedField(1, "id", LongType()),
    NestedField(2, "name", StringType()),
    NestedField(3, "amount", DecimalType(12, 2)),
    NestedField(4, "day", DateType()),
    NestedField(5, "at", TimestamptzType()),
)
_PARTITIONS = PartitionSpec(PartitionField(4, 1000, IdentityTransform(), "day"))
_TYPES = {
    "id": pa.int64(),
    "name": pa.string(),
    "amount": pa.decimal128(12, 2),
    "day": pa.date32(),
    "at": pa.timestamp("us", "UTC"),
}


def main(bucket: str, key: str, warehouse: str) -> None:
    """Reads the object and appends its rows."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    region = os.environ["AWS_DEFAULT_REGION"]
    catalog = load_catalog(
        "glue",
        **{
            "type": "glue",
            "glue.endpoint": endpoint,
            "s3.endpoint": endpoint,
            "s3.region": region,
            "warehouse": f"s3://{warehouse}",
        },
    )
    table = catalog.create_table_if_not_exists(_TABLE, _SCHEMA, partition_spec=_PARTITIONS)
    scheme, _, host = endpoint.partition("://")
    files = fs.S3FileSystem(endpoint_override=host, scheme=scheme, region=region)
    with files.open_input_stream(f"{bucket}/{key}") as stream:
        rows = pyarrow.csv.read_csv(
            stream, convert_options=pyarrow.csv.ConvertOptions(column_types=_TYPES)
        )
    table.append(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
