"""Strategy of docs/tutorials/own-strategy.md: taken from the page and trained."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml
from click.testing import CliRunner

from models.days import DayRange
from models.strategies.registry import ENTRY_POINTS
from models.training.level_inputs import LevelInputs
from pipeline.cli.group import main
from tests.pipeline.planning.worlds import make_baselines_config
from tests.pipeline.planning.worlds import planner

PAGE = Path(__file__).parents[3] / "docs" / "tutorials" / "own-strategy.md"
KIND = "my_strategies.logistic:Logistic"


def blocks(language: str) -> list[str]:
    """Returns the page's blocks of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    return list(found)


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Writes the page's files where its first lines say, on Python's path."""
    for block in blocks("python"):
        name = block.splitlines()[0].removeprefix("# ")
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block)
    (tmp_path / "own" / "my_strategies" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.startswith("my_strategies")]:
        del sys.modules[name]


def entries() -> dict[str, Any]:
    """Returns the page's entries of `strategies`."""
    loaded: dict[str, Any] = yaml.safe_load(blocks("yaml")[0])["strategies"]
    return loaded


def test_it_has_about_forty_lines() -> None:
    assert sum(len(block.splitlines()) for block in blocks("python")) < 60


def test_its_entries_are_planned() -> None:
    config = make_baselines_config(strategies=entries(), strategy="logistic")
    steps = planner(config).run(38, list(entries()))
    assert [str(step.kind) for step in steps] == ["ingest", "ingest", *["target"] * 3]
    plain, target, everyone = steps[-3:]
    assert target.label == "logistic for ads on 1970-02-08"
    assert target.days == everyone.days == DayRange(31, 37)
    assert everyone.note.startswith("starts anew on 7 days of all domains")
    assert len({plain.training, target.training, everyone.training}) == 3
    assert config.domains_of("logistic_all") == ("feeds", "ads")


def test_the_parts_of_the_last_block_are_an_entry() -> None:
    strategies = yaml.safe_load(blocks("yaml")[1])["strategies"]
    config = make_baselines_config(strategies=strategies, strategy="whole")
    assert config.needs("whole").source_model


def test_the_command_prints_what_the_page_shows() -> None:
    (shown,) = re.findall(
        r"^\$ crossctr (.*?)\n(.*?)^```", PAGE.read_text(), re.M | re.S
    )
    command, output = shown
    result = CliRunner().invoke(main, command.split())
    assert result.output == output


def test_the_entry_point_is_of_the_group_that_is_read() -> None:
    (text,) = blocks("toml")
    points = tomllib.loads(text)["project"]["entry-points"]
    assert points == {ENTRY_POINTS: {"logistic": KIND}}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["logistic", "logistic_all"])
def test_its_network_is_trained_and_served(
    inputs: Callable[..., LevelInputs], transform_graph: Path, name: str
) -> None:
    import tensorflow as tf

    from models.training.level import run_level

    domains = ("fr", "de") if name == "logistic_all" else ("de",)
    level = inputs(
        "own",
        strategy=entries()[name],
        domains=domains,
        transform_graph=transform_graph,
        training={"batch_size": 8, "epochs": 10},
        **({} if len(domains) > 1 else {"examples": (inputs("x").examples[0],)}),
    )
    report = run_level(level)
    assert report.rows == (72 if len(domains) > 1 else 18)
    assert report.parameters["dense"] == 1
    assert report.losses[-1] < report.losses[0]
    again = json.loads((level.train_dir / "report.json").read_text())
    assert again["strategy"] == entries()[name]
    served = tf.saved_model.load(str(level.serving_dir)).signatures["serving_default"]
    empty = tf.constant([tf.train.Example().SerializeToString()])
    assert 0 < float(served(empty)["ctr"][0]) < 1
