"""Resolvers: artifacts that a run may read."""

import pytest

from components.resolvers.logic import Candidate
from components.resolvers.logic import select
from models.errors import DataError


def test_the_wanted_order_is_kept_and_the_newest_copy_taken():
    stored = [Candidate(1, "a", 5), Candidate(2, "b", 6), Candidate(3, "a", 5)]
    chosen = select(stored, ["b", "a"], before_day=7)
    assert [candidate.id for candidate in chosen] == [2, 3]


def test_roles_are_kept_apart():
    stored = [Candidate(1, "a", 5, "raw"), Candidate(2, "a", 5, "transformed")]
    assert select(stored, ["a"], before_day=7, role="raw")[0].id == 1
    assert select(stored, ["a"], before_day=7, role="transformed")[0].id == 2


def test_nothing_dated_on_the_run_day_or_later_is_read():
    with pytest.raises(DataError, match="impressions up to 1970-01-08, the run's day"):
        select([Candidate(1, "a", 7)], ["a"], before_day=7)
    assert select([Candidate(1, "a", 7)], ["a"], before_day=8)[0].id == 1


def test_evaluation_rows_may_be_the_days_own():
    assert select([Candidate(1, "a", 7)], ["a"], before_day=None)[0].id == 1


def test_a_missing_artifact_is_an_error():
    with pytest.raises(DataError, match="fingerprint b is not in the metadata"):
        select([Candidate(1, "a", 5)], ["a", "b"], before_day=7)
