"""Files and metadata of the package."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import tomllib

from tests.package_contents import PACKAGES
from tests.package_contents import differences
from tests.package_contents import package_files

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.checkout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with the output of setup.py, which Beam ships to its workers."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", folder]
    subprocess.run([*command, "--build-lib", folder], cwd=ROOT, check=True)
    return folder


def test_the_files_of_the_three_packages_are_shipped_and_no_others(built):
    shipped = {
        path.relative_to(built).as_posix()
        for path in built.rglob("*")
        if path.is_file()
    }
    assert shipped == package_files(ROOT)
    assert {"pipeline/py.typed", "components/py.typed", "models/py.typed"} <= shipped
    assert "pipeline/report/templates/style.css" in shipped


def test_missing_and_additional_files_of_a_wheel_are_found(tmp_path):
    for name in ("models/a.py", "models/b.txt"):
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    wheel = tmp_path / "crossctr-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("models/a.py", "tests/test_a.py", "crossctr-1.dist-info/RECORD"):
            archive.writestr(name, "")
    assert differences(tmp_path / "sources", wheel) == [
        f"{wheel.name} lacks models/b.txt",
        f"{wheel.name} also has tests/test_a.py",
    ]


# Installed with a declared dependency of the same project or of the same release.
COME_ALONG = {
    "pydantic_core": "pydantic",
    "google.protobuf": "tensorflow",
    "grpc": "tensorflow-serving-api",
    "tensorflow_data_validation": "tfx",
    "tensorflow_metadata": "tfx",
    "tfx_bsl": "tfx",
}


@pytest.mark.slow
def test_every_imported_package_is_a_declared_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        re.split(r"[\[<>=]", requirement)[0]
        for requirement in [
            *project["dependencies"],
            *project["optional-dependencies"]["serve"],
            *project["optional-dependencies"]["tune"],
        ]
    }
    # Airflow reads its DAG file in an environment of its own.
    provided = {*sys.stdlib_module_names, *PACKAGES, "airflow"}
    distributions = metadata.packages_distributions()
    missing = set()
    for name in imported_modules():
        top = name.partition(".")[0]
        owners = {COME_ALONG.get(name), COME_ALONG.get(top)} - {None}
        owners |= {
            re.sub(r"[-_.]+", "-", owner).lower()
            for owner in distributions.get(top, ())
        }
        if top not in provided and not owners & declared:
            missing.add(top)
    assert missing == set()


def imported_modules() -> set[str]:
    """Returns the first two parts of the name of every module that is imported."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and not node.level:
                    found.add(node.module)
                elif isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
    return {".".join(name.split(".")[:2]) for name in found}


def test_setup_py_says_what_pyproject_says():
    command = [sys.executable, "setup.py", "-q", "--name", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert done.stdout.split() == [project["name"], project["version"]]
    assert "dynamic" not in project


def test_the_extras_are_those_that_messages_and_pages_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {"serve", "tune", "cuda", "kubeflow", "test"}
    assert set(project["optional-dependencies"]) == extras


def test_the_command_is_installed():
    (command,) = [
        point
        for point in metadata.entry_points(group="console_scripts")
        if point.name == "crossctr"
    ]
    assert command.value == "pipeline.cli:main"
