"""Selects upstream artifacts by what they were made from, never by wall clock."""
