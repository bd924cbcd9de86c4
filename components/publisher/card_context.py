"""Content of a model card that no artifact has: purpose, features, provenance."""

from __future__ import annotations

from typing import Any
from typing import Literal

from models.strict_model import StrictModel


class CardFeature(StrictModel):
    """An input of the model.

    Attributes:
        name: Canonical column name.
        kind: Kind of the feature.
        side: What it describes, as in a `rank` request; None for a cross.
        of: Features that a cross combines.
    """

    name: str
    kind: str
    side: Literal["user", "item", "context"] | None
    of: tuple[str, ...] = ()


class CardContext(StrictModel):
    """Facts of a model card that come from the configuration and the plan.

    Attributes:
        name: Name of the model.
        purpose: What the model is for, in its owner's words; may be empty.
        owner: Who answers for it; may be empty.
        limits: Its limits, in its owner's words.
        target: The domain it predicts clicks in.
        sources: The domains it learns from.
        kind: Kind of the strategy.
        evaluation: First and last evaluation day, ISO 8601.
        level: Share of the bootstrap draws inside an interval.
        features: The inputs of the served model.
        provenance: Digest of the configuration, hash of the code, versions of packages,
            and fingerprints of all that the model was made from.
    """

    name: str
    purpose: str = ""
    owner: str = ""
    limits: tuple[str, ...] = ()
    target: str
    sources: tuple[str, ...]
    kind: str
    evaluation: tuple[str, str]
    level: float
    features: tuple[CardFeature, ...]
    provenance: dict[str, Any]
