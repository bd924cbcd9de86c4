"""Settings of CTNet in the configuration."""

from __future__ import annotations

from typing import Literal

from models.strict_model import StrictModel


class CtnetConfig(StrictModel):
    """Connection of the target tower to the source tower.

    Attributes:
        adapter: Adapter between a layer of the source tower and the same layer of the
            target tower, see `models.ctnet.adapters`; `glu`, the gated linear unit, is
            named in a summary of the paper.
    """

    adapter: Literal["glu", "gate", "linear"] = "glu"
