"""Features: the feature table and the kinds of feature."""
