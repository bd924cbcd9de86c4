"""Evaluation: metrics, intervals and judgements in NumPy and SciPy alone."""
