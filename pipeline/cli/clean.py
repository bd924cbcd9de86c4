"""`crossctr clean`: removal of files that no future run can need."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from components.publisher.labels import labels_in
from components.publisher.logic import versions_in
from models.artifact_files import SERVING_FOLDER
from models.days import to_date
from models.errors import DataError
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import hold_root
from pipeline.cli.options import wide_console
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.execution.run_index import RunIndex
from pipeline.planning.retention import KINDS
from pipeline.planning.retention import Item
from pipeline.planning.retention import reach
from pipeline.planning.retention import superfluous
from pipeline.release.promotion import set_properties
from pipeline.store.integrity import refuse_lost_metadata
from pipeline.store.leftovers import known_folders
from pipeline.store.leftovers import unfinished_folders
from pipeline.store.lineage import Made
from pipeline.store.lineage import makers
from pipeline.store.lineage import text_of
from pipeline.store.lost import forget
from pipeline.store.lost import forgettable
from pipeline.store.reader import REMOVED
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table


@dataclass(frozen=True)
class Removal:
    """Files that may be removed.

    Attributes:
        what: What they are, for the table.
        reason: Why nothing needs them.
        files: The files.
        size: Their size in bytes.
        artifact: Id of their artifact; None if they belong to none.
    """

    what: str
    reason: str
    files: tuple[Path, ...]
    size: int
    artifact: int | None = None


@click.command(
    name="clean",
    cls=Command,
    example="crossctr clean configs/first_run.yaml\n"
    "crossctr clean configs/first_run.yaml --yes",
)
@CONFIG
@click.option("--yes", is_flag=True, help="Remove them; without it, only list them.")
@click.option(
    "--keep-versions",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Newest published versions whose lineage is kept, besides those that servers "
    "load: stable, canary and the one before.",
)
@click.option(
    "--lost",
    is_flag=True,
    help="Forget results whose files are lost or damaged instead, so that the next run "
    "makes them again.",
)
def clean_command(config_path: Path, yes: bool, keep_versions: int, lost: bool) -> None:
    """List files that no later day needs; --yes removes them.

    Impressions older than any window, models and snapshots that newer ones have
    superseded, records of runs as old, and remains of killed commands. Published
    versions, vocabularies, reports and the entries in ML Metadata are kept.
    """
    config = load_config(config_path)
    console = wide_console()
    hold_root(config)
    store = Store(config.root, config.metadata)
    refuse_lost_metadata(store)
    if lost:
        _forget_lost(store, console, yes=yes)
        return
    found = [
        *removals(config, store, keep_versions),
        *old_records(config, store),
        *leftovers(config, store),
    ]
    if not found:
        console.print(f"Nothing under {config.root} can be removed", soft_wrap=True)
        return
    console.print(_table(found))
    size = _megabytes(sum(removal.size for removal in found))
    if not yes:
        console.print(f"Nothing was removed; --yes removes these {size}")
        return
    remove(store, found)
    RunIndex(config.root).save()
    console.print(f"Removed {size}")


def _forget_lost(store: Store, console: Console, *, yes: bool) -> None:
    found = forgettable(store)
    if not found:
        console.print("Every stored result is whole")
        return
    table = Table(
        title="Results whose files are lost, and those made with them",
        title_justify="left",
    )
    for column in ("number", "days of rows", "folder"):
        table.add_column(column, overflow="fold")
    for stored in found:
        days = f"{to_date(stored.first_day)}..{to_date(stored.last_day)}"
        table.add_row(str(stored.id), days, stored.uri)
    console.print(table)
    if not yes:
        console.print(
            "Nothing was forgotten; --yes forgets these, and a run makes them again"
        )
        return
    forget(store, found)
    console.print(f"Forgot {len(found)} results; the next run makes them again")


def removals(config: Config, store: Store, keep_versions: int) -> list[Removal]:
    """Returns the files of artifacts that no later day needs."""
    days = [stored.last_day + 1 for stored in store.artifacts("GateDecision")]
    if not days:
        return []
    made = makers(store)
    items = items_of(made)
    serving = config.serving.directory
    versions = versions_in(serving / config.name)
    labels = labels_in(serving, config.name, versions)
    loaded = labels.loaded if labels else ()
    kept = {str(version) for version in (*versions[-keep_versions:], *loaded)}
    live_prints = {
        str(stored.properties["model_fingerprint"])
        for stored in store.artifacts("PublishedModel")
        if stored.properties.get("pushed")
        and Path(str(stored.properties["path"])).name in kept
    }
    artifacts = {artifact.id: artifact for artifact, _ in made}
    live = {
        item.id
        for item in items
        if item.kind == "Model"
        and text_of(artifacts[item.id], "fingerprint") in live_prints
    }
    if len(live_prints) and not live:
        raise DataError(
            "the published models are not in ML Metadata; what they were made from is "
            "unknown, so nothing is removed. Set `metadata` to the database that they "
            "were made with"
        )
    found = []
    for number, reason in superfluous(items, live, max(days), reach(config)).items():
        artifact = artifacts[number]
        files = _bulk(Path(artifact.uri))
        if files:
            part = text_of(artifact, "role") or text_of(artifact, "level")
            first = artifact.custom_properties["first_day"].int_value
            last = artifact.custom_properties["last_day"].int_value
            what = f"{artifact.type} {part} {to_date(first)}..{to_date(last)}"
            found.append(_removal(what, reason, files, number))
    return found


def old_records(config: Config, store: Store) -> list[Removal]:
    """Returns the records of runs that are older than any day a later run may read."""
    days = [stored.last_day + 1 for stored in store.artifacts("GateDecision")]
    horizon = max(days, default=0) - reach(config)
    reason = f"of a run before {to_date(max(horizon, 0))}, which no later run reads"
    return [
        _removal(f"record {folder.name}", reason, _files(folder))
        for folder, record in RunIndex(config.root).records()
        if record.steps and max(run.step.run_day for run in record.steps) < horizon
    ]


def items_of(
    made: Sequence[Made],
) -> list[Item]:
    """Returns the artifacts that the retention rules apply to."""
    strategies: dict[int, set[str]] = {}
    for output, inputs in made:
        if output.type == "GateDecision":
            for one in inputs:
                found = strategies.setdefault(one.id, set())
                found.add(text_of(output, "strategy"))
    by_id = {
        output.id: Item(
            id=output.id,
            kind=output.type,
            level=text_of(output, "level"),
            strategies=frozenset(strategies.get(output.id, ())),
            last_day=output.custom_properties["last_day"].int_value,
            made_from=tuple(one.id for one in inputs),
        )
        for output, inputs in made
        if output.type in KINDS
    }
    return sorted(by_id.values(), key=lambda item: item.id)


def leftovers(config: Config, store: Store) -> list[Removal]:
    """Returns remains of killed commands, and temporary files of TFX components."""
    root = config.root / "artifacts"
    known = known_folders(config.root, store)
    if not known:
        return []
    reason = "a command ended before it was complete"
    found = [
        _removal(str(folder.relative_to(root)), reason, _files(folder))
        for folder in unfinished_folders(config.root, known)
    ]
    for folder in sorted(root.glob("*/.system")):
        files = _files(folder)
        if files:
            inside = folder.relative_to(root)
            found.append(
                _removal(str(inside), "temporary files of a command that ended", files)
            )
    return found


def remove(store: Store, found: list[Removal]) -> None:
    """Removes files, marked as removed in ML Metadata first in case of a kill."""
    numbers = [one.artifact for one in found if one.artifact is not None]
    if numbers:
        metadata = store.connect()
        artifacts = metadata.get_artifacts_by_id(numbers)
        for artifact in artifacts:
            set_properties(artifact, {REMOVED: 1})
        metadata.put_artifacts(artifacts)
    for one in found:
        for path in one.files:
            path.unlink(missing_ok=True)
        for folder in sorted({path.parent for path in one.files}, reverse=True):
            if not any(folder.iterdir()):
                shutil.rmtree(folder)


def _bulk(folder: Path) -> list[Path]:
    """Returns the files of an artifact except reports, which planning may read."""
    return [
        path
        for path in _files(folder)
        if path.suffix != ".json" or SERVING_FOLDER in path.parts
    ]


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _removal(
    what: str, reason: str, files: list[Path], artifact: int | None = None
) -> Removal:
    size = sum(path.stat().st_size for path in files)
    return Removal(what, reason, tuple(files), size, artifact)


def _table(found: list[Removal]) -> Table:
    table = Table(title="Files that no later day needs", title_justify="left")
    table.add_column("what", overflow="fold")
    table.add_column("size", justify="right")
    table.add_column("why", overflow="fold")
    for one in found:
        table.add_row(one.what, _megabytes(one.size), one.reason)
    return table


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.2f} MiB"
