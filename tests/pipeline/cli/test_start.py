"""Imports of a command before its work begins."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.cli.group import main

HEAVY = {"apache_beam", "ml_metadata", "numpy", "pyarrow", "tensorflow", "tfx"}


def imported(code):
    """Returns which heavy packages a new interpreter has after `code`."""
    script = f"import sys\n{code}\nprint(*({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_command_line_is_there_before_any_heavy_package():
    assert imported("import pipeline.cli.group") == set()
    # What plan, run and backfill load before their work.
    assert imported("import pipeline.api") == set()
    # The check itself notices one.
    assert imported("import numpy") == {"numpy"}


@pytest.mark.parametrize("name", main.list_commands(None))
def test_every_command_can_be_loaded_and_is_called_by_its_name(name):
    assert main.get_command(None, name).name == name


def test_an_unknown_command_is_none():
    assert main.get_command(None, "no-such-command") is None
