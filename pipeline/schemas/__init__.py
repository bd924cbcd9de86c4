"""Schemas: inference from logs, comparison and files."""

import models  # noqa: F401 (chooses Keras before anything imports TensorFlow)
