"""Files to be read, wherever they are."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.storage import stores
from components.storage.places import ObjectPath
from components.storage.places import place
from models.errors import StoreError

# A request costs some 30 ms whatever it brings, so small reads are joined.
_BUFFER_BYTES = 4 << 20


def size_of(path: str | Path) -> int:
    """Returns the bytes of a file.

    Raises:
        OSError: It is a local file that cannot be read.
        StoreError: It cannot be read in the store.
    """
    found = place(path)
    if isinstance(found, Path):
        return found.stat().st_size
    info = found.look()
    if info is None:
        raise stores.store_error(found.uri, FileNotFoundError())
    return info.size


def open_input(path: str | Path) -> Any:
    """Opens a file to be read anywhere, as an Arrow file.

    What a store says while it is read is raised as `StoreError`, so that whoever parses
    can tell it from a damaged file.

    Raises:
        OSError: It is a local file that cannot be read.
        StoreError: The store refuses, or the file is not there.
    """
    # Late, as Arrow would slow the start of the command line.
    import pyarrow as pa

    found = place(path)
    if isinstance(found, Path):
        return pa.OSFile(str(found))
    return pa.PythonFile(io.BufferedReader(_ObjectFile(found), _BUFFER_BYTES), "r")


@contextlib.contextmanager
def local_copy(path: str | Path) -> Iterator[str]:
    """Gives the path of a file for readers that know local files alone.

    Args:
        path: The file; of one in a store it is a copy that is removed again.

    Raises:
        StoreError: The store refuses, or the file is not there.
    """
    found = place(path)
    if isinstance(found, Path):
        yield str(found)
        return
    with tempfile.NamedTemporaryFile(suffix=f"-{found.name}") as copy:
        with open_input(path) as source:
            while piece := source.read(_BUFFER_BYTES):
                copy.write(piece)
        copy.flush()
        yield copy.name


class _ObjectFile(io.RawIOBase):
    """An object as a file of Python's, which never ends before its size."""

    def __init__(self, found: ObjectPath) -> None:
        self._path = found
        self._file = found.open()
        self._size = int(self._file.size())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        at = self.tell()

        def read() -> int:
            self._file.seek(at)
            return int(self._file.readinto(buffer))

        count = stores.repeated(self._path.uri, read)
        if not count and len(buffer) and at < self._size:
            raise StoreError(
                f"{self._path.uri!r} ended after {at:,} of {self._size:,} bytes; "
                "expected all of them; run the command again once its upload is done"
            )
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
