"""Layout of a model's inputs: a warm start needs the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.errors import TrainingError
from models.features.number_statistics import NumberStatistics
from models.features.table import FeatureTable
from models.statistics_files import write_statistics
from models.training.layout import check_layout
from models.training.layout import layout_of

FROZEN = NumberStatistics(boundaries=(1.0, 4.0), mean=(0.5,), deviation=(2.0,))


@pytest.fixture
def check(
    inputs: Callable[..., Any], features: FeatureTable, tmp_path: Path
) -> Callable[..., Any]:
    """Returns a function that checks a model of some statistics against others."""
    made = inputs("run")

    def run(
        before: dict[str, NumberStatistics],
        now: dict[str, NumberStatistics],
        read_before: FeatureTable = features,
    ) -> None:
        write_statistics(made.vocabulary, before)
        text = json.dumps(layout_of(made, read_before))
        (tmp_path / "layout.json").write_text(text)
        write_statistics(made.vocabulary, now)
        check_layout(tmp_path, made, features)

    return run


def test_a_model_may_start_from_one_with_the_same_statistics(check: Any) -> None:
    later = FROZEN.model_copy(update={"values": 7, "last_day": 3})
    check({"item_impressions": FROZEN}, {"item_impressions": later})


def test_a_number_without_values_may_get_its_statistics_later(check: Any) -> None:
    check({}, {"item_impressions": FROZEN})


@pytest.mark.parametrize("changed", ["boundaries", "mean", "deviation"])
def test_other_statistics_are_refused(check: Any, changed: str) -> None:
    other = FROZEN.model_copy(update={changed: (3.0,)})
    with pytest.raises(TrainingError, match="standardises item_impressions with other"):
        check({"item_impressions": FROZEN}, {"item_impressions": other})


def test_other_numbers_are_refused(check: Any, features: FeatureTable) -> None:
    fewer = FeatureTable(
        features=features.features[:-1], vocabularies={**features.vocabularies}
    )
    with pytest.raises(TrainingError, match="reads the numbers item_impressions, this"):
        check({}, {}, read_before=fewer)
