"""Prints the lock file for this machine, or says in one line why there is none.

`make` calls it with any Python that it is given, so it keeps to the standard library
and to what Python 3.8 reads.
"""

import platform
import sys
import sysconfig
from typing import NamedTuple
from typing import Tuple

Version = Tuple[int, ...]


class Line(NamedTuple):
    """A release of TFX, and what its packages have wheels for."""

    lock: str
    pythons: Tuple[Version, ...]
    glibc: Version


LINES = (
    Line("requirements/tfx-1.16.txt", ((3, 10), (3, 11)), (2, 28)),
    Line("requirements/tfx-1.21.txt", ((3, 12), (3, 13)), (2, 39)),
)


class Machine(NamedTuple):
    """What decides which packages there are.

    Attributes:
        system: `Linux`, `Darwin` or `Windows`.
        processor: `x86_64`, `aarch64`, ...
        glibc: Version of the GNU C library; empty where another one is used.
        python: Major and minor version.
        kind: Empty for the usual build of CPython, else how this one differs.
    """

    system: str
    processor: str
    glibc: Version
    python: Version
    kind: str = ""

    def __str__(self) -> str:
        """Returns it as people say it."""
        parts = ["Python " + dotted(self.python)]
        parts += [f"({self.kind})"] if self.kind else []
        parts += [f"on {self.system} {self.processor}"]
        if self.system == "Linux":
            glibc = f"glibc {dotted(self.glibc)}" if self.glibc else "musl, no glibc"
            parts += [f"with {glibc}"]
        return " ".join(parts)


def dotted(version: Version) -> str:
    """Returns `3.11` for (3, 11)."""
    return ".".join(map(str, version))


def this_machine() -> Machine:
    """Returns the machine that this runs on."""
    library, version = platform.libc_ver()
    kind = ""
    if platform.python_implementation() != "CPython":
        kind = platform.python_implementation()
    elif sys.maxsize < 2**32:
        kind = "32 bits"
    elif sysconfig.get_config_var("Py_GIL_DISABLED"):
        kind = "free-threaded"
    return Machine(
        platform.system(),
        {"AMD64": "x86_64"}.get(platform.machine(), platform.machine()),
        tuple(map(int, version.split(".")[:2])) if library == "glibc" else (),
        tuple(sys.version_info[:2]),
        kind,
    )


def choose(machine: Machine) -> str:
    """Returns the lock file for a machine, relative to the project's root.

    Raises:
        ValueError: There is none; the message is one line.
    """
    needs = ", or ".join(
        f"Python {' or '.join(map(dotted, line.pythons))} and "
        f"glibc {dotted(line.glibc)} or newer"
        for line in LINES
    )
    image = "the image of docker/Dockerfile (docs/how-to/containers.md)"
    if machine.system == "Windows":
        advice = f"use WSL 2 with Debian or Ubuntu, or {image}"
    elif machine.system != "Linux":
        advice = f"use {image}, built with --platform linux/amd64"
    elif machine.processor != "x86_64":
        advice = (
            "ML Metadata has no package for this processor: use an x86-64 machine, or "
            f"{image}, built with --platform linux/amd64"
        )
    elif machine.glibc < LINES[0].glibc:
        advice = f"use Debian 12 or 13, Ubuntu 22.04 or 24.04, or {image}"
    else:
        fitting = [line for line in LINES if machine.glibc >= line.glibc]
        for line in fitting:
            if machine.python in line.pythons and not machine.kind:
                return line.lock
        python = dotted(fitting[-1].pythons[-1])
        advice = (
            f"install the usual CPython {python} with its headers and call "
            f"`make PYTHON=python{python} ...`"
        )
    raise ValueError(
        f"crossctr has no packages for {machine}; needed is x86-64 Linux with {needs}; "
        f"{advice}"
    )


if __name__ == "__main__":
    try:
        print(choose(this_machine()))
    except ValueError as error:
        sys.exit(str(error))
