"""Former place of `pipeline.cli.serve` and `pipeline.cli.predict`, kept for imports."""

from pipeline.cli.predict import predictions_table as _table

__all__ = ["_table"]
