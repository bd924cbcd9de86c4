"""TFX pipelines: one factory per graph."""

import components  # noqa: F401 (chooses Keras and defers imports, before TFX is imported)
