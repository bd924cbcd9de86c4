"""Hooks of MkDocs: generated reference pages, and links to files of the repository."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "build" / "reference"
LINK = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the generated pages, and copies of the repository's files that pages link.

    Raises:
        PluginError: The reference was not generated.
    """
    pages = sorted(GENERATED.glob("*.md"))
    if not pages:
        raise PluginError(f"{GENERATED} has no pages; `make docs` writes them")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        files.append(File.generated(config, f"reference/{page.name}", content=text))
    linked = {
        path
        for file in files.documentation_pages()
        for path in map(_outside(file.src_uri), LINK.findall(file.content_string))
        if path
    }
    for path in sorted(linked):
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, _copy(path), content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Returns the page with links to files of the repository led to their copies."""
    outside = _outside(page.file.src_uri)
    folder = os.path.dirname(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        path = outside(match[1])
        return f"]({os.path.relpath(_copy(path), folder)})" if path else match[0]

    return LINK.sub(link, markdown)


def _outside(src_uri: str) -> Any:
    """Returns a function from a page's link to a path of the repository, or None.

    None where the link stays within the documentation, or leads to no file.
    """
    folder = Path("docs", src_uri).parent

    def path_of(link: str) -> str | None:
        path = os.path.normpath(folder / link)
        inside = path.startswith("docs/") or not (ROOT / path).is_file()
        return None if inside else path

    return path_of


def _copy(path: str) -> str:
    # As text, which browsers show; a name that ends in .md would become a page.
    return f"files/{path}.txt"
