"""Settings of trainings: the rates of embedding tables by level."""

from __future__ import annotations

import pytest

from models.settings import TrainingConfig

TRAINING = TrainingConfig(
    embedding_learning_rate=0.02,
    id_learning_rate=0.004,
    tpm_table_factor=0.1,
    pretrained_table_factor=0.25,
)


@pytest.mark.parametrize(
    ("level", "pretrained", "factor"),
    [
        ("tpm", False, 0.1),
        ("cpm", False, 1.0),
        ("source", False, 1.0),
        ("target", False, 1.0),
        ("target", True, 0.25),
    ],
)
def test_table_rates_follow_the_level_and_others_do_not(level, pretrained, factor):
    found = TRAINING.of_level(level, pretrained=pretrained)
    assert found.embedding_learning_rate == pytest.approx(0.02 * factor)
    assert found.id_learning_rate == pytest.approx(0.004 * factor)
    others = {"embedding_learning_rate", "id_learning_rate"}
    assert found.model_dump(exclude=others) == TRAINING.model_dump(exclude=others)


def test_without_a_rate_of_long_tables_there_is_none():
    plain = TrainingConfig().of_level("tpm", pretrained=False)
    assert plain.id_learning_rate is None
