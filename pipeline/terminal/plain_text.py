"""Rich's console, table, status and text column without markup.

Ids, paths, names and messages come from logs and files and may contain brackets, emoji
codes or control characters. These classes show all of them literally. `ruff` refuses
Rich's own classes in all other modules (`banned-api` in pyproject.toml).
"""

from __future__ import annotations

from typing import Any

import rich.console
import rich.progress
import rich.status
import rich.table
from rich.console import RenderableType
from rich.text import Text

# C0 without tab and line feed, DEL and C1, which a terminal executes, and lone
# surrogates, which cannot be encoded.
_UNPRINTABLE = [*range(9), *range(11, 32), *range(127, 160), *range(0xD800, 0xE000)]
_VISIBLE = {code: ascii(chr(code))[1:-1] for code in _UNPRINTABLE}


def visible(text: str) -> str:
    r"""Returns the text with control characters and lone surrogates escaped.

    Example:
        >>> visible("item \x1b[31m7")
        'item \\x1b[31m7'
    """
    return text.translate(_VISIBLE)


def plain(text: str, style: str = "") -> Text:
    """Returns text that Rich shows literally."""
    return Text(visible(text), style)


class Console(rich.console.Console):
    """A console that prints every string literally.

    A quiet one (`quiet=True`) prints nothing but what is said by `say`.
    """

    def say(self, *shown: Any, **options: Any) -> None:
        """Prints a result or a warning, which a quiet console prints, too."""
        quiet, self.quiet = self.quiet, False
        try:
            self.print(*shown, **options)
        finally:
            self.quiet = quiet

    def render_str(self, text: str, **options: Any) -> Text:
        """Renders a string with `options` but without markup and emoji codes."""
        options |= {"markup": False, "emoji": False}
        return super().render_str(visible(text), **options)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """Returns a spinner with text, to be used as a context manager."""
        return Status(_as_text(status), console=self, **options)


class Status(rich.status.Status):
    """A spinner with literal text."""

    def update(self, status: RenderableType | None = None, **options: Any) -> None:
        """Changes the text."""
        super().update(None if status is None else _as_text(status), **options)


class Table(rich.table.Table):
    """A table with literal title, headers and cells."""

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
        """Adds a table row with one cell per column."""
        texts = (None if cell is None else _as_text(cell) for cell in cells)
        super().add_row(*texts, **options)


class TextColumn(rich.progress.TextColumn):
    """A progress column that shows a task's description literally."""

    def __init__(self, text_format: str, **options: Any) -> None:
        """Takes a format such as `{task.description}`."""
        super().__init__(text_format, markup=False, **options)


def _as_text(shown: RenderableType) -> RenderableType:
    return plain(shown) if isinstance(shown, str) else shown
