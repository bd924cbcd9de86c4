"""Command line: one module per command; `group` puts them together."""

from pipeline.cli.own_packages import check_own_packages

# Before anything else is imported from packages of these names.
check_own_packages()

from pipeline.cli.group import main  # noqa: E402

__all__ = ["main"]
