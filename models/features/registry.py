"""Registry of the feature kinds."""

from __future__ import annotations

from models.features.count import CountKind
from models.features.cross import CrossKind
from models.features.id import IdKind
from models.features.ids import IdsKind
from models.features.kind import FeatureKind
from models.features.number import NumberKind
from models.features.rate import RateKind
from models.features.vector import VectorKind

KINDS: dict[str, FeatureKind] = {
    kind.name: kind
    for kind in (
        IdKind(),
        IdsKind(),
        CountKind(),
        RateKind(),
        NumberKind(),
        VectorKind(),
        CrossKind(),
    )
}
