"""What the two lines do differently gives the same on both."""

import numpy as np

from models.compat import save_arrays


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
