"""Deferred modules run their code when they are used, and libraries do not use them."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from components import deferred_imports
from components.deferred_imports import DEFERRED
from components.deferred_imports import is_deferred

# By module, an attribute that its own code makes.
MADE = {
    "google.cloud.bigquery": "Client",
    "google.cloud.bigquery_storage_v1": "BigQueryReadClient",
    "google.cloud.pubsub": "PublisherClient",
    "googleapiclient.discovery": "build",
    "tensorflow_model_analysis.metrics.bleu": "Bleu",
    "tensorflow_model_analysis.metrics.rouge": "Rouge",
    "tfx.components": "Tuner",
    "tfx.components.infra_validator.model_server_runners.kubernetes_runner": (
        "KubernetesRunner"
    ),
}
only_old_line = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="TFX 1.21: nothing is deferred"
)
IMPORT_GRAPHS = """
import pipeline.graphs.factory
from components.deferred_imports import DEFERRED, is_deferred
print("used:", sorted(name for name in DEFERRED if not is_deferred(name)))
"""


@pytest.fixture
def deferred(tmp_path, monkeypatch):
    """Writes a package, defers the names given, and forgets what was imported."""
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "heavy_package"
    package.mkdir()
    (package / "__init__.py").write_text(
        "RUNS = globals().get('RUNS', 0) + 1\nfrom heavy_package.part import VALUE\n"
    )
    (package / "part.py").write_text("VALUE = 3\n")
    (package / "alone.py").write_text("VALUE = 4\n")
    (package / "broken.py").write_text("raise OSError('no disk')\n")

    def defer(*names):
        monkeypatch.setattr(deferred_imports, "DEFERRED", frozenset(names))

    yield defer
    for name in [name for name in sys.modules if name.startswith("heavy_package")]:
        del sys.modules[name]


def test_a_deferred_module_runs_once_when_an_attribute_is_asked_for(deferred):
    deferred("heavy_package")
    module = importlib.import_module("heavy_package")
    assert is_deferred("heavy_package")
    assert "heavy_package.part" not in sys.modules
    assert module.VALUE == 3
    assert not is_deferred("heavy_package")
    assert module.RUNS == 1
    with pytest.raises(AttributeError, match="no attribute 'NOTHING'"):
        _ = module.NOTHING
    assert module.RUNS == 1


def test_a_part_of_a_deferred_package_is_imported_without_it(deferred):
    deferred("heavy_package")
    part = importlib.import_module("heavy_package.part")
    assert part.VALUE == 3
    assert is_deferred("heavy_package")


def test_names_are_imported_from_a_deferred_package_as_ever(deferred):
    deferred("heavy_package")
    found: dict[str, object] = {}
    exec("from heavy_package import VALUE", found)
    assert found["VALUE"] == 3


def test_questions_of_the_import_system_run_nothing(deferred):
    deferred("heavy_package.alone")
    module = importlib.import_module("heavy_package.alone")
    assert not hasattr(module, "__path__")
    assert not hasattr(module, "__wrapped__")
    assert module.__spec__.origin == module.__file__
    assert is_deferred("heavy_package.alone")
    assert module.VALUE == 4


def test_code_that_fails_is_run_again_at_the_next_use(deferred):
    deferred("heavy_package.broken")
    module = importlib.import_module("heavy_package.broken")
    for _ in range(2):
        with pytest.raises(OSError, match="no disk"):
            _ = module.VALUE


def test_a_module_that_is_not_named_is_imported_at_once(deferred):
    deferred("heavy_package.part")
    assert importlib.import_module("heavy_package").VALUE == 3


def test_installing_again_changes_nothing():
    before = list(sys.meta_path)
    deferred_imports.install()
    assert sys.meta_path == before


@only_old_line
def test_each_entry_has_an_attribute_to_ask_for():
    assert MADE.keys() == DEFERRED


@only_old_line
@pytest.mark.slow
def test_importing_the_graphs_uses_no_deferred_module():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_GRAPHS],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "used: []" in done.stdout


@only_old_line
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MADE))
def test_a_deferred_module_is_the_real_one_once_it_is_used(name):
    module = importlib.import_module(name)
    assert getattr(module, MADE[name]) is not None
    assert not is_deferred(name)
