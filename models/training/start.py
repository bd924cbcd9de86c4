"""Start of a level's training: its network, and the weights of the warm start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.artifact_files import TRAIN_FOLDER
from models.artifact_files import WEIGHTS_FILE
from models.data import snapshots
from models.data.domains import table_rows
from models.data.id_lists import read_ids
from models.data.snapshots import SnapshotTables
from models.errors import TrainingError
from models.features.id import SNAPSHOT_SPACES
from models.features.table import FeatureTable
from models.networks.network import Network
from models.networks.tpm import TinyModel
from models.strategies.base import NetworkContext
from models.training import warm_start
from models.training.checkpoints import variable_shapes
from models.training.layout import check_layout
from models.training.level_inputs import LevelInputs
from models.training.optimizers import optimizer_state


def build_network(inputs: LevelInputs, source_ratio: float | None = None) -> Network:
    """Returns a level's untrained network, with the source model's weights if any.

    Args:
        inputs: The level's inputs.
        source_ratio: Source impressions per target impression, see `LevelWindow`.
    """
    if inputs.level == "tpm":
        return TinyModel(inputs.features, inputs.network)

    def aligned() -> dict[str, SnapshotTables]:
        return {
            space: snapshots.align(
                inputs.snapshots,
                read_ids(inputs.vocabulary, space),
                space,
                inputs.features.vocabularies[space],
            )
            for space in (SNAPSHOT_SPACES if inputs.snapshots else ())
        }

    def domain_rows() -> dict[str, int]:
        return table_rows(inputs.features, inputs.vocabulary, inputs.domains)

    def load_source(variables: Mapping[str, Any]) -> None:
        _load_source(inputs, variables)

    return inputs.built_strategy().build(
        NetworkContext(
            features=inputs.read_features,
            network=inputs.network,
            domains=inputs.domains,
            domain_rows=domain_rows,
            snapshots=aligned,
            load_source=load_source if inputs.source_model is not None else None,
            source_ratio=source_ratio,
        )
    )


def _load_source(inputs: LevelInputs, variables: Mapping[str, Any]) -> None:
    """Loads `variables` from the source model, including BatchNorm."""
    folder = Path(str(inputs.source_model)) / TRAIN_FOLDER
    source = variable_shapes(folder / WEIGHTS_FILE)
    check_layout(folder, inputs, inputs.read_features)
    target = {name: tuple(variable.shape) for name, variable in variables.items()}
    plan = warm_start.plan_copy(source, target)
    if plan.new:
        raise TrainingError(
            f"the source model at {folder} has no {', '.join(plan.new)}; it needs the "
            "features and network of this configuration. Train level source again"
        )
    warm_start.apply(plan, folder / WEIGHTS_FILE, variables)


def checkpoint_variables(
    inputs: LevelInputs, network: Network, optimizer: Any
) -> dict[str, Any]:
    """Returns the variables of a checkpoint: weights, and inherited optimizer slots."""
    kept = network.named_variables()
    if inputs.training.inherit_optimizer:
        kept |= optimizer_state(optimizer)
    return kept


def take_over(
    inputs: LevelInputs, features: FeatureTable, variables: Mapping[str, Any]
) -> warm_start.CopyReport:
    """Copies the weights of the warm start's model into `variables`.

    Args:
        inputs: The level's inputs, with a warm start.
        features: Features that the network reads.
        variables: Variables of this level's checkpoint, by name.
    """
    folder = Path(str(inputs.warm_start)) / TRAIN_FOLDER
    source = variable_shapes(folder / WEIGHTS_FILE)
    layout = check_layout(folder, inputs, features)
    target = {name: tuple(variable.shape) for name, variable in variables.items()}
    excluded: frozenset[str] = frozenset()
    if layout["level"] != inputs.level:
        excluded = warm_start.optimizer_variables(source)
        if not inputs.load_batch_norm:
            excluded |= warm_start.batch_norm_variables(source)
    plan = warm_start.plan_copy(source, target, excluded)
    warm_start.apply(plan, folder / WEIGHTS_FILE, variables)
    return plan
