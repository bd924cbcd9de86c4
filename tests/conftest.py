"""Settings of all tests, made before TensorFlow is imported."""

import os

import models  # noqa: F401 (chooses Keras before anything imports TensorFlow)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
