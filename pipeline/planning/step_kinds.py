"""Kinds of step that a plan can hold, in running order; nothing else lists them.

Airflow loads this file in an environment without crossctr, so it imports nothing but
the standard library.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.strategies.base import Needs


class StepKind(str, Enum):
    """Kind of a step; members are in running order.

    Attributes:
        INGEST: A block of days: transformed Examples and vocabularies.
        TPM: The embeddings of one TPM period.
        CPM: The complete pretraining model.
        SOURCE: The source model that a target model reads.
        BASE: The target model without a source model, which initialises one with it.
        REFERENCES: Simple models that the strategies stand beside; never published.
        TARGET: A strategy's target model, evaluated and, for one strategy, published.
    """

    INGEST = "ingest"
    TPM = "tpm"
    CPM = "cpm"
    SOURCE = "source"
    BASE = "base"
    REFERENCES = "references"
    TARGET = "target"

    def __str__(self) -> str:
        return self.value

    def and_before(self) -> tuple[StepKind, ...]:
        """Returns the kinds up to this one, in running order."""
        kinds = tuple(StepKind)
        return kinds[: kinds.index(self) + 1]


def kinds_of(needs: Needs, *, references: bool) -> tuple[StepKind, ...]:
    """Returns the kinds of step that a strategy needs, in running order.

    Args:
        needs: What its target level reads.
        references: Whether the configuration has references.
    """
    wanted = {
        StepKind.INGEST: True,
        StepKind.TPM: needs.tpm_periods > 0,
        StepKind.CPM: needs.cpm,
        StepKind.SOURCE: needs.source_model,
        StepKind.BASE: needs.source_model,
        StepKind.REFERENCES: references,
        StepKind.TARGET: True,
    }
    return tuple(kind for kind in StepKind if wanted[kind])
