"""Files that an attempt at a Beam bundle writes.

A distributed engine starts a bundle again when it loses a machine, and cannot end the
worker that was busy with it: two attempts may write the same file at the same time.
Each writes beside the file under a name of its own and gives it the file's name at its
end, so that a reader sees what one attempt wrote, whole.
"""

from __future__ import annotations

import contextlib
import pickle
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ENDING = ".writing"


def attempt_path(target: Path) -> Path:
    """Returns a hidden path beside `target` that no other attempt has.

    Args:
        target: The file that the attempt's file replaces in the end.
    """
    return target.with_name(f".{target.name}.{uuid.uuid4().hex}{_ENDING}")


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yields a path to write to, which replaces `target` unless there is an error.

    Args:
        target: The file; its folder is there.
    """
    beside = attempt_path(target)
    try:
        yield beside
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def value_file(folder: Path) -> Iterator[Path]:
    """Yields a path for a value that a pipeline leaves for the executor's process.

    Args:
        folder: Seen by all workers; nothing stays in it.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".value-") as name:
        yield Path(name, "value")


def leave_value(value: Any, path: str) -> None:
    """Leaves a pipeline's one value at `path`, as a Beam step."""
    with replacing(Path(path)) as beside:
        beside.write_bytes(pickle.dumps(value))


def left_value(path: Path) -> Any:
    """Returns what `leave_value` left."""
    return pickle.loads(path.read_bytes())


def remove_attempts(folder: Path) -> None:
    """Removes what killed attempts left in `folder` and below it."""
    for path in folder.rglob(f".*{_ENDING}"):
        path.unlink(missing_ok=True)
