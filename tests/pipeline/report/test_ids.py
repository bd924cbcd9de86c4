"""Ids of a run's blocks on the page: lists most of whose ids are unknown."""

from __future__ import annotations

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from pipeline.report.ids import summarise

FEATURES = FeatureTable(
    features=(
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="recent", kind="ids", vocabulary="item"),
    ),
    vocabularies={"item": IdSpace(capacity=9, oov_buckets=2)},
)


def block(date, oov):
    """Contents of a block's `encoding.json` and `vocabulary.json`."""
    counts = {"rows": [9], "missing": [0], "ids": [500], "oov": [oov], "new": [0]}
    domains = {"ads": {"item_id": counts, "recent": counts}}
    space = {"encoding": "append_only", "ids": 4, "ids_before": 4, "capacity": 9}
    return {"days": [date], "domains": domains}, {"item": space}


def test_the_newest_blocks_lists_are_judged():
    blocks = [block("2024-01-01", 50), block("2024-01-02", 400)]
    (warning,) = summarise(blocks, FEATURES, "ads").warnings
    assert warning.startswith("recent: 80% of the 500 ids in the lists of ads are out")
    assert summarise(blocks[:1], FEATURES, "ads").warnings == ()
