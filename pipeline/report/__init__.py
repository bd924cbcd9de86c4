"""HTML report of a run: content from artifacts, charts, templates and file."""
