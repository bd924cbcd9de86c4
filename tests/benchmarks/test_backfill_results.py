"""Comparison of the results of two backfills."""

import dataclasses
import json

import pytest

from benchmarks.backfill_results import Result
from benchmarks.backfill_results import rounded

DECISION = {
    "approved": True,
    "reasons": ["AUC 0.51234 is enough"],
    "candidate": {"auc": 0.512345678901, "example_count": 38, "gauc": None},
}


def _changed(auc):
    return {**DECISION, "candidate": {**DECISION["candidate"], "auc": auc}}


def test_rounding_changes_only_long_fractions():
    text = json.dumps(DECISION)
    assert json.loads(rounded(text)) == _changed(0.51235)


@pytest.mark.parametrize("other", [0.512345678901 + 1e-8, 0.5123456])
def test_decisions_that_differ_by_float_error_are_equal(other):
    assert rounded(json.dumps(_changed(other))) == rounded(json.dumps(DECISION))


@pytest.mark.parametrize(
    "other",
    [
        _changed(0.51236),
        {**DECISION, "approved": False},
        {**DECISION, "reasons": ["AUC 0.51234 is not enough"]},
        {**DECISION, "candidate": {**DECISION["candidate"], "example_count": 39}},
    ],
)
def test_decisions_with_any_other_change_differ(other):
    assert rounded(json.dumps(other)) != rounded(json.dumps(DECISION))


RESULT = Result(
    weights={"m data": "1"},
    metrics={"m": "{}"},
    decisions={"m decision.json": "1"},
    vocabularies={"b user.txt": "1"},
    snapshots={"t user.npy": "1"},
    versions=["2024010200"],
    artifacts={"Model target m": 1},
    lineage=["Model target m <- Examples transformed b"],
    twice=[],
)


@pytest.mark.parametrize("part", sorted(vars(RESULT)))
def test_every_part_is_compared_except_unrounded_decisions(part):
    other = dataclasses.replace(RESULT, **{part: ["something else"]})
    expected = [] if part == "decisions" else [part]
    assert RESULT.differences(other) == expected
