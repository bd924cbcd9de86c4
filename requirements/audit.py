"""Asks a vulnerability service about every package of the lock files (make audit).

pip-audit itself passes a package that the service knows nothing about, or does not
answer for. Here that is a failure of its own, because nothing is known then.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
OWN = [FOLDER / f"{name}.txt" for name in ("uv", "audit", "docs")]
LOCKS = sorted([*FOLDER.glob("tfx-*.txt"), *OWN])
VULNERABLE, NOT_ANSWERED = 1, 2


def read_report(lock: str, report: dict[str, Any]) -> tuple[list[str], int]:
    """Returns what to say about a lock file, and the exit code for it.

    Args:
        lock: The file's name.
        report: pip-audit's JSON.
    """
    packages = report["dependencies"]
    unknown = [p for p in packages if "skip_reason" in p]
    vulnerable = [p for p in packages if p.get("vulns")]
    said = [
        f"{lock}: {p['name']} {p['version']} has {v['id']}, fixed in "
        f"{', '.join(v['fix_versions']) or 'no version'}"
        for p in vulnerable
        for v in p["vulns"]
    ]
    answered = len(packages) - len(unknown)
    said.append(
        f"{lock}: {answered} of {len(packages)} packages looked up, "
        f"{len(vulnerable)} of them vulnerable"
    )
    if unknown:
        said.append(
            f"{lock}: NOT AUDITED: no answer about {len(unknown)} packages, the first: "
            f"{unknown[0]['skip_reason']}; run it where the service can be reached"
        )
    return said, (VULNERABLE if vulnerable else NOT_ANSWERED if unknown else 0)


def main() -> int:
    """Audits each lock file; returns the exit code."""
    codes = []
    for lock in LOCKS:
        # Off: a lock file is complete, and nothing is to be downloaded.
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--progress-spinner", "off"),
                *("--require-hashes", "--disable-pip", "--format", "json"),
                *("--requirement", str(lock)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            said, code = read_report(lock.name, json.loads(done.stdout))
        except json.JSONDecodeError:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            said = [f"{lock.name}: NOT AUDITED: pip-audit ended with an error: {last}"]
            code = NOT_ANSWERED
        print(*said, sep="\n", flush=True)
        codes.append(code)
    return VULNERABLE if VULNERABLE in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
