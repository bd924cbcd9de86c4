"""Folders such as `team [ads] x`, which TFX and TensorFlow take for patterns.

TFX names files by patterns, `<folder>/*`, and TensorFlow looks for a checkpoint by its
prefix as if it were one; neither escapes the folder's name. Here a folder is meant as
it is written, and only a file name is a pattern. `models.compat` and
`components.compat` teach this to TensorFlow and Beam.
"""

from __future__ import annotations

import atexit
import functools
import glob
import os
import shutil
import tempfile


def files_of(pattern: str) -> list[str]:
    """Returns the files that match, in order.

    Args:
        pattern: A folder, and a file name that may have `*`, `?` and `[...]`.
    """
    folder, name = os.path.split(pattern)
    return sorted(glob.glob(os.path.join(glob.escape(folder), name)))


def plain_path(path: str | os.PathLike[str]) -> str:
    """Returns a path to the same file that nothing takes for a pattern.

    It leads through a link of this process alone, so it is good for reading and writing
    now and not to be kept.
    """
    folder, name = os.path.split(os.fspath(path))
    if not glob.has_magic(folder):
        return os.fspath(path)
    return os.path.join(_link_to(os.path.abspath(folder)), name)


@functools.cache
def _link_to(folder: str) -> str:
    links = _links()
    link = os.path.join(links, str(len(os.listdir(links))))
    os.symlink(folder, link)
    return link


@functools.cache
def _links() -> str:
    folder = tempfile.mkdtemp(prefix="crossctr-links-")
    # Links are removed, not what they lead to.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def is_literal(pattern: str) -> bool:
    """Returns whether the pattern's folder looks like a pattern and is a folder."""
    folder = os.path.dirname(pattern)
    return glob.has_magic(folder) and os.path.isdir(folder)
