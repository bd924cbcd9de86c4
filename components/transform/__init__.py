"""Raw Examples to embedding rows, once, in columns; the same graph serves."""
