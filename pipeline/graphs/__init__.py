"""TFX pipelines: one factory per graph."""
