"""Every block of commands in README and docs/ is run here, or says why it is not."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli import main
from tests.website.blocks import Block
from tests.website.blocks import blocks

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
QUICKSTART = DOCS / "quickstart.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
NOT_COMMANDS = {"json", "python", "text", "toml", "yaml"}
CONFIG = "configs/first_run.yaml"


def commands(page: Path) -> Iterator[Block]:
    """Yields a page's blocks of commands that this file runs."""
    yield from (
        block for block in blocks(page) if block.language == "sh" and not block.comment
    )


RUN = [page for page in PAGES if any(commands(page))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_has_a_language_and_commands_are_marked_if_they_are_not_run(page):
    for block in blocks(page):
        assert block.language in {"sh", *NOT_COMMANDS}, (
            f"{block.where}: name a language"
        )
        if block.language == "sh" and block.comment:
            said = re.match("not run: .|run by .", block.comment)
            assert said, f"{block.where}: 'not run: REASON' or 'run by FILE'"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_run_elsewhere_is_in_that_file(page):
    for block in blocks(page):
        if block.comment.startswith("run by "):
            text = (ROOT / block.comment.removeprefix("run by ")).read_text()
            for line in block.text.splitlines():
                command = line.partition("#")[0].strip()
                assert not command or command in text, f"{block.where}: {command}"


def test_the_pages_that_are_run_include_the_tutorials():
    names = {page.name for page in RUN}
    assert names >= {"quickstart.md", "own-logs.md", "airflow.md", "operations.md"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder in which the quickstart was run, on a tiny world."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "schema", folder / "schema")
    settings = yaml.safe_load((ROOT / CONFIG).read_text())
    settings["simulate"] |= {
        "rows_per_day": 240,
        "users": 80,
        "items": 40,
        "sparsity": 4,
    }
    settings["vocabularies"] |= {
        "user": {"capacity": 400},
        "item": {"capacity": 400},
    }
    settings["network"] |= {"width": 4, "hidden_units": [8], "cross_layers": 1}
    # The tiny world's models are no better than a constant.
    settings["gate"] = {
        "min_examples": 1,
        "min_clicks": 1,
        "min_auc": 0,
        "min_calibration": 0,
        "max_calibration": 100,
        "max_auc_drop": 1,
    }
    (folder / "configs").mkdir()
    (folder / CONFIG).write_text(yaml.safe_dump(settings, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_blocks(QUICKSTART)
    return folder


def run_blocks(page: Path) -> None:
    """Runs a page's commands in this process; each must succeed.

    A command is `crossctr` with arguments, and may end with `> FILE`.
    """
    for block in commands(page):
        for line in block.text.splitlines():
            words = shlex.split(line, comments=True)
            if not words:
                continue
            assert words[0] == "crossctr", f"{block.where}: mark it 'not run: REASON'"
            target = words[-1] if words[-2] == ">" else None
            arguments = words[1:-2] if target else words[1:]
            result = CliRunner().invoke(main, arguments)
            assert result.exit_code == 0, f"{block.where}: {line}\n{result.output}"
            if target:
                Path(target).write_text(result.output)


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_commands_of_the_pages_run(page, world, monkeypatch):
    monkeypatch.chdir(world)
    if page != QUICKSTART:
        run_blocks(page)
    assert (world / "runs/first_run/reports/2024-01-29/report.html").is_file()
