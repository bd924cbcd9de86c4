"""Settings of the networks and their training, as the configuration gives them.

Only pydantic is imported here, so that the command line checks a configuration without
importing TensorFlow.
"""

from __future__ import annotations

from typing import Annotated
from typing import Literal

from pydantic import Field
from pydantic import model_validator

from models.strict_model import StrictModel

# Number of optimizer steps below which a training is reported as short. Adam moves a
# weight by about its learning rate per step, so 50 steps at 0.001 move it by at most
# 0.05, while initial kernels have a spread of 0.1 to 0.3: after fewer steps a model's
# scores largely reflect its random initialisation.
FEW_STEPS = 50


# What is larger is a slip of the keyboard: a layer's units and an embedding's width,
# and Keras's seeds, which have 32 bits.
MAX_UNITS = 65_536
MAX_SEED = 2**31 - 1
Units = Annotated[int, Field(gt=0, le=MAX_UNITS)]


class NetworkConfig(StrictModel):
    """Shape of the backbone that CPM, A-CTR and every strategy share.

    Attributes:
        width: Embedding width `D` of features that declare none. Small, because the
            target domain is sparse.
        hidden_units: Units of the MLP's layers, first to last.
        cross_layers: Depth of the interaction (DCN-V2 cross layers); 2 layers model
            feature interactions up to the third order.
        dropout: Share of hidden units dropped while training.
        tpm_hidden_units: Units of TPM's MLP; shallow, so that TPM's knowledge is in the
            embeddings that it exports.
        snapshot_pooling: Pooling of M snapshots into one vector; `attention` is the
            published method, `mean` its ablation.
        snapshot_dropout: Share of impressions whose snapshot is treated as missing
            while training. TPM was trained on CPM's impressions, so a CPM that always
            has snapshots overfits to what they remember of its labels and never learns
            to score users without one, which most target users are.
        hide_newer_snapshots: Whether an impression is denied, while training, the
            snapshots of periods that ended after its day, which were trained on its
            label or on later ones. False by default, as published.
        product: Whether the inner product of the user's side and the item's side is
            added to the logits.
        wide: Whether a linear part, with one weight per id, value bucket and number, is
            added to the logits.
        zero_start: Whether the weights of the output layer start at 0, so that the
            first predictions are the click rate of the window.
        batch_norm: Whether the hidden layers are normalised.
    """

    width: int = Field(default=16, gt=0, le=MAX_UNITS)
    hidden_units: tuple[Units, ...] = Field(default=(128, 64), min_length=1)
    cross_layers: int = Field(default=2, ge=0, le=100)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    tpm_hidden_units: tuple[Units, ...] = Field(default=(32,), min_length=1)
    snapshot_pooling: str = Field(default="attention", pattern="^(attention|mean)$")
    snapshot_dropout: float = Field(default=0.5, ge=0, lt=1)
    hide_newer_snapshots: bool = False
    product: bool = True
    wide: bool = True
    zero_start: bool = True
    batch_norm: bool = True


class EarlyStopping(StrictModel):
    """Choice of the number of epochs on the window's newest day.

    The network is trained on all days but the newest, and the epoch with the lowest log
    loss on that held-out day gives the number of epochs. Then training restarts from
    the same weights and runs that many epochs on the whole window, newest day included,
    because the newest impressions are the most valuable (our choice). A window of one
    day has nothing to hold out and trains all epochs.

    Attributes:
        patience: Epochs without improvement after which the search ends.
        min_improvement: Log loss by which an epoch must beat the best one so far;
            differences below 0.0001 are noise.
    """

    patience: int = Field(default=1, gt=0)
    min_improvement: float = Field(default=0.0001, ge=0)


