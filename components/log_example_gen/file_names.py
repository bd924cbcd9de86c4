"""Names of log files: which formats they say, and what is not a log file at all."""

from __future__ import annotations

from pathlib import Path

# The format of each suffix.
SUFFIXES = {
    ".parquet": ".parquet",
    ".pq": ".parquet",
    ".csv": ".csv",
    ".tsv": ".csv",
    ".jsonl": ".jsonl",
    ".json": ".jsonl",
    ".ndjson": ".jsonl",
    ".tfrecord": ".tfrecord",
}
# Ways in which text files may be packed, with Arrow's name of each.
PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
# Ways in which the files of a format may be packed; Parquet packs itself.
_PACKED_AS = {".csv": tuple(PACKED), ".jsonl": tuple(PACKED), ".tfrecord": (".gz",)}
EXPECTED_SUFFIXES = f"{', '.join(SUFFIXES)} (text also {', '.join(PACKED)})"

# In lower case, with the suffix that a file of this one may well be meant to have.
_ALMOST = {
    ".parq": ".parquet",
    ".tfrecords": ".tfrecord",
    ".tfr": ".tfrecord",
}
# Of checksums, of editors, and of Hadoop's folders in object stores.
_BOOKKEEPING = (".crc", "~", "_$folder$")
# Packed in a way that is not read.
_UNREAD_PACKED = (".zstd", ".xz", ".lz4", ".snappy", ".zip")


def format_of(path: str) -> str | None:
    """Returns the format of a log file, by its name in UTF-8; None if it is none.

    Example:
        >>> format_of("part-0.csv.gz"), format_of("part-0.json"), format_of("_SUCCESS")
        ('.csv', '.jsonl', None)
    """
    name = Path(path).name
    if is_bookkeeping(name) or not _is_utf8(name):
        return None
    packed = _packing_of(name)
    found = SUFFIXES.get(suffix_of(name))
    if found is None or (packed and packed not in _PACKED_AS.get(found, ())):
        return None
    return found


def suffix_of(path: str) -> str:
    """Returns the suffix of a file's name, without that of its packing.

    Example:
        >>> suffix_of("part-0.tsv.zst")
        '.tsv'
    """
    name = Path(path).name
    return Path(name.removesuffix(_packing_of(name))).suffix


def unpacked_name(path: str) -> str:
    """Returns the path of a file without the suffix of its packing."""
    return path.removesuffix(_packing_of(path))


def _packing_of(name: str) -> str:
    return next((end for end in PACKED if name.endswith(end)), "")


def _is_utf8(name: str) -> bool:
    """Whether a name can be written down: in the metadata, in the quarantine."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_bookkeeping(name: str) -> bool:
    """Whether Spark, Hadoop or an editor keeps a file of this name for itself."""
    return name.startswith((".", "_")) or name.endswith(_BOOKKEEPING)


def naming_advice(name: str) -> str:
    """Returns why a file of this name is not read, and what to do."""
    if not _is_utf8(name):
        return "its name is not UTF-8; rename it"
    name = name.lower()
    ends = (*PACKED, *_UNREAD_PACKED)
    packed = next((end for end in ends if name.endswith(end)), "")
    suffix = Path(name.removesuffix(packed)).suffix
    meant = _ALMOST.get(suffix, suffix)
    if meant not in SUFFIXES:
        return f"none of {', '.join(SUFFIXES)}; convert it, or move it away"
    known = _PACKED_AS.get(SUFFIXES[meant], ())
    if packed and not known:
        return "packed; unpack it, as Parquet compresses by itself"
    if packed and packed not in known:
        return f"packed as {packed}; unpack it, or pack it with gzip"
    return f"rename it to end in {meant}{packed}"
