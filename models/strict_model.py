"""Base of everything read from a configuration."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic import ConfigDict


class StrictModel(BaseModel):
    """Base of everything read from a configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
