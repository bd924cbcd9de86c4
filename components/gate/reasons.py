"""Reasons of a Gate's decision: the result of each rule, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any
from typing import Literal
from typing import get_args

Outcome = Literal["refused", "held", "noted"]

# The order in which a decision lists them.
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True)
class Reason:
    """Result of one rule.

    Attributes:
        rule: Key of `gate` that sets the rule, such as `min_auc`; `cold_start` for the
            note that no model is live. Empty in decisions of version 0.1.0, which had
            only sentences.
        outcome: Whether the rule held; `noted` has no effect on the decision.
        text: Measured and allowed values.
    """

    rule: str
    outcome: Outcome
    text: str

    def __str__(self) -> str:
        return f"{self.text}: {self.outcome}"

    def to_json(self) -> dict[str, str]:
        """Returns the entry of `decision.json`."""
        return asdict(self)


def reasons_of(decision: Mapping[str, Any]) -> tuple[Reason, ...]:
    """Returns the reasons of a stored decision, also of earlier versions.

    Args:
        decision: Content of `decision.json`.
    """
    return tuple(_from_json(reason) for reason in decision["reasons"])


def _from_json(stored: Mapping[str, str] | str) -> Reason:
    if not isinstance(stored, str):
        outcome = _outcome(stored["outcome"])
        return Reason(stored["rule"], outcome or "noted", stored["text"])
    # Written before 2026-12: `text: outcome`.
    text, _, last = stored.rpartition(": ")
    outcome = _outcome(last)
    return Reason("", outcome, text) if outcome else Reason("", "noted", stored)


def _outcome(word: str) -> Outcome | None:
    return next((outcome for outcome in OUTCOMES if outcome == word), None)
