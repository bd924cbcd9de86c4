"""Guesses of a first configuration from some rows of logs: `crossctr init`."""
