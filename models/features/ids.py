"""Kind `ids`: a list of raw ids, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from models.features.id import IdKind
from models.features.kind import PADDING_ROW
from models.features.kind import EncodingTools

if TYPE_CHECKING:
    from models.features.feature import Feature


class IdsKind(IdKind):
    """List of at most `max_length` raw ids, encoded as table rows of their id space."""

    name = "ids"
    own_keys = frozenset({"vocabulary", "max_length", "counts", "side"})
    is_list = True
    encoded_missing = PADDING_ROW

    def encode(
        self, raw: Any, feature: Feature, tools: EncodingTools
    ) -> dict[str, Any]:
        """Returns the ids' table rows, padded by `PADDING_ROW`; (B, max_length)."""
        lists = tools.lists(raw, feature.max_length)
        return {feature.name: tools.id_rows(lists, feature, PADDING_ROW)}

    def limit(self, declared: Any, feature: Feature) -> None:
        """Leaves the values open and limits their number."""
        declared.ClearField("domain")
        declared.value_count.min = 0
        declared.value_count.max = feature.max_length
