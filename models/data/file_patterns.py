"""Literal treatment of folders such as `team [ads] x`, which look like patterns.

TFX names files by patterns, `<folder>/*`, and TensorFlow searches for a checkpoint's
prefix as a pattern; neither escapes the folder's name. The functions here take a folder
literally and only a file name as a pattern. `models.compat` and `components.compat`
make TensorFlow and Beam do the same.
"""

from __future__ import annotations

import atexit
import functools
import glob
import os
import shutil
import tempfile


def files_of(pattern: str) -> list[str]:
    """Returns the files that match a pattern, sorted.

    Args:
        pattern: A literal folder, and a file name that may contain `*`, `?` and
            `[...]`.
    """
    folder, name = os.path.split(pattern)
    return sorted(glob.glob(os.path.join(glob.escape(folder), name)))


def plain_path(path: str | os.PathLike[str]) -> str:
    """Returns a path to the same file without pattern characters.

    The path goes through a symbolic link that lives as long as this process, so it must
    not be stored.
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
    # Removes the links, not the folders they point to.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def is_literal(pattern: str) -> bool:
    """Returns whether the pattern's folder exists and contains pattern characters."""
    folder = os.path.dirname(pattern)
    return glob.has_magic(folder) and os.path.isdir(folder)
