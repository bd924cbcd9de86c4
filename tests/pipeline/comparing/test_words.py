"""Sentences made from numbers, none of which names a winner."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.comparing.words import interval_caveat
from pipeline.comparing.words import verdict
from pipeline.comparing.words import with_interval
from tests.pipeline.comparing.examples import ECDCTR
from tests.pipeline.comparing.examples import STAR
from tests.pipeline.comparing.examples import TARGET_ONLY
from tests.pipeline.comparing.examples import UNDEFINED
from tests.pipeline.comparing.examples import comparison
from tests.pipeline.comparing.examples import metrics


def test_the_verdict_names_the_best_means_and_no_winner():
    found = verdict(comparison())
    assert found == [
        "Best means: AUC ecdctr (0.7000), log loss ecdctr (0.4000), GAUC ecdctr "
        "(0.6600). Not told apart from that GAUC: at least star.",
        "Of the reachable gap in GAUC, target_only to the oracle's 0.7100, these "
        "shares are closed: ecdctr 50% [20%, 80%], star 40% [-10%, 90%].",
        interval_caveat(2),
    ]
    assert not any(word in " ".join(found) for word in (" wins", " loses", "beats"))


def test_the_best_is_the_highest_and_of_log_loss_the_lowest():
    other = dataclasses.replace(STAR, by_seed=(metrics(0.5, 0.8, 0.3),) * 2)
    best = verdict(comparison(models=(ECDCTR, other, TARGET_ONLY)))[0]
    assert best.startswith(
        "Best means: AUC star (0.8000), log loss star (0.3000), GAUC ecdctr (0.6600)."
    )


def test_a_model_far_ahead_is_not_said_to_be_above_all_others():
    behind = dataclasses.replace(STAR, behind_best=TARGET_ONLY.behind_best)
    models = (ECDCTR, behind, TARGET_ONLY)
    (best,) = [s for s in verdict(comparison(models=models)) if s.startswith("Best")]
    assert best.endswith("GAUC ecdctr (0.6600).")


@pytest.mark.parametrize(("seeds", "share"), [(2, "1/2"), (3, "2/3"), (5, "4/5")])
def test_the_intervals_are_said_to_be_too_narrow_and_by_how_much(seeds, share):
    sentence = interval_caveat(seeds)
    assert "too narrow" in sentence
    assert f"{share} of the variance over seeds" in sentence


def test_one_seed_and_low_coverage_are_warned_of():
    once = [
        dataclasses.replace(model, by_seed=model.by_seed[:1])
        for model in (ECDCTR, TARGET_ONLY)
    ]
    found = verdict(comparison(models=tuple(once), seeds=(17,), coverage=0.25))
    assert interval_caveat(1) in found
    assert "One seed" in interval_caveat(1)
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
    assert found[0] == "Best means: AUC star (0.7000), log loss star (0.4000)."


def test_a_baseline_alone_is_not_the_best_of_anything():
    found = verdict(comparison(models=(TARGET_ONLY,)))
    assert not any(sentence.startswith("Best") for sentence in found)


def test_an_interval_is_written_with_its_ends():
    assert with_interval(ECDCTR.differences["gauc"]) == "+0.0500 [+0.0200, +0.0800]"
    assert with_interval(ECDCTR.gap_share, ".0%") == "50% [20%, 80%]"
    assert with_interval(UNDEFINED) == "undefined"
    assert with_interval(None) == ""
