"""Text from logs and files, shown literally by every table and message."""

from __future__ import annotations

import io
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import rich.console
from rich.progress import Progress

from pipeline.cli.clean import _table as removals
from pipeline.cli.options import wide_console
from pipeline.cli.predict import predictions_table as predictions
from pipeline.comparing.tables import Grid
from pipeline.terminal import plain_text as terminal
from pipeline.terminal.progress import RunDisplay
from pipeline.terminal.progress import quiet_libraries
from pipeline.terminal.slice_table import slice_table
from pipeline.terminal.tables import result_table
from pipeline.terminal.tables import warm_start_table

# Markup of rich: a style, a closing tag without an opening one, an unknown word, an
# emoji code, a link and an escaped bracket.
ODD = ["[new] a0", "[/sale]", "[bold]", ":smile:", "[link=x]y[/link]", "\\[b]", "a]"]
CONTROL = {"\x1b[2J": "\\x1b[2J", "\r0": "\\r0", "\ud83d": "\\ud83d", "\x9b": "\\x9b"}


def printed(what, make=terminal.Console, **options) -> str:
    file = io.StringIO()
    make(file=file, width=200, **options).print(what)
    return file.getvalue()


def table_of(text: str) -> terminal.Table:
    table = terminal.Table(title=f"title {text}", caption=None)
    table.add_column(f"header {text}", justify="right")
    table.add_column("other", overflow="fold")
    table.add_row(text, None)
    return table


@pytest.mark.parametrize("text", ODD)
def test_a_table_is_text_on_any_console(text):
    for make in (terminal.Console, rich.console.Console):
        shown = printed(table_of(text), make)
        assert f"title {text}" in shown
        assert f"header {text}" in shown
        assert shown.count(text) == 3


@pytest.mark.parametrize("text", ODD)
def test_a_message_is_text(text):
    assert printed(f"item {text}") == f"item {text}\n"
    file = io.StringIO()
    terminal.Console(file=file, width=200).print(f"item {text}", markup=True)
    assert file.getvalue() == f"item {text}\n"


@pytest.mark.parametrize("text", ODD)
def test_a_status_and_a_bar_are_text(text):
    file = io.StringIO()
    console = terminal.Console(file=file, width=200, force_terminal=True)
    with console.status(f"begin {text}") as status:
        assert status.renderable.text.plain == f"begin {text}"
        status.update(f"then {text}")
        assert status.renderable.text.plain == f"then {text}"
    bar = Progress(terminal.TextColumn("{task.description}"), console=console)
    bar.add_task(f"bar {text}")
    console.print(bar)
    assert f"bar {text}" in file.getvalue()


@pytest.mark.parametrize(("text", "shown"), CONTROL.items())
def test_control_characters_and_half_characters_are_written_out(text, shown):
    for what in (f"id {text}", table_of(text), terminal.plain(text)):
        out = printed(what)
        assert shown in out
        assert text not in out
        out.encode()


def test_lines_tabs_and_letters_stay():
    text = "a\tb\nä 漢 🙂"
    assert terminal.visible(text) == text


def test_the_consoles_of_the_commands_are_plain(tmp_path, capfd):
    assert isinstance(wide_console(), terminal.Console)
    with quiet_libraries(tmp_path / "libraries.log", wide_console()) as shown:
        shown.print("[/sale] :smile:")
    assert capfd.readouterr().out == "[/sale] :smile:\n"


def result_of(text: str) -> SimpleNamespace:
    judged = {"candidate": defaultdict(lambda: 0.5), "intervals": {}, "changes": {}}
    part = {"slice": "domain", "value": text, "few_rows": False, **judged}
    decision = {"approved": True, "state": "cold", "reasons": [], "live": None}
    return SimpleNamespace(
        strategy=text,
        continues=False,
        report={"warm_start": {"copied": [f"{text.replace('/', '_')}/kernel"]}},
        decision={**decision, **judged, "slices": [part]},
    )


def tables_of(text: str) -> dict[str, terminal.Table]:
    """What commands print about an id, a feature, a strategy or a folder."""
    features = [SimpleNamespace(name=text, kind="id")]
    config = SimpleNamespace(table=SimpleNamespace(features=features))
    result = result_of(text)
    return {
        "predict": predictions(config, [{text: [text.encode(), "b"]}], {"ctr": [0.5]}),
        "run": result_table([result], text, {"failed": text}),
        "slices": slice_table(result, text),
        "warm start": warm_start_table(result),
        "clean": removals([SimpleNamespace(what=text, size=1, reason=f"of {text}")]),
        "compare": Grid((text, "AUC"), ((text, "0.5"),)).as_rich("all"),
    }


@pytest.mark.parametrize("text", ODD)
def test_tables_of_commands_show_ids_and_names(text):
    for command, table in tables_of(text).items():
        for make in (terminal.Console, rich.console.Console):
            # A layer's name ends at the slash.
            own = text.replace("/", "_") if command == "warm start" else text
            shown = printed(table, make)
            assert text in shown, command
            assert shown.replace(text, "", 1).count(own) >= 1, command


@pytest.mark.parametrize("text", ODD)
def test_a_run_shows_labels_and_details(text):
    file = io.StringIO()
    display = RunDisplay(terminal.Console(file=file, width=200), 1)
    display.start(1, text)
    display.detail(text)
    display.finish(None)
    display.reused(1, text)
    assert file.getvalue().count(text) == 4


@pytest.mark.parametrize(
    "line",
    [
        "from rich.console import Console",
        "from rich.table import Table",
        "from rich.markup import escape",
        "from rich.progress import TextColumn",
        "from rich import print",
    ],
)
def test_rich_itself_is_refused_elsewhere(line):
    root = Path(__file__).parents[3]
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select=TID251", "--no-cache"]
        + ["--stdin-filename=pipeline/sample.py", "-"],
        input=f"{line}\n",
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 1, checked
    assert "pipeline.terminal.plain_text" in checked.stdout
