"""Puts an approved model where TF Serving looks for it, under a dated version."""
