"""Addresses of folders and files in object stores, as users write them."""

from __future__ import annotations

import re

from models.errors import ConfigError
from models.errors import shown

SCHEMES = ("s3", "gs", "hdfs")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def is_uri(text: str) -> bool:
    """Whether a text is a URI, of whatever scheme.

    Example:
        >>> is_uri("s3://bucket/logs"), is_uri("runs/logs")
        (True, False)
    """
    return _SCHEME.match(text) is not None


def checked_address(uri: str) -> str:
    """Returns the address of a folder or file, without a slash at its end.

    Raises:
        ConfigError: It is none of an object store.
    """
    scheme, slashes, rest = uri.partition("://")
    rest = rest.rstrip("/")
    bucket, _, path = rest.partition("/")
    known = ", ".join(f"{name}://" for name in SCHEMES)
    if slashes and scheme not in SCHEMES:
        raise ConfigError(
            f"no storage has the scheme {scheme}://; expected a folder of this machine "
            f"or an address that begins with {known}; mount other storage and give the "
            "path of the mount"
        )
    if "@" in bucket:
        # The address is left out of the message, which goes into logs.
        raise ConfigError(
            f"{scheme}://...@... holds credentials, which would be written into logs "
            "and metadata; expected an address without; set them in the environment"
        )
    parts = {*path.split("/")} if path else set()
    if not slashes or (not bucket and scheme != "hdfs") or parts & {"", ".", ".."}:
        raise ConfigError(
            f"{shown(uri)} is no address of a folder or file; expected "
            "<scheme>://<bucket>/<folder> without empty parts, `.` and `..`, with one "
            f"of {known}; correct it"
        )
    if set("?#*") & {*rest}:
        raise ConfigError(
            f"{shown(uri)} has one of ?, # and * in it; expected a plain address, as "
            "patterns are not read and settings of a store come from the environment; "
            "remove them"
        )
    return f"{scheme}://{rest}"
