"""Commands that measure; no part of the tests, no part of the package."""

import models  # noqa: F401 (chooses Keras before anything imports TensorFlow)
