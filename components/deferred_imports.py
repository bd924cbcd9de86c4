"""Deferred imports: modules that TFX, TFMA and Beam import and crossctr never uses.

They are a quarter of the time that importing TFX 1.16 takes. A module named here enters
`sys.modules` without running its code, and runs it when an attribute that it does not
have yet is asked for. Nothing is replaced: who uses such a module gets the real one.
`tests/components/test_deferred_imports.py` fails if a library uses one of them while it
is imported, which would make the entry useless.

TFX 1.21 imports fast enough without, and its `tfx.components` adapts TFMA, so nothing
is deferred there. Python tells the two lines apart, as in `requirements/choose.py`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.machinery import PathFinder
from types import ModuleType

_NAMES = (
    # Clients of BigQuery and Pub/Sub, by `apache_beam.io`.
    "google.cloud.bigquery",
    "google.cloud.bigquery_storage_v1",
    "google.cloud.pubsub",
    # Google's API client, by TensorFlow's resolver of Compute Engine clusters.
    "googleapiclient.discovery",
    # NLTK and sacreBLEU with scikit-learn and Redis, by TFMA's metrics of texts.
    "tensorflow_model_analysis.metrics.bleu",
    "tensorflow_model_analysis.metrics.rouge",
    # All standard components, and with them KerasTuner; modules of one component do
    # not need them.
    "tfx.components",
    # The Kubernetes client, by TFX's InfraValidator.
    "tfx.components.infra_validator.model_server_runners.kubernetes_runner",
)
DEFERRED = frozenset(_NAMES if sys.version_info < (3, 12) else ())


def install() -> None:
    """Defers the imports of `DEFERRED` that are still to come; repeating it is safe."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def is_deferred(name: str) -> bool:
    """Whether the module `name` was imported and its code has not run."""
    return isinstance(sys.modules.get(name), _DeferredModule)


class _DeferredModule(ModuleType):
    """A module that runs its code when a missing attribute is asked for."""

    _running = threading.RLock()

    def __getattr__(self, name: str) -> object:
        spec = self.__spec__
        # The import system and `inspect` look for these, and do without them.
        special = name.startswith("__") and name.endswith("__") and name != "__all__"
        if special or spec is None or spec.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        with self._running:
            if type(self) is _DeferredModule:
                # First, as the code may ask for attributes of its own module.
                self.__class__ = ModuleType  # type: ignore[assignment]
                try:
                    spec.loader.exec_module(self)
                except BaseException:
                    self.__class__ = _DeferredModule
                    raise
        return getattr(self, name)


class _DeferringLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _DeferredModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        # From now on the module looks as its own loader would have made it.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader


class _Finder(MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in DEFERRED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _DeferringLoader(spec.loader)
        return spec
