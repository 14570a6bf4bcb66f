"""Holds the tables that the job merges into against the model of `merge_cases`.

Each case is loaded batch by batch with the job's own functions, some batches twice. What the
table was after each batch is read by PyIceberg.
"""

import functools
import json
import random
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local import console
from local.spark import merge_cases
from local.spark.files import Files, Items, read_files
from local.spark.iceberg_files import write_out
from local.spark.merge_cases import MergeCase, Round, Version
from local.stack import ROOT

_UPSERTS, _REPLACEMENTS = 24, 16


class Loaded:
    """A case on its way into its table."""

    def __init__(self, spark: Any, case: MergeCase, directory: Path) -> None:  # noqa: ANN401
        """Takes the session, the case, and the directory of its files and of its table."""
        import ingest

        self._spark, self._case, self._directory = spark, case, directory
        self._contract = ingest.parse_contract(case.contract)
        self._lake = ingest.Lake(spark)
        self._database = str(self._contract.database)
        self._table = self._lake.name(self._database, case.name)
        self._items = Items()
        # After each round, the table's snapshot.
        self.snapshots: list[int | None] = []

    def load(self, number: int) -> str | None:
        """Loads a batch, and perhaps a second time; what is wrong with that, if anything."""
        import ingest

        wanted = self._case.rounds[number]
        batch = self._batch(wanted)
        for version, item in zip(wanted.versions, batch.objects, strict=True):
            self._items.items[item.path, item.version] = {"batchId": {"S": batch.id}}
            if (latest := wanted.latest.get(version.path)) is not None:
                newest = _object(latest)
                self._items.items[item.path, "latest"] = {
                    "latestVersion": {"S": newest.version},
                    "latestRank": {"S": ingest.latest_rank(newest)},
                }
        self._lake.ensure(self._database, self._contract, (), f"file://{self._directory}")
        try:
            first = ingest.load_rows(self._loader(batch))
            before = self._current()
            # A run that is repeated changes nothing.
            again = random.Random(batch.id).random() < 0.3  # noqa: S311
            if again and ingest.load_rows(self._loader(batch)) != first:
                return f"batch {batch.id} has another snapshot when it is loaded again"
            self.snapshots.append(self._current())
            if before != self.snapshots[-1]:
                return f"batch {batch.id} is committed again"
        except ingest.JobError as error:
            return f"batch {batch.id}: {error}"
        return None

    def _loader(self, batch: Any) -> Any:  # noqa: ANN401 - of the job's own types
        import ingest

        return ingest.Load(
            self._spark,
            self._lake,
            ingest.Ledger(self._items, "ledger"),
            ingest.Objects(Files(self._directory)),
            batch,
            self._contract,
            self._table,
            read=functools.partial(read_files, self._directory),
        )

    def _batch(self, wanted: Round) -> Any:  # noqa: ANN401 - of the job's own types
        import ingest

        items = {version: _object(version) for version in wanted.versions}
        return ingest.Batch(
            wanted.batch_id,
            self._case.name,
            ingest.ContractRef("config", "c", "e", None),
            tuple(items.values()),
            previous_batch_ids=wanted.previous,
            checked={
                item: ingest.Checked(len(version.rows), 0, None) for version, item in items.items()
            },
            replaces={
                items[version]: digests for version, digests in wanted.replaces.items() if digests
            },
        )

    def _current(self) -> int | None:
        found = self._lake.load(self._table).metadata().get("current-snapshot-id")
        return found if found is not None and found >= 0 else None

    def written(self) -> str:
        """Writes the table's files, which the catalog has in memory, where their names say;
        where its metadata is."""
        return write_out(self._lake.load(self._table)._table)


def _object(version: Version) -> Any:  # noqa: ANN401 - of the job's own types
    import ingest

    return ingest.ObjectVersion(
        "landing",
        version.key,
        f"v#{version.number}",
        str(version.number),
        "e",
        version.written.strftime("%Y-%m-%dT%H:%M:%SZ"),
        version.sequencer,
    )


def cases(seed: int, directory: Path) -> list[tuple[MergeCase, Path]]:
    """All cases, each with its directory."""
    found = []
    for make, count in (
        (merge_cases.upserts, _UPSERTS),
        (merge_cases.replacements, _REPLACEMENTS),
    ):
        for number in range(count):
            own = directory / f"{make.__name__}-{number:02d}"
            found.append((make(seed, number, own), own))
    return found


def differences(case: MergeCase, rows: Sequence[Sequence[str]]) -> list[str]:
    """Where the table is not what the model says, in words."""
    found = []
    for wanted, after in zip(case.rounds, rows, strict=True):
        if wanted.expected != list(after):
            missing = Counter(wanted.expected) - Counter(after)
            more = Counter(after) - Counter(wanted.expected)
            found.append(
                f"after batch {wanted.batch_id} {len(wanted.expected)} rows are due and there are "
                f"{len(after)}; missing {list(missing)[:2]}, too many {list(more)[:2]}"
            )
    return found


def compare(spark: Any, directory: Path, seed: int) -> bool:  # noqa: ANN401 - a SparkSession
    """Loads and compares all cases; whether all of them are equal."""
    made = cases(seed, directory)
    wrong: dict[str, list[str]] = {case.name: [] for case, _ in made}
    tables: dict[str, Mapping[str, Any]] = {}
    with console.Phase(f"merge {len(made)} cases with Spark") as phase:
        for number, (case, own) in enumerate(made, start=1):
            loaded = Loaded(spark, case, own)
            for place in range(len(case.rounds)):
                problem = loaded.load(place)
                if problem is not None:
                    wrong[case.name].append(problem)
                    break
            else:
                metadata = loaded.written()
                tables[case.name] = {"metadata": metadata, "snapshots": loaded.snapshots}
            phase.update(f"{number} of {len(made)}")
    (directory / "tables.json").write_text(json.dumps(tables))
    python = ROOT / ".venv" / "tools" / "bin" / "python"
    command = [str(python), "-m", "local.spark.read_back", str(directory)]
    subprocess.run(command, check=True, cwd=ROOT)
    rows = json.loads((directory / "rows.json").read_text())
    for case, _ in made:
        if case.name in rows:
            wrong[case.name] += differences(case, rows[case.name])
        for words in wrong[case.name]:
            console.say(console.bad(f"{case.name}: {words}"))
    for kind, prefix in (("upserts", "upsert_"), ("replacements", "replace_")):
        of_kind = [case for case, _ in made if case.name.startswith(prefix)]
        equal = sum(not wrong[case.name] for case in of_kind)
        batches = sum(len(case.rounds) for case in of_kind)
        total = sum(case.rows for case in of_kind)
        console.say(
            f"{kind}: {equal} of {len(of_kind)} as the model says; {batches} batches, {total} rows"
        )
    return not any(wrong.values())
