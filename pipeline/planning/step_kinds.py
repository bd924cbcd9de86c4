"""The kinds of step that a plan can hold, in running order; nothing else lists them.

Airflow loads this file in an environment without crossctr, so it needs nothing but the
standard library.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.strategies import Kind


class StepKind(str, Enum):
    """What a step makes; members are in running order.

    Attributes:
        INGEST: A block of days: transformed Examples and vocabularies.
        TPM: The embeddings of one pretraining period.
        CPM: The complete pretraining model.
        SOURCE: The source model that CTNet reads.
        BASE: The target model that CTNet starts from.
        TARGET: A strategy's target model, judged and, for one strategy, published.
    """

    INGEST = "ingest"
    TPM = "tpm"
    CPM = "cpm"
    SOURCE = "source"
    BASE = "base"
    TARGET = "target"

    def __str__(self) -> str:
        return self.value

    def and_before(self) -> tuple[StepKind, ...]:
        """Returns the kinds that run before this one, and this one, in order."""
        kinds = tuple(StepKind)
        return kinds[: kinds.index(self) + 1]


def kinds_of(strategy: Kind | None) -> tuple[StepKind, ...]:
    """Returns the kinds of step that a kind of strategy can need, in running order.

    An entry of `strategies` may turn some off, such as `snapshots: 0`.

    Args:
        strategy: The kind of strategy; None, if it is not known, can need every kind.
    """
    if strategy is None:
        return tuple(StepKind)
    wanted = {
        StepKind.INGEST: True,
        StepKind.TPM: strategy.snapshots or strategy.ctnet,
        StepKind.CPM: strategy.pretrained,
        StepKind.SOURCE: strategy.ctnet,
        StepKind.BASE: strategy.ctnet,
        StepKind.TARGET: True,
    }
    return tuple(kind for kind in StepKind if wanted[kind])
