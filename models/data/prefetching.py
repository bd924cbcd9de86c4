"""Prefetching: a thread prepares the next elements of an iterator.

`tf.data.Dataset.from_generator` does the same but copies every array twice, which cost
as much time as reading.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

# Interval at which a thread that waits for space checks whether to stop.
_POLL_SECONDS = 0.1


def prefetched(elements: Iterator[T], ahead: int) -> Iterator[T]:
    """Yields `elements`, up to `ahead` of them prepared in advance.

    An error of `elements` is raised to the caller, after the elements that precede it.
    If the caller stops early, the thread stops too.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(ahead)
    unwanted = threading.Event()

    def put(element: T | None, error: BaseException | None = None) -> None:
        while not unwanted.is_set():
            try:
                ready.put((element, error), timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for element in elements:
                put(element)
                if unwanted.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 (raised in the other thread)
            put(None, error)
        else:
            put(None, StopIteration())

    thread = threading.Thread(target=work, name="crossctr-reader", daemon=True)
    thread.start()
    try:
        while True:
            element, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield element  # type: ignore[misc]
    finally:
        unwanted.set()
        thread.join()
