"""SnapshotExporter: a tiny pretraining model's tables as one period's snapshot."""
