"""Evaluation: metrics, intervals and judgements in NumPy alone."""
