"""CCTL: a companion network that weights source impressions by their usefulness."""
