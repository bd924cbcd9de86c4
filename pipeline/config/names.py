"""Names in a configuration that become folders, splits, columns and labels."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from models.errors import shown

# Of a file's name, which has at most 255, with room for what is put before it.
_MOST_BYTES = 200
_NAME = re.compile(r"\w[\w.-]*")


def check_name(name: str) -> str:
    """Returns `name` as it is.

    Raises:
        ValueError: It cannot name a folder, a split or a label.
    """
    if not _NAME.fullmatch(name) or len(name.encode()) > _MOST_BYTES:
        raise ValueError(
            "expected letters, digits, '_', '-' and '.', the last two not at the "
            f"beginning, at most {_MOST_BYTES} bytes"
        )
    return name


def check_names(where: str, names: object) -> None:
    """Raises unless all keys of a mapping are names.

    Raises:
        ValueError: One is none. The message names `where` it stands.
    """
    for name in names if isinstance(names, dict) else ():
        try:
            check_name(str(name))
        except ValueError as error:
            raise ValueError(f"{where}: {error}; received {shown(name)}") from error


# A name that becomes a folder, a split or a label.
Name = Annotated[str, AfterValidator(check_name)]
