"""Raw values as dense tensors: vectors of one length, and all others."""

import numpy as np
import pytest
import tensorflow as tf

from components.transform.dense import vectors

NAN = float("nan")


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, NAN], [1.0, NAN]),
        ([1.0], [1.0, NAN]),
        ([], [NAN, NAN]),
        ([1.0, 2.0, 3.0], [NAN, NAN]),
        ([1.0, 2.0, NAN], [NAN, NAN]),
    ],
    ids=["whole", "NaN inside", "short", "empty", "long", "long with NaN at the end"],
)
def test_a_vector_of_another_length_is_not_usable(elements, expected):
    raw = tf.RaggedTensor.from_row_lengths(
        tf.constant([*elements, 5.0, 6.0], tf.float32), [len(elements), 2]
    ).to_sparse()
    np.testing.assert_array_equal(vectors(raw, 2).numpy(), [expected, [5.0, 6.0]])
