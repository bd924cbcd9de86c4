"""Configuration: its models, how it is loaded, and the checks of it."""
