"""The jars that AWS Glue 5.1 brings along with `--datalake-formats iceberg`: Iceberg's runtime
for Spark, and the AWS SDK that its Glue catalog and S3FileIO use.

They come from Maven Central once, pinned by version and SHA-256, into `.local/.jars`.

    python -m local.spark.jars [--lacking]

Fails when this machine cannot run Spark. With `--lacking` it only says why not, if so.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from local import console
from local.stack import ROOT, LocalCloudError

CACHE = ROOT / ".local" / ".jars"
_CENTRAL = "https://repo1.maven.org/maven2"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Jar:
    """One artifact of Maven Central."""

    group: str
    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Its file name."""
        return f"{self.name}-{self.version}.jar"

    @property
    def address(self) -> str:
        """Where Maven Central has it."""
        return f"{_CENTRAL}/{self.group.replace('.', '/')}/{self.name}/{self.version}/{self.file}"


# Spark 3.5 and Iceberg 1.10.0, as Glue 5.1 has them:
# https://docs.aws.amazon.com/glue/latest/dg/release-notes.html
JARS = (
    Jar(
        "org.apache.iceberg",
        "iceberg-spark-runtime-3.5_2.12",
        "1.10.0",
        "70f9471870b2d456167d703c829f098a446b86bb1379eee338c0efa03a341026",
    ),
    Jar(
        "org.apache.iceberg",
        "iceberg-aws-bundle",
        "1.10.0",
        "172370cfc32a5f1ae5399b210e86fc04a366dc29a112d97ac8ffc74df7525596",
    ),
)


def fetch() -> list[Path]:
    """The jars' paths; what is not there yet is downloaded."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return [_fetch(jar) for jar in JARS]


def _fetch(jar: Jar) -> Path:
    path = CACHE / jar.file
    if path.exists():
        return path
    scratch = path.with_suffix(".part")
    with console.Phase(f"download {jar.file}") as phase:
        digest, done = hashlib.sha256(), 0
        try:
            with urllib.request.urlopen(jar.address, timeout=60) as answer:  # noqa: S310 - https
                total = int(answer.headers.get("Content-Length") or 0)
                with scratch.open("wb") as file:
                    while chunk := answer.read(_CHUNK_BYTES):
                        file.write(chunk)
                        digest.update(chunk)
                        done += len(chunk)
                        phase.update(f"{done >> 20} of {total >> 20} MB")
        except OSError as error:
            raise LocalCloudError(
                f"cannot download {jar.address} ({error}); it is needed once, so try again when "
                "Maven Central can be reached"
            ) from error
    if digest.hexdigest() != jar.sha256:
        scratch.unlink()
        raise LocalCloudError(
            f"{jar.address} is not the file that is pinned: its SHA-256 is {digest.hexdigest()}"
        )
    scratch.replace(path)
    return path


def missing() -> str | None:
    """What this machine lacks to run Spark, in words; None when it has everything."""
    java = shutil.which("java")
    if java is None:
        return "there is no Java: install Java 17 to run the Glue job here"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = told.partition('version "')[2].partition('"')[0]
    major = version.split(".")[0]
    if not major.isdecimal() or int(major) not in (11, 17):
        return f"Spark 3.5 runs on Java 17 (or 11), and this is Java {version or 'of no version'}"
    if not (ROOT / ".venv" / "spark" / "bin" / "spark-submit").exists():
        return "there is no .venv/spark: make it with `make .venv/spark/.stamp`"
    return None


def main() -> int:
    """Downloads the jars, or says what is lacking."""
    parser = argparse.ArgumentParser(description="Download the jars that Spark needs.")
    parser.add_argument("--lacking", action="store_true", help="say what this machine lacks")
    lacking = missing()
    if parser.parse_args().lacking:
        if lacking:
            print(lacking)
        return 0
    try:
        if lacking:
            raise LocalCloudError(lacking)
        fetch()
    except LocalCloudError as error:
        console.say(console.bad(str(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
