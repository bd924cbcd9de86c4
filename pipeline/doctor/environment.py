"""Checks of the environment: Python, versions of packages, native code."""

from __future__ import annotations

import importlib.metadata
import signal
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement

from models.errors import listed
from pipeline.doctor.finding import Finding
from pipeline.doctor.finding import ok
from pipeline.doctor.finding import problem
from pipeline.doctor.finding import warning

# By release of TFX, the versions of Python that all its packages have wheels for.
PYTHONS = {"1.16": ("3.10", "3.11"), "1.21": ("3.12", "3.13")}
# What every command with a store needs; none of them imports TensorFlow.
NATIVE = ("numpy", "pyarrow", "grpc", "ml_metadata")
# What only `--deep` loads, as it takes many seconds.
DEEP = ("tensorflow", "tfx_bsl.public.tfxio", "tensorflow_transform", "tfx.v1")
_LOCKS = Path(__file__).resolve().parents[2] / "requirements"
_INSTALL = "make the environment anew with `make setup`, or install from a lock file"
# Names that a line repeats.
_SHOWN = 5
_SECONDS = 300


def check_python(
    version: tuple[int, int] | None = None, tfx: str | None = None
) -> Iterator[Finding]:
    """Checks Python against the installed release of TFX.

    Args:
        version: Python's major and minor version; this one's by default.
        tfx: TFX's version; the installed one's by default, empty if there is none.
    """
    python = ".".join(map(str, version or sys.version_info[:2]))
    tfx = _installed("tfx") if tfx is None else tfx
    line = ".".join((tfx or "").split(".")[:2])
    expected = PYTHONS.get(line)
    if not tfx:
        yield problem("python", f"Python {python}, and TFX is not installed", _INSTALL)
    elif expected is None:
        yield warning(
            "python",
            f"TFX {tfx} is neither of the releases that crossctr is tested with",
            f"install TFX {' or '.join(PYTHONS)}",
        )
    elif python not in expected:
        yield problem(
            "python",
            f"Python {python} with TFX {tfx}, whose packages are for Python "
            f"{' and '.join(expected)}",
            f"use Python {expected[-1]}: `make setup PYTHON=python{expected[-1]}`",
        )
    else:
        yield ok("python", f"Python {python}, TFX {tfx}")


def check_packages(
    requirements: Sequence[str] | None = None, lock: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """Checks installed versions against the supported ranges and the lock file.

    Args:
        requirements: Requirements of the project, as its metadata has them; those of
            the installed project by default.
        lock: Version by package; by default the lock file's, in a checkout.
    """
    if requirements is None:
        requirements = importlib.metadata.requires("crossctr") or []
    needed = [
        one
        for one in map(Requirement, requirements)
        if one.marker is None or one.marker.evaluate({"extra": ""})
    ]
    missing, wrong = [], []
    for one in needed:
        version = _installed(one.name)
        if version is None:
            missing.append(one.name)
        elif not one.specifier.contains(version, prereleases=True):
            wrong.append(f"{one.name} {version} (expected {one.specifier})")
    if missing:
        yield problem("packages", f"not installed: {', '.join(missing)}", _INSTALL)
    if wrong:
        yield problem("packages", f"not supported: {', '.join(wrong)}", _INSTALL)
    if not missing and not wrong:
        yield ok("packages", f"{len(needed)} requirements are met")
    lock = locked_versions() if lock is None else lock
    other = [
        f"{name} {found} (locked {version})"
        for name, version in lock.items()
        if (found := _installed(name)) is not None and found != version
    ]
    if other:
        yield warning(
            "packages",
            f"not as locked: {listed(other, first=_SHOWN)}",
            "what is tested are the locked versions: `make setup` installs them",
        )
    elif lock:
        yield ok("packages", f"as locked: {len(lock)} packages")


def locked_versions() -> dict[str, str]:
    """Returns the locked versions for the installed TFX; empty outside a checkout."""
    line = ".".join((_installed("tfx") or "").split(".")[:2])
    path = _LOCKS / f"tfx-{line}.txt"
    if not path.is_file():
        return {}
    words = (row.split() for row in path.read_text(encoding="utf-8").splitlines())
    pairs = (row[0].partition("==") for row in words if row and "==" in row[0])
    return {name: version for name, _, version in pairs}


def check_native(
    modules: Sequence[str] = NATIVE, path: Sequence[str] = ()
) -> Iterator[Finding]:
    """Imports packages with native code in a process of their own, which may crash.

    Args:
        modules: The modules, in order.
        path: Folders before the usual ones.
    """
    code = (
        "import importlib, sys\n"
        "sys.path[:0] = sys.argv[1].split(':') if sys.argv[1] else []\n"
        "for name in sys.argv[2:]:\n"
        "    print(name, flush=True)\n"
        "    importlib.import_module(name)\n"
    )
    words = [sys.executable, "-c", code, ":".join(path), *modules]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        yield problem(
            "native code", f"not imported within {_SECONDS} s: {', '.join(modules)}"
        )
        return
    if done.returncode == 0:
        yield ok("native code", f"can be loaded: {', '.join(modules)}")
        return
    last = (done.stdout.split() or ["Python"])[-1]
    if done.returncode < 0:
        why = f"ends the process with {signal.Signals(-done.returncode).name}"
    else:
        lines = done.stderr.strip().splitlines() or ["it cannot be imported"]
        why = lines[-1]
    yield problem("native code", f"{last}: {why}", _INSTALL)


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
