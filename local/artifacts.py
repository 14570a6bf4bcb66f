"""Checks what `sam build` made: that it starts on Amazon Linux 2023, and how big it is.

Amazon Linux 2023, the base of provided.al2023, has glibc 2.34; a binary that asks for a
symbol version above it does not start there. The highest version is read from the section
`.gnu.version_r` of the ELF file (https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html).

    python -m local.artifacts
"""

import re
import struct
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from local import console
from local.stack import SAM_BUILD

GLIBC_LIMIT = (2, 34)
ZIP_LIMIT_BYTES = 6_000_000
# Arrow, Parquet and Iceberg's writers are in this one only.
ZIP_LIMITS_BYTES = {"IcebergAppend": 12_000_000}

_SHT_GNU_VERNEED = 0x6FFFFFFE


class NotAnElfFile(Exception):
    """The file is not a 64-bit little-endian ELF file."""


@dataclass(frozen=True)
class Artifact:
    """One function's build directory."""

    name: str
    glibc: tuple[int, ...]
    zip_bytes: int

    def problems(self) -> list[str]:
        """What is wrong with it, in words."""
        found = []
        if self.glibc > GLIBC_LIMIT:
            found.append(
                f"asks for GLIBC_{_dotted(self.glibc)}; Amazon Linux 2023 has "
                f"{_dotted(GLIBC_LIMIT)}: build with sam build, which links with zig"
            )
        limit = next(
            (size for part, size in ZIP_LIMITS_BYTES.items() if part in self.name), ZIP_LIMIT_BYTES
        )
        if self.zip_bytes > limit:
            found.append(f"its zip has {self.zip_bytes:,} bytes, the limit is {limit:,}")
        return found


def needed_versions(elf: bytes) -> set[str]:
    """The symbol versions that the binary asks of its libraries, such as `GLIBC_2.28`."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise NotAnElfFile("not a 64-bit little-endian ELF file")
    (section_offset,) = struct.unpack_from("<Q", elf, 0x28)
    entry_size, count = struct.unpack_from("<HH", elf, 0x3A)
    # Of each section header: type, link (the string table's index), offset, size.
    sections = []
    for index in range(count):
        header = section_offset + index * entry_size
        (kind,) = struct.unpack_from("<I", elf, header + 4)
        offset, size = struct.unpack_from("<QQ", elf, header + 24)
        (link,) = struct.unpack_from("<I", elf, header + 40)
        sections.append((kind, link, offset, size))
    versions = set()
    for kind, link, offset, _ in sections:
        if kind != _SHT_GNU_VERNEED:
            continue
        strings = sections[link][2]
        need = offset
        while True:
            _, auxiliaries, _, first, following = struct.unpack_from("<HHIII", elf, need)
            auxiliary = need + first
            for _ in range(auxiliaries):
                _, _, _, name, next_auxiliary = struct.unpack_from("<IHHII", elf, auxiliary)
                end = elf.index(b"\0", strings + name)
                versions.add(elf[strings + name : end].decode())
                auxiliary += next_auxiliary
            if not following:
                break
            need += following
    return versions


def highest_glibc(versions: set[str]) -> tuple[int, ...]:
    """The highest `GLIBC_x.y[.z]` among symbol versions; () when there is none."""
    numbers = (re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", version) for version in versions)
    return max((tuple(map(int, match[1].split("."))) for match in numbers if match), default=())


def zip_size(directory: Path) -> int:
    """Bytes of the directory's deployment package, compressed as SAM compresses it."""
    with tempfile.TemporaryFile() as scratch:
        with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as package:
            for path in sorted(directory.rglob("*")):
                package.write(path, path.relative_to(directory))
        return scratch.tell()


def artifacts(build: Path = SAM_BUILD) -> list[Artifact]:
    """Every function that was built, by name."""
    return [
        Artifact(
            name=bootstrap.parent.name,
            glibc=highest_glibc(needed_versions(bootstrap.read_bytes())),
            zip_bytes=zip_size(bootstrap.parent),
        )
        for bootstrap in sorted(build.glob("*/bootstrap"))
    ]


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version)) or "none"


def main() -> int:
    """Prints a table and fails when anything is above its limit."""
    found = artifacts()
    if not found:
        console.say(console.bad(f"{SAM_BUILD} has no function: run `make build` first"))
        return 1
    console.table(
        [
            ["function", "zip bytes", "glibc"],
            *([item.name, f"{item.zip_bytes:,}", _dotted(item.glibc)] for item in found),
        ],
        right=(1,),
    )
    problems = [f"{item.name} {problem}" for item in found for problem in item.problems()]
    for problem in problems:
        console.say(console.bad(problem))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
