"""Planning: which steps are due for a day, and why. Pure functions, no I/O."""
