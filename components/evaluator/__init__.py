"""Evaluator: the metrics as TFMA adapters, and what is read back."""
