"""Commands that measure; no part of the tests, no part of the package."""
