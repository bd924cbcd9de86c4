"""The Guard: an anomaly stops the block before anything trains on it."""
