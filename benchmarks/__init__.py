"""Benchmarks and method checks; part of neither the tests nor the package."""

import models  # noqa: F401 (chooses Keras before anything imports TensorFlow)
