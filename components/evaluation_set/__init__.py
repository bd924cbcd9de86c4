"""The target's rows of the evaluation days as tf.Examples, which TFMA reads."""
