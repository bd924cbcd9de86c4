"""Places: folders and files, local as `pathlib.Path`, in a store as `ObjectPath`.

Whoever lists what may lie in an object store does so by this module, and whoever opens
it by `components.storage.files`. `ObjectPath` has the part of `pathlib.Path` that
listing needs, so that the rules of what a log folder means are written once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pathlib import PurePosixPath
from typing import Any
from typing import NamedTuple
from typing import TypeAlias
from typing import TypeVar

from components.storage import stores
from components.storage.addresses import is_uri
from models.short_hash import short_hash

# Requests at once when many folders are listed or many objects looked at.
_REQUESTS = 16
# Metadata that names an object's content, the most exact first: hashes of the content,
# then a number that each upload raises.
_CONTENT_KEYS = ("md5Hash", "ETag", "generation")

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Info(NamedTuple):
    """What a store's listing says of a folder or file.

    Attributes:
        is_dir: Whether it is a folder.
        size: Bytes of a file.
        modified: Time of the upload, nanoseconds since 1970-01-01.
    """

    is_dir: bool
    size: int = 0
    modified: int = 0


@functools.total_ordering
class ObjectPath:
    """A folder or file of an object store.

    Attributes:
        uri: Its address, without a slash at the end.
        info: What the listing said that it comes from; None if it comes from none.
    """

    def __init__(
        self, uri: str, info: Info | None = None, below: list[Any] | None = None
    ) -> None:
        """Asks the store nothing.

        Args:
            uri: The address, see `checked_address`.
            info: What a listing says of it.
            below: Arrow's infos of all files below it, if a listing had them.
        """
        self.uri = uri
        self.info = info
        self._below = below

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Takes a place as it is; in JSON it is its address."""
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(
            cls, serialization=core_schema.to_string_ser_schema()
        )

    def __str__(self) -> str:
        return self.uri

    def __repr__(self) -> str:
        return f"ObjectPath({self.uri!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPath) and other.uri == self.uri

    def __lt__(self, other: ObjectPath) -> bool:
        return self.uri < other.uri

    def __hash__(self) -> int:
        return hash(self.uri)

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(f"{self.uri}/{name}")

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.uri.rpartition("/")[2]

    @property
    def parent(self) -> ObjectPath:
        """The folder that it lies in."""
        return ObjectPath(self.uri.rpartition("/")[0])

    def resolve(self) -> ObjectPath:
        """Returns the place itself: a store has no links."""
        return self

    def look(self) -> Info | None:
        """Returns what it is; None if it is not there.

        Raises:
            StoreError: The store has no such bucket, or refuses to say.
        """
        if self.info is not None:
            return self.info
        found = _info(self._ask("get_file_info"))
        if found is None:
            bucket = f"{stores.scheme_of(self.uri)}://{stores.bucket_of(self.uri)}"
            # Asked only now: for a missing bucket Arrow says no more than for a file.
            if self.uri != bucket and ObjectPath(bucket).look() is None:
                raise stores.no_bucket(self.uri)
        return found

    def exists(self) -> bool:
        """Whether there is such a folder or file."""
        return self.look() is not None

    def is_dir(self) -> bool:
        """Whether there is such a folder."""
        found = self.look()
        return found is not None and found.is_dir

    def is_file(self) -> bool:
        """Whether there is such a file."""
        found = self.look()
        return found is not None and not found.is_dir

    def is_symlink(self) -> bool:
        """Whether it is a link; a store has none."""
        return False

    def iterdir(self) -> Iterator[ObjectPath]:
        """Yields what lies in the folder, as far as the store lists it now.

        Raises:
            StoreError: The store refuses, or the folder is not there.
        """
        flat = not stores.lists_folders(self.uri)
        found = self._below
        if found is None:
            from pyarrow import fs

            selector = fs.FileSelector(stores.inner_path(self.uri), recursive=flat)
            with stores.explained(self.uri):
                found = stores.file_system(self.uri).get_file_info(selector)
        if not flat:
            yield from (self._child(one.base_name, _info(one)) for one in found)
            return
        start = len(stores.inner_path(self.uri)) + 1
        inside: dict[str, list[Any]] = {}
        for one in found:
            name, slash, _ = one.path[start:].partition("/")
            if slash:
                inside.setdefault(name, []).append(one)
            elif one.is_file:
                yield self._child(name, _info(one))
        for name, files in inside.items():
            yield self._child(name, Info(is_dir=True), files)

    def _child(
        self, name: str, info: Info | None, below: list[Any] | None = None
    ) -> ObjectPath:
        return ObjectPath(f"{self.uri}/{name}", info, below)

    def open(self) -> Any:
        """Opens the file to be read anywhere, as Arrow's native file.

        Raises:
            StoreError: The store refuses, or the file is not there.
        """
        return self._ask("open_input_file")

    def content_name(self) -> str:
        """Returns a hash that names the file's content, without reading it.

        It is of the size and of the store's own hash or version; of the size and the
        time of the upload if the store has neither.

        Raises:
            StoreError: The store refuses, or the file is not there.
        """
        with self.open() as file, stores.explained(self.uri):
            size, said = file.size(), file.metadata() or {}
        for key in _CONTENT_KEYS:
            if said.get(key):
                return short_hash(f"{size} {key} ".encode() + bytes(said[key]))
        info = ObjectPath(self.uri).look() or Info(is_dir=False)
        return short_hash(f"{size} modified {info.modified}".encode())

    def _ask(self, what: str) -> Any:
        with stores.explained(self.uri):
            system = stores.file_system(self.uri)
            return getattr(system, what)(stores.inner_path(self.uri))


Place: TypeAlias = Path | ObjectPath


def place(text: str | Path) -> Place:
    """Returns the place of a path or address; what users write is checked before."""
    return ObjectPath(str(text)) if is_uri(str(text)) else Path(text)


def entries(folder: Place) -> list[Place]:
    """Returns what lies in a folder, by name.

    Raises:
        OSError: It is a local folder that cannot be listed.
        StoreError: It cannot be listed in the store.
    """
    return sorted(folder.iterdir(), key=lambda path: path.name)


def name_below(path: Place, folder: Place) -> str:
    """Returns the names from `folder` to `path`, with slashes between them."""
    return PurePosixPath(str(path)).relative_to(str(folder)).as_posix()


def each(
    folder: Place, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
) -> list[ResultT]:
    """Returns the results of a function for some items, in their order.

    Args:
        folder: Where the items are; those of a store are asked for at the same time.
        function: What to do with an item.
        items: The items.
    """
    if isinstance(folder, Path):
        return [function(item) for item in items]
    with ThreadPoolExecutor(_REQUESTS) as threads:
        return list(threads.map(function, items))


def _info(found: Any) -> Info | None:
    """Returns what Arrow says of a file or folder; None if it is not there."""
    from pyarrow import fs

    if found.type == fs.FileType.NotFound:
        return None
    if found.type == fs.FileType.Directory:
        return Info(is_dir=True)
    return Info(is_dir=False, size=found.size or 0, modified=found.mtime_ns or 0)
