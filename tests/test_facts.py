"""Facts with one place, which no other module writes out."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import click
import pytest

from components.evaluation import metrics
from models import artifact_files
from models.errors import CrossctrError
from models.errors import ExitCode
from models.progress import PROGRESS
from models.short_hash import short_hash
from models.strategies.registry import kinds
from pipeline.cli.group import main

pytestmark = pytest.mark.checkout

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "components", "models", "benchmarks")


@functools.cache
def sources(*packages: str) -> list[tuple[str, ast.Module]]:
    """Returns path and syntax tree of every module of our packages."""
    return [
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for package in packages or PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if ".venv" not in path.as_posix()
    ]


@functools.cache
def literals() -> list[tuple[str, str]]:
    """Returns path and text literal of every module, docstrings left out."""
    found = []
    for path, tree in sources():
        nodes = list(ast.walk(tree))
        sentences = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        found += [
            (path, node.value)
            for node in nodes
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in sentences
        ]
    return found


def writers(part: str) -> set[str]:
    """Returns the modules that have a literal with `part` in it."""
    return {path for path, text in literals() if part in text}


FILES = {
    name: value
    for name, value in vars(artifact_files).items()
    if name.isupper() and not name.startswith("_") and name != "WEIGHTS_FILE"
}


@pytest.mark.parametrize("name", FILES)
def test_the_name_of_a_file_in_an_artifact_is_written_once(name):
    home = {"models/artifact_files.py"}
    assert writers(Path(FILES[name]).name) == home


def test_the_folder_of_a_split_is_named_once():
    home = {"models/artifact_files.py"}
    assert writers("Split-") == home
    assert artifact_files.split_of(artifact_files.split_folder("ads")) == "ads"


def test_the_progress_logger_is_named_once():
    assert writers(PROGRESS.name) == {"models/progress.py"}


def test_a_shortened_hash_is_made_in_one_place():
    shortened = {
        path
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr == "hexdigest"
    }
    assert shortened == {"models/short_hash.py"}
    assert short_hash(b"") == "e3b0c44298fc1c14"  # of `sha256sum < /dev/null`


def test_exit_codes_are_members_of_the_one_table():
    numbers = {
        path
        for path, tree in sources("pipeline", "components", "models")
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and [getattr(target, "id", "") for target in node.targets] == ["exit_code"]
        and isinstance(node.value, ast.Constant)
    }
    assert numbers == set()
    assert CrossctrError.exit_code is ExitCode.BAD_INPUT


def test_the_page_of_commands_lists_exactly_the_exit_codes():
    page = (ROOT / "docs" / "how-to" / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| .+ \| .+ \|$", page, re.M)
    assert [(int(number), name) for number, name in rows] == [
        (int(code), code.name) for code in ExitCode
    ]


def test_the_page_of_commands_lists_every_command():
    page = (ROOT / "docs" / "how-to" / "commands.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `crossctr ([\w-]+)", page, re.M)
    assert sorted(listed) == main.list_commands(click.Context(main))


def test_metrics_are_listed_in_one_module():
    def lists(tree: ast.Module) -> bool:
        return any(
            isinstance(node, ast.Tuple)
            and len({e.value for e in node.elts if isinstance(e, ast.Constant)} & known)
            >= 2
            for node in ast.walk(tree)
        )

    known = set(metrics.EVALUATED)
    home = {path for path, t in sources("pipeline", "components", "models") if lists(t)}
    # Not even there: lists are read off the classes.
    assert home == set()


# Adapters of CTNet have kinds, too.
HOMONYMS = {"linear": {"models/ctnet/adapters.py", "models/ctnet/settings.py"}}


@pytest.mark.parametrize("kind", kinds())
def test_a_strategy_is_named_in_its_own_modules_alone(kind):
    own = ("models/strategies/", f"models/{kind}/")
    named = {path for path, text in literals() if text == kind}
    package = {
        p for p in named if p.startswith(("pipeline/", "components/", "models/"))
    }
    others = {path for path in package if not path.startswith(own)}
    assert others == HOMONYMS.get(kind, set())
    assert any(path.startswith(own) for path in named)


def test_every_metric_of_a_table_is_evaluated_and_named():
    shown = {*metrics.RESULT_COLUMNS, *metrics.SLICE_COLUMNS, *metrics.COMPARED}
    assert shown <= set(metrics.EVALUATED)
    assert shown <= set(metrics.NAMES)
    assert set(metrics.RESAMPLED) <= set(metrics.EVALUATED)
    assert set(metrics.COMPARISON_COLUMNS) == set(metrics.COMPARED)


COMPAT = {"components/compat.py", "models/compat.py"}


def test_names_of_libraries_are_replaced_in_the_compat_modules_alone():
    patching = {
        path
        for path, tree in sources("pipeline", "components", "models")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "unittest"
        and [name.name for name in node.names] == ["mock"]
    }
    assert patching == COMPAT


def test_private_attributes_of_others_are_read_in_the_compat_modules_alone():
    # The first are public names of named tuples.
    public = {"_asdict", "_fields", "_replace", "_make"}
    private = {
        (path, node.attr)
        for path, tree in sources("pipeline", "components", "models")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in public
        and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
        and not ast.unparse(node.value).startswith("super(")
    }
    own = {
        (path, node.name if hasattr(node, "name") else node.attr)
        for path, tree in sources("pipeline", "components", "models")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        or (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    }
    assert {path for path, name in private - own} <= COMPAT
