"""Whether a candidate may be published: a decision with its reasons in words."""
