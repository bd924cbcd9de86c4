"""Arguments, day type, root lock and console that the commands share."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import click

from models.days import DayRange
from models.days import to_date
from models.days import to_day
from models.errors import ConfigError
from models.errors import shown
from models.written_date import read_date
from pipeline.cli.completion import ConfigFile
from pipeline.cli.completion import StrategyName
from pipeline.cli.output import output
from pipeline.config.schema import Config
from pipeline.execution.lock import command_line
from pipeline.execution.lock import hold
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import quiet_libraries

CONFIG = click.argument("config_path", metavar="CONFIG", type=ConfigFile())
STRATEGY = click.option(
    "--strategy",
    "-s",
    multiple=True,
    type=StrategyName(),
    help="An entry of `strategies`, or a kind with its defaults; may be given several "
    "times. Default: the configuration's `strategy`.",
)
COMPARE = click.option("--compare", is_flag=True, help="All entries of `strategies`.")


class Day(click.ParamType):  # type: ignore[type-arg]
    """A date, given as YYYY-MM-DD, converted to days since 1970-01-01."""

    name = "YYYY-MM-DD"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Returns the day of `value`."""
        if isinstance(value, int):
            return value
        try:
            return to_day(read_date(value))
        except ValueError as error:
            self.fail(f"{error}; received {shown(value)}", param, ctx)


def days_between(first: int, last: int) -> DayRange:
    """Returns the days of `--from` and `--to`.

    Args:
        first: First day, days since 1970-01-01.
        last: Last day, included.

    Raises:
        ConfigError: The first day is after the last one.
    """
    if first > last:
        raise ConfigError(
            f"--from {to_date(first)} is after --to {to_date(last)}; swap them"
        )
    return DayRange(first, last)


def asked_for(config: Config, chosen: Sequence[str], compare: bool) -> Sequence[str]:
    """Returns the names of strategies that a command was given.

    Args:
        config: The configuration.
        chosen: Names from the command line; none for the configuration's `strategy`.
        compare: Whether to take all entries of `strategies` instead.
    """
    return list(config.strategies) if compare else chosen


def names_of(text: str | None) -> tuple[str, ...]:
    """Returns the names in a list separated by commas.

    Raises:
        ConfigError: A name is empty.
    """
    if text is None:
        return ()
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ConfigError(
            f"--strategies {text!r} has an empty name; expected names separated by "
            "commas, such as ecdctr,target_only"
        )
    return tuple(dict.fromkeys(names))


def hold_root(config: Config) -> None:
    """Locks the root for other commands until the running command ends.

    Raises:
        LockedError: Another command holds it.
    """
    hold_folder(config.root)


def hold_folder(root: Path) -> None:
    """Locks a root before there is a configuration that names it.

    Raises:
        LockedError: Another command holds it.
    """
    click.get_current_context().with_resource(hold(root, command_line()))


def wide_console(*, quiet: bool = False) -> Console:
    """Returns a console that is wide enough for tables."""
    # Brackets and colons in names and paths are not markup.
    plain = functools.partial(Console, markup=False, emoji=False, quiet=quiet)
    console = plain()
    # A pipe or a log file has no width of its own; tables need one.
    return console if console.is_terminal else plain(width=160)


def progress_console() -> Console:
    """Returns a wide console that prints only what is said with `--quiet`."""
    return wide_console(quiet=output().quiet)


def quiet_serving(config: Config) -> AbstractContextManager[Console]:
    """Sends what libraries print into the log file of `serve` and `predict`.

    Returns:
        A context manager that gives the terminal.
    """
    return quiet_libraries(config.root / "serve" / "libraries.log", wide_console())
