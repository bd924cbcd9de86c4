"""Other packages with the name of one of ours, refused in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline

HOME = Path(pipeline.__file__).parents[1]
CONSOLE_SCRIPT = ("-c", "import sys; from pipeline.cli import main; sys.exit(main())")


def crossctr(*start, cwd, path=()):
    """Runs `crossctr --help` in a process of its own."""
    folders = os.pathsep.join(str(folder) for folder in (*path, HOME))
    return subprocess.run(
        [sys.executable, *start, "--help"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": folders},
        capture_output=True,
        text=True,
    )


@pytest.fixture(params=["models", "components"])
def package(request, tmp_path):
    """A package that must not be imported, and its name."""
    folder = tmp_path / "elsewhere" / request.param
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    return folder


@pytest.mark.parametrize(
    "start", [CONSOLE_SCRIPT, ("-m", "pipeline")], ids=["console script", "module"]
)
def test_a_package_on_the_path_is_named(package, tmp_path, start):
    done = crossctr(*start, cwd=tmp_path, path=[package.parent])
    assert done.returncode == 1
    assert done.stderr == (
        f"Wrong package: Python finds the package '{package.name}' in {package}; "
        f"expected crossctr's in {HOME / package.name}. Start elsewhere, take that "
        "folder off PYTHONPATH, or rename the other package\n"
    )


def test_a_module_on_the_path_is_named(tmp_path):
    (tmp_path / "models.py").write_text("raise RuntimeError('imported')\n")
    done = crossctr("-m", "pipeline", cwd=tmp_path)
    assert done.returncode == 1
    assert f"'models' in {tmp_path / 'models.py'}; expected" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_folder_that_is_no_package_hides_nothing(tmp_path):
    (tmp_path / "models").mkdir()
    done = crossctr("-m", "pipeline", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage:")
