"""Setup file for Beam's workers (--setup_file); pyproject.toml has the metadata."""

from setuptools import setup

setup()
