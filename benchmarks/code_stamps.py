"""Stamps of what results were made by: code and settings, one for each model.

A stamp changes when results may change. Code is what draws data, trains, scores and
fits references, as Python reads it, so that comments, docstrings and layout do not
count. Packages that a single strategy uses count for that strategy alone, and code that
serves or publishes counts for none. Settings are the configuration's, without paths and
without those of other strategies.
"""

from __future__ import annotations

import ast
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.short_hash import short_hash
from models.strategies.level_trainings import LevelTrainings
from models.strategies.registry import BASELINE_KIND
from pipeline.config.load import dump
from pipeline.config.schema import Config
from pipeline.planning.fingerprint import digest

ROOT = Path(__file__).parents[1]
# Stands for all references of a comparison.
REFERENCES = "references"
_MAKES_RESULTS = ("components", "models", "pipeline/datasets")
# By strategy, what no other one reads; its controls are named `<strategy>_<control>`.
_OWN: Mapping[str, tuple[str, ...]] = {
    "cctl": ("models/cctl", "models/strategies/cctl.py"),
    "ctnet": ("models/ctnet", "models/strategies/ctnet.py"),
}
_UNRELATED = (
    *("components/gate", "components/guard", "components/infra_validator"),
    *("components/model_server", "components/publisher", "models/serving"),
)
_UNRELATED_KEYS = {
    *("name", "root", "metadata", "logs", "schema", "wait", "beam_args", "strategy"),
    *("strategies", "references", "gate", "slices", "intervals", "serving"),
}
_PATHS = {"import": "data", "simulate": "truth"}
_EQUAL_STEPS = "equal_steps"
_WITH_DOCSTRING = (
    *(ast.Module, ast.ClassDef),
    *(ast.FunctionDef, ast.AsyncFunctionDef),
)


def stamp_of(config: Config, model: str) -> dict[str, str]:
    """Returns the stamps of today's code and of a configuration for a model.

    Args:
        config: The configuration of the comparison, with an entry of each strategy.
        model: A strategy's or a control's name, or `REFERENCES`.
    """
    return {"code": code_stamp(model), "settings": settings_stamp(config, model)}


def settings_stamp(config: Config, model: str) -> str:
    """Returns the stamp of the settings that a model's results depend on."""
    whole: dict[str, Any] = json.loads(dump(config))
    settings = {key: whole[key] for key in whole.keys() - _UNRELATED_KEYS}
    for section, key in _PATHS.items():
        if settings.get(section):
            settings[section].pop(key, None)
    if model == REFERENCES:
        return digest(settings, whole["references"])
    # A control has the settings of the strategy that it is a control of.
    names = [name for name in config.strategies if f"{model}_".startswith(f"{name}_")]
    entry = max(names, key=len, default="")
    if model.startswith(_EQUAL_STEPS):
        entry = BASELINE_KIND
    return digest(settings, _resolved(config, entry) if entry else None)


def _resolved(config: Config, entry: str) -> list[Any]:
    """Returns an entry's settings, those that it leaves to the configuration too."""
    own = config.entry_of(entry)
    trainings = {
        level: config.training_of(level, entry).model_dump(mode="json")
        for level in LevelTrainings.model_fields
    }
    return [
        {key: own[key] for key in own.keys() - {"network", "training"}},
        config.network_of(entry).model_dump(mode="json"),
        trainings,
    ]


def code_stamp(model: str, root: Path = ROOT) -> str:
    """Returns the stamp of today's code for a model.

    Args:
        model: As above.
        root: Folder of the packages.
    """
    return _stamp(owner(model), root)


def owner(model: str) -> str:
    """Returns the strategy with code of its own that a model is of; "" for none."""
    for kind in _OWN:
        if model == kind or model.startswith(f"{kind}_"):
            return kind
    return ""


@functools.cache
def _stamp(owner: str, root: Path) -> str:
    left_out = list(_UNRELATED)
    for kind, paths in _OWN.items():
        if kind != owner:
            left_out += paths
    parts: list[str] = []
    for folder in _MAKES_RESULTS:
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not any(name == one or name.startswith(f"{one}/") for one in left_out):
                parts += (name, without_texts(path.read_text(encoding="utf-8")))
    return short_hash("\n".join(parts).encode())


def without_texts(source: str) -> str:
    """Returns Python code without comments, docstrings and layout.

    Example:
        >>> print(without_texts('x = 1  # why'))
        x = 1
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
