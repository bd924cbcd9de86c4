"""Evaluator: metrics as TFMA adapters, configuration, and reading of the results."""
