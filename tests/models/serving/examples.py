"""Serialized Examples: known ids, unknown ids, empty, and with additional features."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def example(**values: Any) -> bytes:
    features = {}
    for name, value in values.items():
        if not value:
            kind = tf.train.Feature()
        elif isinstance(value[0], str):
            encoded = [text.encode() for text in value]
            kind = tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
        elif isinstance(value[0], int):
            kind = tf.train.Feature(int64_list=tf.train.Int64List(value=value))
        else:
            kind = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        features[name] = kind
    example = tf.train.Example(features=tf.train.Features(feature=features))
    serialized: bytes = example.SerializeToString()
    return serialized


KNOWN = {
    "user_id": ["u1"],
    "item_id": ["i2"],
    "domain": ["de"],
    "recent_items": ["i0", "i1", "i2"],  # one more than is kept
    "item_impressions": [2],
    "item_click_rate": [0.6],
}
EXAMPLES = [
    example(**KNOWN),
    example(),
    example(user_id=["never seen"], item_id=["\x00"], domain=["xx"]),
    example(**{**KNOWN, "recent_items": [], "item_impressions": [10**15]}),
    example(**KNOWN, label=[1], day=[17_000], other=["?"]),
]
