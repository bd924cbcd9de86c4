"""Facts of a release that stand in several files, and what its changelog must say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import tomllib
import yaml

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.checkout


def sections(text, level):
    """Returns the text below each heading of a level, by heading."""
    _, *parts = re.split(rf"^{'#' * level} ", text, flags=re.MULTILINE)
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def entries(text):
    """Returns the entries of a list, each on one line."""
    joined = re.sub(r"\n(?=[^*\n])", " ", text)
    return [line[2:] for line in joined.splitlines() if line.startswith("* ")]


def released():
    """Returns version, date and text of the newest release in the changelog."""
    for heading, text in sections(CHANGELOG, 2).items():
        found = re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading)
        if found:
            return *found.groups(), text
    raise AssertionError("CHANGELOG.md has no release")


def test_version_and_date_are_the_same_everywhere():
    version, date, _ = released()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (version, date) == (VERSION, citation["date-released"])
    assert citation["version"] == VERSION
    series = VERSION.rpartition(".")[0]
    assert f"| {series} | yes |" in (ROOT / "SECURITY.md").read_text()


def test_pages_name_the_archives_of_this_version():
    named = {
        (path.name, version)
        for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for version in re.findall(r"crossctr-(\d+\.\d+\.\d+)", path.read_text("utf-8"))
    }
    assert ("lines.md", VERSION) in named
    assert {version for _, version in named} == {VERSION}


@pytest.mark.parametrize("kind", ["Changed", "Removed"])
def test_every_change_says_what_to_do(kind):
    *_, text = released()
    unreleased = sections(CHANGELOG, 2).get("[Unreleased]", "")
    for part in (text, unreleased):
        silent = [
            entry
            for entry in entries(sections(part, 3).get(kind, ""))
            if "what to do:" not in entry.lower() and "Nothing to do" not in entry
        ]
        assert silent == []


def test_a_release_has_each_kind_of_change_once():
    for heading, text in sections(CHANGELOG, 2).items():
        kinds = re.findall(r"^### (.*)$", text, flags=re.MULTILINE)
        assert len(kinds) == len(set(kinds)), heading


def test_every_lock_file_is_in_the_sdist():
    wanted = runpy.run_path(str(ROOT / "tests" / "package_contents.py"))["SDIST_FILES"]
    locks = {
        f"requirements/{p.name}" for p in (ROOT / "requirements").glob("tfx-*.txt")
    }
    assert locks == {name for name in wanted if name.startswith("requirements/tfx-")}


def test_hooks_take_their_tools_from_the_lock_files():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())[
        "repos"
    ]
    makefile = (ROOT / "Makefile").read_text()
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        tool, *_ = hook["entry"].split()
        assert hook["language"] == "system"
        assert f"$(BIN)/{Path(tool).name}" in makefile
    assert "mypy" in {hook["id"] for hook in repository["hooks"]}


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=str
)
def test_issue_forms_have_what_forms_need(path):
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= form.keys()
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids)) > 0
    for field in form["body"]:
        assert field["type"] in {"textarea", "input", "dropdown", "markdown"}
        assert field["attributes"]["label"]
