"""What TFX, TFMA and Beam call differently in the releases that crossctr runs on.

The locks of `requirements/` pin two lines, TFX 1.16 and TFX 1.21; the code is the same
for both, and a name that only one of them has is looked up here and nowhere else.
"""

# TFMA 0.47 offers these as `tfma.EvalConfig` and so on, TFMA 0.52 only as its protos.
from tensorflow_model_analysis.proto.config_pb2 import EvalConfig
from tensorflow_model_analysis.proto.config_pb2 import MetricConfig
from tensorflow_model_analysis.proto.config_pb2 import MetricsSpec
from tensorflow_model_analysis.proto.config_pb2 import ModelSpec
from tensorflow_model_analysis.proto.config_pb2 import SlicingSpec

__all__ = ["EvalConfig", "MetricConfig", "MetricsSpec", "ModelSpec", "SlicingSpec"]
