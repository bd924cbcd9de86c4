"""A short run of the fuzzers, always with the same inputs; `make fuzz` is longer."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings

from tests.fuzz import configurations
from tests.fuzz import logs
from tests.fuzz.run import LEAST_CONVERTIBLE

_SHORT = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_a_configuration_is_read_or_refused_in_our_words():
    found = Counter()

    @_SHORT
    @given(configurations.texts())
    def check(content):
        found[configurations.check(content)] += 1

    check()
    assert found[True]
    assert found[False]


@pytest.mark.parametrize(
    "formats", [logs.LIGHT, pytest.param(["tfrecord"], marks=pytest.mark.slow)], ids=str
)
def test_a_log_is_converted_or_set_aside_or_refused_in_our_words(formats):
    found = Counter()

    @_SHORT
    @given(logs.logs(formats))
    def check(log):
        found[logs.check(log)] += 1

    check()
    assert found[True] / found.total() >= LEAST_CONVERTIBLE
