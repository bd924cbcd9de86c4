"""Logger of progress lines: what a person sees while a step runs."""

from __future__ import annotations

import logging

PROGRESS = logging.getLogger("crossctr.progress")
