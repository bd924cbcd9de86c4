"""Choice of Keras 2, in one place, before anything imports TensorFlow."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import models

ROOT = Path(__file__).parents[2]
HOME = Path(models.__file__).parents[1]
VARIABLE = "TF_USE_LEGACY_KERAS"
# Packages whose import chooses Keras 2: `components` imports `models` first of all.
GUARDS = {"models", "components"}
# Packages that import TensorFlow.
HEAVY = {"tensorflow", "tf_keras", "tfx", "tfx_bsl", "tensorflow_transform"}
HEAVY |= {"tensorflow_model_analysis", "tensorflow_data_validation"}
HEAVY |= {"tensorflow_recommenders"}


def run(program, **environment):
    """Runs a program with the variable set or unset; returns what it prints."""
    kept = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, "1"), ({VARIABLE: "0"}, "1"), ({VARIABLE: "True"}, "True")],
    ids=["unset", "keras 3", "set"],
)
def test_importing_models_chooses_keras_2(before, after):
    done = run(f"import models, os; print(os.environ['{VARIABLE}'])", **before)
    assert (done.stdout, done.stderr) == (f"{after}\n", "")


# A stand-in, as the real import takes seconds.
STAND_IN = "import sys, types; sys.modules['tensorflow'] = types.ModuleType('t'); "


def test_tensorflow_with_keras_3_is_refused():
    done = run(STAND_IN + "import models")
    assert done.stderr.splitlines()[-1].startswith(
        "ImportError: tensorflow was imported before crossctr and has chosen Keras 3"
    )


def test_tensorflow_with_keras_2_may_be_there_already():
    done = run(STAND_IN + "import models", **{VARIABLE: "1"})
    assert (done.returncode, done.stderr) == (0, "")


def _imports(path: Path) -> list[str]:
    """Returns what a module imports at its top, in order."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
    return found


@pytest.mark.parametrize(
    "package",
    [HOME / "components", HOME / "pipeline", ROOT / "benchmarks"],
    ids=["components", "pipeline", "benchmarks"],
)
def test_packages_that_import_tensorflow_import_models_first(package):
    unguarded = []
    for path in sorted(package.rglob("*.py")):
        imported = [name.split(".")[0] for name in _imports(path)]
        first = next((i for i, name in enumerate(imported) if name in HEAVY), None)
        inside = [p for p in path.parents if p.is_relative_to(package)]
        guarded = any(GUARDS & set(_imports(p / "__init__.py")) for p in inside)
        if first is not None and not guarded and "peers" not in path.parts:
            unguarded.append(path.relative_to(package).as_posix())
    assert unguarded == []


def test_components_import_models_first_of_all():
    assert _imports(HOME / "components" / "__init__.py")[0] == "models"


def test_nothing_else_sets_it():
    files = [
        ROOT / "Makefile",
        *(HOME / "models").rglob("*.py"),
        *(HOME / "components").rglob("*.py"),
        *(HOME / "pipeline").rglob("*.py"),
        *(ROOT / "benchmarks").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *(path for path in (ROOT / "docker").rglob("*") if path.is_file()),
    ]
    holders = {path for path in files if VARIABLE in path.read_text("utf-8")}
    assert holders - {Path(__file__)} == {
        HOME / "models" / "__init__.py",
        # Beam's program imports TFX before anything of ours in a worker's image.
        ROOT / "docker" / "Dockerfile",
    }
