"""Commands on disks that fill up, for a process in a mount namespace of its own.

    unshare --map-root-user --mount python -m tests.pipeline.full_disk FOLDER

The namespace may mount file systems in memory without root's rights and takes them
along when it ends. Prints a line of JSON for each command.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from click.testing import CliRunner

from pipeline.cli.group import main as crossctr
from pipeline.execution import preflight
from tests.misuse import world
from tests.pipeline.feeds_ads import OPEN_GATE

KIB, MIB = 1 << 10, 1 << 20
DAY = "2024-03-01"
INGEST = ("ingest", "--to", DAY)
RUN = ("run", "--day", DAY)
# The disk that fills up, what is free on it, the command, and what it fails at.
TRIALS = (
    ("root", 2 * KIB, INGEST, "start"),
    ("root", 32 * KIB, INGEST, "ML Metadata"),
    ("root", 100 * KIB, INGEST, "examples"),
    ("root", 400 * KIB, INGEST, "Transform"),
    ("root", None, INGEST, ""),
    ("root", 3 * MIB, RUN, "training"),
    ("serving", MIB, RUN, "publication"),
    ("root", None, RUN, ""),
)


def main() -> None:
    """Mounts two disks and runs every trial."""
    folder = Path(sys.argv[1])
    for name in ("root", "serving"):
        disk = folder / name
        disk.mkdir()
        options = ["-t", "tmpfs", "-o", "size=256m", "tmpfs"]
        subprocess.run(["mount", *options, str(disk)], check=True)
    config = _project(folder)
    # What is free before the work is not what is free during it.
    with mock.patch.object(preflight, "check_room"):
        for name, free, (command, *options), stage in TRIALS:
            filler = _filled(folder / name, free)
            found = CliRunner().invoke(crossctr, [command, str(config), *options])
            filler.unlink()
            print(
                json.dumps(
                    {
                        "disk": name,
                        "command": command,
                        "stage": stage,
                        "code": found.exit_code,
                        "lines": found.output.splitlines(),
                        "serving": _served(folder / "serving"),
                    }
                ),
                flush=True,
            )


def _project(folder: Path) -> Path:
    """Writes a project whose tables are larger than anything an ingest writes."""
    world.build(folder / "world", {"set": {"gate": OPEN_GATE}})
    config = folder / "world" / "config.yaml"
    settings = yaml.safe_load(config.read_text())
    settings["root"] = str(folder / "root" / "runs")
    settings["serving"] = {"directory": str(folder / "serving" / "models")}
    settings["vocabularies"]["user"] = {"capacity": 200_000}
    config.write_text(yaml.safe_dump(settings))
    return config


def _filled(disk: Path, free: int | None) -> Path:
    """Returns a file that leaves `free` bytes of a disk; None for all of them."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        left = 0 if free is None else max(shutil.disk_usage(disk).free - free, 0)
        for start in range(0, left, MIB):
            file.write(bytes(min(MIB, left - start)))
    return filler


def _served(disk: Path) -> dict[str, Any]:
    """Returns what TF Serving finds: versions with their files, and the labels."""
    versions = {
        path.name: sorted(inner.name for inner in path.iterdir())
        for path in (disk / "models" / "tiny").glob("[0-9]*")
    }
    return {
        "versions": versions,
        "labels": (disk / "models" / "models.config").is_file(),
    }


if __name__ == "__main__":
    main()
