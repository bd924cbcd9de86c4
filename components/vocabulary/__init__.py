"""Append-only vocabularies and frozen statistics: how raw values are encoded."""
