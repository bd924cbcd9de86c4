"""Schemas: inference from logs, comparison and files."""
