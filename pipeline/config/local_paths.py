"""Paths in the configuration and on the command line: local, or in an object store."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated
from typing import Any

import click
from pydantic import AfterValidator
from pydantic import BeforeValidator
from pydantic import WithJsonSchema

from components.storage.addresses import checked_address
from components.storage.addresses import is_uri
from components.storage.places import ObjectPath
from components.storage.places import Place
from models.errors import ConfigError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What a shell fills in and nothing else does.
_VARIABLE = re.compile(r"\$[A-Za-z_{]")
# Of the operating system, for each part of a path.
_MOST_BYTES = 255


def refuse_uri(path: Any) -> Any:
    """Returns `path` unless it is a URI.

    Raises:
        ValueError: It is a URI, for which the operating system would make a folder
            named `s3:` in the current one.
    """
    if is_uri(str(path)):
        scheme = str(path).partition(":")[0]
        raise ValueError(
            f"URIs ({scheme}://) are not supported here; expected a folder or file of "
            f"this machine. Mount the storage behind {scheme}:// and give the path of "
            "the mount"
        )
    return path


def read_place(path: Any) -> Any:
    """Returns an address in an object store as its place; anything else as it is.

    Raises:
        ValueError: It is a URI, but no address in an object store.
    """
    if not isinstance(path, str) or not is_uri(path):
        return path
    try:
        return ObjectPath(checked_address(path))
    except ConfigError as error:
        raise ValueError(str(error)) from error


def check_place(path: Any) -> Any:
    """Returns `path` as it is; a local one is checked as by `check_path`."""
    return path if isinstance(path, ObjectPath) else check_path(path)


def local_folder(folder: Place, key: str, what: str) -> Path:
    """Returns a folder that must be local.

    Args:
        folder: The folder.
        key: Key of the configuration that names it.
        what: What writes there, to begin a sentence with.

    Raises:
        ConfigError: It is in an object store.
    """
    if isinstance(folder, Path):
        return folder
    raise ConfigError(
        f"{what} writes to a local folder, and `{key}` is {str(folder)!r}; set `{key}` "
        "to a folder of this machine, run the command, and copy the folder to the "
        "store by the store's own tool"
    )


def expand_home(path: Any) -> Any:
    """Returns `path` with a leading `~` or `~user` as that user's home folder.

    Raises:
        ValueError: There is no such user.
    """
    if not isinstance(path, str) or not path.startswith("~"):
        return path
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise ValueError(
            f"{path.partition('/')[0]!r} is not a user of this machine; write the "
            f"folder in full, or ./{path} if that is its name"
        )
    return expanded


def check_path(path: Any) -> Any:
    """Returns `path` as it is.

    Raises:
        ValueError: It is a URI, it is empty, holds control characters, a part of it is
            longer than a name can be, or it names a variable of the shell.
    """
    if not isinstance(path, (str, Path)):
        raise ValueError("expected a path")
    refuse_uri(path)
    text = str(path)
    if not text:
        raise ValueError("expected a folder or file; `.` is the configuration's folder")
    if _CONTROL.search(text):
        raise ValueError("a path has no control characters; remove them")
    if _VARIABLE.search(text):
        raise ValueError(
            "variables such as $HOME are not filled in; write the folder out"
        )
    if any(len(os.fsencode(part)) > _MOST_BYTES for part in text.split("/")):
        raise ValueError(f"a name in a path has at most {_MOST_BYTES} bytes")
    return path


def refuse_wildcards(path: Path) -> Path:
    """Returns `path` as it is.

    Raises:
        ValueError: It holds `*` or `?`: a pattern, where one folder is wanted.
    """
    if set("*?") & set(str(path)):
        raise ValueError(
            "expected one folder, not a pattern; remove `*` and `?` from its path"
        )
    return path


# A path in a configuration; relative ones are relative to the configuration's folder.
LocalPath = Annotated[Path, BeforeValidator(check_path), BeforeValidator(expand_home)]
# Where a store of objects will do, too.
PlacePath = Annotated[
    Place,
    BeforeValidator(check_place),
    BeforeValidator(read_place),
    BeforeValidator(expand_home),
    WithJsonSchema({"type": "string", "format": "path"}),
]
# Where everything lies that a run writes.
RootPath = Annotated[LocalPath, AfterValidator(refuse_wildcards)]


class LocalPathArgument(click.Path):
    """Type of a local path on the command line, with the options of `click.Path`."""

    def __init__(self, **options: Any) -> None:
        """Passes the options on to `click.Path`."""
        super().__init__(path_type=Path, **options)

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Returns the path of `value`."""
        try:
            refuse_uri(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        return super().convert(value, param, ctx)
