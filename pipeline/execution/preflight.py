"""Checks before a command starts its work, so that no hour is lost at its end.

The lock is taken and ML Metadata is read by then: planning needs both.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from components.log_example_gen.log_files import file_size
from components.log_example_gen.log_files import list_log_files
from models.errors import StorageError
from models.training.cluster import read_cluster
from pipeline.config.schema import Config
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step

# What a step writes in any case: graphs, statistics, entries of ML Metadata, log.
_STEP_BYTES = 1 << 20
# An embedding table is kept with its optimizer's slot and once more for serving.
_TABLE_COPIES = 3
_FLOAT_BYTES = 4


def check_before_work(config: Config, steps: Sequence[Step]) -> None:
    """Raises if a plan would fail for what can be known now.

    Args:
        config: The configuration.
        steps: The plan.

    Raises:
        ConfigError: TF_CONFIG cannot be used.
        StorageError: A folder cannot be written, or has too little room.
    """
    due = [step for step in steps if not step.done]
    publishes = any(
        step.kind == StepKind.TARGET
        and step.judged
        and step.strategy == config.strategy
        for step in due
    )
    if any(step.kind != StepKind.INGEST for step in due):
        read_cluster()
    check_writable(config.root, "root")
    check_room(config.root, "root", sum(_bytes_of(config, step) for step in due))
    if publishes:
        directory = config.serving.directory
        check_writable(directory, "serving.directory")
        check_room(directory, "serving.directory", table_bytes(config))


def check_writable(folder: Path, key: str) -> None:
    """Raises if no file can be made in a folder, which need not be there yet.

    Args:
        folder: The folder; it is left as it was.
        key: Key of the configuration that names it.

    Raises:
        StorageError: It cannot be written.
    """
    missing = list(_missing(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".crossctr-"):
            pass
    except OSError as error:
        raise StorageError(
            f"{key} {str(folder)!r} cannot be written ({error.strerror}); make it "
            f"writable for this user, or set `{key}` to another folder"
        ) from error
    finally:
        for made in missing:
            if made.is_dir() and not any(made.iterdir()):
                made.rmdir()


def check_room(folder: Path, key: str, needed: int) -> None:
    """Raises if the disk of a folder has less room than is needed.

    Args:
        folder: The folder, which need not be there yet.
        key: Key of the configuration that names it.
        needed: Bytes.

    Raises:
        StorageError: There is less.
    """
    present = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(present).free
    if free < needed:
        raise StorageError(
            f"{key} {str(folder)!r} is on a disk with {mebibytes(free)} of free space "
            f"left, and the plan writes {mebibytes(needed)} or more; make room there "
            "(`crossctr clean CONFIG` says what no later day needs), and repeat the "
            "same command"
        )


def _missing(folder: Path) -> Iterator[Path]:
    """Yields the folders that making `folder` would make, the innermost first."""
    for path in (folder, *folder.parents):
        if path.exists():
            return
        yield path


def _bytes_of(config: Config, step: Step) -> int:
    """Returns what a step writes under the root at least."""
    if step.kind != StepKind.INGEST:
        return _STEP_BYTES + model_bytes(config)
    # Impressions are stored raw and transformed; as Parquet, which is smaller than text
    # and as large as packed text.
    return _STEP_BYTES + sum(
        file_size(file)
        for domain in config.domains
        for file in list_log_files(
            config.logs / domain, step.days.first, step.days.last
        )
    )


def model_bytes(config: Config) -> int:
    """Returns the bytes of a trained model's embedding tables, all copies together."""
    return _TABLE_COPIES * table_bytes(config)


def table_bytes(config: Config) -> int:
    """Returns the bytes of the embedding tables of a model once."""
    widths: dict[str, int] = {}
    for feature in config.table.features:
        # The buckets of the other kinds are few.
        if feature.is_id or feature.is_derived:
            width = feature.width or config.network.width
            widths[feature.table] = max(width, widths.get(feature.table, 0))
    rows = {name: config.table.num_rows(name) for name in widths}
    return sum(rows[name] * widths[name] * _FLOAT_BYTES for name in widths)


def mebibytes(size: int) -> str:
    """Returns a number of bytes as text."""
    return f"{size / 2**20:,.1f} MiB"
