"""Lock files: complete, with hashes, without packages that production does not need."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "requirements"
LINES = ["tfx-1.16", "tfx-1.21"]


def pinned(name):
    """Returns the versions and the number of hashes of each package of a lock file."""
    found = {}
    for entry in (FOLDER / f"{name}.txt").read_text().replace("\\\n", " ").splitlines():
        package, version = re.match(r"([a-z0-9-]+)==([^ ;]+)", entry).groups()
        hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}(?= |$)", entry))
        found.setdefault(package, []).append((version, hashes))
    return found


def wanted(name):
    """Returns the packages that an input file and those that it includes name."""
    found = set()
    for entry in (FOLDER / f"{name}.in").read_text().splitlines():
        if entry.startswith("-r "):
            found |= wanted(entry[3:].removesuffix(".in"))
        elif entry and not entry.startswith("#"):
            found.add(re.match(r"[\w-]+", entry)[0].lower().replace("_", "-"))
    return found


@pytest.mark.parametrize(
    "name", [*LINES, *(f"{line}-test" for line in LINES), "uv", "audit", "docs"]
)
def test_every_package_is_pinned_with_hashes(name):
    packages = pinned(name)
    source = "test" if name.endswith("-test") else name
    assert wanted(source) <= packages.keys()
    assert [p for p, pins in packages.items() if not all(n for _, n in pins)] == []


@pytest.mark.parametrize("line", LINES)
def test_production_has_neither_notebooks_nor_test_tools(line):
    unneeded = {"jupyterlab", "jupyter-server", "notebook", "ipykernel", "uv"}
    # TFX asks for scikit-learn, and on one line for jsonschema.
    unneeded |= wanted("test") - {"scikit-learn", "jsonschema"}
    assert unneeded & pinned(line).keys() == set()


@pytest.mark.parametrize("line", LINES)
def test_tests_run_on_what_production_has(line):
    production, tests = pinned(line), pinned(f"{line}-test")
    shared = production.keys() & tests.keys()
    assert "numpy" in shared
    assert {p: tests[p] for p in shared} == {p: production[p] for p in shared}


def test_both_lines_are_told_the_same_things():
    either = wanted("crossctr")
    assert either
    assert either <= wanted("tfx-1.16") & wanted("tfx-1.21")
