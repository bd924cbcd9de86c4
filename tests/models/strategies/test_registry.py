"""Kinds of strategy: built in, of installed packages, and of a user's module."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import ConfigError
from models.strategies import registry
from models.strategies.base import Needs
from models.strategies.registry import create
from models.strategies.registry import kinds
from models.strategies.registry import origin
from models.strategies.registry import strategy_class

ROOT = Path(__file__).parents[3]
PERIODS = 3
NEEDS = {
    "ecdctr": Needs(tpm_periods=PERIODS, cpm=True),
    "target_only": Needs(),
    "linear": Needs(),
    "joint": Needs(source_impressions=True),
    "finetune": Needs(cpm=True, batch_norm=True),
    "shared_bottom": Needs(source_impressions=True),
    "mmoe": Needs(source_impressions=True),
    "ple": Needs(source_impressions=True),
    "star": Needs(source_impressions=True),
    "ctnet": Needs(source_model=True),
    "cctl": Needs(source_impressions=True),
    "composed": Needs(),
}
MODULE = """
from models.strategies.base import Needs
from models.strategies.base import Strategy

class Mine(Strategy):
    name = "mine"

    def needs(self, tpm_periods):
        return Needs(tpm_periods=tpm_periods)

class Nameless(Strategy):
    pass

class Other:
    pass
"""


@pytest.fixture
def write_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Returns a function that writes a module of a package on Python's path."""
    folder = tmp_path / "path"
    monkeypatch.syspath_prepend(str(folder))

    def write(name: str, text: str) -> None:
        path = folder.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        importlib.invalidate_caches()

    yield write
    for name in [n for n in sys.modules if n.split(".")[0].startswith("my_")]:
        del sys.modules[name]


@pytest.fixture
def install(tmp_path: Path, write_module: Callable[[str, str], None]) -> Callable:
    """Returns a function that installs a distribution with the strategy `mine`."""

    def installed(version: str, path: str = "my_package.strategies:Mine") -> None:
        write_module("my_package.strategies", MODULE)
        for old in (tmp_path / "path").glob("*.dist-info"):
            for file in old.iterdir():
                file.unlink()
            old.rmdir()
        info = tmp_path / "path" / f"my_strategies-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: my-strategies\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(
            f"[{registry.ENTRY_POINTS}]\nmine = {path}\n"
        )
        importlib.invalidate_caches()

    return installed


def test_planning_and_checking_import_no_tensorflow() -> None:
    program = (
        "import sys\n"
        "from models.strategies.registry import create, kinds\n"
        "for kind in kinds():\n"
        "    create(kind, {}).needs(3)\n"
        "print([m for m in ('tensorflow', 'tf_keras', 'tfx', 'apache_beam') "
        "if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("kind", NEEDS)
def test_what_each_kind_needs_by_default(kind: str) -> None:
    assert create(kind, {}).needs(PERIODS) == NEEDS[kind]


def test_every_kind_has_its_needs_above() -> None:
    assert set(kinds()) == set(NEEDS)


def test_without_tpm_nothing_reads_snapshots() -> None:
    assert {create(kind, {}).needs(0).tpm_periods for kind in NEEDS} == {0}


def test_a_class_of_ones_own_is_named_by_its_path(
    write_module: Callable[[str, str], None],
) -> None:
    write_module("my_package.my_module", MODULE)
    strategy = create("my_package.my_module:Mine", {})
    assert strategy.needs(2) == Needs(tpm_periods=2)
    assert strategy.identity(source_model=False)["kind"] == "mine"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "my_nowhere:Mine",
            r"cannot be imported: No module named 'my_nowhere'.*PYTHON",
        ),
        ("my_module:Yours", r"cannot be imported: .*no attribute 'Yours'"),
        ("my_module:Other", r"expected a subclass of models\.strategies\.base\.Stra"),
        ("my_module:MODULE", r"cannot be imported: .*no attribute 'MODULE'"),
        ("my_module:Nameless", r"has no name; add `name = "),
        ("my_broken:Mine", r"cannot be imported: .*my_broken\.py, line 1"),
        ("my_module:", r"expected `package\.module:Class`"),
        (":Mine", r"expected `package\.module:Class`"),
        ("my_module:Mine.inner", r"expected `package\.module:Class`"),
        ("./my_module.py:Mine", r"expected `package\.module:Class`"),
        ("mine", r"'mine' is not known; expected one of ecdctr, .*, or `package\.mod"),
    ],
)
def test_a_class_that_cannot_be_had_says_why(
    write_module: Callable[[str, str], None], kind: str, message: str
) -> None:
    write_module("my_module", MODULE)
    write_module("my_broken", "class Mine(\n")
    with pytest.raises(ConfigError, match=message):
        strategy_class(kind)


def test_linear_reads_the_sources_only_if_told_to() -> None:
    assert create("linear", {"sources": True}).needs(2) == Needs(
        source_impressions=True
    )


def test_an_installed_package_offers_its_strategy_by_name(install: Callable) -> None:
    install("1.0")
    assert kinds() == (*NEEDS, "mine")
    assert create("mine", {}).needs(2) == Needs(tpm_periods=2)


@pytest.mark.parametrize("path", ["my_package.strategies", "my_gone:Mine"])
def test_a_package_with_a_wrong_entry_point_is_named(
    install: Callable, path: str
) -> None:
    install("1.0", path)
    with pytest.raises(ConfigError, match="strategy 'mine' (is|cannot be imported)"):
        strategy_class("mine")


def test_what_a_strategy_is_made_of(
    install: Callable, write_module: Callable[[str, str], None]
) -> None:
    install("1.0")
    path = "my_package.strategies:Mine"
    assert origin("mine") == [path, "my-strategies", "1.0"]
    install("1.1")
    assert origin("mine") == [path, "my-strategies", "1.1"]
    # By its path it is a file like any other: all of its package's sources count.
    before = origin(path)
    assert before == origin(path)
    write_module("my_package.helpers", "LAYERS = 2\n")
    assert origin(path) != before
    assert [origin(kind) for kind in NEEDS] == [[]] * len(NEEDS)
