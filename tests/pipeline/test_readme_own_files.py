"""The README's five commands, word for word, on two CSV files.

crossctr init feeds.csv ads.csv --target ads
crossctr validate ads.yaml --day 2024-01-24
crossctr run ads.yaml --day 2024-01-24
crossctr serve ads.yaml &
crossctr predict ads.yaml --wait 120
"""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.two_csvs import write_two_csvs

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.checkout]

ROOT = Path(__file__).parents[2]
# Addresses of `crossctr serve`, which the README's commands leave at their defaults.
_PORTS = (8500, 8501)


def _commands() -> str:
    """Returns the block of commands of the README's section on own files."""
    text = (ROOT / "README.md").read_text()
    section = text.split("## Two CSV files to a served model\n")[1]
    blocks = re.findall(r"```sh\n(.*?)```", section.split("\n## ")[0], re.DOTALL)
    assert len(blocks) == 1
    return blocks[0]


def _crossctr(folder: Path) -> Path:
    """Writes a `crossctr` that runs this checkout; returns its folder."""
    path = folder / "crossctr"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipeline "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_five_commands_lead_from_two_csv_files_to_an_answer(tmp_path):
    commands = _commands()
    assert len(commands.strip().splitlines()) == 5
    assert not any(map(_listens, _PORTS)), "another server listens on 8500 or 8501"
    bin_folder, work = tmp_path / "bin", tmp_path / "work"
    bin_folder.mkdir()
    work.mkdir()
    rows = write_two_csvs(work)

    ran = subprocess.run(
        ["bash", "-e", "-c", f"trap 'kill $(jobs -p) || true' EXIT\n{commands}"],
        cwd=work,
        env={
            **os.environ,
            "PATH": f"{_crossctr(bin_folder)}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=1_800,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    for domain, count in rows.items():
        line = f"{domain}: {count:,} rows read = {count:,} written, by day of time, + 0"
        assert line in ran.stdout
    # What `init` says is next is what the README says.
    assert "  crossctr run ads.yaml --day 2024-01-24\n" in ran.stdout
    published = work / "runs" / "ads" / "serving" / "ads" / "2024012400"
    assert (published / "saved_model.pb").is_file()
    assert "ads version 2024012400, predict of 5 rows" in ran.stdout
