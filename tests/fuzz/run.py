"""The fuzzers for some minutes: `python -m tests.fuzz.run --minutes 10`.

Prints a table and a line of JSON; ends with 1 at the first input that raises something
else than an error of this project, or if less than half of the logs are convertible.
Inputs that failed are kept in `.hypothesis` and tried first next time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests.fuzz import configurations
from tests.fuzz import logs

# What must be convertible, so that the fuzzer gets past the first check.
LEAST_CONVERTIBLE = 0.5
_ROUND = 500


def fuzz(
    inputs: st.SearchStrategy[Any], check: Callable[[Any], bool], seconds: float
) -> Counter[bool]:
    """Draws and checks inputs until the time is over.

    Returns:
        How many were accepted (True) and refused with an error of this project.
    """
    found: Counter[bool] = Counter()

    @settings(
        max_examples=_ROUND, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(inputs)
    def one_round(drawn: Any) -> None:
        found[check(drawn)] += 1

    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        one_round()
    return found


def main() -> int:
    """Runs both fuzzers, each for half of the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    # TensorFlow reports the end of each TFRecord file.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    seconds = parser.parse_args().minutes * 60 / 2
    read = fuzz(configurations.texts(), configurations.check, seconds)
    print(f"configurations: {read.total():,}, {read[True]:,} valid", flush=True)
    converted = fuzz(logs.logs(), logs.check, seconds)
    share = converted[True] / converted.total()
    print(f"logs: {converted.total():,}, {share:.0%} convertible")
    result = {
        "configurations": read.total(),
        "valid_configurations": read[True],
        "logs": converted.total(),
        "convertible_share": round(share, 3),
    }
    print(json.dumps(result))
    return int(share < LEAST_CONVERTIBLE)


if __name__ == "__main__":
    sys.exit(main())
