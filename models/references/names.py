"""Names of references that more than one module knows; needs no scikit-learn."""

from __future__ import annotations

CONSTANT = "constant"
WITH_SOURCES = " + sources"
