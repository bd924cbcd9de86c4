"""Configurations that hypothesis makes up, and what must hold for each."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from models.errors import ConfigError
from pipeline.config.load import dump
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from tests.misuse.world import settings

# Of a message: twenty problems of a thousand characters.
MOST_CHARACTERS = 25_000

# What people mistype, paste or leave empty, and what YAML makes of it.
ODD = st.sampled_from(
    [
        "",
        "~",
        "no",
        "on",
        "null",
        ".inf",
        "nan",
        "-0",
        "1e400",
        "007",
        "1:30",
        "*",
        "..",
    ]
    + ["2024-02-30", "0000-00-00", "9" * 5_000, "x" * 5_000, "a/b", "[/b]", "a\0b"]
    + [
        "\ud83d",
        "{{ x }}",
        "${HOME}",
        "s3://b/x",
        "%H",
        "label == 1",
        "a\nb",
        "\x1b[2J",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.dates().map(str),
    ODD,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(ODD, st.text(max_size=8)), inner, max_size=4),
    ),
    max_leaves=8,
)


def places(value: Any, key: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Returns the path of every key and list item inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for name, one in inner:
        found.append((*key, name))
        if isinstance(one, (dict, list)):
            found += places(one, (*key, name))
    return found


HEALTHY = settings(Path("/srv/tiny"))
PLACES = places(HEALTHY)
OPTIONAL = ["domain_columns", "timestamp", "domain_labels", "missing_days", "csv"]
OPTIONAL += ["wait", "max_bad_share", "validation", "anchor_day", "evaluation_days"]
OPTIONAL += ["gate", "slices", "intervals", "beam_args", "import", "simulate"]
CHANGES = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(PLACES), st.sampled_from([(k,) for k in OPTIONAL])),
        VALUES,
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Draws a healthy configuration with up to three changes, or a damaged file."""
    config = copy.deepcopy(HEALTHY)
    for (*parents, last), value in draw(CHANGES):
        inner: Any = config
        for part in parents:
            inner = _inside(inner, part)
        if isinstance(inner, dict) or (
            isinstance(inner, list) and last in range(len(inner))
        ):
            inner[last] = value
    content = yaml.safe_dump(config, allow_unicode=True).encode(
        "utf-8", "surrogatepass"
    )
    if draw(st.booleans()):
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(max_size=6)) + content[at:]
    return content


def _inside(value: Any, part: Any) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    return (
        value[part] if isinstance(value, list) and part in range(len(value)) else None
    )


def check(content: bytes) -> bool:
    """Reads a configuration; returns whether it is valid.

    Raises:
        AssertionError: It is refused in several lines, without a bound, or is read
            otherwise once it was written out.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(content)
        config, refusal = _read(path)
        assert len(refusal) < MOST_CHARACTERS
        if config is None:
            return False
        written = Path(folder) / "written.json"
        written.write_text(dump(config), encoding="utf-8")
        assert load_config(written) == config
    return True


def _read(path: Path) -> tuple[Config | None, str]:
    """Returns the configuration, or why it is refused."""
    try:
        return load_config(path), ""
    except ConfigError as error:
        return None, str(error)
