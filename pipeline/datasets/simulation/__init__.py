"""Simulator of feeds and ads logs with known click probabilities."""
