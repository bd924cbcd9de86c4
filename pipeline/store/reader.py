"""Reader of ML Metadata that does not import TFX, so that planning starts at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.store.metadata import METADATA_FILE as METADATA_FILE
from pipeline.store.metadata import SQLITE
from pipeline.store.metadata import connection
from pipeline.store.metadata import unreadable

if TYPE_CHECKING:
    import ml_metadata
    from ml_metadata.proto import metadata_store_pb2

_PLAIN = ("int_value", "string_value", "double_value")
# Custom property of an artifact whose rows or weights `crossctr clean` has removed.
REMOVED = "removed"


@dataclass(frozen=True)
class Stored:
    """A finished artifact.

    Attributes:
        id: Its number in ML Metadata.
        uri: Its folder.
        properties: Its custom properties, see `components.artifacts`.
    """

    id: int
    uri: str
    properties: Mapping[str, int | str | float]

    @property
    def fingerprint(self) -> str:
        """Hash of everything it was made from; empty if it carries none."""
        return str(self.properties.get("fingerprint", ""))

    @property
    def first_day(self) -> int:
        """First day of rows that went into it."""
        return int(self.properties.get("first_day", 0))

    @property
    def last_day(self) -> int:
        """Last day of rows that went into it."""
        return int(self.properties.get("last_day", 0))


def stored_of(artifact: metadata_store_pb2.Artifact) -> Stored:
    """Returns an artifact of ML Metadata as planning reads it."""
    return Stored(
        id=artifact.id,
        uri=artifact.uri,
        properties={
            name: getattr(value, value.WhichOneof("value"))
            for name, value in artifact.custom_properties.items()
            if value.WhichOneof("value")
            in ("int_value", "string_value", "double_value")
        },
    )


class Store:
    """The finished artifacts of one pipeline root."""

    def __init__(
        self, root: Path, metadata: str = SQLITE, *, once: bool = False
    ) -> None:
        """Opens the store of a root; one that has run nothing is empty.

        Args:
            root: The configuration's `root`.
            metadata: The configuration's `metadata`.
            once: Whether artifacts of a type are read once and then remembered, for
                what looks at them several times and runs nothing in between.
        """
        self.root = root
        self.metadata = metadata
        self._read: dict[str, list[Stored]] | None = {} if once else None

    def is_empty(self) -> bool:
        """Whether nothing has run yet; `refuse_lost_metadata` tells this from a loss.

        SQLite makes a file of no bytes before it writes the first table.
        """
        if self.metadata != SQLITE:
            return False
        path = self.root / METADATA_FILE
        return not path.exists() or path.stat().st_size == 0

    def connect(self) -> ml_metadata.MetadataStore:
        """Returns ML Metadata itself.

        Raises:
            DataError: It cannot be opened.
        """
        # Imported late: a root that has run nothing needs none of it.
        import ml_metadata

        try:
            return ml_metadata.MetadataStore(connection(self.root, self.metadata))
        except RuntimeError as error:
            raise unreadable(self.root, self.metadata, error) from error

    def artifacts(self, type_name: str) -> list[Stored]:
        """Returns the finished artifacts of a type, oldest first.

        Raises:
            DataError: ML Metadata cannot be read.
        """
        if self._read is None:
            return self._artifacts(type_name)
        if type_name not in self._read:
            self._read[type_name] = self._artifacts(type_name)
        return self._read[type_name]

    def _artifacts(self, type_name: str) -> list[Stored]:
        if self.is_empty():
            return []
        from ml_metadata import errors
        from ml_metadata.proto import metadata_store_pb2

        store = self.connect()
        try:
            artifacts = store.get_artifacts_by_type(type_name)
        except errors.StatusError as error:
            raise unreadable(self.root, self.metadata, error) from error
        found = [
            stored_of(artifact)
            for artifact in artifacts
            if artifact.state == metadata_store_pb2.Artifact.LIVE
        ]
        return sorted(found, key=lambda stored: stored.id)

    def transformed_blocks(self) -> list[Stored]:
        """Returns the blocks of encoded impressions, oldest first.

        Raises:
            DataError: ML Metadata cannot be read.
        """
        return [
            stored
            for stored in self.artifacts("Examples")
            if stored.properties.get("role") == "transformed"
        ]

    def newest(self, type_name: str, fingerprint: str) -> Stored | None:
        """Returns the newest artifact of a type with a fingerprint, if any."""
        matching = [
            stored
            for stored in self.artifacts(type_name)
            if stored.fingerprint == fingerprint
        ]
        return matching[-1] if matching else None
