"""Holds the Spark engine against the Lambda engine, over many pairs of contract and files.

Makes the cases from a seed, and takes the samples as well; lets the very code of the functions
check and append them over services in memory (`tests/examples/lambda_engine.rs`); loads what
the check accepted with the job's own functions in one Spark session; and compares: the same
rows, the same schema, the same rejected records, the same partition values.

    python -m local.spark.differential [--cases N] [--seed N] [--only N] [--merges]
        [--keep DIRECTORY]

Prints `200 of 200 equal`, and exits with 1 when a case is not, or when too few cases load rows
to mean anything. What the Lambda engine cannot do, upserts and replacements, is held against a
model afterwards (`merges.py`).
"""

import argparse
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from local import console
from local.spark import merges, session
from local.spark.cases import Cases
from local.stack import ROOT

_SAMPLES = ROOT / "samples"
_ENGINE = ROOT / "target" / "debug" / "examples" / "lambda_engine"
_SEED = 20261121


def sample_cases(directory: Path) -> list[str]:
    """Writes a case for each sample: its contract and its files, one batch each."""
    names = []
    for contract in sorted((ROOT / "contracts").glob("*.yaml")):
        files = sorted((_SAMPLES / contract.stem).glob("*"))
        case = directory / f"sample-{contract.stem}"
        case.mkdir(parents=True)
        text = contract.read_text().replace("LANDING_BUCKET", "landing")
        (case / "contract.yaml").write_text(text)
        batches = []
        for number, file in enumerate(files):
            shutil.copyfile(file, case / file.name)
            wanted = {"key": f"{contract.stem}/{file.name}", "file": file.name}
            batch = {"id": f"sample-{number}", "contract": "contract.yaml", "objects": [wanted]}
            batches.append(batch)
        (case / "case.json").write_text(json.dumps({"batches": batches}))
        names.append(case.name)
    return names


class _Claims:
    """A ledger that says of every object that this batch may load it."""

    def refuse_lost_claims(self, batch_id: str, objects: Any) -> None:  # noqa: ANN401
        """It does not."""

    def superseded(self, objects: Any) -> set[Any]:  # noqa: ANN401
        """Nothing is."""
        del objects
        return set()


class Comparison:
    """One case, loaded by both."""

    def __init__(self, spark: Any, case: Path) -> None:  # noqa: ANN401 - a SparkSession
        """Takes the session and the directory of the case."""
        import ingest

        self._spark, self._case = spark, case
        self._lambda = json.loads((case / "lambda.json").read_text())["batches"]
        self._lake = ingest.Lake(spark)
        self._database = case.name.replace("-", "_")
        self.rows = 0
        self.rejected = 0

    def differences(self) -> list[str]:
        """What is not the same, in words."""
        found, table = [], None
        for answer in self._lambda:
            if "checkError" in answer:
                return [f"the check failed: {answer['checkError']}"]
            if not answer["load"]:
                continue
            table, error = self._load(answer)
            theirs = answer.get("appendError")
            if bool(error) != bool(theirs):
                return [f"Lambda: {theirs or 'loaded'}; Spark: {error or 'loaded'}"]
            if error:
                continue
            found += self._marker_differences(answer, table)
        return found + (self._table_differences(table) if table else [])

    def _load(self, answer: dict[str, Any]) -> tuple[str, str | None]:
        """Loads what the check accepted; the table's name, and why that failed."""
        import ingest

        from local.spark.files import Files, read_files

        buckets = self._case / "lambda"
        document, check = answer["batch"], answer["check"]
        accepted = answer["load"]
        objects = [document["objects"][index] for index in accepted]
        checked = []
        for place, index in enumerate(accepted):
            counted = check["objects"][index]
            entry = {"index": place, "records": counted["rows"]}
            entry["rejected"] = counted.get("rejectedRecords", 0)
            key = document["objects"][index]["key"]
            listed = list(
                (buckets / "landing").glob(f"**/{document['id']}/{key}*rejected-records.json")
            )
            if entry["rejected"]:
                path = listed[0].relative_to(buckets)
                entry["rejectedRecords"] = f"s3://{path}"
                self.rejected += entry["rejected"]
            checked.append(entry)
        text = json.dumps(
            {
                "batch": document | {"objects": objects},
                "additions": check.get("additionsIfApproved", []),
                "checked": checked,
            }
        )
        batch = ingest.parse_batch(text, "")
        reference = self._case / Path(batch.contract.key).name
        contract = ingest.parse_contract(reference.read_bytes())
        name = self._lake.name(self._database, contract.table)
        try:
            added = ingest.added_columns(batch)
            self._lake.ensure(self._database, contract, added, f"memory:/{self._case.name}")
            load = ingest.Load(
                self._spark,
                self._lake,
                _Claims(),  # type: ignore[arg-type]
                ingest.Objects(Files(buckets)),
                batch,
                contract,
                name,
                read=functools.partial(read_files, buckets),
            )
            ingest.load_rows(load)
        except ingest.JobError as error:
            return name, str(error)
        except Exception as error:
            return name, ingest.unexpected(error)
        return name, None

    def _marker_differences(self, answer: dict[str, Any], table: str) -> list[str]:
        """The rows of each object, as the snapshots of both say them."""
        import ingest

        metadata = self._lake.load(table).metadata()
        (commit,) = ingest.find_commits(metadata, [answer["batch"]["id"]])
        ours = commit["summary"].get(ingest.OBJECT_ROWS)
        for snapshot in self._lambda_table().metadata["snapshots"]:
            theirs = snapshot["summary"]
            if theirs.get(ingest.BATCH_ID) == answer["batch"]["id"]:
                same = theirs.get(ingest.OBJECT_ROWS) == ours
                return [] if same else [f"rows by object: {theirs[ingest.OBJECT_ROWS]} and {ours}"]
        return ["the Lambda engine has no snapshot of the batch"]

    def _lambda_table(self) -> Any:  # noqa: ANN401 - a LocalTable
        from local.spark.iceberg_files import LocalTable

        buckets = self._case / "lambda"
        found = (buckets / "warehouse").glob("**/*.metadata.json")
        newest = max(found, key=lambda path: int(path.name.split("-")[0]))
        return LocalTable(buckets, f"s3://{newest.relative_to(buckets)}")

    def _table_differences(self, table: str) -> list[str]:
        import pyarrow as pa

        from local.spark.iceberg_files import current_schema, plain, rows_of

        theirs = self._lambda_table()
        ours = self._lake.load(table).metadata()
        found = []
        wanted, schema = current_schema(theirs.metadata), current_schema(ours)
        if wanted["fields"] != schema["fields"]:
            found.append(f"fields: {wanted['fields']} and {schema['fields']}")
        # A set: the specification gives it no order.
        identifiers = [set(it.get("identifier-field-ids") or ()) for it in (wanted, schema)]
        if identifiers[0] != identifiers[1]:
            found.append(f"identifier fields: {identifiers[0]} and {identifiers[1]}")
        properties = [metadata.get("properties", {}) for metadata in (theirs.metadata, ours)]
        if properties[0] != properties[1]:
            found.append(f"properties: {properties[0]} and {properties[1]}")
        specs = [self._spec(metadata) for metadata in (theirs.metadata, ours)]
        if specs[0] != specs[1]:
            found.append(f"partition specs: {specs[0]} and {specs[1]}")
        names = [item["name"] for item in schema["fields"]]
        batches = self._spark.table(table)._collect_as_arrow()
        rows = sorted(row for batch in batches for row in rows_of(pa.table(batch), names))
        self.rows = len(rows)
        expected = theirs.rows()
        if rows != expected:
            missing, more = Counter(expected) - Counter(rows), Counter(rows) - Counter(expected)
            found.append(
                f"{len(expected)} rows and {len(rows)}; only Lambda has {list(missing)[:2]}, only "
                f"Spark {list(more)[:2]}"
            )
        partitions: Counter[str] = Counter()
        if specs[0]:
            files = self._spark.table(f"{table}.files").select("partition", "record_count")
            for file in files.collect():
                partitions[plain(list(file["partition"]))] += file["record_count"]
            if partitions != theirs.partitions():
                found.append(f"partitions: {theirs.partitions()} and {partitions}")
        return found

    @staticmethod
    def _spec(metadata: dict[str, Any]) -> list[tuple[Any, ...]]:
        default = metadata["default-spec-id"]
        spec = next(spec for spec in metadata["partition-specs"] if spec["spec-id"] == default)
        parts = ("name", "transform", "source-id", "field-id")
        return [tuple(item[part] for part in parts) for item in spec["fields"]]


