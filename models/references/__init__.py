"""Models that a user would try first: what a strategy must beat to be worth it."""
