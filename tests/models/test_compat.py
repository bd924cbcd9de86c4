"""Functions that differ between the two lines, with equal results on both."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.compat import read_batches
from models.compat import read_table
from models.compat import save_arrays

SCHEMA = pa.schema([("day", pa.int64()), ("items", pa.large_list(pa.int64()))])


def test_saved_arrays_come_back_under_their_names(tmp_path):
    arrays = {
        "day": np.arange(3, dtype=np.int64),
        "reference/item_id": np.array([[b"a"], [b"bc"]]),
        "logit": np.array([0.5], np.float32),
    }
    path = tmp_path / "arrays.npz"
    save_arrays(path, arrays)
    with np.load(path) as stored:
        assert set(stored) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(stored[name], array)
            assert stored[name].dtype == array.dtype


@pytest.mark.parametrize("name", ["file", "args", "kwds", "allow_pickle", "ü/1 + 2"])
def test_an_array_may_have_any_name(tmp_path, name):
    # Tables are named after features and vocabularies, which users name.
    path = tmp_path / "arrays.npz"
    save_arrays(path, {name: np.array([3, 1])})
    with np.load(path) as stored:
        assert stored.files == [name]
        assert stored[name].tolist() == [3, 1]


def test_objects_are_no_arrays_to_save(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        save_arrays(tmp_path / "arrays.npz", {"day": np.array(["x", None], object)})


@pytest.mark.parametrize("columns", [None, ["items"]], ids=["all", "items"])
@pytest.mark.parametrize("groups", [0, 2], ids=["no row group", "two row groups"])
def test_parquet_is_read_whatever_its_row_groups(tmp_path, groups, columns):
    path = tmp_path / "shard.parquet"
    rows = pa.Table.from_pylist([{"day": 1, "items": [7]}] * 3, schema=SCHEMA)
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for _ in range(groups):
            writer.write_table(rows)
    with pq.ParquetFile(path) as file:
        assert file.metadata.num_row_groups == groups
        batches = list(read_batches(file, 2, columns=columns))
        table = read_table(file, columns)
    assert sum(batch.num_rows for batch in batches) == table.num_rows == 3 * groups
    assert all(batch.num_rows <= 2 for batch in batches)
    assert table.schema.names == (columns or SCHEMA.names)
    assert table.column("items").type.value_type == pa.int64()
    assert table.column("items").to_pylist() == [[7]] * 3 * groups
