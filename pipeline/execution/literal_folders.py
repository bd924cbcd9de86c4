"""Lets Beam, and what TFX runs on it, work in folders such as `team [ads] x`."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from unittest import mock

from apache_beam.io.filesystem import MatchResult
from apache_beam.io.localfilesystem import LocalFileSystem

from models.data import file_patterns

_beam_match = LocalFileSystem.match


def _match(
    self: LocalFileSystem,
    patterns: Sequence[str],
    limits: Sequence[int | None] | None = None,
) -> list[Any]:
    """Returns Beam's metadata of the files that match each pattern."""
    found: list[Any] = []
    for pattern, limit in zip(patterns, limits or [None] * len(patterns), strict=True):
        if not file_patterns.is_literal(pattern):
            found += _beam_match(self, [pattern], [limit])
            continue
        folder, name = os.path.split(pattern)
        # As in Beam: a pattern finds files, hidden ones too; a plain name any path.
        if name and not glob.has_magic(name):
            paths = [pattern] if os.path.exists(pattern) else []
        else:
            wanted = re.compile(self.translate_pattern(name or "*"))
            names = [n for n in sorted(os.listdir(folder)) if wanted.match(n)]
            paths = [os.path.join(folder, n) for n in names]
            paths = [path for path in paths if os.path.isfile(path)][:limit]
        found.append(MatchResult(pattern, [self.metadata(path) for path in paths]))
    return found


@contextlib.contextmanager
def literal_folders() -> Iterator[None]:
    """Takes folders as they are named, see `models.data.file_patterns`.

    It reaches this process alone: not Beam's workers elsewhere.
    """
    with (
        file_patterns.literal_folders(),
        mock.patch.object(LocalFileSystem, "match", _match),
    ):
        yield
