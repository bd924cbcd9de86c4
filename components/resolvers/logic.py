"""Selection of the stored artifacts that a run may read: a pure function."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from models.days import to_date
from models.errors import DataError


@dataclass(frozen=True)
class Candidate:
    """Properties of an artifact that the selection uses.

    Attributes:
        id: Id in ML Metadata.
        fingerprint: Hash of all inputs that it was made from.
        last_day: Last day of the impressions that it was made from.
        role: `raw` or `transformed` for Examples, empty otherwise.
    """

    id: int
    fingerprint: str
    last_day: int
    role: str = ""


def select(
    candidates: Iterable[Candidate],
    fingerprints: Sequence[str],
    *,
    before_day: int | None,
    role: str = "",
) -> list[Candidate]:
    """Selects one artifact per requested fingerprint, in the same order.

    Equal fingerprints mean equal content; the newest of them is taken.

    Args:
        candidates: The stored artifacts.
        fingerprints: The requested fingerprints.
        before_day: The run's day D; artifacts of day D or later must not be read. None
            for the evaluation impressions, which are of day D itself.
        role: Requested role of Examples.

    Raises:
        DataError: An artifact is missing, or is dated on or after the run's day.
    """
    newest: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda c: c.id):
        if candidate.role == role:
            newest[candidate.fingerprint] = candidate
    chosen = []
    for fingerprint in fingerprints:
        if fingerprint not in newest:
            raise DataError(
                f"the artifact with fingerprint {fingerprint} is not in the metadata "
                "store; run `crossctr plan` to see which step makes it"
            )
        candidate = newest[fingerprint]
        if before_day is not None and candidate.last_day >= before_day:
            raise DataError(
                f"artifact {candidate.id} holds impressions up to "
                f"{to_date(candidate.last_day)}, the run's day is "
                f"{to_date(before_day)}; a run may only read what ended before its day"
            )
        chosen.append(candidate)
    return chosen
