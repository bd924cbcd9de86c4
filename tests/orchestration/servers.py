"""Servers of the checks: processes of their own that end with the check."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_WAIT_SECONDS = 180


def start(
    command: list[str], output: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Starts a server in a process group of its own.

    Args:
        command: Program and arguments.
        output: File that its output is written to; its folder is the working directory.
        environment: Its environment.
    """
    with output.open("ab") as stream:
        return subprocess.Popen(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=output.parent,
            env=environment,
            start_new_session=True,
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a server and its children at once, as a power cut would."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(port: int) -> None:
    """Waits until something listens on a port of this machine."""
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("localhost", port), timeout=1),
        ):
            return
        time.sleep(0.5)
    sys.exit(f"nothing listens on port {port} after {_WAIT_SECONDS} s")


@contextlib.contextmanager
def running(
    command: list[str], port: int, output: Path, environment: dict[str, str]
) -> Iterator[None]:
    """Runs a server that listens on `port`, see `start`."""
    process = start(command, output, environment)
    try:
        wait_for(port)
        yield
    finally:
        kill(process)


def install(folder: Path) -> dict[str, str]:
    """Installs the wheel; returns an environment in which only the wheel is found."""
    source = folder / "source"
    source.mkdir()
    # A copy, as setuptools would leave its build folder in the repository.
    for name in ("pipeline", "components", "models"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    flags = ["--no-deps", "--no-build-isolation", "--target", str(folder / "installed")]
    subprocess.run([*pip, "install", *flags, str(source)], check=True)
    shutil.rmtree(source)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "installed"),
        # The pool starts `python` from PATH.
        "PATH": path,
    }
    found = subprocess.run(
        [sys.executable, "-c", "import pipeline; print(pipeline.__file__)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
    ).stdout
    if not found.startswith(str(folder)):
        sys.exit(f"the wheel is not what is imported, but {found}")
    return environment
