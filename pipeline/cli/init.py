"""`crossctr init`: a first configuration and schema from logs."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from models import durable_files
from models.days import DayRange
from models.days import to_date
from models.errors import ConfigError
from models.errors import listed
from models.errors import shown
from pipeline import api
from pipeline.cli.command import Command
from pipeline.cli.options import hold_folder
from pipeline.cli.options import wide_console
from pipeline.config.load import load_config
from pipeline.config.local_paths import LocalPathArgument
from pipeline.terminal.plain_text import Console

if TYPE_CHECKING:
    from components.storage.places import Place
    from pipeline.guessing.domain import DomainGuess
    from pipeline.guessing.domain import Named
    from pipeline.guessing.draft import Draft
    from pipeline.guessing.log_folders import DomainLogs

# Rows whose statistics make the schema, about; at least a week of them.
_SCHEMA_ROWS, _SCHEMA_DAYS = 300_000, 7
_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class _Paths:
    """What is written, and where."""

    config: Path
    name: str

    @property
    def schema(self) -> Path:
        return self.config.with_suffix(".pbtxt")

    @property
    def root(self) -> Path:
        return self.config.resolve().parent / "runs" / self.name

    @property
    def logs(self) -> Path:
        return self.root / "logs"


@click.command(
    name="init",
    cls=Command,
    example="crossctr init feeds.csv ads.csv --target ads",
)
@click.argument("logs", nargs=-1, required=True, metavar="LOGS...")
@click.option("--target", help="The domain whose model is served. Default: a guess.")
@click.option(
    "--output",
    type=LocalPathArgument(dir_okay=False),
    help="Configuration to write. Default: <target>.yaml in this folder.",
)
@click.option("--label", multiple=True, help="Column, or rule such as 'rating >= 4'.")
@click.option("--time", multiple=True, help="Column with the impression's time.")
@click.option("--user", multiple=True, help="Column that names the user.")
@click.option("--item", multiple=True, help="Column that names the item.")
@click.option("--force", is_flag=True, help="Replace what an earlier init wrote.")
def init_command(
    logs: Sequence[str],
    target: str | None,
    output: Path | None,
    label: Sequence[str],
    time: Sequence[str],
    user: Sequence[str],
    item: Sequence[str],
    force: bool,
) -> None:
    """Write a first configuration and schema, guessed from logs.

    LOGS is a folder with a file or folder for each domain, or several files or folders,
    each as PATH or NAME=PATH. Some rows of each are read. Files that hold many days are
    laid out by day. --label, --time, --user and --item are for all domains, or for one
    as DOMAIN=COLUMN. The reason of each guess stands beside it as a comment; CHECK
    marks what init was unsure of.
    """
    # Late, as Arrow and NumPy would slow the start of the command line.
    from pipeline.cli.schema import write_inferred
    from pipeline.guessing.draft import choose_target
    from pipeline.guessing.draft import make_draft
    from pipeline.guessing.log_folders import find_domains

    console = wide_console()
    domains = find_domains(logs)
    roles = {"label": label, "time": time, "user": user, "item": item}
    named = _named([domain.name for domain in domains], roles)
    guesses = [_look(domain, named[domain.name], console) for domain in domains]
    aim = choose_target(guesses, target)
    # All that can be wrong with the guesses is told before anything is written.
    make_draft(guesses, aim)
    paths = _paths(output, aim.name)
    _refuse_existing(paths, force)
    hold_folder(paths.root)
    folder = _folder_of(guesses)
    if folder is None:
        folder = paths.logs
        guesses = [_laid_out(guess, paths, force, console) for guess in guesses]
    draft = make_draft(guesses, aim)
    unsure = _write(draft, paths, folder)
    config = load_config(paths.config)
    write_inferred(config, _schema_days(draft), paths.schema, console)
    # A configuration whose first run cannot be planned is none.
    api.plan(config, draft.calendar.run_day)
    _print_summary(draft, unsure, paths, console)


def _named(
    domains: Sequence[str], roles: Mapping[str, Sequence[str]]
) -> dict[str, Named]:
    """Returns what the user named, by domain."""
    from pipeline.guessing.domain import Named

    found: dict[str, dict[str, str]] = {domain: {} for domain in domains}
    for role, texts in roles.items():
        # Those of single domains come last.
        for text in sorted(texts, key=lambda t: _domain_of(t, domains) != ""):
            domain = _domain_of(text, domains)
            value = text.partition("=")[2] if domain else text
            for name in [domain] if domain else domains:
                found[name][role] = value.strip()
    return {domain: Named(**given) for domain, given in found.items()}


def _domain_of(text: str, domains: Sequence[str]) -> str:
    name, equals, rest = text.partition("=")
    return name if equals and name in domains and not rest.startswith("=") else ""


def _look(logs: DomainLogs, named: Named, console: Console) -> DomainGuess:
    from pipeline.guessing.domain import look_at

    with console.status(f"{logs.name}: reading some rows"):
        return look_at(logs, named)


def _paths(output: Path | None, target: str) -> _Paths:
    config = output or Path(f"{target}.yaml")
    if config.suffix not in (".yaml", ".yml"):
        raise ConfigError(
            f"--output {shown(str(config))} does not name a YAML file; expected one "
            "that ends in .yaml"
        )
    name = _NAME.sub("_", config.stem)[:100]
    return _Paths(config, name if name[:1].isalpha() else f"m_{name}"[:100])


def _refuse_existing(paths: _Paths, force: bool) -> None:
    there = [path for path in (paths.config, paths.schema, paths.logs) if path.exists()]
    if there and not force:
        raise ConfigError(
            f"{listed(map(str, there))} exist; nothing was written. Choose another "
            "--output, or replace what an earlier init wrote with --force"
        )


def _folder_of(guesses: Sequence[DomainGuess]) -> Place | None:
    """Returns the folder that has all logs by domain and day; None if there is none."""
    parents = {guess.logs.path.resolve().parent for guess in guesses}
    fits = all(
        guess.logs.dated and guess.logs.path.resolve().name == guess.name
        for guess in guesses
    )
    return parents.pop() if fits and len(parents) == 1 else None


def _laid_out(
    guess: DomainGuess, paths: _Paths, force: bool, console: Console
) -> DomainGuess:
    """Lays a log out by day, or links to one that is; returns what is seen there."""
    from pipeline.guessing.log_folders import find_logs

    folder = paths.logs / guess.name
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        _remove_split(folder, force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if guess.logs.dated:
        if not isinstance(guess.logs.path, Path):
            raise ConfigError(
                f"{str(guess.logs.path)!r} cannot be linked to from {str(folder)!r}; "
                "expected all dated logs of an object store in one folder there, each "
                "named after its domain; copy or rename them"
            )
        folder.symlink_to(guess.logs.path.resolve(), target_is_directory=True)
        return guess
    _split(guess, folder, paths, console)
    seen = _look(find_logs(guess.name, folder), guess.named(), console)
    # With the reasons of the first look, whose answers the second one was given.
    label = replace(seen.label, reason=guess.label.reason, check=guess.label.check)
    return replace(
        seen, label=label, user_reason=guess.user_reason, item_reason=guess.item_reason
    )


def _remove_split(folder: Path, force: bool) -> None:
    from pipeline.datasets.by_day import MANIFEST_FILE

    if not force or not (folder / MANIFEST_FILE).is_file():
        raise ConfigError(
            f"{str(folder)!r} exists, and no init has written it; move it away, or "
            "choose another --output"
        )
    shutil.rmtree(folder)


def _split(guess: DomainGuess, folder: Path, paths: _Paths, console: Console) -> None:
    from components.log_example_gen.logic import TimeColumn
    from pipeline.datasets.by_day import Mend
    from pipeline.datasets.by_day import split_by_day
    from pipeline.guessing.column import json_list

    times = guess.times
    assert times is not None
    lists = [c.column.name for c in guess.columns if c.kind.is_json]
    whole = [
        c.column.name
        for c in guess.columns
        if c.kind.kind == "id" and c.column.has_points
    ]
    rejected = paths.root / "rejected" / f"{guess.name}.jsonl"
    with console.status(f"{guess.name}: laying the log out by day"):
        report = split_by_day(
            [file.path for file in guess.logs.files],
            folder,
            rejected,
            TimeColumn(column=times.column, format=times.format),
            guess.dialect,
            Mend(dict.fromkeys(lists, json_list), frozenset(whole)),
        )
    console.print(
        f"{guess.name}: {report.read:,} rows read = {report.written:,} written, by "
        f"day of {times.column}, + {report.rejected:,} rejected",
        soft_wrap=True,
    )
    for reason, count in report.reasons.most_common(3):
        console.print(f"  {reason}: {count:,} rows, see {rejected}", soft_wrap=True)


def _write(draft: Draft, paths: _Paths, logs: Place) -> list[str]:
    from pipeline.guessing.as_yaml import to_yaml

    logs, beside = logs.resolve(), paths.config.resolve().parent
    if isinstance(logs, Path) and logs.is_relative_to(beside):
        logs = logs.relative_to(beside)
    text, unsure = to_yaml(draft, paths.name, logs, paths.schema.name)
    durable_files.write_text(paths.config, text)
    return unsure


def _schema_days(draft: Draft) -> DayRange:
    """Returns the newest days whose rows make the schema."""
    first = draft.calendar.first_day
    last = draft.calendar.run_day + draft.calendar.evaluation_days - 1
    rows = sum(guess.sample.total_rows for guess in draft.domains.values())
    share = min(_SCHEMA_ROWS / max(rows, 1), 1.0)
    days = max(round((last - first + 1) * share), _SCHEMA_DAYS)
    return DayRange(max(first, last - days + 1), last)


def _print_summary(
    draft: Draft, unsure: Sequence[str], paths: _Paths, console: Console
) -> None:
    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    for name, guess in draft.domains.items():
        first, last = to_date(guess.days[0]), to_date(guess.days[-1])
        role = "target" if name == draft.target else "source"
        say(
            f"{name} ({role}): about {guess.sample.total_rows:,} rows, {first} to "
            f"{last}, {guess.click_rate:.1%} clicks in the {guess.sample.rows:,} read"
        )
    names = [set(feature.columns) for feature in draft.features]
    shared = [
        feature.name
        for feature, owners in zip(draft.features, names, strict=True)
        if len(owners) == len(draft.domains)
    ]
    say(f"Features of all domains: {', '.join(shared)}")
    for feature, owners in zip(draft.features, names, strict=True):
        if len(owners) < len(draft.domains):
            say(f"  {feature.name}: only in {', '.join(sorted(owners))}")
    if unsure:
        say(f"Not sure of {len(unsure)} guesses; each is marked CHECK in the file:")
    for text in unsure:
        say(f"  {text}")
    config = shlex.quote(str(paths.config))
    day = to_date(draft.calendar.run_day)
    say(f"Written: {paths.config} and {paths.schema}. Next:")
    for command in (
        f"validate {config} --day {day}",
        f"run {config} --day {day}",
        f"serve {config}",
        f"predict {config}",
    ):
        say(f"  crossctr {command}")
