"""Optional h11 (extra `serve`): needed by REST, not by the check of a model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(program):
    """Runs a program in which h11 cannot be imported."""
    hidden = f"import sys; sys.modules['h11'] = None; {program}"
    return subprocess.run(
        [sys.executable, "-c", hidden], cwd=ROOT, capture_output=True, text=True
    )


def test_rest_names_the_extra():
    done = run("import components.model_server.http_server")
    assert done.stderr.splitlines()[-1] == (
        "models.errors.ConfigError: REST needs the package h11, which is not "
        "installed; install crossctr with its extra: pip install 'crossctr[serve]'"
    )


@pytest.mark.slow
def test_the_server_that_checks_a_model_starts_without():
    done = run(
        "from components.model_server.server import ModelServer; "
        "print(ModelServer([]).port > 0)"
    )
    assert done.stdout == "True\n", done.stderr
