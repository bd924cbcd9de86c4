"""Folders such as `team [ads] x`, which TFX and TensorFlow take for patterns.

TFX names files by patterns, `<folder>/*`, and TensorFlow looks for a checkpoint by its
prefix as if it were one; neither escapes the folder's name. Here a folder is meant as
it is written, and only a file name is a pattern.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any
from unittest import mock

import tensorflow as tf
from tensorflow.python.saved_model import path_helpers

_tf_glob = tf.io.gfile.glob
_variables_path = path_helpers.get_variables_path


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


def _glob(pattern: Any) -> list[str]:
    patterns = [pattern] if isinstance(pattern, str | os.PathLike) else pattern
    found: list[str] = []
    for one in map(os.fspath, patterns):
        found += files_of(one) if is_literal(one) else _tf_glob(one)
    return found


@contextlib.contextmanager
def literal_folders() -> Iterator[None]:
    """Lets TensorFlow save, load and list in any folder meanwhile."""
    with (
        # Every SavedModel is saved and loaded by this path's prefix.
        mock.patch.object(
            path_helpers,
            "get_variables_path",
            lambda export_dir: plain_path(os.fsdecode(_variables_path(export_dir))),
        ),
        mock.patch.object(tf.io.gfile, "glob", _glob),
    ):
        yield
