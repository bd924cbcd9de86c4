"""Data sets: import of the shipped logs, and the simulator; not part of a daily run."""
