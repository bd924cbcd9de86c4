"""Tuning: the same budget of trials for every strategy and reference."""
