"""Sentences made from numbers, and which strategies win."""

from __future__ import annotations

import dataclasses

import pytest

from components.evaluation.differences import Difference
from pipeline.comparing.words import verdict
from pipeline.comparing.words import wins
from pipeline.comparing.words import with_interval
from tests.pipeline.comparing.examples import ECDCTR
from tests.pipeline.comparing.examples import STAR
from tests.pipeline.comparing.examples import TARGET_ONLY
from tests.pipeline.comparing.examples import UNDEFINED
from tests.pipeline.comparing.examples import comparison
from tests.pipeline.comparing.examples import cost
from tests.pipeline.comparing.examples import metrics

FEW_SEEDS = (
    "Fewer than 10 seeds say too little of the luck of a training, so no win is "
    "counted."
)


def ten_seeds(model, **changes):
    return dataclasses.replace(model, by_seed=model.by_seed[:1] * 10, **changes)


def test_the_verdict_of_few_seeds_names_the_best_means_and_no_winner():
    assert verdict(comparison()) == [
        FEW_SEEDS,
        "Best means: AUC ecdctr (0.7000), log loss ecdctr (0.4000), GAUC ecdctr "
        "(0.6600). Not told apart from that GAUC: star.",
        "Of the reachable gap in GAUC, target_only to the oracle's 0.7100, these "
        "shares are closed: ecdctr 50% [20%, 80%], star 40% [-10%, 90%].",
    ]


@pytest.mark.parametrize(
    ("winners", "told"),
    [
        ((), "No strategy wins"),
        (("ecdctr",), "ecdctr wins"),
        (("ecdctr", "star"), "ecdctr, star win"),
    ],
)
def test_a_win_is_one_over_the_baseline_and_the_best_reference(winners, told):
    models = tuple(
        ten_seeds(model, wins=model.name in winners)
        for model in (ECDCTR, STAR, TARGET_ONLY)
    )
    assert wins(comparison(models=models, seeds=tuple(range(10)))) == (
        f"{told}: AUC above that of target_only and of the best reference, logistic "
        "(0.6800), both told apart with Holm's correction for all differences of the "
        "table."
    )


def test_without_references_no_win_is_counted():
    found = wins(comparison(references=(), best_reference=""))
    assert found == "There are no references, so no win is counted."


def test_gauc_that_is_not_usable_is_said_first_and_decides_nothing():
    guard = "GAUC not usable: user_click_rate moves within the block"
    found = verdict(comparison(guard=guard))
    assert found[0] == f"{guard}."
    (best,) = [one for one in found if one.startswith("Best")]
    assert best == "Best means: AUC ecdctr (0.7000), log loss ecdctr (0.4000)."


def test_a_sampled_reference_is_told():
    notes = {"gbdt": "fitted on a sample of 10 of 90 impressions (`references.rows`)"}
    assert f"gbdt: {notes['gbdt']}." in verdict(comparison(reference_notes=notes))


def test_the_best_is_the_highest_and_of_log_loss_the_lowest():
    other = dataclasses.replace(STAR, by_seed=(metrics(0.5, 0.8, 0.3),) * 2)
    best = verdict(comparison(models=(ECDCTR, other, TARGET_ONLY)))[1]
    assert best.startswith(
        "Best means: AUC star (0.8000), log loss star (0.3000), GAUC ecdctr (0.6600)."
    )


def test_a_model_far_ahead_is_not_said_to_be_above_all_others():
    behind = dataclasses.replace(STAR, behind_best=TARGET_ONLY.behind_best)
    models = (ECDCTR, behind, TARGET_ONLY)
    (best,) = [s for s in verdict(comparison(models=models)) if s.startswith("Best")]
    assert best.endswith("GAUC ecdctr (0.6600).")


def test_one_seed_and_low_coverage_are_warned_of():
    once = [
        dataclasses.replace(model, by_seed=model.by_seed[:1])
        for model in (ECDCTR, TARGET_ONLY)
    ]
    found = verdict(comparison(models=tuple(once), seeds=(17,), coverage=0.25))
    assert any("nothing of the luck of a training" in sentence for sentence in found)
    assert "GAUC speaks for 25% of the rows only" in found[-1]


def test_why_there_is_no_oracle_is_said():
    plain = verdict(comparison(oracle=None))
    told = verdict(comparison(oracle=None, note="The oracle is not known: no truth."))
    assert not any("oracle" in sentence for sentence in plain)
    assert "The oracle is not known: no truth." in told


def test_what_is_undefined_is_said_and_no_best_is_named():
    nothing = dataclasses.replace(
        STAR,
        by_seed=(metrics(float("nan")),) * 2,
        differences={**STAR.differences, "gauc": UNDEFINED},
        behind_best=None,
    )
    plain = dataclasses.replace(TARGET_ONLY, by_seed=nothing.by_seed, behind_best=None)
    models = (nothing, plain)
    found = verdict(comparison(models=models, oracle=None))
    assert found[1] == "Best means: AUC star (0.7000), log loss star (0.4000)."


def test_a_baseline_alone_is_not_the_best_of_anything():
    found = verdict(comparison(models=(TARGET_ONLY,)))
    assert not any(sentence.startswith("Best") for sentence in found)


def test_an_interval_is_written_with_its_ends():
    assert with_interval(ECDCTR.differences["gauc"]) == "+0.0500 [+0.0200, +0.0800]"
    assert with_interval(ECDCTR.gap_share, ".0%") == "50% [20%, 80%]"
    told = Difference(0.05, 0.02, 0.08, 0.001, 0.03)
    assert with_interval(told) == "+0.0500* [+0.0200, +0.0800]"
    assert with_interval(UNDEFINED) == "undefined"
    assert with_interval(None) == ""


def test_trainings_of_few_steps_are_named_by_level():
    costs = {
        "ecdctr": cost(steps={"tpm": 12, "cpm": 49, "target": 50}, batch_size=16),
        "star": cost(steps={"target": 3}, batch_size=16),
        "target_only": cost(steps={"target": 400}, batch_size=16),
    }
    said = [one for one in verdict(comparison(costs=costs)) if "optimizer" in one]
    assert said == [
        "Trainings of fewer than 50 optimizer steps, which leave weights close to "
        "where they started: ecdctr (tpm 12, cpm 49), star (target 3)."
    ]


def test_each_control_is_explained():
    explained = comparison(controls={"equal_steps_9": "target_only in small batches"})
    assert "equal_steps_9: target_only in small batches." in verdict(explained)
