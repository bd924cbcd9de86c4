"""Guard: stops a block of days with anomalies before any training on it."""
