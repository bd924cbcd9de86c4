"""Ctrl-C while a command works: what is done by then, for the last line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator


class Interrupted(KeyboardInterrupt):  # noqa: N818 (no error, as its base class)
    """Ctrl-C; the text says what was done and what was left."""


@contextlib.contextmanager
def saying(what_is_left: Callable[[], str]) -> Iterator[None]:
    """Lets a Ctrl-C say what is done; an inner context's text follows the outer's.

    Args:
        what_is_left: Returns what is done and what is not, without a full stop.

    Raises:
        Interrupted: Ctrl-C was pressed.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        texts = [what_is_left(), *map(str, error.args)]
        raise Interrupted("; ".join(texts)) from error
