"""Raw values as dense tensors."""

import math

import numpy as np
import pytest

pytestmark = pytest.mark.slow

NAN = math.nan


def test_a_vector_of_another_length_has_a_missing_element():
    import tensorflow as tf

    from components.transform.dense import vectors

    # The last one has a NaN too many, as a client may send it.
    rows = [[1.0, -2.0], [], [1.0], [1.0, 2.0, 3.0], [NAN, 2.0], [1.0, 2.0, NAN]]
    found = vectors(tf.ragged.constant(rows, tf.float32).to_sparse(), 2).numpy()
    np.testing.assert_array_equal(found[0], [1.0, -2.0])
    assert np.isnan(found[1:]).any(axis=1).all()
