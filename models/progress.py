"""Logger of the progress lines that users see while a step runs."""

from __future__ import annotations

import logging

PROGRESS = logging.getLogger("crossctr.progress")
