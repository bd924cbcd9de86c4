"""Parameter counts of a network: trained and served."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

import numpy as np

from models.networks.network import Network


class Sizes(NamedTuple):
    """Numbers of trainable parameters.

    CTNet's source tower is frozen, so it is not counted, though it is served, too.

    Attributes:
        embedding: Parameters in embedding tables.
        dense: All other parameters, without the wide part.
        served: Those of `dense` that the served function reads.
        wide: Weights of the wide part.
    """

    embedding: int
    dense: int
    served: int
    wide: int


def sizes_of(network: Network) -> Sizes:
    """Counts the trainable parameters of `network`, and the served ones among them."""
    read = {variable.ref() for variable in network.serving_form().variables}
    served = [v for v in network.dense_variables if v.ref() in read]
    return Sizes(**count_parameters(network), served=_count(served))


def count_parameters(network: Network) -> dict[str, int]:
    """Returns the numbers of trainable parameters, `embedding`, `dense` and `wide`."""
    return {
        "embedding": _count(network.embedding_variables),
        "dense": _count(network.dense_variables),
        "wide": _count(network.wide_variables),
    }


def _count(variables: list[Any]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)
