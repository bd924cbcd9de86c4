"""Networks that are trained on all domains and have a part of each domain's own."""
