"""Execution: runs the steps of a plan, one command at a time."""
