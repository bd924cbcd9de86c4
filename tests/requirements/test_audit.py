"""Audit of packages, which fails if the service does not answer."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "audit.py"
read_report = runpy.run_path(str(SCRIPT))["read_report"]

CLEAN = {"name": "click", "version": "8.5.1", "vulns": []}
BAD = {
    "name": "pyarrow",
    "version": "10.0.1",
    "vulns": [{"id": "PYSEC-2023-238", "fix_versions": ["14.0.1"]}],
}
UNKNOWN = {"name": "wrapt", "skip_reason": "wrapt (2.5.2) could not be audited"}


@pytest.mark.parametrize(
    ("packages", "code", "last"),
    [
        ([CLEAN], 0, "a.txt: 1 of 1 packages looked up, 0 of them vulnerable"),
        ([CLEAN, BAD], 1, "a.txt: 2 of 2 packages looked up, 1 of them vulnerable"),
        (
            [CLEAN, UNKNOWN],
            2,
            "a.txt: NOT AUDITED: no answer about 1 packages, the first: wrapt (2.5.2) "
            "could not be audited; run it where the service can be reached",
        ),
    ],
    ids=["clean", "vulnerable", "no answer"],
)
def test_what_an_audit_says(packages, code, last):
    said, found = read_report("a.txt", {"dependencies": packages})
    assert (found, said[-1]) == (code, last)


def test_a_vulnerability_counts_more_than_a_missing_answer():
    said, code = read_report("a.txt", {"dependencies": [BAD, UNKNOWN]})
    assert code == 1
    assert said[0] == "a.txt: pyarrow 10.0.1 has PYSEC-2023-238, fixed in 14.0.1"
    assert "NOT AUDITED" in said[-1]
