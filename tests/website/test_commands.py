"""Commands of README and docs/, and notebooks, on one tiny simulated world."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from tests.website.blocks import Block
from tests.website.blocks import blocks
from tests.website.tiny_world import write_tiny_world

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
QUICKSTART = DOCS / "quickstart.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
NOT_COMMANDS = {"json", "python", "text", "toml", "yaml"}
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


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
                # Or the file reads the commands from README.
                assert command in text or "README.md" in text, f"{block.where}"


def test_the_pages_that_are_run_include_the_tutorials():
    names = {page.name for page in RUN}
    assert names >= {"quickstart.md", "own-logs.md", "airflow.md", "operations.md"}


@pytest.fixture(scope="module")
def done() -> set[tuple[str, ...]]:
    """Returns the arguments of the commands that ran in `world`."""
    return set()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, done: set[tuple[str, ...]]) -> Path:
    """Returns a folder in which the quickstart was run, on a tiny world."""
    folder = tmp_path_factory.mktemp("docs")
    write_tiny_world(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_blocks(QUICKSTART, done)
    return folder


def run_blocks(page: Path, done: set[tuple[str, ...]]) -> None:
    """Runs a page's commands that no page before has; each must succeed.

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
            if tuple(words) in done:
                continue
            done.add(tuple(words))
            output = run_command(arguments, f"{block.where}: {line}")
            if target:
                Path(target).write_text(output)


def run_command(arguments: Sequence[str], where: str) -> str:
    """Returns what a command prints, run in this process; it must succeed."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, f"{where}\n{result.output}"
    return result.output


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_commands_of_the_pages_run(page, world, done, monkeypatch):
    monkeypatch.chdir(world)
    run_blocks(page, done)
    assert (world / "runs/first_run/reports/2024-01-29/report.html").is_file()


@pytest.mark.slow
def test_the_model_of_readme_answers(world, monkeypatch):
    code = next(b.text for b in blocks(ROOT / "README.md") if b.language == "python")
    *first, last = code.strip().splitlines()
    monkeypatch.chdir(world)
    names: dict[str, Any] = {}
    exec("\n".join(first), names)
    assert 0 < float(eval(last, names)[0]) < 1


def cells(notebook: Path) -> list[dict[str, Any]]:
    """Returns a notebook's cells of code."""
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_was_executed_from_its_first_cell_to_its_last(notebook):
    code = cells(notebook)
    counts = [cell["execution_count"] for cell in code]
    kinds = [out["output_type"] for cell in code for out in cell["outputs"]]
    assert counts == list(range(1, len(code) + 1))
    assert "error" not in kinds
    text = notebook.read_text(encoding="utf-8")
    # No path of a machine, no colour or spinner of a terminal, no script.
    for odd in (str(ROOT), ".venv/", "/tmp/", "\\u001b", "application/javascript"):
        assert odd not in text, odd


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_the_code_of_the_notebooks_runs(notebook, world, monkeypatch, capsys):
    monkeypatch.chdir(world)
    names: dict[str, Any] = {}
    for number, cell in enumerate(cells(notebook)):
        source = "".join(cell["source"])
        if source.startswith("!crossctr "):
            run_command(shlex.split(source)[1:], f"{notebook.name}: {source}")
        else:
            exec(compile(source, f"{notebook.name}, cell {number}", "exec"), names)
    assert capsys.readouterr().out
