"""Errors that a client causes."""

from __future__ import annotations


class BadRequestError(Exception):
    """The request does not fit the model."""
