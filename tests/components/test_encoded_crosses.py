"""Crosses in Transform, against FarmHash of the parts' table rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import farmhash
import numpy as np
import pytest

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from models.statistics_files import write_statistics
from models.vocabulary_files import ids_path

pytestmark = pytest.mark.slow

FEATURES = FeatureTable(
    features=(
        # Before its parts: the order of the configuration does not matter.
        Feature(name="pair", kind="cross", of=("user_id", "item_id"), buckets=97),
        Feature(name="user_id", kind="id", vocabulary="user"),
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="place", kind="id", vocabulary="item"),
        Feature(
            name="triple", kind="cross", of=("user_id", "item_id", "place"), buckets=97
        ),
    ),
    vocabularies={
        "user": IdSpace(capacity=8, oov_buckets=1),
        "item": IdSpace(capacity=8, oov_buckets=1),
    },
)
# Row 2 is for unknown ids, then come the vocabulary's in order.
USERS, ITEMS = {b"u0": 3, b"u1": 4}, {b"i0": 3, b"i1": 4, b"i2": 5}
MISSING = 1


def encoded(folder: Path, **columns: list[list[bytes]]) -> dict[str, list[int]]:
    import tensorflow as tf

    from components.transform.preprocessing import preprocessing_fn

    config = {"features": FEATURES.to_json(), "vocabulary_uri": str(folder)}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        raw = {}
        for name, values in columns.items():
            where = [[i, 0] for i, row in enumerate(values) if row]
            flat = [row[0] for row in values if row]
            raw[name] = tf.SparseTensor(
                np.array(where, np.int64).reshape(-1, 2), flat, [len(values), 1]
            )
        found: dict[str, Any] = preprocessing_fn(raw, config)
        session.run(tf.compat.v1.tables_initializer())
        rows = session.run(found)
    return {name: values.tolist() for name, values in rows.items()}


def bucket(*rows: int) -> int:
    return 2 + farmhash.fingerprint64(" ".join(map(str, rows))) % 97


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vocabulary")
    for space, ids in (("user", USERS), ("item", ITEMS)):
        content = b"".join(identifier + b"\n" for identifier in ids)
        ids_path(folder, space).write_bytes(content)
    write_statistics(folder, {})
    return folder


def test_crosses_are_hashes_of_their_parts_rows(vocabulary: Path) -> None:
    found = encoded(
        vocabulary,
        user_id=[[b"u0"], [b"u1"], [b"new"], [], [b"u0"]],
        item_id=[[b"i2"], [b"i0"], [b"i1"], [b"i1"], [b"i2"]],
        place=[[b"i0"], [b"i0"], [b"i0"], [b"i0"], []],
    )
    pairs = [(3, 5), (4, 3), (2, 4)]
    assert found["pair"] == [*(bucket(*p) for p in pairs), MISSING, bucket(3, 5)]
    triples = [bucket(*pair, 3) for pair in pairs]
    assert found["triple"] == [*triples, MISSING, MISSING]


def test_a_request_with_one_user_and_many_items_has_the_same_rows(
    vocabulary: Path,
) -> None:
    items = [[b"i0"], [b"i1"], []]
    once = encoded(vocabulary, user_id=[[b"u1"]], item_id=items, place=[[b"i2"]])
    each = encoded(
        vocabulary, user_id=[[b"u1"]] * 3, item_id=items, place=[[b"i2"]] * 3
    )
    assert once["pair"] == each["pair"]
    assert once["triple"] == each["triple"]
