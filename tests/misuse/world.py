"""A small healthy project on disk, and one thing that is wrong with it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SCHEMA = "".join(
    f'feature {{ name: "{name}" type: {kind} }}\n'
    for name, kind in [
        ("day", "INT"),
        ("domain", "BYTES"),
        ("item_id", "BYTES"),
        ("label", "INT"),
        ("seen", "INT"),
        ("slot", "BYTES"),
        ("user_id", "BYTES"),
    ]
)
DAYS = ("2024-02-28", "2024-02-29", "2024-03-01")
LOG = "click,user,item,slot,seen\n" + "".join(
    f"{row % 2},u{row % 5},i{row % 3},s{row % 2},{row}\n" for row in range(12)
)
# `{9*5000}` stands for 5,000 nines.
_REPEATED = re.compile(r"\{([^{}]+)\*(\d+)\}")


def settings(world: Path) -> dict[str, Any]:
    """Returns the healthy configuration."""
    return {
        "name": "tiny",
        "root": str(world / "runs"),
        "logs": str(world / "logs"),
        "schema": str(world / "schema.pbtxt"),
        "first_day": DAYS[0],
        "target": "ads",
        "sources": ["feeds"],
        "columns": {"user_id": "user", "item_id": "item", "slot": "slot"},
        "label": "click == 1",
        "vocabularies": {
            "user": {"capacity": 50},
            "item": {"capacity": 50},
            "slot": {"capacity": 10},
        },
        "features": [
            {"name": "user_id", "kind": "id", "vocabulary": "user", "tpm": True},
            {"name": "item_id", "kind": "id", "vocabulary": "item", "tpm": True},
            {"name": "slot", "kind": "id", "vocabulary": "slot"},
        ],
        "levels": {
            "tpm": {"every_days": 30, "window_days": 2, "snapshots": 1},
            "cpm": {"every_days": 30, "window_days": 2},
            "target": {"window_days": 2},
        },
        "network": {"width": 4, "hidden_units": [8]},
        "training": {"batch_size": 16},
        "strategy": "target_only",
        "strategies": {"target_only": {}, "ecdctr": {}},
        "serving": {"directory": str(world / "serving")},
    }


def repeated(value: Any) -> Any:
    """Returns a value of the table with what it repeats written out."""
    if isinstance(value, str):
        return _REPEATED.sub(lambda m: m[1] * int(m[2]), value)
    if isinstance(value, list):
        return [repeated(one) for one in value]
    if isinstance(value, dict):
        return {repeated(key): repeated(one) for key, one in value.items()}
    return value


def build(world: Path, row: Mapping[str, Any]) -> None:
    """Writes the healthy project, changed as the table row says."""
    world.mkdir()
    (world / "schema.pbtxt").write_text(SCHEMA)
    for domain in ("ads", "feeds"):
        for day in DAYS:
            folder = world / "logs" / domain / f"date={day}"
            folder.mkdir(parents=True)
            (folder / "part-0.csv").write_text(LOG)
    config = settings(world)
    for key, value in row.get("set", {}).items():
        _set(config, repeated(key), _placed(repeated(value), world))
    text = repeated(row["text"]) if "text" in row else yaml.safe_dump(config)
    text = text.replace("{healthy}", yaml.safe_dump(config))
    _write(world / "config.yaml", text)
    for path in row.get("remove", ()):
        (world / path).unlink()
    for path, text in row.get("files", {}).items():
        _write(world / path, repeated(text))
    for path in row.get("folders", ()):
        (world / path).mkdir(parents=True)
    for path in row.get("pipes", ()):
        os.mkfifo(world / path)
    for path, target in row.get("links", {}).items():
        (world / path).symlink_to(target)


def _set(config: Any, key: str, value: Any) -> None:
    *parents, last = (int(p) if p.isdigit() else p for p in key.split("."))
    for part in parents:
        config = config[part]
    config[last] = value


def _placed(value: Any, world: Path) -> Any:
    if isinstance(value, dict):
        return {key: _placed(one, world) for key, one in value.items()}
    return value.replace("{world}", str(world)) if isinstance(value, str) else value


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A half of a surrogate pair in the table is one byte that is no UTF-8.
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def contents(world: Path) -> dict[str, Any]:
    """Returns every entry below a folder with what it holds."""
    return {
        path.relative_to(world).as_posix(): (
            path.read_bytes() if path.is_file() else "no file"
        )
        for path in sorted(world.rglob("*"))
    }


def load_table(name: str) -> dict[str, Any]:
    """Returns the rows of a table beside this file, by name."""
    path = Path(__file__).with_name(f"{name}.yaml")
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {f"{name}: {row}": content for row, content in rows.items()}


def command_of(row: Mapping[str, Any], world: Path) -> list[str]:
    """Returns the words of a row's command line."""
    words = row.get("run", "validate {config}").split()
    return [named(repeated(word), world) for word in words]


def expected(row: Mapping[str, Any], world: Path) -> tuple[str, bool]:
    """Returns the line that a row expects, and whether it is only its beginning."""
    text = row["line"] if "line" in row else row["begins"]
    return named(repeated(text), world), "begins" in row


def named(text: str, world: Path) -> str:
    """Returns a text of the table with the places of the project filled in."""
    config = str(world / "config.yaml")
    return text.replace("{config}", config).replace("{world}", str(world))
