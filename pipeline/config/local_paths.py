"""Local paths in the configuration and on the command line; URIs are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from typing import Any

import click
from pydantic import BeforeValidator

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:/")


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


# A path in a configuration; relative ones are relative to the configuration's folder.
LocalPath = Annotated[Path, BeforeValidator(refuse_uri)]


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
