"""Logger of the lines that users see while a step runs.

Level INFO is progress, which the next line replaces on a terminal. A WARNING is what a
user may have to act on: it stays on the terminal, with `--quiet`, too.
"""

from __future__ import annotations

import logging

PROGRESS = logging.getLogger("crossctr.progress")
