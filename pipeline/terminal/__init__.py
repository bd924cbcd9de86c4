"""Terminal: text that is never markup, tables and the progress of a run."""
