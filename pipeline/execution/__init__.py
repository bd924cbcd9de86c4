"""Execution: runs the steps of a plan, one command at a time."""

import models  # noqa: F401 (chooses Keras before anything imports TensorFlow)
