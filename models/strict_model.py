"""Base class of all configuration models."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic import ConfigDict


class StrictModel(BaseModel):
    """Base class of configuration models: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
