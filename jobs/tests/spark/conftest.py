"""One Spark session, with an Iceberg catalog in memory in the place of Glue's.

These tests need PySpark: `make engines` runs them, and `make unit` leaves them to it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(_ROOT / "jobs"), str(_ROOT)]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The session."""
    from local.spark import session

    started = session.start(tmp_path_factory.mktemp("spark"))
    yield started
    session.stop(started)
