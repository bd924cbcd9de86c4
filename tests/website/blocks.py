"""The fenced blocks of a Markdown page, with the comment above each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_FENCE = re.compile(r"^ *```(.*)$")
_COMMENT = re.compile(r"^ *<!-- (.*) -->$")


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        page: The file.
        line: Number of the line of its opening fence, from 1.
        language: The word after the opening fence; empty without one.
        comment: The comment in the line above the fence; empty without one.
        text: Its lines.
    """

    page: Path
    line: int
    language: str
    comment: str
    text: str

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yields the fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start: int | None = None
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if not fence:
            continue
        if start is None:
            start = number
            continue
        opening = _FENCE.match(lines[start])
        above = _COMMENT.match(lines[start - 1]) if start else None
        assert opening
        yield Block(
            page,
            start + 1,
            opening[1].strip(),
            above[1] if above else "",
            "\n".join(lines[start + 1 : number]) + "\n",
        )
        start = None
    assert start is None, f"{page}:{start + 1} has no closing fence"
