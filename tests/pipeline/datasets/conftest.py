"""Folders of imports."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.pipeline.datasets.imports import ROWS
from tests.pipeline.datasets.imports import rating_table


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    pq.write_table(rating_table(), folder / "ca.parquet")
    pq.write_table(rating_table(ROWS[:3]), folder / "de.parquet")
    return folder


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "logs"
