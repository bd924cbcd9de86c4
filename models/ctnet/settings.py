"""What a configuration says of CTNet."""

from __future__ import annotations

from typing import Literal

from models.strict_model import StrictModel


class CtnetConfig(StrictModel):
    """How the target tower reads the source tower.

    Attributes:
        adapter: What stands between a layer of the source tower and the same layer of
            the target tower, see `models.ctnet.adapters`; a summary of the
            paper names gated linear units, `glu`.
    """

    adapter: Literal["glu", "gate", "linear"] = "glu"
