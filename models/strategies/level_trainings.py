"""Training settings of a strategy's own levels, beside those of the configuration."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic import field_serializer
from pydantic import model_validator

from models.errors import shown
from models.settings import TrainingConfig
from models.strict_model import StrictModel


class LevelTrainings(StrictModel):
    """Training settings by level; single keys override those of the configuration.

    TPM is not among them, as all strategies read the same snapshots.

    Attributes:
        cpm: Training of the CPM that the strategy starts from.
        source: Training of the source model that it reads.
        target: Training of its target model.
    """

    cpm: TrainingConfig | None = None
    source: TrainingConfig | None = None
    target: TrainingConfig | None = None

    @model_validator(mode="after")
    def _check_seed(self) -> LevelTrainings:
        for level in type(self).model_fields:
            own: TrainingConfig | None = getattr(self, level)
            if own is not None and "seed" in own.model_fields_set:
                raise ValueError(
                    f"{level}.seed {shown(own.seed)} would train one strategy on a "
                    "seed of its own, and comparisons train all on the same; set "
                    "`training.seed` of the configuration"
                )
        return self

    @field_serializer("cpm", "source", "target")
    def _as_given(self, own: TrainingConfig | None) -> dict[str, Any] | None:
        return as_given(own)


def as_given(own: BaseModel | None) -> dict[str, Any] | None:
    """Returns the keys that were given: a default would override a general setting."""
    return None if own is None else own.model_dump(exclude_unset=True)
