"""TFX's StatisticsGen, whose statistics a later day can find."""
