"""The page that a run writes: content from artifacts, charts, template, file."""
