"""Batch sizes of trainings on few impressions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.data.shuffling import split_sizes
from models.settings import TrainingConfig
from models.training.batch_sizes import LEAST_BATCH
from models.training.batch_sizes import fitted


@pytest.mark.parametrize(
    ("num_rows", "former", "size"),
    [
        (51_200, None, 512),
        (51_199, None, 511),
        (15_900, None, 159),
        (1_600, None, 16),
        (20, None, LEAST_BATCH),
        (0, None, LEAST_BATCH),
        # A day of a model that is continued.
        (350, 159, 159),
        (30_000, 159, 300),
        (350, 512, 512),
        (350, 1_024, 512),
    ],
)
def test_a_pass_over_few_impressions_has_smaller_batches(num_rows, former, size):
    training = TrainingConfig(batch_size=512, min_steps_per_pass=100)
    assert fitted(training, num_rows, former).batch_size == size


@pytest.mark.parametrize("num_rows", [1_600, 2_711, 20_000, 51_199, 10**6])
def test_a_pass_has_as_many_steps_as_were_asked_for(num_rows):
    training = fitted(TrainingConfig(batch_size=512, min_steps_per_pass=100), num_rows)
    assert len(split_sizes(num_rows, training.batch_size)) >= 100


def test_no_batch_grows_and_nothing_else_changes():
    # CCTL's share of a batch may be smaller than the smallest that the rule makes.
    small = TrainingConfig(batch_size=7)
    assert fitted(small, 10) == small
    training = TrainingConfig(batch_size=512, epochs=3, seed=5)
    assert fitted(training, 1_700) == training.model_copy(update={"batch_size": 17})


def test_zero_steps_keep_the_batch_size():
    training = TrainingConfig(batch_size=512, min_steps_per_pass=0)
    assert fitted(training, 20, 16) == training


@pytest.mark.slow
def test_a_level_reports_its_batch_size_and_a_continued_one_keeps_it(
    train: Callable[..., Path],
) -> None:
    training = TrainingConfig(batch_size=24)

    def report(model: Path) -> dict[str, Any]:
        text = (model / "Format-Train" / "report.json").read_text()
        found: dict[str, Any] = json.loads(text)
        return found

    # 28 impressions.
    before = report(yesterday := train("target", "yesterday", training=training))
    today = {"first_day": 9, "last_day": 9, "continues": True, "training": training}
    after = report(train("target", "today", warm_start=yesterday, **today))

    assert (before["batch_size"], before["steps"]) == (16, 2)
    assert (after["rows"], after["batch_size"], after["steps"]) == (4, 16, 1)
