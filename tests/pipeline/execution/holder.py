"""Program that holds the lock on a root, run as another process."""

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.execution.lock import hold
with hold(Path(sys.argv[1]), "crossctr run x.yaml --day 2024-02-23"):
    print("held", flush=True)
    time.sleep(60)
"""
