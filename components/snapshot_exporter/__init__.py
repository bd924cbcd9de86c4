"""Exports a tiny pretraining model's embedding tables as one period's snapshot."""
