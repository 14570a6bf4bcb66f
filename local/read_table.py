"""Prints an Iceberg table of the local cloud as JSON, as PyIceberg reads it.

An independent reader: what Landfall's own code wrote is judged by another implementation.

    python -m local.read_table --stack-file .local/landfall/stack.json TABLE
        [--database NAME] [--rows] [--sum COLUMN ...] [--group-by COLUMN]

The document has `exists`, `rowCount`, `sums`, `groups` (rows per value), `rows`, `snapshots`
(id, parentId, sequenceNumber, timestampMs, operation, schemaId, summary), `schemas`,
`partitionSpec`, `location`, `formatVersion` and `metadataLocation`. Snapshot ids are text,
as everywhere in Landfall. Values that JSON does not have are written as text.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from local.stack import DEFAULT_NAME, LocalCloudError, Stack, state_dir


def catalog(stack: Stack) -> Any:  # noqa: ANN401 - PyIceberg is imported at run time
    """The stack's Glue catalog."""
    from pyiceberg.catalog import load_catalog

    return load_catalog(
        "local",
        **{
            "type": "glue",
            "glue.endpoint": stack.endpoint,
            "glue.region": stack.region,
            "glue.access-key-id": stack.access_key_id,
            "glue.secret-access-key": stack.secret_access_key,
            "s3.endpoint": stack.endpoint,
            "s3.region": stack.region,
            "s3.access-key-id": stack.access_key_id,
            "s3.secret-access-key": stack.secret_access_key,
            "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
        },
    )


def describe(
    stack: Stack,
    database: str,
    table_name: str,
    *,
    rows: bool = False,
    sums: list[str] | None = None,
    group_by: str | None = None,
) -> dict[str, Any]:
    """The document that this program prints."""
    import pyarrow.compute as pc
    from pyiceberg.exceptions import NoSuchTableError

    try:
        table = catalog(stack).load_table((database, table_name))
    except NoSuchTableError:
        return {"exists": False, "rowCount": 0, "snapshots": []}
    metadata = table.metadata
    document: dict[str, Any] = {
        "exists": True,
        "location": metadata.location,
        "formatVersion": metadata.format_version,
        "metadataLocation": table.metadata_location,
        "currentSchemaId": metadata.current_schema_id,
        "schemas": [
            {
                "schemaId": schema.schema_id,
                "fields": [
                    {
                        "id": field.field_id,
                        "name": field.name,
                        "type": str(field.field_type),
                        "required": field.required,
                        "doc": field.doc,
                    }
                    for field in schema.fields
                ],
            }
            for schema in sorted(metadata.schemas, key=lambda schema: schema.schema_id)
        ],
        "partitionSpec": [
            {
                "name": field.name,
                "transform": str(field.transform),
                "column": table.schema().find_column_name(field.source_id),
            }
            for field in table.spec().fields
        ],
        "snapshots": [
            {
                "id": str(snapshot.snapshot_id),
                "parentId": _text(snapshot.parent_snapshot_id),
                "sequenceNumber": snapshot.sequence_number,
                "timestampMs": snapshot.timestamp_ms,
                "schemaId": snapshot.schema_id,
                "operation": snapshot.summary.operation.value if snapshot.summary else None,
                "summary": dict(snapshot.summary.additional_properties) if snapshot.summary else {},
            }
            for snapshot in metadata.snapshots
        ],
    }
    wanted = sorted({*(sums or []), *([group_by] if group_by else [])})
    if rows or wanted:
        scan = table.scan() if rows else table.scan(selected_fields=tuple(wanted))
        data = scan.to_arrow()
        document["rowCount"] = data.num_rows
        document["sums"] = {column: pc.sum(data[column]).as_py() for column in sums or []}
        if group_by:
            counts = pc.value_counts(data[group_by])
            document["groups"] = {
                str(item["values"]): item["counts"] for item in counts.to_pylist()
            }
        if rows:
            document["rows"] = data.to_pylist()
    else:
        # Reads the data files' own counts, not the summary's.
        document["rowCount"] = table.scan().count()
    return document


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def main() -> int:
    """Prints one table."""
    parser = argparse.ArgumentParser(description="Print an Iceberg table as JSON.")
    parser.add_argument("table", help="table name, or database.table")
    parser.add_argument(
        "--stack-file", type=Path, help="default: the stack.json of the stack landfall"
    )
    parser.add_argument("--database", help="default: the stack's own")
    parser.add_argument("--rows", action="store_true", help="the rows themselves")
    parser.add_argument("--sum", action="append", default=[], metavar="COLUMN")
    parser.add_argument("--group-by", metavar="COLUMN", help="rows for each value of the column")
    arguments = parser.parse_args()
    try:
        stack = Stack.read(arguments.stack_file or state_dir(DEFAULT_NAME) / "stack.json")
        database, _, table = arguments.table.rpartition(".")
        document = describe(
            stack,
            arguments.database or database or stack.output("GlueDatabase"),
            table,
            rows=arguments.rows,
            sums=arguments.sum,
            group_by=arguments.group_by,
        )
    except LocalCloudError as error:
        print(error, file=sys.stderr)
        return 1
    json.dump(document, sys.stdout, indent=2, default=str)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
