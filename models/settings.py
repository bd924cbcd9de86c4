"""Sizes and rates of the networks and their training, as the configuration gives them.

Only pydantic is imported here, so that the command line can check a configuration
without paying for TensorFlow's import.
"""

from __future__ import annotations

from typing import Annotated
from typing import Literal

from pydantic import Field
from pydantic import model_validator

from models.strict_model import StrictModel

# Optimizer steps below which a training says how few it took. Adam moves a weight by
# about its learning rate in a step, so 50 steps at 0.001 move it by at most 0.05, and
# the kernels' initial weights scatter by 0.1 to 0.3: what a model says after fewer is
# in good part still its random start.
FEW_STEPS = 50


# What is larger is a slip of the keyboard: a layer's units and an embedding's width,
# and Keras's seeds, which have 32 bits.
MAX_UNITS = 65_536
MAX_SEED = 2**31 - 1
Units = Annotated[int, Field(gt=0, le=MAX_UNITS)]


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

    width: int = Field(default=16, gt=0, le=MAX_UNITS)
    hidden_units: tuple[Units, ...] = Field(default=(128, 64), min_length=1)
    cross_layers: int = Field(default=2, ge=0, le=100)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    tpm_hidden_units: tuple[Units, ...] = Field(default=(32,), min_length=1)
    snapshot_pooling: str = Field(default="attention", pattern="^(attention|mean)$")
    snapshot_dropout: float = Field(default=0.5, ge=0, lt=1)


class EarlyStopping(StrictModel):
    """How the number of epochs is chosen on the window's newest day.

    The newest day is held out, the days before it are trained on, and the epoch after
    which the held-out day's log loss was lowest is the number of epochs. Then the
    level starts again from the same weights and trains that many epochs on the whole
    window, newest day included: the newest rows are the ones most worth having (our
    choice). A window of one day has nothing to hold out and trains all epochs.

    Attributes:
        patience: Epochs without improvement after which the search ends.
        min_improvement: Log loss by which an epoch must beat the best one; below
            0.0001 it is noise of a day's rows.
    """

    patience: int = Field(default=1, gt=0)
    min_improvement: float = Field(default=0.0001, ge=0)


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


class CctlConfig(StrictModel):
    """CCTL: source rows beside the target's, each with a weight of its own.

    Attributes:
        source_ratio: Source rows of a step per target row, however many there are. A
            step has `batch_size` rows of both together, so that as many steps are
            taken as mixing the same rows would take.
        repeat_sources: Whether sources with fewer rows than `source_ratio` asks for are
            learned from several times in a pass over the target's. Without, the ratio
            is what they have: rows that come again are learnt by heart (our choice).
        balance: What the weights of a step's rows are shares of. `rows`: a source row
            of weight 1 counts as much as a target row; `domains`: a sum of two means,
            all source rows together as much as all target rows. Both are our choices.
        sync_steps: Steps `k` after which the pure tower starts again from the mixed
            one; 0 never does, its ablation.
        estimator: Where weights come from. `agreement`: what the row's group has in
            common with what a model of the target alone has learned; `companion`: keep
            or drop a whole source for k steps and look at the gain; `uniform`: all 1,
            their ablation.
        price: Share of the target's own agreement at which a row weighs one half.
        temperature: How far from `price` a weight goes from one half to about 0.73; a
            tenth tells a source of no use (0 of the target's agreement) from one of
            full use (1) by weights of 0.01 and 0.99.
        by_row: Whether the weights differ within a source, as the information flow
            network says, or only between sources.
        trust: Whether the companion's gain may lower all weights together.
        alignment: Whether source fields are mapped before they meet the target's
            network; false is the ablation.
        enhancement: Weight of the contrastive loss; 0 is the ablation.
        flow_learning_rate: Adam's rate for the information flow network, which learns
            slowly as a single row's agreement is mostly noise.
    """

    source_ratio: float = Field(default=8.0, gt=0)
    repeat_sources: bool = False
    balance: Literal["rows", "domains"] = "rows"
    sync_steps: int = Field(default=50, ge=0)
    estimator: Literal["agreement", "companion", "uniform"] = "agreement"
    price: float = Field(default=0.5, ge=0)
    temperature: float = Field(default=0.1, gt=0)
    by_row: bool = True
    trust: bool = True
    alignment: bool = True
    enhancement: float = Field(default=0.001, ge=0)
    flow_learning_rate: float = Field(default=0.003, gt=0)


class TrainingConfig(StrictModel):
    """How a level is trained.

    Attributes:
        batch_size: Rows per step; with several workers, of all workers together.
        epochs: Passes over the window; with early stopping, the most it may take.
        seed: Seed of initial weights, shuffling and dropout.
        dense_learning_rate: Adam's rate for everything but embedding tables.
        embedding_learning_rate: Adagrad's rate for embedding tables, which only
            touches the rows of a batch.
        learning_rate_schedule: What becomes of both rates: `constant`; `cosine`, from
            the full rate down to a hundredth over all `epochs`; `plateau`, halved
            after every epoch that did not improve the held-out day, which needs
            `early_stopping`. Constant, because a level that continues yesterday's
            model never ends.
        early_stopping: How to choose the number of epochs; None trains all `epochs`,
            since one pass is the rule for CTR models and cannot be shortened.
        shuffle_rows: Rows of the buffer in which the order is mixed; bounds memory.
        inherit_optimizer: Whether a model that starts from another one of its own level
            takes over the optimizer's slots too, which are then stored with the model.
            False: accumulators that remember the former rows take small steps, and a
            checkpoint is half as large without them.
    """

    batch_size: int = Field(default=1024, gt=1, le=2**24)
    epochs: int = Field(default=1, gt=0, le=10_000)
    seed: int = Field(default=17, ge=0, le=MAX_SEED)
    dense_learning_rate: float = Field(default=0.001, gt=0)
    embedding_learning_rate: float = Field(default=0.05, gt=0)
    learning_rate_schedule: Literal["constant", "cosine", "plateau"] = "constant"
    early_stopping: EarlyStopping | None = None
    shuffle_rows: int = Field(default=200_000, gt=0, le=10**10)
    inherit_optimizer: bool = False

    @model_validator(mode="after")
    def _check_schedule(self) -> TrainingConfig:
        if self.learning_rate_schedule == "plateau" and self.early_stopping is None:
            raise ValueError(
                "learning_rate_schedule 'plateau' follows the held-out day of "
                "early_stopping, which is not set; add `early_stopping: {}` or choose "
                "constant or cosine"
            )
        return self
