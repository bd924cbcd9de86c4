"""`crossctr embeddings`: nearest neighbours in the embeddings of a TPM period."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from models.artifact_files import SNAPSHOT_FILE
from models.days import to_date
from models.errors import ConfigError
from pipeline.cli.command import Command
from pipeline.cli.command import Group
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import wide_console
from pipeline.config.load import load_config
from pipeline.report.neighbours import nearest
from pipeline.store.reader import Store
from pipeline.store.reader import Stored
from pipeline.terminal.plain_text import Table


@click.group(
    cls=Group, example="crossctr embeddings nearest configs/first_run.yaml --item 134"
)
def embeddings() -> None:
    """Look at the user and item embeddings of a TPM period."""


@embeddings.command(
    name="nearest",
    cls=Command,
    example="crossctr embeddings nearest configs/first_run.yaml --item 134 -k 5",
)
@CONFIG
@click.option("--item", help="Raw item id.")
@click.option("--user", help="Raw user id.")
@click.option(
    "--day", type=Day(), help="Newest period that ends before it. Default: newest."
)
@click.option(
    "-k",
    "count",
    default=10,
    show_default=True,
    type=click.IntRange(1),
    help="Number of neighbours.",
)
def nearest_command(
    config_path: Path, item: str | None, user: str | None, day: int | None, count: int
) -> None:
    """Print the ids whose embeddings are nearest by cosine."""
    config = load_config(config_path)
    if (item is None) == (user is None):
        raise ConfigError(
            f"received {'both' if item else 'neither'} of --item and --user; expected "
            "one of them, such as `--item <raw id>`"
        )
    space, raw_id = ("item", item) if item is not None else ("user", user or "")
    snapshot = _snapshot(
        Store(config.root, config.metadata).artifacts("EmbeddingSnapshot"), day
    )
    folder = Path(snapshot.uri)
    summary: dict[str, Any] = json.loads((folder / SNAPSHOT_FILE).read_text())
    console = wide_console()
    # Not the table's title, which a narrow table would wrap.
    console.print(
        f"Nearest to {space} {raw_id}, TPM of {to_date(summary['period_day'])}, "
        f"{summary['rows'][space]:,} ids of width {summary['width']}",
    )
    table = Table()
    table.add_column(space)
    table.add_column("cosine", justify="right")
    table.add_column("impressions", justify="right")
    for found in nearest(folder, space, raw_id, count):
        table.add_row(found.id, f"{found.similarity:.4f}", f"{found.impressions:,}")
    console.print(table)


def _snapshot(snapshots: list[Stored], day: int | None) -> Stored:
    """Returns the newest period, or the newest that ends before `day`."""
    if not snapshots:
        raise ConfigError(
            "no TPM period is stored under this configuration's root; expected at "
            "least one. Run `crossctr run` first, with a strategy that reads snapshots"
        )
    before = [s for s in snapshots if day is None or s.last_day < day]
    if not before:
        oldest = min(s.last_day for s in snapshots) + 1
        raise ConfigError(
            f"no TPM period is stored that ends before {to_date(day or 0)}; the "
            f"oldest is of {to_date(oldest)}; choose that --day or a later one"
        )
    # The newest version of the newest period.
    return max(before, key=lambda s: (s.last_day, s.id))
