"""Evaluation set: the target's impressions of the evaluation days, for TFMA."""
