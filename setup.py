"""What Beam ships to its workers (--setup_file); pyproject.toml says what that is."""

from setuptools import setup

setup()
