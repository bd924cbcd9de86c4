"""References: models that a user would try first, beside every strategy."""
