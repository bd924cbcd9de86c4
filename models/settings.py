"""Sizes and rates of the networks and their training, as the configuration gives them.

Only pydantic is imported here, so that the command line can check a configuration
without paying for TensorFlow's import.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.features import StrictModel


class NetworkConfig(StrictModel):
    """Shape of the backbone that CPM, A-CTR and every strategy share.

    Attributes:
        width: Embedding width `D` of a feature that names none. Small, because the
            target domain is sparse.
        hidden_units: Units of the MLP's layers, first to last.
        cross_layers: Depth of the interaction (DCN-V2 cross layers); 2 layers model
            feature interactions up to the third order.
        dropout: Share of hidden units dropped while training.
        tpm_hidden_units: Units of TPM's MLP; shallow, so that what it learns sits in
            the embeddings it hands on.
        snapshot_pooling: How M snapshots become one vector; `attention` is the
            published one, `mean` its ablation.
        snapshot_dropout: Share of examples whose snapshot counts as missing while
            training. TPM has seen CPM's own rows, so a CPM that always has snapshots
            leans on what they remember of its labels, and never learns what to do
            without one, which is the lot of most target users.
    """

    width: int = Field(default=16, gt=0)
    hidden_units: tuple[int, ...] = Field(default=(128, 64), min_length=1)
    cross_layers: int = Field(default=2, ge=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    tpm_hidden_units: tuple[int, ...] = Field(default=(32,), min_length=1)
    snapshot_pooling: str = Field(default="attention", pattern="^(attention|mean)$")
    snapshot_dropout: float = Field(default=0.5, ge=0, lt=1)


class ExpertsConfig(StrictModel):
    """Experts of the multi-domain networks that have some.

    Each has half the units of the layer they replace, so that a handful costs about
    what the layer did.

    Attributes:
        shared: Experts that every domain reads; all of MMoE's.
        own: Experts of each domain alone, beside the shared ones (PLE); one, as there
            are as many times more as there are domains.
        levels: Levels of extraction (PLE); two, the fewest with which what is shared
            is refined before a domain reads it. One is the paper's CGC.
    """

    shared: int = Field(default=4, gt=0)
    own: int = Field(default=1, gt=0)
    levels: int = Field(default=2, gt=0)


class MultiDomainConfig(StrictModel):
    """A network with a part of each domain's own, trained on all domains' rows.

    Attributes:
        network: Which one.
        experts: Its experts, if it has any.
    """

    network: Literal["shared_bottom", "mmoe", "ple", "star"]
    experts: ExpertsConfig = ExpertsConfig()


class TrainingConfig(StrictModel):
    """How a level is trained.

    Attributes:
        batch_size: Rows per step.
        epochs: Passes over the window.
        seed: Seed of initial weights, shuffling and dropout.
        dense_learning_rate: Adam's rate for everything but embedding tables.
        embedding_learning_rate: Adagrad's rate for embedding tables, which only
            touches the rows of a batch.
        shuffle_rows: Rows of the buffer in which the order is mixed; bounds memory.
        inherit_optimizer: Whether a model that starts from another one of its own level
            takes over the optimizer's slots too, which are then stored with the model.
            False: accumulators that remember the former rows take small steps, and a
            checkpoint is half as large without them.
    """

    batch_size: int = Field(default=1024, gt=1)
    epochs: int = Field(default=1, gt=0)
    seed: int = 17
    dense_learning_rate: float = Field(default=0.001, gt=0)
    embedding_learning_rate: float = Field(default=0.05, gt=0)
    shuffle_rows: int = Field(default=200_000, gt=0)
    inherit_optimizer: bool = False
