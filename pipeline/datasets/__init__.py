"""Data sets: import of the shipped logs and the simulator; not used by daily runs."""
