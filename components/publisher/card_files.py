"""Files of model cards: beside a SavedModel, and in the artifact of a judged model."""

from __future__ import annotations

import json
from pathlib import Path

from components.publisher.card_text import card_text
from components.publisher.model_card import Card
from components.publisher.model_card import Event
from components.publisher.model_card import with_event
from models import durable_files
from models.artifact_files import CARD_FILE
from models.artifact_files import CARD_TEXT_FILE
from models.errors import DataError


def write_card(version: Path, card: Card) -> None:
    """Writes a card into a version's folder, as JSON and as Markdown.

    Raises:
        StorageError: The folder cannot be written.
    """
    path = version / CARD_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    durable_files.write_text(path, _json(card))
    durable_files.write_text(version / CARD_TEXT_FILE, card_text(card))


def card_of(version: Path) -> Card | None:
    """Returns the card of a version; None if an earlier release published it.

    Raises:
        DataError: The card cannot be read.
    """
    return _read(version / CARD_FILE)


def add_event(version: Path, event: Event) -> None:
    """Adds an event to the card of a version, if it has one."""
    card = card_of(version)
    if card is not None:
        write_card(version, with_event(card, event))


def keep_card(artifact: Path, card: Card) -> None:
    """Writes the card of a judged model into its PublishedModel artifact."""
    (artifact / Path(CARD_FILE).name).write_text(_json(card), encoding="utf-8")


def kept_card(artifact: Path) -> Card | None:
    """Returns the card of a judged model; None if an earlier release judged it.

    Raises:
        DataError: The card cannot be read.
    """
    return _read(artifact / Path(CARD_FILE).name)


def _json(card: Card) -> str:
    return json.dumps(card, indent=1, allow_nan=False) + "\n"


def _read(path: Path) -> Card | None:
    if not path.is_file():
        return None
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path} is not JSON: {error}; restore it from a backup, or remove it: "
            "the model is served as before, without a card"
        ) from error
    if not isinstance(card, dict) or "model_card" not in card:
        raise DataError(
            f"{path} is not a model card: expected an object with the key "
            "`model_card`; restore it from a backup, or remove it"
        )
    return card
