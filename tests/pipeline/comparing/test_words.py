"""Sentences that are made from numbers, losses as plainly as wins."""

from __future__ import annotations

import dataclasses

from pipeline.comparing.words import outcomes
from pipeline.comparing.words import verdict
from pipeline.comparing.words import with_interval
from tests.pipeline.comparing.examples import ECDCTR
from tests.pipeline.comparing.examples import STAR
from tests.pipeline.comparing.examples import TARGET_ONLY
from tests.pipeline.comparing.examples import UNDEFINED
from tests.pipeline.comparing.examples import comparison
from tests.pipeline.comparing.examples import metrics


def test_the_verdict_says_who_wins_loses_and_is_not_told_apart():
    assert verdict(comparison()) == [
        "By GAUC, against target_only: wins: ecdctr; not told apart: star.",
        "By AUC, against target_only: loses: star; not told apart: ecdctr.",
        "By log loss, against target_only: wins: ecdctr; not told apart: star.",
        "Highest GAUC: ecdctr (0.6600); not told apart from it: star.",
        "Of the reachable gap in GAUC, target_only to the oracle's 0.7100, these "
        "shares are closed: ecdctr 50% [20%, 80%], star 40% [-10%, 90%].",
    ]


def test_a_winner_that_stands_alone_is_said_to():
    behind = dataclasses.replace(STAR, behind_best=TARGET_ONLY.behind_best)
    models = (ECDCTR, behind, TARGET_ONLY)
    (best,) = [s for s in verdict(comparison(models=models)) if s.startswith("High")]
    assert best == "Highest GAUC: ecdctr (0.6600); above all others."


def test_one_seed_and_low_coverage_are_warned_of():
    once = [
        dataclasses.replace(model, by_seed=model.by_seed[:1])
        for model in (ECDCTR, TARGET_ONLY)
    ]
    found = verdict(comparison(models=tuple(once), seeds=(17,), coverage=0.25))
    assert any("One seed" in sentence for sentence in found)
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
    )
    models = (nothing, dataclasses.replace(TARGET_ONLY, by_seed=nothing.by_seed))
    found = verdict(comparison(models=models, oracle=None))
    assert found[0] == "By GAUC, against target_only: undefined: star."
    assert not any(sentence.startswith("Highest") for sentence in found)


def test_a_baseline_alone_has_no_outcomes():
    assert outcomes([TARGET_ONLY], "gauc", "target_only") == ""


def test_an_interval_is_written_with_its_ends():
    assert with_interval(ECDCTR.differences["gauc"]) == "+0.0500 [+0.0200, +0.0800]"
    assert with_interval(ECDCTR.gap_share, ".0%") == "50% [20%, 80%]"
    assert with_interval(UNDEFINED) == "undefined"
    assert with_interval(None) == ""
