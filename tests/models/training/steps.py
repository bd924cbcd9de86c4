"""One optimizer step, compiled by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from models.data.batches import batch_signature
from models.networks.network import Network
from models.training.steps import step_of


def compiled_step(network: Network, optimizer: Any) -> Callable[..., Any]:
    """Returns the compiled step `(rows, labels) -> mean log loss`."""
    rows_spec, labels_spec, _ = batch_signature(network.features)
    return tf.function(
        step_of(network, optimizer, tf.distribute.get_strategy()),
        input_signature=(rows_spec, labels_spec),
        autograph=False,
    )
