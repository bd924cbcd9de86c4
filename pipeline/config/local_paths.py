"""Local paths in the configuration and on the command line; URIs are refused."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated
from typing import Any

import click
from pydantic import AfterValidator
from pydantic import BeforeValidator

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:/")
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
    if _SCHEME.match(str(path)):
        scheme = str(path).partition(":")[0]
        raise ValueError(
            f"URIs ({scheme}://) are not supported; expected a folder or file of this "
            f"machine. Mount the storage behind {scheme}:// and give the path of the "
            "mount"
        )
    return path


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
