"""The help of each command: an example whose command line parses, shared options."""

import shlex

import click
import pytest
from click.testing import CliRunner

from models.errors import ExitCode
from pipeline.cli.command import Command
from pipeline.cli.group import main
from pipeline.cli.output import Output

LONG = {
    *("ablate", "backfill", "compare", "import", "ingest", "run", "simulate", "tune"),
}
WITH_JSON = {
    *("compare", "doctor", "plan", "run", "validate", "versions", "vocabularies"),
}


def every(group=main, before=()):
    """Yields the words and the command of all commands and groups."""
    yield before, group
    if isinstance(group, click.Group):
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            yield from every(command, (*before, name))


def parsed(words):
    """Returns the command that a command line names, with its arguments parsed."""
    command, context = main, click.Context(main, obj=Output())
    while isinstance(command, click.Group):
        name, *words = words
        command = command.get_command(context, name)
        assert command is not None, name
    return command, command.make_context(name, list(words), parent=context)


EVERY = dict(every())


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_the_help_has_an_example_that_parses(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("rows.jsonl", "inputs.json"):
        (tmp_path / name).touch()
    shown = CliRunner().invoke(main, [*words, "--help"])
    assert shown.exit_code == 0
    lines = shown.output.partition("\nExample:\n")[2].splitlines()
    examples = [shlex.split(line) for line in lines if line.strip()]
    assert examples
    for program, *rest in examples:
        assert program == "crossctr"
        line = rest[: rest.index(">")] if ">" in rest else rest
        command, _ = parsed(line)
        inside = isinstance(EVERY[words], click.Group)
        assert inside or command is EVERY[words]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_can_be_quiet(words):
    command = EVERY[words]
    if isinstance(command, click.Group):
        return
    assert isinstance(command, Command)
    flags = {flag for one in command.params for flag in one.opts}
    assert {"--quiet", "-q"} <= flags
    assert ("--json" in flags) == (" ".join(words) in WITH_JSON)
    assert bool(command.resume) == (" ".join(words) in LONG)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_no_line_of_a_list_of_commands_is_cut_off(words):
    if isinstance(EVERY[words], click.Group):
        shown = CliRunner().invoke(main, [*words, "--help"], terminal_width=80)
        listed = shown.output.partition("\nCommands:\n")[2].partition("\n\n")[0]
        assert listed
        assert "..." not in listed


def test_an_example_that_does_not_parse_is_noticed():
    with pytest.raises(click.UsageError):
        parsed(["plan", "a.yaml"])


def test_the_codes_of_errors_are_those_of_the_list():
    result = CliRunner().invoke(main, ["validate", "none.yaml"])
    assert result.exit_code == ExitCode.BAD_INPUT
