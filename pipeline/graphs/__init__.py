"""TFX pipelines: one factory per graph."""

import models  # noqa: F401 (chooses Keras before anything imports TensorFlow)
