"""Keras side of crossctr: features, networks, training, metrics and export.

Nothing in this package imports TFX or Beam (importing TFX costs about 20 s), so every
module here can be tested and used on its own.
"""
