"""Feeds -> ads logs whose true click probabilities are known."""
