"""CCTL: a companion network says what source rows bring to the target."""
