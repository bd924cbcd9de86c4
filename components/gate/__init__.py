"""Gate: the decision whether a candidate may be published, with its reasons."""
