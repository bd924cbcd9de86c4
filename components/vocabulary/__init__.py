"""Append-only vocabularies: yesterday's ids keep their rows, new ones follow."""
