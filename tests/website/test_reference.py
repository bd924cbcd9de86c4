"""Generated pages of the reference: complete, and made from what the code checks."""

from __future__ import annotations

import re

import pytest

from models.strategies.registry import kinds
from pipeline.cli import main
from pipeline.config.json_schema import config_schema
from website.commands_page import commands_page
from website.configuration_page import configuration_page
from website.configuration_page import strategy_page
from website.write_reference import PAGES
from website.write_reference import write

pytestmark = pytest.mark.checkout


def rows(page: str) -> dict[tuple[str, str], list[str]]:
    """Returns the cells of a page's tables by heading and key."""
    found, heading = {}, ""
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0].startswith("`"):
            found[heading, cells[0].strip("`")] = cells
    return found


CONFIGURATION, STRATEGIES = rows(configuration_page()), rows(strategy_page())


def test_every_key_is_on_a_page_with_its_description():
    schema = config_schema()
    expected = {("Top level", key): key for key in schema["properties"]}
    for name, model in schema["$defs"].items():
        if name.startswith("strategies."):
            heading = name.removeprefix("strategies.")
            expected |= {(heading, key): key for key in model["properties"]}
        elif name not in {"StrategyConfig", "StrategyEntry"}:
            expected |= {(name, key): key for key in model["properties"]}
    assert len(expected) > 150
    assert expected.keys() == (CONFIGURATION | STRATEGIES).keys()


@pytest.mark.parametrize("table", [CONFIGURATION, STRATEGIES])
def test_no_row_of_a_table_has_an_empty_cell(table):
    assert {place: cells for place, cells in table.items() if len(cells) != 4} == {}
    assert [place for place, cells in table.items() if not all(cells)] == []


def test_every_kind_of_strategy_has_its_keys():
    assert {heading for heading, _ in STRATEGIES} >= set(kinds())


@pytest.mark.parametrize(
    ("place", "column", "cell"),
    [
        (("Top level", "target"), 2, "required"),
        (("Top level", "max_bad_share"), 1, "number ≥ 0, ≤ 1"),
        (("Top level", "max_bad_share"), 2, "`0.01`"),
        (("Top level", "features"), 1, "list of [Feature](configuration.md#feature)"),
        (("Top level", "gate"), 2, "see its table"),
        (("Top level", "strategies"), 1, "by name: [StrategyEntry](strategy-keys.md)"),
    ],
)
def test_types_and_defaults(place, column, cell):
    assert CONFIGURATION[place][column] == cell


def test_links_between_tables_lead_to_headings():
    pages = {"configuration": configuration_page(), "strategy-keys": strategy_page()}
    links = re.findall(r"\]\(([a-z-]+)\.md#([a-z]+)\)", "".join(pages.values()))
    headings = {
        (name, heading.lower())
        for name, page in pages.items()
        for heading in re.findall(r"^## (.+)$", page, re.M)
    }
    assert len(links) > 30
    assert set(links) <= headings


def test_every_command_is_on_the_page_with_its_usage():
    page = commands_page()
    for name in main.commands:
        assert f"## crossctr {name}\n\n```text\nUsage: crossctr {name} " in page
    assert "## crossctr schema infer\n" in page


def test_all_pages_are_written_and_old_ones_are_removed(tmp_path):
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "former.md").touch()
    write(tmp_path / "reference")
    assert {path.name for path in (tmp_path / "reference").iterdir()} == PAGES.keys()
