"""What a client can do wrong."""

from __future__ import annotations


class BadRequestError(Exception):
    """What a client asked for does not fit the model."""
