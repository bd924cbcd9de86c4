"""`crossctr schema infer|diff|accept`: making a schema and adapting it to logs."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import sys
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from models import durable_files
from models.days import DayRange
from models.errors import ConfigError
from models.errors import ExitCode
from pipeline.cli.command import Command
from pipeline.cli.command import Group
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import hold_root
from pipeline.cli.options import progress_console
from pipeline.config.load import load_config
from pipeline.config.local_paths import LocalPathArgument
from pipeline.config.schema import Config
from pipeline.execution.job import new_log_file
from pipeline.schemas.files import has_inner_comments
from pipeline.schemas.files import leading_comments
from pipeline.schemas.files import parse_schema
from pipeline.schemas.files import read_schema
from pipeline.schemas.files import to_text
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import quiet_libraries
from pipeline.terminal.progress import waiting

if TYPE_CHECKING:
    from pipeline.schemas.evolution import Statistics

_HEADER = """\
# Inferred by `crossctr schema infer` from the logs of {days}:
# a first draft. Read it, correct it, and keep it under version control.
"""


@click.group(
    cls=Group, example="crossctr schema diff configs/first_run.yaml --day 2024-01-28"
)
def schema() -> None:
    """Infer a schema, compare it with the logs, adapt it to them."""


def _days_of(last: int | None, count: int) -> DayRange:
    if last is None:
        raise ConfigError(
            "--day is missing; give the last day of logs to read, and with --days the "
            "number of days"
        )
    return DayRange(last - count + 1, last)


def _log_days(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option(
        "--days",
        type=click.IntRange(min=1),
        default=7,
        show_default=True,
        help="Number of days.",
    )(command)
    return click.option("--day", type=Day(), help="Last day of logs to read.")(command)


@schema.command(
    cls=Command,
    example="crossctr schema infer configs/first_run.yaml --day 2024-01-28 --output "
    "draft.pbtxt",
)
@CONFIG
@_log_days
@click.option(
    "--output",
    type=LocalPathArgument(dir_okay=False),
    help="File to write; by default the configuration's `schema`.",
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def infer(
    config_path: Path, day: int | None, days: int, output: Path | None, force: bool
) -> None:
    """Write a first schema from the logs, to be curated by hand.

    It has one environment per domain; features that a domain lacks according to
    `columns` are not expected there.
    """
    config = load_config(config_path)
    path = output or config.schema_path
    if path.exists() and not force:
        raise ConfigError(
            f"{str(path)!r} exists and may be curated by hand; choose another "
            "--output, or overwrite it with --force"
        )
    looked_at = _days_of(day, days)
    hold_root(config)
    write_inferred(config, looked_at, path, progress_console())


def write_inferred(
    config: Config, days: DayRange, path: Path, console: Console
) -> None:
    """Writes a first schema, inferred from the logs of some days; replaces the file.

    Raises:
        DataError: No domain has a row on these days, or a log cannot be read.
    """
    with _described(config, days, console) as statistics:
        from pipeline.schemas import evolution as schema_evolution

        made = schema_evolution.infer(config, statistics)
    path.parent.mkdir(parents=True, exist_ok=True)
    durable_files.write_text(path, _HEADER.format(days=days) + to_text(made))
    console.say(f"{len(made.feature)} features in {path}", soft_wrap=True)


@schema.command(
    cls=Command,
    example="crossctr schema diff configs/first_run.yaml --day 2024-01-28 --days 7",
)
@CONFIG
@_log_days
def diff(config_path: Path, day: int | None, days: int) -> None:
    """Print how the logs violate the schema.

    Exits with 1 if they do. Nothing is ingested or changed; only an ingest measures
    distances from the previous block of days.
    """
    config = load_config(config_path)
    curated = read_schema(config.schema_path)
    console = progress_console()
    with _described(config, _days_of(day, days), console) as statistics:
        from pipeline.schemas import evolution as schema_evolution

        sentences = schema_evolution.differences(config, curated, statistics)
    for sentence in sentences:
        console.say(sentence, soft_wrap=True)
    if sentences:
        sys.exit(ExitCode.DIFFERENT)
    console.say("The logs fit the schema.")


@schema.command(
    cls=Command,
    example="crossctr schema accept configs/first_run.yaml --day 2024-01-28 -f item_id "
    "--dry-run",
)
@CONFIG
@_log_days
@click.option(
    "--feature",
    "-f",
    "features",
    multiple=True,
    required=True,
    help="Feature to relax; may be given several times.",
)
@click.option(
    "--max-drift",
    type=click.FloatRange(0, 1, min_open=True),
    help="Set the feature's threshold against the block before; no logs are read.",
)
@click.option(
    "--max-domain-distance",
    type=click.FloatRange(0, 1, min_open=True),
    help="Set the feature's threshold against the target; no logs are read.",
)
@click.option("--dry-run", is_flag=True, help="Print the change without writing it.")
def accept(
    config_path: Path,
    day: int | None,
    days: int,
    features: Sequence[str],
    max_drift: float | None,
    max_domain_distance: float | None,
    dry_run: bool,
) -> None:
    """Relax features of the schema so that the logs fit.

    New values, ranges, numbers of values and presence are relaxed; a feature without
    any value in a domain is declared missing there. The old file is kept as
    `<name>.bak`.
    """
    config = load_config(config_path)
    if not dry_run:
        hold_root(config)
    curated = read_schema(config.schema_path)
    known = [feature.name for feature in curated.feature]
    possible = sorted({*known, *(feature.name for feature in config.table.logged)})
    limits = max_drift is not None or max_domain_distance is not None
    for name in features:
        if name not in (known if limits else possible):
            close = difflib.get_close_matches(name, possible, n=1)
            raise ConfigError(
                f"--feature {name!r} is not in {str(config.schema_path)!r}; expected "
                f"one of {', '.join(known)}"
                f"{f'; did you mean {close[0]!r}?' if close else ''}"
            )
    console = progress_console()
    notes: list[str] = []
    left: list[str] = []
    if limits:
        with _tfdv(config, console):
            from pipeline.schemas import evolution as schema_evolution

            changed = curated
            for name in features:
                changed = schema_evolution.set_threshold(
                    changed,
                    name,
                    max_drift=max_drift,
                    max_domain_distance=max_domain_distance,
                )
    else:
        with _described(config, _days_of(day, days), console) as statistics:
            from pipeline.schemas import evolution as schema_evolution

            changed, notes = schema_evolution.relax(curated, statistics, features)
            left = schema_evolution.differences(config, changed, statistics)
    for note in notes:
        console.say(note, soft_wrap=True)
    _replace(config.schema_path, curated, changed, console, dry_run=dry_run)
    if left:
        console.say("Still not allowed:")
        for sentence in left:
            console.say(f"  {sentence}", soft_wrap=True)


def _replace(
    path: Path, old: Any, new: Any, console: Console, *, dry_run: bool
) -> None:
    """Prints the difference between two schemas and writes the new one."""
    before, after = to_text(old), to_text(new)
    if before == after:
        console.say("The schema allows this already; nothing was changed.")
        return
    change = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "before", "after", lineterm=""
    )
    console.say("\n".join(change), highlight=False, soft_wrap=True)
    if dry_run:
        console.say(f"Nothing was written to {path} (--dry-run).", soft_wrap=True)
        return
    text = path.read_text(encoding="utf-8")
    backup = path.with_name(f"{path.name}.bak")
    durable_files.write_text(backup, text)
    content = leading_comments(text) + after
    parse_schema(content)
    durable_files.write_text(path, content)
    lost = " (only it has comments between features)" * has_inner_comments(text)
    console.say(f"{path} is changed; its backup is {backup}{lost}", soft_wrap=True)


@contextlib.contextmanager
def _tfdv(config: Config, console: Console) -> Iterator[Console]:
    """Imports TFDV, and sends the libraries' output to a log file."""
    with quiet_libraries(new_log_file(config), console) as shown:
        with waiting(shown, "importing TensorFlow Data Validation (10 to 20 s)"):
            importlib.import_module("tensorflow_data_validation")
        yield shown


@contextlib.contextmanager
def _described(
    config: Config, days: DayRange, console: Console
) -> Iterator[dict[str, Statistics]]:
    with _tfdv(config, console) as shown:
        from pipeline.schemas.log_statistics import log_statistics

        found = log_statistics(
            config, days, lambda text: shown.print(text, soft_wrap=True)
        )
        yield {domain: described.statistics for domain, described in found.items()}
