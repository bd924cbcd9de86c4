"""One command at a time on a root: who holds it, since when."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import getpass
import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from typing import cast

from models.durable_files import naming
from models.errors import CrossctrError
from models.errors import ExitCode
from models.errors import StorageError

LOCK_FILE = "lock.json"

# Roots that this process holds.
_HELD: set[Path] = set()


class LockedError(CrossctrError):
    """Another command is changing what lies under the root."""

    headline = "Already running"
    # EX_TEMPFAIL: a scheduler may try again.
    exit_code = ExitCode.TRY_AGAIN


def command_line() -> str:
    """Returns the command that this process runs, for others to read."""
    return shlex.join(["crossctr", *sys.argv[1:]])


@contextlib.contextmanager
def hold(root: Path, command: str) -> Iterator[None]:
    """Keeps other commands from changing what lies under `root`.

    The operating system lets go of the lock when the process ends, however it ends, so
    that a killed command never leaves a lock that somebody has to remove. What is
    written in the file only says who holds it. A root that this process holds already
    is held until the outermost call ends.

    Args:
        root: The configuration's `root`; made if it is not there.
        command: What is running, for others to read.

    Raises:
        LockedError: Another process holds the lock.
        StorageError: The root cannot be written.
    """
    if root in _HELD:
        yield
        return
    path = root / LOCK_FILE
    with _opened(root, path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"{_holder(path)} holds {str(root)!r}; two commands at once would "
                "overwrite each other's results. Wait for it to end and repeat this "
                "command, or stop that process"
            ) from None
        with naming(root):
            file.truncate(0)
            file.write(json.dumps(_who(command)).encode())
        _HELD.add(root)
        try:
            yield
        finally:
            _HELD.remove(root)
            # Emptied, not removed: another process may have opened it by now.
            file.truncate(0)
            if [*root.iterdir()] == [path]:
                # A command that made nothing leaves nothing.
                path.unlink()
                root.rmdir()


def holder(root: Path) -> str | None:
    """Returns which command holds a root; None if none does.

    Args:
        root: The configuration's `root`; nothing is made if it is not there.
    """
    path = root / LOCK_FILE
    if not path.is_file():
        return None
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holder(path)
    return None


def _opened(root: Path, path: Path) -> BinaryIO:
    try:
        with naming(root):
            root.mkdir(parents=True, exist_ok=True)
            # Unbuffered: closing the file must not write once more what did not fit.
            return cast("BinaryIO", path.open("ab+", buffering=0))
    except OSError as error:  # a file in the way, a folder that no one can make
        raise StorageError(
            f"root {str(root)!r} cannot be written ({error.strerror}); set `root` to a "
            "folder that this user may write"
        ) from error


def user_name() -> str:
    """Returns who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return f"uid {os.getuid()}"


def _who(command: str) -> dict[str, str | int]:
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    return {
        "command": command,
        "pid": os.getpid(),
        "user": user_name(),
        "host": socket.gethostname(),
        "since": f"{now:%Y-%m-%d %H:%M:%S} UTC",
    }


def _holder(path: Path) -> str:
    try:
        who = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        # Between taking the lock and writing the name.
        return "another command"
    return (
        f"`{who['command']}` (process {who['pid']} of {who['user']} on {who['host']}, "
        f"since {who['since']})"
    )
