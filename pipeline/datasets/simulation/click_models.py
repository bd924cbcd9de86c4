"""Taste's part of the logit, from the tastes of user and item.

Both models have the standard deviation `truth.TASTE` over independent users and items,
so a world is about as predictable with the one as with the other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.datasets.simulation import truth
from pipeline.datasets.simulation.population import TASTE_WIDTH
from pipeline.datasets.simulation.population import Floats
from pipeline.datasets.simulation.population import Ints
from pipeline.datasets.simulation.population import stream

# Arrays of shape (N, TASTE_WIDTH) of users and items to logits of shape (N,).
TasteModel = Callable[[Floats, Floats], Floats]

_TREES, _QUESTIONS = 8, 2
_SAMPLE = 20_000


class RandomTrees:
    """A sum of fixed random trees, the same in all domains.

    A tree asks two yes/no questions about the user and two about the item, each about
    the sign of a random mixture of tastes, and has a random value for each of the 16
    pairs of answers. Linear effects and products of two vectors together explain about
    a quarter of its variance.

    Args:
        seed: Seed of the world.
    """

    def __init__(self, seed: int) -> None:
        draw = stream(seed, "click trees")
        width = _TREES * _QUESTIONS
        self._of_user = draw.standard_normal((TASTE_WIDTH, width), "f4")
        self._of_item = draw.standard_normal((TASTE_WIDTH, width), "f4")
        cells = 2**_QUESTIONS
        self._leaves = draw.standard_normal((_TREES, cells, cells), "f4")
        pairs = draw.standard_normal((2, _SAMPLE, TASTE_WIDTH), "f4")
        sample = self(pairs[0], pairs[1])
        self._leaves *= np.float32(truth.TASTE / sample.std())
        self._leaves -= self(pairs[0], pairs[1]).mean() / np.float32(_TREES)

    def __call__(self, user_taste: Floats, item_taste: Floats) -> Floats:
        """Returns the logits of each pair of rows; (N, W), (N, W) -> (N,)."""
        user, item = (
            _cells(user_taste, self._of_user),
            _cells(item_taste, self._of_item),
        )
        logits: Floats = self._leaves[np.arange(_TREES), user, item].sum(axis=1)
        return logits


def taste_model(name: str, seed: int) -> TasteModel:
    """Returns the model of `click_model: <name>`."""
    return truth.taste_logits if name == "dot" else RandomTrees(seed)


def _cells(taste: Floats, questions: Floats) -> Ints:
    """Returns the number of each tree's answers, (N, _TREES)."""
    answers = (taste @ questions > 0).reshape(len(taste), _TREES, _QUESTIONS)
    cells: Ints = answers @ (1 << np.arange(_QUESTIONS, dtype=np.int32))
    return cells
