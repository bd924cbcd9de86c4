"""Command line: one module per command; `group` puts them together."""

from pipeline.cli.group import main

__all__ = ["main"]
