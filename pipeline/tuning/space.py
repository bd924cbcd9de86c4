"""Search space: the knobs of strategies and references, and where their values go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.references.settings import GbdtSettings
from models.references.settings import LogisticSettings
from models.references.settings import ReferenceSettings
from pipeline.config.schema import Config

Values = Mapping[str, float]
# Digits of a rate that are tried and written: more mean nothing.
_DIGITS = 3


@dataclass(frozen=True)
class Knob:
    """A setting that is tuned, within bounds.

    Attributes:
        name: Its name in the table of trials.
        low: Smallest value.
        high: Largest value.
        whole: Whether it is a whole number.
        log: Whether ratios of values matter rather than differences.
    """

    name: str
    low: float
    high: float
    whole: bool = False
    log: bool = True

    def clipped(self, value: float) -> float:
        """Returns the closest value that is tried."""
        return min(max(value, self.low), self.high)

    def rounded(self, value: float) -> float:
        """Returns a value as it is tried and written."""
        return int(value) if self.whole else float(f"{value:.{_DIGITS}g}")


_TARGET_KNOBS = (
    Knob("epochs", 1, 8, whole=True),
    Knob("batch_size", 16, 1_024, whole=True),
    Knob("dense_learning_rate", 1e-4, 1e-2),
    Knob("embedding_learning_rate", 2e-3, 0.2),
    Knob("wide_l2", 1.0, 200.0),
)
_NETWORK_KNOBS = (
    Knob("width", 2, 32, whole=True),
    Knob("dropout", 0.0, 0.5, log=False),
)
_SOURCE_EPOCHS = Knob("source_epochs", 1, 4, whole=True)
_REFERENCE_KNOBS: dict[type, tuple[Knob, ...]] = {
    LogisticSettings: (Knob("inverse_l2", 1e-3, 1e2),),
    GbdtSettings: (
        Knob("learning_rate", 0.01, 0.3),
        Knob("max_iter", 20, 400, whole=True),
        Knob("max_leaf_nodes", 3, 63, whole=True),
        Knob("min_samples_leaf", 5, 200, whole=True),
    ),
}
# Names of the references that have knobs.
REFERENCES = tuple(ReferenceSettings().by_name())
# Beginnings of these names, each of which stands for all that it begins.
FAMILIES = ("logistic", "gbdt")


def knobs_of(config: Config, name: str) -> tuple[Knob, ...]:
    """Returns the knobs of a strategy's entry or a reference.

    Args:
        config: The configuration, with the entry.
        name: The entry, or one of `REFERENCES`.
    """
    if name in REFERENCES:
        return _REFERENCE_KNOBS[type(config.references.settings.by_name()[name])]
    source = (_SOURCE_EPOCHS,) if _source_level(config, name) else ()
    return (*_TARGET_KNOBS, *source, *_NETWORK_KNOBS)


def current(config: Config, name: str) -> dict[str, float]:
    """Returns the knobs' values in the configuration, within their bounds."""
    if name in REFERENCES:
        settings = config.references.settings.by_name()[name].model_dump()
    else:
        level = _source_level(config, name)
        settings = {
            **config.training_of("target", name).model_dump(),
            **config.network_of(name).model_dump(),
        }
        if level:
            settings["source_epochs"] = config.training_of(level, name).epochs
    return {
        knob.name: knob.clipped(settings[knob.name]) for knob in knobs_of(config, name)
    }


def overrides(config: Config, name: str, values: Values) -> dict[str, Any]:
    """Returns keys that set the knobs: of an entry, or of a reference's settings.

    Args:
        config: The configuration, with the entry.
        name: The entry, or one of `REFERENCES`.
        values: A value for each knob.
    """
    rounded = {
        knob.name: knob.rounded(values[knob.name]) for knob in knobs_of(config, name)
    }
    if name in REFERENCES:
        return rounded
    training = {"target": {knob.name: rounded[knob.name] for knob in _TARGET_KNOBS}}
    level = _source_level(config, name)
    if level:
        training[level] = {"epochs": rounded[_SOURCE_EPOCHS.name]}
    network = {knob.name: rounded[knob.name] for knob in _NETWORK_KNOBS}
    return {"network": network, "training": training}


def _source_level(config: Config, name: str) -> str:
    """Returns the level that an entry pretrains on sources; empty without one."""
    needs = config.needs(name)
    if needs.source_model:
        return "source"
    return "cpm" if needs.cpm else ""
