"""Checks of an environment and of a configuration's files, without running anything."""
