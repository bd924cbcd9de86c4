"""Script for a clean Debian, and its message where it cannot work."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "on_debian.sh"


def write_programs(folder, programs):
    folder.mkdir()
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        pytest.param(
            {"id": "[ $1 = -u ] && echo 1000 || echo ann"},
            "user ann may not make a root folder; call it as root",
            id="not root",
        ),
        pytest.param(
            {"id": "echo 0", "apt-get": "exit 100"},
            "debootstrap is missing and apt-get could not install it; install it",
            id="no debootstrap",
        ),
        pytest.param(
            {"id": "echo 0", "apt-get": "true", "debootstrap": "true"},
            "apt knows no mirror of Debian; set MIRROR to the address of one",
            id="no mirror",
        ),
        pytest.param(
            {
                "id": "echo 0",
                "apt-get": "echo http://mirror.example/debian",
                "debootstrap": "echo E: no such release; exit 1",
            },
            "debootstrap failed; the last lines of {roots}/sid.log: E: no such release",
            id="debootstrap fails",
        ),
    ],
)
def test_one_line_says_what_is_missing(tmp_path, programs, said):
    write_programs(tmp_path / "bin", programs)
    roots = tmp_path / "roots"
    done = subprocess.run(
        [SCRIPT, "sid", "true"],
        # Without the folder of administrators' programs, where debootstrap is.
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "ROOTS": str(roots)},
        cwd=os.sep,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"tests/on_debian.sh: {said.format(roots=roots)}\n"
    assert not (roots / "sid" / ".ready").exists()


def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    write_programs(tmp_path / "bin", {"id": "echo 0"})
    (tmp_path / "sid" / "src").mkdir(parents=True)
    with (tmp_path / "sid.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = subprocess.run(
            [SCRIPT, "sid", "true"],
            env={
                "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
                "ROOTS": str(tmp_path),
                "CLEAN": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"tests/on_debian.sh: another run is using {tmp_path}/sid; wait for it, or set "
        "ROOTS to another folder\n"
    )
    assert (tmp_path / "sid" / "src").is_dir()
