"""Settings of trainings: the rates of embedding tables by level."""

from __future__ import annotations

import pytest

from models.settings import TrainingConfig
from models.settings import table_factor_of


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
def test_tables_of_a_level_move_by_its_factor(level, pretrained, factor):
    assert table_factor_of(level, pretrained=pretrained) == factor


@pytest.mark.parametrize(("given", "factor"), [(None, 1.0), (0.1, 0.1)])
def test_both_rates_of_tables_have_the_factor(given, factor):
    training = TrainingConfig(
        embedding_learning_rate=0.02, id_learning_rate=0.004, table_factor=given
    )
    assert training.table_rate == pytest.approx(0.02 * factor)
    assert training.long_table_rate == pytest.approx(0.004 * factor)
    assert TrainingConfig(table_factor=given).long_table_rate is None
