"""Check of the files in a wheel and an sdist; prints what is missing or too much.

python tests/package_contents.py SOURCES SDIST|WHEEL ...
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGES = ("pipeline", "components", "models")
# Beside the packages; setuptools adds metadata of its own.
SDIST_FILES = {
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "SECURITY.md",
    "pyproject.toml",
    "requirements/choose.py",
    "requirements/left-out.txt",
    "requirements/overrides.txt",
    "requirements/tfx-1.16-test.txt",
    "requirements/tfx-1.16.txt",
    "requirements/tfx-1.21-test.txt",
    "requirements/tfx-1.21.txt",
    "setup.py",
}
SDIST_METADATA = {"PKG-INFO", "setup.cfg"}


def package_files(sources: Path) -> set[str]:
    """Returns the files of the three packages, relative to `sources`."""
    return {
        path.relative_to(sources).as_posix()
        for package in PACKAGES
        for path in (sources / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def differences(sources: Path, archive: Path) -> list[str]:
    """Returns one line per file that is missing in an archive or does not belong.

    A wheel has the files of the three packages, an sdist also what builds the wheel.
    """
    expected = package_files(sources)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            names = {n for n in opened.namelist() if ".dist-info/" not in n}
    else:
        expected |= SDIST_FILES
        with tarfile.open(archive) as opened:
            files = [member.name for member in opened if member.isfile()]
        names = {name.partition("/")[2] for name in files} - SDIST_METADATA
        names = {name for name in names if ".egg-info/" not in name}
    return [
        *(f"{archive.name} lacks {name}" for name in sorted(expected - names)),
        *(f"{archive.name} also has {name}" for name in sorted(names - expected)),
    ]


def main() -> int:
    """Prints the differences; 1 if there are any."""
    sources, *archives = map(Path, sys.argv[1:])
    found = [line for archive in archives for line in differences(sources, archive)]
    for line in found:
        print(line)
    if not found:
        print(f"Each has all {len(package_files(sources))} files, and no others")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
