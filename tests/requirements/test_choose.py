"""Lock file of a machine, and the message if there is none."""

import ast
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "requirements" / "choose.py"
choose = runpy.run_path(str(SCRIPT))
Machine = choose["Machine"]
OLD, NEW = "requirements/tfx-1.16.txt", "requirements/tfx-1.21.txt"


def linux(python, glibc=(2, 41), processor="x86_64", kind=""):
    return Machine("Linux", processor, glibc, python, kind)


@pytest.mark.parametrize(
    ("machine", "lock"),
    [
        pytest.param(linux((3, 11), (2, 36)), OLD, id="Debian 12"),
        pytest.param(linux((3, 13), (2, 41)), NEW, id="Debian 13"),
        pytest.param(linux((3, 10), (2, 35)), OLD, id="Ubuntu 22.04"),
        pytest.param(linux((3, 12), (2, 39)), NEW, id="Ubuntu 24.04"),
        pytest.param(linux((3, 11), (2, 41)), OLD, id="Python 3.11 on Debian 13"),
        pytest.param(linux((3, 10), (2, 28)), OLD, id="oldest glibc of TFX 1.16"),
        pytest.param(linux((3, 13), (3, 0)), NEW, id="glibc 3"),
    ],
)
def test_lock_of_a_machine(machine, lock):
    assert choose["choose"](machine) == lock
    for name in (lock, lock.replace(".txt", "-test.txt")):
        assert (ROOT / name).is_file()


NO_LOCK = [
    pytest.param(
        linux((3, 9), (2, 36)),
        "Python 3.9 on Linux x86_64 with glibc 2.36;",
        "install the usual CPython 3.11 with its headers and call "
        "`make PYTHON=python3.11 ...`",
        id="Python 3.9",
    ),
    pytest.param(
        linux((3, 14)),
        "Python 3.14 on Linux x86_64 with glibc 2.41;",
        "call `make PYTHON=python3.13 ...`",
        id="Python 3.14",
    ),
    pytest.param(
        linux((3, 14), (2, 36)),
        "Python 3.14 on Linux x86_64 with glibc 2.36;",
        "call `make PYTHON=python3.11 ...`",
        id="Python 3.14 on Debian 12",
    ),
    pytest.param(
        linux((3, 12), (2, 36)),
        "Python 3.12 on Linux x86_64 with glibc 2.36;",
        "call `make PYTHON=python3.11 ...`",
        id="Python 3.12 with an older glibc",
    ),
    pytest.param(
        linux((3, 13), (2, 38)),
        "Python 3.13 on Linux x86_64 with glibc 2.38;",
        "call `make PYTHON=python3.11 ...`",
        id="glibc one short",
    ),
    pytest.param(
        linux((3, 11), (2, 27)),
        "Python 3.11 on Linux x86_64 with glibc 2.27;",
        "use Debian 12 or 13, Ubuntu 22.04 or 24.04",
        id="glibc before 2.28",
    ),
    pytest.param(
        linux((3, 12), ()),
        "Python 3.12 on Linux x86_64 with musl, no glibc;",
        "use Debian 12 or 13, Ubuntu 22.04 or 24.04",
        id="musl",
    ),
    pytest.param(
        linux((3, 13), processor="aarch64"),
        "Python 3.13 on Linux aarch64 with glibc 2.41;",
        "ML Metadata has no package for this processor: use an x86-64 machine",
        id="arm64 Linux",
    ),
    pytest.param(
        Machine("Darwin", "arm64", (), (3, 11)),
        "Python 3.11 on Darwin arm64;",
        "built with --platform linux/amd64",
        id="macOS on Apple silicon",
    ),
    pytest.param(
        Machine("Darwin", "x86_64", (), (3, 11)),
        "Python 3.11 on Darwin x86_64;",
        "docs/how-to/containers.md",
        id="macOS on Intel",
    ),
    pytest.param(
        Machine("Windows", "x86_64", (), (3, 12)),
        "Python 3.12 on Windows x86_64;",
        "use WSL 2",
        id="Windows",
    ),
    pytest.param(
        linux((3, 11), kind="PyPy"),
        "Python 3.11 (PyPy) on Linux x86_64 with glibc 2.41;",
        "install the usual CPython 3.13",
        id="PyPy",
    ),
    pytest.param(
        linux((3, 13), kind="free-threaded"),
        "Python 3.13 (free-threaded) on Linux x86_64 with glibc 2.41;",
        "install the usual CPython 3.13",
        id="free-threaded",
    ),
]


@pytest.mark.parametrize(("machine", "has", "advice"), NO_LOCK)
def test_no_lock_says_what_there_is_what_is_needed_and_what_to_do(machine, has, advice):
    with pytest.raises(ValueError, match="needed is x86-64 Linux with") as raised:
        choose["choose"](machine)
    message = str(raised.value)
    assert "\n" not in message
    found, needed, todo = message.split("; ")
    assert found + ";" == f"crossctr has no packages for {has}"
    assert "Python 3.10 or 3.11 and glibc 2.28" in needed
    assert "Python 3.12 or 3.13 and glibc 2.39" in needed
    assert advice in todo


def test_old_pythons_can_read_it():
    ast.parse(SCRIPT.read_text(), feature_version=(3, 8))


def test_this_machine_is_one_that_the_tests_run_on():
    machine = choose["this_machine"]()
    assert machine.python == sys.version_info[:2]
    assert choose["choose"](machine) in (OLD, NEW)


def test_make_says_the_line_and_sets_nothing_up(tmp_path):
    python = tmp_path / "python3"
    python.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c '"
        "import platform, runpy, sys\n"
        'platform.machine = lambda: "aarch64"\n'
        'runpy.run_path(sys.argv[1], run_name="__main__")\' "$@"\n'
    )
    python.chmod(0o755)
    venv = tmp_path / "venv"
    done = subprocess.run(
        ["make", "--silent", "setup", f"PYTHON={python}", f"VENV={venv}"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    said, *rest = done.stderr.splitlines()
    assert said.startswith("crossctr has no packages for Python 3.")
    assert "Linux aarch64" in said
    assert [line for line in rest if not line.startswith("make")] == []
    assert done.stdout == ""
    assert not venv.exists()
