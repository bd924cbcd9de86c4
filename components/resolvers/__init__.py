"""Resolvers: select upstream artifacts by fingerprint, never by wall clock."""
