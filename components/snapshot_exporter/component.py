"""SnapshotExporter component: writes a TPM's user and item tables, keyed by raw id.

No postponed annotations here: TFX reads those of the function itself.
"""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.annotations import OutputArtifact
from tfx.dsl.component.experimental.annotations import Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Model

from components.artifacts import EmbeddingSnapshot
from components.artifacts import Vocabulary
from components.artifacts import stamp
from models.artifact_files import TRAIN_FOLDER
from models.features.table import FeatureTable
from models.training.snapshot_export import export_snapshot


@component
def SnapshotExporter(  # noqa: N802 (the name of the node and of its type)
    model: InputArtifact[Model],
    vocabulary: InputArtifact[Vocabulary],
    snapshot: OutputArtifact[EmbeddingSnapshot],
    features: Parameter[str],
    period_day: Parameter[int],
) -> None:
    """Exports the user and item embeddings of one TPM period (E-CDCTR).

    Args:
        model: The trained TPM.
        vocabulary: The vocabulary it was trained with.
        snapshot: The snapshot that is written.
        features: JSON of the `FeatureTable`.
        period_day: The TPM's run day; its window ends the day before.
    """
    export_snapshot(
        Path(model.uri) / TRAIN_FOLDER,
        Path(vocabulary.uri),
        FeatureTable.from_json(features),
        Path(snapshot.uri),
        period_day=period_day,
    )
    stamp(
        snapshot,
        first_day=model.get_int_custom_property("first_day"),
        last_day=model.get_int_custom_property("last_day"),
        fingerprint=model.get_string_custom_property("fingerprint"),
    )