class ExpertsConfig(StrictModel):
    """Experts of a multi-domain network.

    Each expert has half the units of the layer that the experts replace, so that a few
    of them cost about as much as the layer.

    Attributes:
        shared: Number of experts that all domains read; MMoE has no others.
        own: Number of experts per domain, beside the shared ones (PLE); one by default,
            as each domain adds that many.
        levels: Levels of extraction (PLE); two by default, the fewest that refine the
            shared part before a domain reads it. One is the paper's CGC.
    """

    shared: int = Field(default=4, gt=0)
    own: int = Field(default=1, gt=0)
    levels: int = Field(default=2, gt=0)


class CctlConfig(StrictModel):
    """CCTL: source impressions beside the target's, each with its own weight.

    Attributes:
        source_ratio: Source impressions per target impression in a step. A step has
            `batch_size` impressions of both together, so that the number of steps
            equals that of plain mixing.
        repeat_sources: Whether source impressions are repeated within a pass over the
            target's if there are fewer than `source_ratio` asks for. If not, the ratio
            is lowered to the available number, because repeated impressions are
            memorised (our choice).
        balance: Normalisation of the weighted loss. `rows`: a source impression of
            weight 1 counts as much as a target impression; `domains`: the sum of two
            means, so that all source impressions together count as much as all target
            impressions. Both are our choices.
        sync_steps: Steps `k` of a window, after which the towers are made equal: to the
            mixed one, or, where the gain is surely below zero, to the pure one; 0 never
            does, an ablation.
        estimator: Source of the weights. `gain`: the derivative of the companion's gain
            by the weights of groups of impressions; `uniform`: all 1, an ablation;
            `zero`: all 0, a control in which source impressions teach no clicks and all
            else is the same.
        prior: What else lowers weights with `estimator: gain`. `agreement` multiplies
            them by our own estimate, how well the clicks of an impression's group agree
            with a model trained on the target alone, which does not see ids.
        price: Agreement, relative to the target's own, at which a weight by `prior:
            agreement` is one half.
        temperature: Distance from `price` at which a weight rises from one half to
            about 0.73; with 0.1 a useless source (relative agreement 0) gets a weight
            of 0.01 and a fully useful one (1) 0.99.
        by_row: Whether weights by `prior: agreement` differ within a source, or only
            between sources.
        alignment: Whether features that only sources have are mapped into the slots of
            the target's; false is the ablation, which does not read them.
        own_vectors: Whether users and items have, beside their shared vector, one of
            each domain. Without them there is no contrastive loss either. False by
            default: what they bring has not been measured, and they double the tables
            of users and items for each domain.
        enhancement: Weight of the contrastive loss that keeps an id's own vectors of
            different domains apart; 0 is the ablation.
        flow_learning_rate: Adam's rate for the network of `prior: agreement`; low, as a
            single impression's agreement is mostly noise.
    """

    source_ratio: float = Field(default=8.0, gt=0)
    repeat_sources: bool = False
    balance: Literal["rows", "domains"] = "rows"
    sync_steps: int = Field(default=50, ge=0)
    estimator: Literal["gain", "uniform", "zero"] = "gain"
    prior: Literal["none", "agreement"] = "none"
    price: float = Field(default=0.5, ge=0)
    temperature: float = Field(default=0.1, gt=0)
    by_row: bool = True
    alignment: bool = True
    own_vectors: bool = False
    enhancement: float = Field(default=0.001, ge=0)
    flow_learning_rate: float = Field(default=0.003, gt=0)


def table_factor_of(level: str, *, pretrained: bool) -> float:
    """Returns how far a level's embedding tables move, as a factor (our choice).

    A tenth in TPM: CPM and the target read TPM's vectors on impressions that TPM was
    trained on, so the vectors must not know these by heart. A quarter in a target that
    starts from CPM: its few impressions should adjust what the sources taught, not
    overwrite it. The measurements are in docs/reference/training.md.

    Args:
        level: The level that is trained.
        pretrained: Whether the strategy of a `target` level starts from CPM.
    """
    if level == "tpm":
        return 0.1
    return 0.25 if level == "target" and pretrained else 1.0


