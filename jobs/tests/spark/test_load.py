"""The job on Spark: what it commits, once, and what it refuses."""

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import ingest
import pytest

from local.spark.files import Files, Items, read_files

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: {table}
version: 1.0.0
status: active
servers:
  - {{server: landing, type: s3, location: s3://landing/, format: csv}}
schema:
  - name: {table}
    properties:
      - {{name: id, logicalType: integer, physicalType: bigint, required: true{key}}}
      - {{name: name, logicalType: string}}
      - {{name: day, logicalType: date, partitioned: true}}
      - {{name: gone, logicalType: boolean}}
customProperties: [{custom}]
"""


class World:
    """A table's contract, the files that land, and who may load them."""

    def __init__(
        self, spark: Any, directory: Path, table: str, key: str = "", custom: str = ""
    ) -> None:
        self.spark, self.directory, self.items = spark, directory, Items()
        self.contract = ingest.parse_contract(CONTRACT.format(table=table, key=key, custom=custom))
        self.lake = ingest.Lake(spark)
        self.name = self.lake.name("test", table)

    def land(self, key: str, rows: str, version: str = "1") -> ingest.ObjectVersion:
        (self.directory / "landing").mkdir(exist_ok=True)
        (self.directory / "landing" / f"{key}@{version}").write_text("id,name,day,gone\n" + rows)
        return ingest.ObjectVersion(
            "landing", f"{key}@{version}", f"v#{version}", version, "e", "", version
        )

    def delete(self, *objects: ingest.ObjectVersion) -> None:
        for item in objects:
            (self.directory / item.bucket / item.key).unlink()

    def batch(self, name: str, *objects: ingest.ObjectVersion, **more: Any) -> ingest.Batch:
        for item in objects:
            self.items.items[item.path, item.version] = {"batchId": {"S": name}}
        reference = ingest.ContractRef("config", "c", "e", None)
        return ingest.Batch(name, "d", reference, objects, **more)

    def load(self, batch: ingest.Batch) -> ingest.Load:
        self.lake.ensure("test", self.contract, ingest.added_columns(batch), f"{self.directory}/w")
        return ingest.Load(
            self.spark,
            self.lake,
            ingest.Ledger(self.items, "ledger"),
            ingest.Objects(Files(self.directory)),
            batch,
            self.contract,
            self.name,
            read=functools.partial(read_files, self.directory),
        )

    def run(self, batch: ingest.Batch) -> str | None:
        return ingest.load_rows(self.load(batch))

    def rows(self) -> list[tuple[Any, ...]]:
        self.spark.catalog.refreshTable(self.name)
        found = self.spark.table(self.name).select("id", "name").orderBy("id", "name").collect()
        return [tuple(row) for row in found]

    def summaries(self) -> list[dict[str, str]]:
        return [it["summary"] for it in self.lake.load(self.name).metadata()["snapshots"]]


@pytest.fixture
def world(spark: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    name = request.node.name
    return lambda **more: World(spark, tmp_path, name, **more)


def test_rows_are_appended_once_with_the_marker(world: Any) -> None:
    here = world()
    item = here.land("a.csv", "1,Ann,2026-11-01,\n2,Bob,2026-11-02,true\n")
    batch = here.batch("b1", item)
    snapshot = here.run(batch)
    assert here.rows() == [(1, "Ann"), (2, "Bob")]
    assert here.run(batch) == snapshot
    assert here.run(replace(batch, id="b2", previous_batch_ids=("b1",))) is None
    (summary,) = here.summaries()
    assert summary[ingest.BATCH_ID] == "b1"
    assert json.loads(summary[ingest.OBJECTS]) == [item.id]
    assert (summary[ingest.OBJECT_ROWS], summary["added-records"]) == ("2", "2")
    assert summary["operation"] == "append"


def test_a_commit_that_comes_in_between_starts_another_round_with_the_same_files(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world()
    monkeypatch.setattr(ingest, "_pause", lambda _: 0.0)
    batch = here.batch("b1", here.land("a.csv", "1,Ann,2026-11-01,\n"))
    other = here.batch("b2", here.land("b.csv", "2,Bob,2026-11-01,\n"))
    load, written = here.load(batch), []
    of_claims = load.ledger.refuse_lost_claims

    def interrupt(batch_id: str, objects: Any) -> None:
        written.append(list(map(id, load.files)))
        if len(written) == 1:
            here.run(other)
        of_claims(batch_id, objects)

    monkeypatch.setattr(load.ledger, "refuse_lost_claims", interrupt)
    assert ingest.load_rows(load)
    assert here.rows() == [(1, "Ann"), (2, "Bob")]
    assert len(written) == 2 and written[0] == written[1] != []


def test_a_zombie_finds_that_its_claim_is_gone(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = world()
    monkeypatch.setattr(ingest, "_pause", lambda _: 0.0)
    item = here.land("a.csv", "1,Ann,2026-11-01,\n")
    load = here.load(here.batch("zombie", item))
    of_claims = load.ledger.refuse_lost_claims

    def lose(batch_id: str, objects: Any) -> None:
        of_claims(batch_id, objects)
        if len(here.summaries() if here.rows() else ()) == 0:
            # Taken over, and loaded by the new owner, right after the claims were read.
            here.run(here.batch("owner", item, previous_batch_ids=("zombie",)))

    monkeypatch.setattr(load.ledger, "refuse_lost_claims", lose)
    with pytest.raises(ingest.JobError, match=r"Ledger\.ClaimLost"):
        ingest.load_rows(load)
    assert here.rows() == [(1, "Ann")]


def test_a_file_that_is_not_as_checked_commits_nothing(world: Any) -> None:
    here = world()
    for number, (rows, records) in enumerate([("x,Ann,2026-11-01,\n", 1), ("1,A,,\n", 2)]):
        item = here.land(f"{number}.csv", rows)
        batch = here.batch("b", item, checked={item: ingest.Checked(records, 0, None)})
        with pytest.raises(ingest.JobError, match=r"Job\.NotAsChecked") as failure:
            here.run(batch)
        assert item.path in str(failure.value)
    assert here.rows() == []


@pytest.mark.parametrize("policy", ["", "writeMode", "onOverwrite"])
def test_deleted_objects_are_left_out(world: Any, policy: str) -> None:
    value = {"writeMode": "upsert", "onOverwrite": "replace"}.get(policy)
    custom = f"{{property: {policy}, value: {value}}}" if policy else ""
    here = world(key=", primaryKey: true" if policy == "writeMode" else "", custom=custom)
    before = here.land("0.csv", "9,Zoe,2026-11-01,\n")
    here.run(here.batch("b0", before))
    kept, deleted = here.land("a.csv", "1,Ann,,\n"), here.land("b.csv", "2,Bob,,\n", "2")
    also = here.land("c.csv", "3,Cy,,\n", "3")
    # The one takes the place of rows that must stay when it is gone.
    digests = (ingest.marking_digest(before),) if policy == "onOverwrite" else ()
    batch = here.batch("b1", deleted, kept, also, replaces={deleted: digests})
    here.delete(deleted, also)
    load = here.load(batch)
    snapshot = ingest.load_rows(load)
    assert load.gone == {deleted, also}
    assert here.rows() == [(1, "Ann"), (9, "Zoe")]
    assert json.loads(here.summaries()[-1][ingest.OBJECTS]) == [kept.id]
    assert here.run(batch) == snapshot
    assert here.run(here.batch("b2", deleted)) is None
    assert len(here.summaries()) == 2


def test_what_is_gone_beside_the_objects_ends_the_run(world: Any) -> None:
    here = world()
    item = here.land("a.csv", "1,Ann,,\n")
    checked = {item: ingest.Checked(1, 1, "s3://landing/no-list.json")}
    with pytest.raises(ingest.JobError, match=r"Object\.Gone: .*no-list"):
        here.run(here.batch("b", item, checked=checked))


def test_after_an_unknown_outcome_a_deleted_object_is_no_longer_left_out(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world(key=", primaryKey: true", custom="{property: writeMode, value: upsert}")
    monkeypatch.setattr(ingest, "_pause", lambda _: 0.0)
    here.run(here.batch("b0", here.land("0.csv", "0,Zoe,2026-11-01,\n")))
    item = here.land("a.csv", "1,Ann,,\n")
    load = here.load(here.batch("b1", item))

    def no_answer(*_: Any) -> None:
        here.delete(item)
        raise RuntimeError("org.apache.iceberg.exceptions.CommitStateUnknownException")

    monkeypatch.setattr(load.lake, "run", no_answer)
    with pytest.raises(ingest.JobError, match=r"Object\.Gone"):
        ingest.load_rows(load)
    assert load.gone == set()


def test_after_an_unknown_outcome_no_file_is_removed(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world(custom="{property: onOverwrite, value: replace}")
    monkeypatch.setattr(ingest, "_pause", lambda _: 0.0)
    old, other = here.land("a.csv", "1,Ann,,\n"), here.land("b.csv", "2,Bob,,\n")
    load, written, of_append = here.load(here.batch("b", old, other)), [], ingest.Table.append

    def no_answer(table: ingest.Table, files: Any, properties: Any) -> None:
        written.extend(str(file.location()) for file in files)
        monkeypatch.setattr(ingest.Table, "append", of_append)
        # A newer version comes, so the next round writes other files.
        here.items.items[old.path, "latest"] = {
            "latestVersion": {"S": "v#2"},
            "latestRank": {"S": ingest.latest_rank(replace(old, sequencer="2"))},
        }
        raise RuntimeError("org.apache.iceberg.exceptions.CommitStateUnknownException")

    monkeypatch.setattr(ingest.Table, "append", no_answer)
    ingest.load_rows(load)
    assert here.rows() == [(2, "Bob")]
    io = here.lake.load(here.name)._table.io()
    assert written and all(io.newInputFile(path).exists() for path in written)


def test_rejected_records_are_left_out(world: Any) -> None:
    here = world()
    item = here.land("a.csv", '1,Ann,,\nx,Bo"b,,,\n3,"C\nC",,\n4,D,,\n')
    (here.directory / "landing" / "r.json").write_text(json.dumps({"records": [[2, 1], [4, 1]]}))
    checked = {item: ingest.Checked(4, 2, "s3://landing/r.json")}
    here.run(here.batch("b", item, checked=checked))
    assert here.rows() == [(1, "Ann"), (3, "C\nC")]
    assert here.summaries()[0][ingest.OBJECT_ROWS] == "2"


def test_an_upsert_takes_the_last_event_and_deletes_by_the_marker(world: Any) -> None:
    here = world(
        key=", primaryKey: true",
        custom="{property: writeMode, value: upsert}, {property: deleteMarker, value: gone}",
    )
    first = here.land("a.csv", "1,Ann,2026-11-01,\n1,Anne,2026-11-02,\n2,Bob,,true\n3,Cy,,false\n")
    here.run(here.batch("b1", first))
    assert here.rows() == [(1, "Anne"), (3, "Cy")]
    # The older event comes later in the batch.
    later = here.land("b.csv", "1,Annika,,\n3,,,true\n4,Di,,\n", "12")
    earlier = here.land("c.csv", "1,Old,,\n3,Old,,\n5,Ed,,\n6,,,true\n", "9")
    batch = here.batch("b2", later, earlier)
    snapshot = here.run(batch)
    assert here.rows() == [(1, "Annika"), (4, "Di"), (5, "Ed")]
    assert here.run(batch) == snapshot
    assert here.summaries()[-1][ingest.BATCH_ID] == "b2"
    assert here.summaries()[-1][ingest.OBJECT_ROWS] == "3,4"


def test_a_merge_that_missed_a_commit_is_made_again(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world(key=", primaryKey: true", custom="{property: writeMode, value: upsert}")
    monkeypatch.setattr(ingest, "_pause", lambda _: 0.0)
    here.run(here.batch("b0", here.land("0.csv", "0,Zoe,2026-11-01,\n")))
    load = here.load(here.batch("b1", here.land("a.csv", "1,Ann,2026-11-01,\n")))
    rounds = []

    def interrupt(*_: Any) -> None:
        rounds.append(1)
        if len(rounds) == 1:
            other = "VALUES (1, 'Other', DATE'2026-11-01', NULL)"
            here.spark.sql(f"INSERT INTO {here.name} {other}")

    monkeypatch.setattr(load.ledger, "refuse_lost_claims", interrupt)
    ingest.load_rows(load)
    assert here.rows() == [(0, "Zoe"), (1, "Ann")]


def test_a_new_version_takes_the_place_of_the_older_ones(world: Any) -> None:
    here = world(custom="{property: onOverwrite, value: replace}")
    old = here.land("a.csv", "1,Ann,2026-11-01,\n2,Bob,2026-11-02,\n")
    other = here.land("b.csv", "3,Cy,2026-11-01,\n")
    here.run(here.batch("b1", old, other))
    new = here.land("a.csv", "1,Anne,2026-11-01,\n4,Di,2026-11-01,\n", "2")
    never = here.land("a.csv", "7,No,,\n", "1a")
    digests = (ingest.marking_digest(never), ingest.marking_digest(old))
    batch = here.batch("b2", new, replaces={new: digests})
    here.run(batch)
    assert here.rows() == [(1, "Anne"), (3, "Cy"), (4, "Di")]
    here.run(batch)
    assert here.rows() == [(1, "Anne"), (3, "Cy"), (4, "Di")]
    assert len(here.summaries()) == 2
    table = here.spark.table(here.name)
    marks = {row[0] for row in table.select(ingest.OBJECT_COLUMN).distinct().collect()}
    assert marks == {ingest.marking_digest(new), ingest.marking_digest(other)}


def test_a_superseded_version_is_left_out(world: Any) -> None:
    here = world(custom="{property: onOverwrite, value: replace}")
    old, new = here.land("a.csv", "1,Ann,,\n"), here.land("b.csv", "2,Bob,,\n")
    batch = here.batch("b", old, new)
    here.items.items[old.path, "latest"] = {
        "latestVersion": {"S": "v#2"},
        "latestRank": {"S": ingest.latest_rank(replace(old, sequencer="2"))},
    }
    here.run(batch)
    assert here.rows() == [(2, "Bob")]


@pytest.mark.parametrize("merges", [False, True])
def test_a_newer_version_that_comes_before_the_commit_starts_another_round(
    world: Any, monkeypatch: pytest.MonkeyPatch, merges: bool
) -> None:
    here = world(custom="{property: onOverwrite, value: replace}")
    before = here.land("a.csv", "9,Zoe,,\n")
    here.run(here.batch("b0", before))
    item, other = here.land("a.csv", "1,Ann,,\n", "2"), here.land("b.csv", "2,Bob,,\n")
    digests = {item: (ingest.marking_digest(before),)} if merges else {}
    load = here.load(here.batch("b1", item, other, replaces=digests))
    of_claims = load.ledger.refuse_lost_claims

    def announce(batch_id: str, objects: Any) -> None:
        of_claims(batch_id, objects)
        here.items.items[item.path, "latest"] = {
            "latestVersion": {"S": "v#3"},
            "latestRank": {"S": ingest.latest_rank(replace(item, sequencer="3"))},
        }

    monkeypatch.setattr(load.ledger, "refuse_lost_claims", announce)
    ingest.load_rows(load)
    assert here.rows() == [(2, "Bob"), (9, "Zoe")]
    assert json.loads(here.summaries()[-1][ingest.OBJECTS]) == [other.id]


def test_keys_that_the_check_had_no_memory_for(world: Any) -> None:
    here = world(key=", unique: true")
    first, second = here.land("a.csv", "1,Ann,,\n2,B,,\n"), here.land("b.csv", "3,C,,\n1,Di,,\n")
    with pytest.raises(ingest.JobError, match=r"File\.BadRows") as failure:
        here.run(here.batch("b", first, second))
    assert f"{second.path} record 2 repeats record 1 of {first.path}" in str(failure.value)
    assert here.rows() == []
    here.contract = replace(here.contract, on_bad_rows="warn")
    load = here.load(here.batch("b", first, second))
    ingest.load_rows(load)
    assert load.repeated_key_rows == {"id": 1}
    assert len(here.rows()) == 4


@pytest.mark.parametrize("loaded", [False, True])
def test_an_upsert_looks_at_the_other_keys(world: Any, loaded: bool) -> None:
    here = world(key=", primaryKey: true", custom="{property: writeMode, value: upsert}")
    here.contract = replace(here.contract, keys=(("name",),))
    if loaded:
        here.run(here.batch("b0", here.land("0.csv", "9,Zoe,2026-11-01,\n")))
    before = here.rows() if loaded else []
    first, second = here.land("a.csv", "1,Ann,,\n1,Bob,,\n"), here.land("b.csv", "2,Ann,,\n")
    with pytest.raises(ingest.JobError, match=r"File\.BadRows") as failure:
        here.run(here.batch("b1", first, second))
    assert f"{second.path} record 1 repeats record 1 of {first.path}" in str(failure.value)
    assert here.rows() == before
    here.contract = replace(here.contract, on_bad_rows="warn")
    load = here.load(here.batch("b1", first, second))
    ingest.load_rows(load)
    assert load.repeated_key_rows == {"name": 1}
    assert here.rows() == [(1, "Bob"), (2, "Ann"), *before]


def test_the_table_grows_with_the_contract_and_the_files(world: Any) -> None:
    here = world()
    here.run(here.batch("b1", here.land("a.csv", "1,Ann,,\n")))
    name = here.contract.table
    more = CONTRACT.format(table=name, key="", custom="{property: onDrift, value: evolve}")
    more = more.replace(", required: true", "").replace(
        "customProperties",
        "      - {name: s, physicalType: 'struct<a: list<int>, b: map<string,date>>'}\n"
        "customProperties",
    )
    here.contract = ingest.parse_contract(more)
    item = here.land("b.csv", "")
    (here.directory / "landing" / item.key).write_text("id,extra,name\n,1.50,x\n")
    here.run(here.batch("b2", item, additions=(("extra", "decimal(4,2)"),)))
    fields = here.lake.load(here.name).metadata()["schemas"][-1]["fields"]
    assert [(field["id"], field["name"], field["required"]) for field in fields] == [
        (1, "id", False),
        (2, "name", False),
        (3, "day", False),
        (4, "gone", False),
        (5, "s", False),
        (11, "extra", False),
    ]
    assert here.rows() == [(None, "x"), (1, "Ann")]
