"""Logs to Examples: dated log files become Parquet Examples, one split per domain."""