class TrainingConfig(StrictModel):
    """Training of a level.

    Attributes:
        batch_size: Impressions per step; with several workers, of all workers together.
            Fewer where a pass would have fewer than `min_steps_per_pass` steps.
        min_steps_per_pass: Steps of a pass over few impressions, by smaller batches, of
            16 impressions at least; 0 keeps `batch_size`. A training that continues a
            model has no smaller ones than that model had. 100, as a pass of fewer
            leaves weights close to their random start.
        epochs: Passes over the window; with early stopping, the maximum.
        seed: Seed of initial weights, shuffling and dropout.
        dense_learning_rate: Adam's rate for everything but embedding tables.
        embedding_learning_rate: Adagrad's rate for embedding tables, which updates only
            the table rows of a batch, by the sum of its impressions' gradients.
        table_factor: Factor of the two rates of embedding tables. Null for that of the
            level: 0.1 in TPM, 0.25 in a target that starts from CPM, otherwise 1.
        id_learning_rate: Adagrad's rate for embedding tables of more than 100 rows,
            those of users, items and crosses; null for `embedding_learning_rate`. A low
            one lets a network of few impressions find interactions of other features in
            several passes before it knows ids by heart.
        wide_learning_rate: FTRL's rate for the wide part; no schedule changes it.
        wide_l2: FTRL's penalty on the square of each weight of the wide part, beside
            the summed log loss of the impressions.
        learning_rate_schedule: Schedule of the dense and the embedding rates:
            `constant`; `cosine`, from the full rate down to a hundredth over all
            `epochs`; `plateau`, halved after every epoch that did not improve the
            held-out day, which needs `early_stopping`. Constant by default, because a
            level that continues yesterday's model has no end.
        early_stopping: Choice of the number of epochs; null trains all `epochs`, as CTR
            models usually train one pass, which cannot be shortened.
        shuffle_rows: Impressions of the shuffle buffer; bounds memory.
        inherit_optimizer: Whether a model that starts from one of its own level also
            takes over the optimizer's slots, which are then stored with the model.
            False by default: accumulators of earlier impressions make steps small, and
            a checkpoint is half as large without them.
    """

    batch_size: int = Field(default=1024, gt=1, le=2**24)
    min_steps_per_pass: int = Field(default=100, ge=0, le=1_000_000)
    epochs: int = Field(default=1, gt=0, le=10_000)
    seed: int = Field(default=17, ge=0, le=MAX_SEED)
    dense_learning_rate: float = Field(default=0.001, gt=0)
    embedding_learning_rate: float = Field(default=0.02, gt=0)
    table_factor: float | None = Field(default=None, gt=0, le=1)
    id_learning_rate: float | None = Field(default=None, gt=0)
    wide_learning_rate: float = Field(default=0.03, gt=0)
    wide_l2: float = Field(default=20.0, ge=0)
    learning_rate_schedule: Literal["constant", "cosine", "plateau"] = "constant"
    early_stopping: EarlyStopping | None = None
    shuffle_rows: int = Field(default=200_000, gt=0, le=10**10)
    inherit_optimizer: bool = False

    @property
    def table_rate(self) -> float:
        """Adagrad's rate for embedding tables, times the factor."""
        return self.embedding_learning_rate * (self.table_factor or 1.0)

    @property
    def long_table_rate(self) -> float | None:
        """The same for tables of users, items and crosses; None for `table_rate`."""
        own = self.id_learning_rate
        return None if own is None else own * (self.table_factor or 1.0)

    @model_validator(mode="after")
    def _check_schedule(self) -> TrainingConfig:
        if self.learning_rate_schedule == "plateau" and self.early_stopping is None:
            raise ValueError(
                "learning_rate_schedule 'plateau' follows the held-out day of "
                "early_stopping, which is not set; add `early_stopping: {}` or choose "
                "constant or cosine"
            )
        return self
