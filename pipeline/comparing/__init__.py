"""Strategies trained on several seeds and compared on the same impressions."""
