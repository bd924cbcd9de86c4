"""Statistics of numbers: measured on the first block, and carried ever after."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.days import DayRange
from models.errors import DataError
from models.features.feature import Feature
from models.features.table import FeatureTable
from models.statistics_files import read_statistics

pytestmark = pytest.mark.slow

FEATURES = FeatureTable(
    features=(
        Feature(name="shown", kind="count", buckets=4),
        Feature(name="price", kind="number", buckets=4),
        Feature(name="later", kind="rate", buckets=4),
        Feature(name="image", kind="vector", length=3),
    ),
    vocabularies={},
)


def write(path, **columns):
    """Writes raw Examples; a None is a missing value."""
    kinds = {"shown": pa.int64()}
    table = {}
    for name, values in columns.items():
        lists = [v if isinstance(v, list) else [] if v is None else [v] for v in values]
        table[name] = pa.array(lists, pa.large_list(kinds.get(name, pa.float32())))
    pq.write_table(pa.table(table), path)
    return str(path)


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    """Folders of the Vocabularies of two blocks, and the first block's columns."""
    import apache_beam as beam

    from components.vocabulary.freezing import freeze

    root = tmp_path_factory.mktemp("blocks")
    rng = np.random.default_rng(0)
    num_rows = 4_000
    price = rng.normal(-1_000_000, 3, num_rows)
    price[0] = 1e30  # absurd, and one of many
    first = {
        "shown": rng.poisson(2, num_rows).tolist(),
        "price": [None if i % 4 == 1 else float(p) for i, p in enumerate(price)],
        "later": [None] * num_rows,
        "image": [
            [1.0] if i % 2 else [float(x), 0.1, 1_000 + float(x) / 100]
            for i, x in enumerate(rng.normal(5, 2, num_rows))
        ],
    }
    half = num_rows // 2
    shards = [
        write(root / f"{i}.parquet", **{n: v[part] for n, v in first.items()})
        for i, part in enumerate((slice(0, half), slice(half, None)))
    ]
    second = write(
        root / "next.parquet",
        shown=[900, 1000],
        price=[5.0, 6.0],
        later=[0.25, 0.75],
        image=[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]],
    )
    folders = [root / "first", root / "second"]
    for folder, paths, days, parent in (
        (folders[0], shards, DayRange(0, 6), None),
        (folders[1], [second], DayRange(7, 7), str(folders[0])),
    ):
        folder.mkdir()
        freeze(beam.Pipeline, paths, FEATURES, days, parent, folder)
    return [read_statistics(folder) for folder in folders], first, folders


def test_the_first_block_is_measured(blocks):
    (found, _), first, _ = blocks
    shown = np.array(first["shown"])
    scaled = np.log1p(shown)
    assert found["shown"].values == len(shown)
    assert found["shown"].missing == 0
    np.testing.assert_allclose(found["shown"].mean, [scaled.mean()], atol=0.01)
    np.testing.assert_allclose(found["shown"].deviation, [scaled.std()], atol=0.01)
    place = np.searchsorted(found["shown"].boundaries, shown, side="right")
    shares = np.bincount(place) / len(shown)
    np.testing.assert_allclose(found["shown"].shares, shares, atol=0.005)
    assert (found["shown"].first_day, found["shown"].last_day) == (0, 6)


def test_neither_one_absurd_value_nor_a_large_mean_decides_the_deviation(blocks):
    (found, _), _, _ = blocks
    assert found["price"].missing == pytest.approx(0.25)
    np.testing.assert_allclose(found["price"].mean, [-1_000_000], atol=0.5)
    np.testing.assert_allclose(found["price"].deviation, [3], rtol=0.05)


def test_vectors_are_measured_by_element_without_those_of_another_length(blocks):
    (found, _), first, _ = blocks
    whole = np.array([v for v in first["image"] if len(v) == 3], np.float32)
    whole = whole.astype(np.float64)
    np.testing.assert_allclose(found["image"].mean, whole.mean(0), rtol=1e-4)
    # A constant element is divided by 1; a small deviation is kept beside a large mean.
    np.testing.assert_allclose(
        found["image"].deviation, [whole[:, 0].std(), 1.0, whole[:, 2].std()], rtol=1e-3
    )
    assert found["image"].missing == pytest.approx(0.5)


def test_the_next_block_keeps_them_and_measures_what_had_no_value(blocks):
    (first, second), _, _ = blocks
    assert "later" not in first
    assert {name: second[name] for name in first} == first
    assert (second["later"].values, second["later"].first_day) == (2, 7)


def test_a_damaged_parent_is_refused(blocks, tmp_path):
    from components.vocabulary.freezing import freeze

    content = json.loads((blocks[2][0] / "numbers.json").read_text())
    content["statistics"]["price"]["mean"] = [0.0]
    (tmp_path / "numbers.json").write_text(json.dumps(content))
    days, folder = DayRange(7, 7), tmp_path / "next"
    with pytest.raises(DataError, match="not the file that was written"):
        freeze(lambda: None, [], FEATURES, days, str(tmp_path), folder)
