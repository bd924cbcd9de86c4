"""Orchestration: configuration, calendar, graphs, runner and command line."""
