"""Neighbours by cosine, and the errors for missing ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner

from models.data import snapshots
from models.errors import ConfigError
from models.errors import DataError
from pipeline.cli.embeddings import _snapshot
from pipeline.cli.group import main
from pipeline.report.neighbours import nearest
from pipeline.store.reader import Stored


@pytest.fixture
def folder(tmp_path):
    """Four items in the plane: one twice as long, one at 45 degrees, one opposite."""
    vectors = np.array([[1, 0], [2, 0], [1, 1], [-3, 0], [0, 0]], np.float32)
    ids = pa.array(["a", "twice", "aslant", "opposite", "zero"], pa.large_string())
    seen = np.array([1, 2, 3, 4, 5])
    about = {"period_day": 17, "vocabulary_hash": "abc"}
    snapshots.write_space(tmp_path, "item", ids, seen, [(0, vectors)], 2, about)
    return tmp_path


def test_neighbours_are_ordered_by_cosine(folder):
    found = nearest(folder, "item", "a", 10)
    assert [n.id for n in found] == ["twice", "aslant", "opposite"]
    assert [n.similarity for n in found] == pytest.approx([1, np.sqrt(0.5), -1])
    assert [n.impressions for n in found] == [2, 3, 4]
    assert nearest(folder, "item", "a", 1) == found[:1]


def test_the_length_of_an_embedding_does_not_matter(folder):
    scaled = nearest(folder, "item", "twice", 10)
    assert [n.id for n in scaled] == ["a", "aslant", "opposite"]


def test_a_file_says_what_it_is(folder):
    schema = snapshots.pq.read_schema(folder / "item.parquet")
    about = {k.decode(): v.decode() for k, v in schema.metadata.items()}
    assert {k: v for k, v in about.items() if k.startswith("crossctr.")} == {
        "crossctr.period_day": "17",
        "crossctr.vocabulary_hash": "abc",
        "crossctr.space": "item",
        "crossctr.width": "2",
        "crossctr.rows": "5",
    }


@pytest.mark.parametrize(
    ("space", "raw_id", "error", "text"),
    [
        ("item", "opposit", ConfigError, "'opposit' is not in .* closest: opposite"),
        ("item", "zero", ConfigError, "all zeros"),
        ("user", "a", DataError, "no embeddings of 'user'; it has item"),
    ],
)
def test_what_is_not_there_is_said(folder, space, raw_id, error, text):
    with pytest.raises(error, match=text):
        nearest(folder, space, raw_id, 3)


def test_the_newest_period_before_the_day_is_taken():
    stored = [
        Stored(1, "old", {"last_day": 9}),
        Stored(2, "new", {"last_day": 19}),
        Stored(3, "old again", {"last_day": 9}),
    ]
    assert _snapshot(stored, None).uri == "new"
    assert _snapshot(stored, 20).uri == "new"
    assert _snapshot(stored, 19).uri == "old again"
    with pytest.raises(ConfigError, match="the oldest is of 1970-01-11"):
        _snapshot(stored, 9)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "received neither of --item and --user"),
        (["--item", "x", "--user", "y"], "received both"),
        (["--item", "x"], "no TPM period is stored"),
    ],
)
def test_bad_calls_say_what_to_do(settings, tmp_path, arguments, text):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    result = CliRunner().invoke(main, ["embeddings", "nearest", str(path), *arguments])
    assert result.exit_code == 2
    assert text in result.output
