"""What is in the package, and what its metadata says."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "components", "models")

pytestmark = pytest.mark.checkout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What setup.py builds, which is what Beam ships to its workers."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", folder]
    subprocess.run([*command, "--build-lib", folder], cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("suffix", ["*.py", "py.typed", "*.j2", "*.css"])
def test_every_file_of_the_three_packages_is_shipped(built, suffix):
    for package in PACKAGES:
        source, shipped = (
            {path.relative_to(root) for path in (root / package).rglob(suffix)}
            for root in (ROOT, built)
        )
        assert shipped == source
        assert source or suffix in ("*.j2", "*.css")


def test_nothing_else_is_shipped(built):
    assert {path.name for path in built.iterdir()} == set(PACKAGES)


def test_setup_py_says_what_pyproject_says():
    command = [sys.executable, "setup.py", "-q", "--name", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert done.stdout.split() == [project["name"], project["version"]]
    assert "dynamic" not in project


def test_the_extras_are_those_that_messages_and_pages_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(project["optional-dependencies"]) == {"serve", "kubeflow", "test"}


def test_the_command_is_installed():
    (command,) = [
        point
        for point in metadata.entry_points(group="console_scripts")
        if point.name == "crossctr"
    ]
    assert command.value == "pipeline.cli:main"
