"""Prefetching: order, errors, and the end when the caller stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from models.data.prefetching import prefetched


def _readers() -> int:
    return sum(t.name == "crossctr-reader" for t in threading.enumerate())


@pytest.mark.parametrize("ahead", [1, 3, 100])
def test_order_is_kept(ahead: int) -> None:
    assert list(prefetched(iter(range(20)), ahead)) == list(range(20))
    assert _readers() == 0


def test_an_empty_iterable_gives_nothing() -> None:
    assert list(prefetched(iter(()), 2)) == []


def test_an_error_comes_after_the_elements_before_it() -> None:
    def elements() -> Iterator[int]:
        yield 1
        raise ValueError("broken shard")

    received = prefetched(elements(), 4)
    assert next(received) == 1
    with pytest.raises(ValueError, match="broken shard"):
        next(received)
    assert _readers() == 0


def test_the_thread_ends_when_the_caller_stops() -> None:
    drawn = []

    def elements() -> Iterator[int]:
        for number in range(1_000):
            drawn.append(number)
            yield number

    received = prefetched(elements(), 2)
    assert isinstance(received, Iterator)
    assert next(received) == 0
    received.close()  # type: ignore[attr-defined]
    assert _readers() == 0
    # One handed over, two waiting, and at most one in each hand.
    assert len(drawn) <= 5
