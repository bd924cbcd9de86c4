"""How many numbers a network learns, and how many of them are served."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

import numpy as np

from models.networks.network import Network


class Sizes(NamedTuple):
    """Trainable numbers of a network.

    CTNet's source tower is frozen, so it is not counted, though it is served, too.

    Attributes:
        embedding: In embedding tables.
        dense: In everything else.
        served: Of `dense`, those that the served function reads.
    """

    embedding: int
    dense: int
    served: int


def sizes_of(network: Network) -> Sizes:
    """Counts the trainable numbers of `network`, and those of them that are served."""
    read = {variable.ref() for variable in network.serving_form().variables}
    served = [v for v in network.dense_variables if v.ref() in read]
    return Sizes(**count_parameters(network), served=_count(served))


def count_parameters(network: Network) -> dict[str, int]:
    """Returns the trainable numbers in `embedding` tables and in the `dense` rest."""
    return {
        "embedding": _count(network.embedding_variables),
        "dense": _count(network.dense_variables),
    }


def _count(variables: list[Any]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)
