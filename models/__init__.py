"""Keras side of crossctr: features, networks, training, metrics and export.

Nothing in this package imports TFX or Beam (importing TFX costs about 20 s), so every
module here can be tested and used on its own.

Importing it makes TensorFlow use Keras 2 (`tf_keras`). No other place does: packages
that import TensorFlow or TFX at the top of a module import `models` before.
"""

import os
import sys

# TensorFlow reads it once, when it is imported.
if os.environ.get("TF_USE_LEGACY_KERAS") not in ("1", "true", "True"):
    if "tensorflow" in sys.modules:
        raise ImportError(
            "tensorflow was imported before crossctr and has chosen Keras 3, with "
            "which TFX and TensorFlow Recommenders do not work; import `models` before "
            "tensorflow, or set TF_USE_LEGACY_KERAS=1 in the environment"
        )
    os.environ["TF_USE_LEGACY_KERAS"] = "1"

# On GPUs: memory as needed, since steps of one process and TF Serving share a GPU; and
# products of matrices in full float32, since statistics are summed by them. Neither
# changes anything without a GPU, and a value that is set already counts.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
