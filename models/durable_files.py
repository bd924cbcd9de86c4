"""Files and folders that survive a power cut: whole and named, or not there at all.

What is written goes beside its place, is handed to the disk (`fsync`, file and folder),
and is renamed: a reader sees the content before or the content after, never a part.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from models.errors import StorageError

FULL = "there is no space left; make room there"
NO_QUOTA = "the quota is used up; make room there"
TOO_LARGE = "a file there may not become so large; raise the limit (`ulimit -f`)"
READ_ONLY = "it is read-only; mount it writable"
_NOT_ALLOWED = "this user may not write there; change its owner or mode"
_ANSWERS = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: NO_QUOTA,
    errno.EFBIG: TOO_LARGE,
    errno.EROFS: READ_ONLY,
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
}


def advice_of(error: OSError) -> str | None:
    """Returns what is wrong with a disk and what to do; None for any other error."""
    return _ANSWERS.get(error.errno or 0)


def refusal(folder: str, advice: str) -> str:
    """Returns the message about a folder that takes nothing."""
    return (
        f"cannot write in {folder!r}: {advice}, and repeat the same command; what is "
        "done is kept"
    )


@contextlib.contextmanager
def naming(folder: Path) -> Iterator[None]:
    """Turns the system's refusals to write in `folder` into an error that names it.

    Raises:
        StorageError: The disk is full or read-only, or this user may not write there.
    """
    try:
        yield
    except OSError as error:
        advice = advice_of(error)
        if advice is None:
            raise
        raise StorageError(refusal(str(folder), advice)) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces a file's content.

    Args:
        path: The file; its folder is there.
        content: What it holds from now on.

    Raises:
        StorageError: The disk is full or read-only, or this user may not write there.
    """
    write_pieces(path, [content])


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """Replaces a file's content, which need not fit in memory.

    Args:
        path: The file; its folder is there.
        pieces: What it holds from now on, in this order.

    Raises:
        StorageError: The disk is full or read-only, or this user may not write there.
    """
    # The leading dot hides it from TF Serving and from whoever lists versions; always
    # the same name, so that what a killed command left is overwritten.
    beside = path.with_name(f".{path.name}.writing")
    with naming(path.parent):
        _write(beside, pieces)
        _sync(beside)
        _rename(beside, path)
        _sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replaces a file's content by text in UTF-8, see `write_bytes`."""
    write_bytes(path, text.encode())


def copy_tree(source: Path, target: Path) -> None:
    """Copies a folder; `move_folder` makes what was copied durable.

    Raises:
        StorageError: The disk is full or read-only, or this user may not write there.
    """
    with naming(target.parent):
        for folder, _, names in os.walk(source):
            inside = target / Path(folder).relative_to(source)
            inside.mkdir(parents=True, exist_ok=True)
            for name in sorted(names):
                _copy(Path(folder, name), inside / name)


def move_folder(written: Path, final: Path) -> Path:
    """Gives a folder its final name once all that is in it is on the disk.

    Args:
        written: The folder, complete.
        final: Its new path on the same file system; not there yet.

    Returns:
        `final`.

    Raises:
        StorageError: The disk is full or read-only, or this user may not write there.
    """
    with naming(final.parent):
        sync_tree(written)
        _rename(written, final)
        _sync(final.parent)
        if written.parent != final.parent:
            _sync(written.parent)
    return final


def sync_tree(folder: Path) -> None:
    """Hands every file and folder below `folder`, itself included, to the disk."""
    for inside, _, names in os.walk(folder):
        for name in sorted(names):
            _sync(Path(inside, name))
        _sync(Path(inside))


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


def _rename(source: Path, target: Path) -> None:
    source.replace(target)


def _sync(path: Path) -> None:
    """Hands a file's content, or a folder's names, to the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
