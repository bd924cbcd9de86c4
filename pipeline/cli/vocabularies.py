"""`crossctr vocabularies`: use of the tables and unknown or new ids, by day."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import click

from models.artifact_files import ENCODING_FILE
from models.artifact_files import VOCABULARY_FILE
from models.days import DayRange
from models.days import to_date
from models.errors import DataError
from models.features.table import FeatureTable
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import wide_console
from pipeline.cli.output import answer
from pipeline.cli.output import output
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Table

_DEFAULT_DAYS = 14


@dataclass(frozen=True)
class DayOfIds:
    """Ids of one feature on one day.

    Attributes:
        date: The day.
        feature: Feature of kind `id` or `ids`.
        ids: Ids that are not missing.
        oov_rate: Share of them out of vocabulary; None for a hashed space or no ids.
        new_rate: Share of them that entered the vocabulary that day; None likewise.
        fill: Share of the table's capacity in use after the day; None if hashed.
        collision_rate: Share of the block's ids that share a table row; None unless
            hashed.
        known: By source, the share of the target's distinct ids of the day that the
            source has shown by then; None without ids. Empty except for features of
            kind `id` of users and items.
    """

    date: str
    feature: str
    ids: int
    oov_rate: float | None
    new_rate: float | None
    fill: float | None
    collision_rate: float | None
    known: Mapping[str, float | None] = field(default_factory=dict)


def by_day(
    encoding: dict[str, Any], summary: dict[str, Any], features: FeatureTable
) -> Iterable[DayOfIds]:
    """Yields the ids of a block's features, day by day.

    Args:
        encoding: Content of `encoding.json` of the block's transformed Examples.
        summary: Content of `vocabulary.json` of its Vocabulary.
        features: The feature table.
    """
    for feature in features.features:
        if not feature.is_id:
            continue
        space = summary[feature.table]
        hashed = space["encoding"] == "hash"
        size = space.get("ids_before", 0)
        grown = dict(space.get("grown", ()))
        for index, date in enumerate(encoding["days"]):
            size = grown.get(date, size)
            ids, oov, new = (
                sum(
                    domain[feature.name][key][index]
                    for domain in encoding["domains"].values()
                )
                for key in ("ids", "oov", "new")
            )
            rated = ids > 0 and not hashed
            yield DayOfIds(
                date=date,
                feature=feature.name,
                ids=ids,
                oov_rate=oov / ids if rated else None,
                new_rate=new / ids if rated else None,
                fill=None if hashed else size / space["capacity"],
                collision_rate=space["collision_rate"] if hashed else None,
                known=_known(space, date) if feature.is_single_id else {},
            )


def _known(space: dict[str, Any], date: str) -> dict[str, float | None]:
    """Returns the share of the target's ids of a day that each source knows."""
    shared = space.get("shared")
    if shared is None or date not in shared["days"]:
        return {}
    index = shared["days"].index(date)
    ids = shared["ids"][index]
    return {
        source: counts[index] / ids if ids else None
        for source, counts in shared["known"].items()
    }


def ingested_ids(
    store: Store, features: FeatureTable, days: DayRange
) -> list[DayOfIds]:
    """Returns the ids of `days` from the newest stored block of each day."""
    vocabularies = {s.fingerprint: s.uri for s in store.artifacts("Vocabulary")}
    newest: dict[tuple[str, str], DayOfIds] = {}
    for block in store.artifacts("Examples"):
        path = Path(block.uri) / ENCODING_FILE
        inside = DayRange(block.first_day, block.last_day).overlaps(days)
        if not inside or not path.exists() or block.fingerprint not in vocabularies:
            continue
        summary = _read(Path(vocabularies[block.fingerprint]) / VOCABULARY_FILE)
        for entry in by_day(_read(path), summary, features):
            newest[entry.date, entry.feature] = entry
    wanted = {str(to_date(day)) for day in range(days.first, days.last + 1)}
    order = {feature.name: i for i, feature in enumerate(features.features)}
    return sorted(
        (entry for entry in newest.values() if entry.date in wanted),
        key=lambda entry: (order[entry.feature], entry.date),
    )


@click.command(
    name="vocabularies",
    cls=Command,
    as_json=True,
    example="crossctr vocabularies configs/first_run.yaml --to 2024-01-28",
)
@CONFIG
@click.option(
    "--from", "first", type=Day(), help="First day. Default: two weeks before --to."
)
@click.option(
    "--to", "last", type=Day(), help="Last day. Default: the last ingested one."
)
def vocabularies_command(
    config_path: Path, first: int | None, last: int | None
) -> None:
    """Show unknown and new ids by feature and day.

    And how full the embedding tables are. Rates are shares of the day's ids over all
    domains. An id is new on the day on which it enters the vocabulary; for a model of
    the day before it is out of vocabulary. The columns `in <source>` are the shares of
    the target's users and items that the source has shown by then.
    """
    config = load_config(config_path)
    store = Store(config.root, config.metadata)
    blocks = [s for s in store.artifacts("Examples") if s.properties.get("num_rows")]
    if not blocks:
        raise DataError(
            f"nothing is ingested under {str(config.root)!r} yet; run "
            "`crossctr ingest` or `crossctr run` first"
        )
    last = max(s.last_day for s in blocks) if last is None else last
    first = last - _DEFAULT_DAYS + 1 if first is None else first
    if first > last:
        raise DataError(
            f"--from {to_date(first)} is after --to {to_date(last)}; swap them"
        )
    entries = ingested_ids(store, config.table, DayRange(first, last))
    if output().as_json:
        days = {"first_day": to_date(first), "last_day": to_date(last)}
        answer({**days, "ids": entries})
        return
    wide_console().print(_table(config, entries))


def _table(config: Config, entries: Sequence[DayOfIds]) -> Table:
    table = Table(title=f"Ids of {config.name}", title_justify="left")
    table.add_column("feature")
    for column in ("day", "ids", "unknown", "new", "table full", "share a row"):
        table.add_column(column, justify="right")
    for source in config.sources:
        table.add_column(f"in {source}", justify="right")
    for entry in entries:
        table.add_row(
            entry.feature,
            entry.date,
            f"{entry.ids:,}",
            *(
                "" if value is None else f"{value:.1%}"
                for value in (
                    entry.oov_rate,
                    entry.new_rate,
                    entry.fill,
                    entry.collision_rate,
                    *(entry.known.get(source) for source in config.sources),
                )
            ),
        )
    return table


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
