"""Kind `id`: one raw id."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from models.features.kind import MISSING_ROW
from models.features.kind import EncodingTools
from models.features.kind import FeatureKind

if TYPE_CHECKING:
    import pyarrow as pa

    from models.features.feature import Feature

# Id spaces whose tables TPM exports as snapshots (E-CDCTR).
SNAPSHOT_SPACES = ("user", "item")


class IdKind(FeatureKind):
    """One raw id, encoded as its table row in the id space."""

    name = "id"
    own_keys = frozenset({"vocabulary", "side"})
    is_id = True
    tensor_type = "string"
    missing = b""
    json_types = (str,)

    def arrow_type(self) -> pa.DataType:
        """Returns bytes."""
        import pyarrow as pa

        return pa.large_binary()

    def encode(
        self, raw: Any, feature: Feature, tools: EncodingTools
    ) -> dict[str, Any]:
        """Returns the id's table row, `MISSING_ROW` without an id; (B,)."""
        first = tools.first_values(raw, "")
        return {feature.name: tools.id_rows(first, feature, MISSING_ROW)}

    def limit(self, declared: Any, feature: Feature) -> None:
        """Leaves the values open: vocabularies grow, so new ones are expected."""
        declared.ClearField("domain")
