"""Transform of TFX: raw Examples to encoded features, once per block, in columns."""
