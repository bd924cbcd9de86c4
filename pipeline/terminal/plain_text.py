"""Rich's console, table, status and text column for text that is never markup.

Ids, paths, names and messages come from logs and files and may hold brackets, emoji
codes or control characters. Here all of them are shown as they are. `ruff` refuses
Rich's own classes anywhere else (`banned-api` in pyproject.toml).
"""

from __future__ import annotations

from typing import Any

import rich.console
import rich.progress
import rich.status
import rich.table
from rich.console import RenderableType
from rich.text import Text

# C0 without tab and line feed, DEL, C1: a terminal obeys them. Half a surrogate pair
# has no encoding at all.
_UNPRINTABLE = [*range(9), *range(11, 32), *range(127, 160), *range(0xD800, 0xE000)]
_VISIBLE = {code: ascii(chr(code))[1:-1] for code in _UNPRINTABLE}


def visible(text: str) -> str:
    r"""Returns the text with control characters and lone surrogates written out.

    Example:
        >>> visible("item \x1b[31m7")
        'item \\x1b[31m7'
    """
    return text.translate(_VISIBLE)


def plain(text: str, style: str = "") -> Text:
    """Returns text that Rich shows character by character."""
    return Text(visible(text), style)


class Console(rich.console.Console):
    """A console on which a string is text, whatever is in it."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Returns the string as it is, with `options` apart from markup and emoji."""
        options |= {"markup": False, "emoji": False}
        return super().render_str(visible(text), **options)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """Returns a spinner with a text beside it, to be used in a `with`."""
        return Status(_as_text(status), console=self, **options)


class Status(rich.status.Status):
    """A spinner with a text beside it."""

    def update(self, status: RenderableType | None = None, **options: Any) -> None:
        """Changes the text."""
        super().update(None if status is None else _as_text(status), **options)


class Table(rich.table.Table):
    """A table whose title, headers and cells are text on any console."""

    def __init__(self, *, title: str = "", **options: Any) -> None:
        """Makes a table without columns."""
        shown = plain(title, "table.title") if title else None
        super().__init__(title=shown, **options)

    def add_column(
        self, header: RenderableType = "", footer: RenderableType = "", **options: Any
    ) -> None:
        """Adds a column with a header."""
        super().add_column(_as_text(header), _as_text(footer), **options)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Adds a table row, a cell for each column."""
        texts = (None if cell is None else _as_text(cell) for cell in cells)
        super().add_row(*texts, **options)


class TextColumn(rich.progress.TextColumn):
    """A column of a progress bar that shows a task's description as it is."""

    def __init__(self, text_format: str, **options: Any) -> None:
        """Takes a format such as `{task.description}`."""
        super().__init__(text_format, markup=False, **options)


def _as_text(shown: RenderableType) -> RenderableType:
    return plain(shown) if isinstance(shown, str) else shown
