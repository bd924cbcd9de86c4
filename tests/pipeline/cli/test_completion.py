"""Completion in the shell: what is offered, and what is imported for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.strategies.registry import kinds

ROOT = Path(__file__).parents[3]
# Runs the console script as the shell's completion does, then says what it imported.
PROGRAM = """
import atexit, sys
def imported():
    heavy = {"apache_beam", "ml_metadata", "numpy", "tensorflow", "tfx"}
    print(*sorted(heavy & set(sys.modules)), file=sys.stderr)
atexit.register(imported)
from pipeline.cli.group import main
main(prog_name="crossctr")
"""


def complete(words, folder, shell="bash"):
    """Returns what is offered for the last word, and the heavy packages imported."""
    typed = f"crossctr {' '.join(words)}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_CROSSCTR_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    offered = [line.partition(",")[2] for line in done.stdout.split()]
    return offered, set(done.stderr.split())


@pytest.fixture
def folder(tmp_path):
    """A folder with configurations, two of them one folder deeper."""
    text = "strategies: {mine: {kind: ecdctr}, ecdctr_small: {kind: ecdctr}}\n"
    for name in ("configs/a.yaml", "configs/b.yml", "top.yaml", ".hidden/c.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "configs" / "notes.txt").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["val"], ["validate"]),
        (["compile", "--r"], ["--runner"]),
        (["plan", ""], ["configs/a.yaml", "configs/b.yml", "top.yaml"]),
        (["plan", "configs/"], ["configs/a.yaml", "configs/b.yml"]),
        (["plan", "configs/b"], ["configs/b.yml"]),
        (["schema", "d"], ["diff"]),
    ],
    ids=" ".join,
)
def test_commands_options_and_configurations_need_no_numpy(folder, words, offered):
    assert complete(words, folder) == (offered, set())


def test_strategies_are_those_of_the_configuration_then_the_kinds(folder):
    found, imported = complete(["run", "configs/a.yaml", "-s", ""], folder)
    assert found == ["mine", "ecdctr_small", *kinds()]
    assert imported <= {"numpy"}
    found, _ = complete(["run", "configs/a.yaml", "-s", "ec"], folder)
    assert found == ["ecdctr_small", "ecdctr"]


def test_the_last_of_several_strategies_is_completed(folder):
    words = ["compare", "top.yaml", "--strategies", "mine,ecdctr_"]
    assert complete(words, folder)[0] == ["mine,ecdctr_small"]


def test_a_configuration_that_is_not_there_leaves_the_kinds(folder):
    found, _ = complete(["run", "none.yaml", "-s", "joi"], folder)
    assert found == ["joint"]
