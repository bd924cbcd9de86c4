"""A file layer that fails at its n-th operation, as a kill, a power cut or a full disk.

It stands in for the four operations of `models.durable_files`. A power cut also takes
what was written and never handed to the disk: files without a sync are emptied, renames
in a folder without a sync are undone.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path

import pytest

from models import durable_files


class Cut(BaseException):
    """The process is gone; nothing of it may catch this."""


class Faults:
    """Fails once, at operation number `at`; afterwards all goes well.

    Attributes:
        done: Operations so far.
    """

    def __init__(
        self, patch: pytest.MonkeyPatch, at: int, error: int | None = None
    ) -> None:
        """Takes the place of the file layer.

        Args:
            patch: Undoes it.
            at: Number of the operation that fails, from 0; one that is never reached
                counts only.
            error: An `errno` to answer with; None for a power cut.
        """
        self.done = 0
        self._at, self._error = at, error
        self._unsynced: set[Path] = set()
        self._renamed: list[tuple[Path, Path, bytes | None]] = []
        for name in ("_write", "_copy", "_rename", "_sync"):
            patch.setattr(
                durable_files,
                name,
                self._instead(getattr(self, name), getattr(durable_files, name)),
            )

    def _instead(
        self, note: Callable[..., None], real: Callable[..., None]
    ) -> Callable[..., None]:
        def operation(*arguments: object) -> None:
            if self.done == self._at:
                self._at = -1
                self._fail(real, *arguments)
            self.done += 1
            note(*arguments)
            real(*arguments)

        return operation

    def _fail(self, real: Callable[..., None], *arguments: object) -> None:
        if real.__name__ == "_write":
            path, pieces = arguments
            content = b"".join(pieces)  # type: ignore[arg-type]
            real(path, [content[: len(content) // 2]])
        if self._error is not None:
            raise OSError(self._error, os.strerror(self._error))
        for source, target, before in reversed(self._renamed):
            target.rename(source)
            if before is not None:
                target.write_bytes(before)
        for path in filter(Path.is_file, self._unsynced):
            path.write_bytes(b"")
        raise Cut

    def _write(self, path: Path, _: Iterable[bytes]) -> None:
        self._unsynced.add(path)

    def _copy(self, _: Path, target: Path) -> None:
        self._unsynced.add(target)

    def _rename(self, source: Path, target: Path) -> None:
        before = target.read_bytes() if target.is_file() else None
        self._renamed.append((source, target, before))
        if source in self._unsynced:
            self._unsynced.add(target)

    def _sync(self, path: Path) -> None:
        self._unsynced.discard(path)
        self._renamed = [r for r in self._renamed if r[1].parent != path]


def operations(work: Callable[[], object]) -> int:
    """Returns how many operations of the file layer `work` has."""
    with pytest.MonkeyPatch.context() as patch:
        counted = Faults(patch, at=-1)
        work()
    return counted.done


def cut_at(number: int, work: Callable[[], object]) -> None:
    """Does `work` up to a power cut at one of its operations."""
    with pytest.MonkeyPatch.context() as patch:
        Faults(patch, at=number)
        with pytest.raises(Cut):
            work()


UNWRITABLE = {"full": errno.ENOSPC, "read-only": errno.EROFS}
