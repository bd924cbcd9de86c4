"""Paths of a configuration and of the command line: folders and files, no URIs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated
from typing import Any

import click
from pydantic import BeforeValidator

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:/")


def refuse_uri(path: Any) -> Any:
    """Returns `path` as it is.

    Raises:
        ValueError: It is a URI, of which the operating system would make a folder named
            `s3:` below the current one.
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
            f"{path.partition('/')[0]!r} is no user of this machine; write the folder "
            f"in full, or ./{path} if it is called so"
        )
    return expanded


# A path in a configuration; relative ones are relative to the configuration's folder.
LocalPath = Annotated[Path, BeforeValidator(expand_home), BeforeValidator(refuse_uri)]


class LocalPathArgument(click.Path):
    """A path on the command line; takes what `click.Path` takes."""

    def __init__(self, **options: Any) -> None:
        """Remembers the options of `click.Path`."""
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
