"""The documentation site: generated reference pages, and the hooks of its build."""
