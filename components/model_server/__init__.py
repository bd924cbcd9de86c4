"""A server of published models for this machine; production is TensorFlow Serving."""
