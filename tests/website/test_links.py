"""Links of README and CONTRIBUTING; `make docs` checks those of the site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s#:]*)(#[^)\s]*)?\)")
BLOCK = re.compile(r"^```.*?^```$", re.M | re.S)


def anchors(page: Path) -> set[str]:
    """Returns the anchors that a page's headings have."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {f"#{text.replace(' ', '-')}" for text in words}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_to_files_and_headings(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = LINK.findall(BLOCK.sub("", text))
    assert links
    for target, anchor in links:
        path = ROOT / (target or name)
        assert path.exists(), f"{name} links to {target}"
        assert not anchor or anchor in anchors(path), f"{name}: {target}{anchor}"