def compare(spark: Any, directory: Path, names: list[str]) -> bool:  # noqa: ANN401
    """Compares the cases below the directory; whether all of them are equal, and enough load
    rows."""
    equal = loaded = rows = rejected = 0
    with console.Phase(f"load {len(names)} cases with Spark") as phase:
        for number, name in enumerate(names, start=1):
            comparison = Comparison(spark, directory / name)
            different = comparison.differences()
            equal += not different
            loaded += comparison.rows > 0
            rows += comparison.rows
            rejected += comparison.rejected
            for words in different:
                console.say(console.bad(f"{name}: {words}"))
            phase.update(f"{number} of {len(names)}, {equal} equal")
    console.say(f"{loaded} of the cases have rows: {rows} loaded, {rejected} rejected")
    console.say(f"{equal} of {len(names)} equal")
    return equal == len(names) and loaded * 2 > len(names)


def main() -> int:
    """Makes the cases and compares."""
    parser = argparse.ArgumentParser(description="Compare the Spark and the Lambda engine.")
    parser.add_argument("--cases", type=int, default=195, help="beside the samples")
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--only", type=int, help="one case, by its number")
    parser.add_argument("--merges", action="store_true", help="upserts and replacements alone")
    parser.add_argument("--keep", type=Path, help="leave cases and tables there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="landfall-") as scratch:
        kept = arguments.keep or Path(scratch)
        directory, merged = kept / "cases", kept / "merges"
        for path in (directory, merged):
            shutil.rmtree(path, ignore_errors=True)
        names = []
        if not arguments.merges:
            names = _write_cases(directory, arguments)
            subprocess.run([str(_ENGINE), str(directory)], check=True)
        spark = session.start(kept)
        try:
            equal = not names or compare(spark, directory, names)
            if arguments.only is None:
                equal &= merges.compare(spark, merged, arguments.seed)
        finally:
            session.stop(spark)
    return 0 if equal else 1


def _write_cases(directory: Path, arguments: argparse.Namespace) -> list[str]:
    numbers = range(arguments.cases) if arguments.only is None else [arguments.only]
    cases = Cases(arguments.seed)
    names = [] if arguments.only is not None else sample_cases(directory)
    for number in numbers:
        name = f"case-{number:03d}"
        cases.write(number, directory / name)
        names.append(name)
    return names


if __name__ == "__main__":
    sys.exit(main())
