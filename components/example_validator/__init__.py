"""TFX's ExampleValidator, by domain, against yesterday and against the target."""
