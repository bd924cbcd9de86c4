"""ExampleValidator of TFX, by domain, against the previous block and the target."""
