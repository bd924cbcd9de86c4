"""TFX components of crossctr: spec, executor and pure logic, one folder each."""

import models  # noqa: F401 (chooses Keras before anything imports TensorFlow)
from components import deferred_imports

deferred_imports.install()
