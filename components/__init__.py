"""The TFX components of crossctr: spec, executor and pure logic, one folder each."""
