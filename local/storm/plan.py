"""What a storm does, decided by its seed before it starts: files, duplicates, kills."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

# What the kills are aimed at, with their weights. The append has the most instructions at
# which it must survive one.
TARGETS = {"iceberg-append": 6, "schema-check": 2, "intake": 2}
_MOST_ROWS = 9
# So many of the kills fall into the time of the uploads; the others into the batching windows
# after it.
_DURING_UPLOADS = 0.8
_WINDOWS_AFTER = 2.5

_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: {dataset}
name: {dataset}
version: 1.0.0
status: active
servers:
  - {{server: landing, type: s3, location: "s3://{bucket}/{dataset}/", format: csv}}
schema:
  - name: {dataset}
    physicalName: {dataset}
    logicalType: object
    properties:
      - {{name: id, logicalType: integer, physicalType: bigint, required: true,
         logicalTypeOptions: {{minimum: 1}}}}
      - {{name: file, logicalType: integer, physicalType: bigint, required: true}}
      - {{name: name, logicalType: string, logicalTypeOptions: {{minLength: 2, maxLength: 30}}}}
      - {{name: amount, logicalType: number, physicalType: "decimal(12,2)"}}
      - {{name: at, logicalType: timestamp, physicalType: timestamptz}}
"""


@dataclass(frozen=True)
class File:
    """One small CSV file. Its row ids are its own: no other file of the storm has them."""

    number: int
    dataset: str
    first_id: int
    rows: int

    @property
    def key(self) -> str:
        """The object's key."""
        return f"{self.dataset}/{self.number:06d}.csv"

    @property
    def ids(self) -> range:
        """The ids of its rows."""
        return range(self.first_id, self.first_id + self.rows)

    def body(self) -> bytes:
        """The file."""
        lines = [
            f"{id_},{self.number},Name {id_},{id_}.25,2026-11-21T08:00:{id_ % 60:02d}Z\n"
            for id_ in self.ids
        ]
        return ("id,file,name,amount,at\n" + "".join(lines)).encode()


@dataclass(frozen=True)
class Duplicate:
    """A second delivery of an upload's event.

    `when`: `at once` when the first is taken from the queue, `later` some windows after
    that, or `after commit`.
    """

    key: str
    when: str
    # In batching windows; of `later` ones only.
    delay: float = 0.0


@dataclass(frozen=True)
class Kill:
    """A function's process that is killed.

    `moment` is 0 at the first upload and 1 at the last, by the number of files in between; what
    is above 1 is counted in batching windows after the last.
    """

    target: str
    moment: float


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before a storm starts. Files are in the order of upload."""

    datasets: list[str]
    files: list[File]
    duplicates: list[Duplicate]
    kills: list[Kill]

    @staticmethod
    def of(files: int, datasets: int, duplicates: float, kills: int, seed: int) -> "Plan":
        """The plan for the arguments; the same for the same ones.

        `duplicates` is a share of the files, 0 to 1.
        """
        # A storm needs repeatable choices, not secret ones.
        chance = random.Random(seed)  # noqa: S311
        names = [f"storm{number:02d}" for number in range(datasets)]
        made, next_id = [], 1
        for number in range(files):
            rows = chance.randint(1, _MOST_ROWS)
            # Each dataset has its share; which file is whose does not follow the order.
            made.append(File(number, names[number % datasets], next_id, rows))
            next_id += rows
        chance.shuffle(made)
        return Plan(
            datasets=names,
            files=made,
            duplicates=list(_duplicates(chance, made, round(files * duplicates))),
            kills=sorted(_kills(chance, kills), key=lambda kill: kill.moment),
        )

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)


def _duplicates(chance: random.Random, files: list[File], count: int) -> Iterator[Duplicate]:
    for file in chance.sample(files, min(count, len(files))):
        when = chance.choice(["at once", "later", "after commit"])
        yield Duplicate(file.key, when, chance.uniform(0.2, 3.0) if when == "later" else 0.0)


def _kills(chance: random.Random, count: int) -> Iterator[Kill]:
    names = list(TARGETS)
    for number in range(count):
        # Each has its turn, whatever chance says.
        target = (
            names[number]
            if number < len(names)
            else chance.choices(names, weights=list(TARGETS.values()))[0]
        )
        moment = chance.random()
        # Once everything is uploaded, intake has little left to do.
        if chance.random() >= _DURING_UPLOADS and target != "intake":
            moment = 1 + moment * _WINDOWS_AFTER
        yield Kill(target, moment)


def contract(dataset: str, bucket: str) -> str:
    """The dataset's contract."""
    return _CONTRACT.format(dataset=dataset, bucket=bucket)
