"""StatisticsGen of TFX, with statistics that a later day can find."""
