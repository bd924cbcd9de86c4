"""Serving: export of SavedModels, their contract, and requests to them."""
