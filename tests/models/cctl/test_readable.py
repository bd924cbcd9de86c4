"""Impressions of a record, shown with raw values."""

from __future__ import annotations

from pathlib import Path

from models.cctl.readable import readable
from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from tests.vocabularies import write_ids


def test_rows_are_named_by_ids_buckets_and_what_is_not_there(tmp_path: Path) -> None:
    write_ids(tmp_path, item=b"i0\ni1\n")
    table = FeatureTable(
        features=(
            Feature(name="item_id", kind="id", vocabulary="item"),
            Feature(name="recent", kind="ids", vocabulary="item", max_length=3),
            Feature(name="age", kind="count", buckets=8),
            Feature(name="rate", kind="rate", buckets=8),
        ),
        vocabularies={"item": IdSpace(capacity=4, oov_buckets=1)},
    )
    first = {"item_id": 4, "recent": [3, 2, 0], "age": 5, "rate": 1}
    second = {"item_id": 1, "recent": [0, 0, 0], "age": 2, "rate": 2}
    record = {"highest": [{"rows": first}], "lowest": [{"rows": second}], "trust": 0.0}
    found = readable(record, table, tmp_path)
    assert found["highest"][0]["rows"] == {
        "item_id": "i1",
        "recent": "i0, other",
        "age": "bucket 3",
        "rate": "missing",
    }
    assert found["lowest"][0]["rows"] == {
        "item_id": "missing",
        "recent": "none",
        "age": "bucket 0",
        "rate": "bucket 0",
    }
    assert found["trust"] == 0.0
