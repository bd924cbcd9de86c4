"""A root with a block, a model and its decision, none of them lost."""

from __future__ import annotations

from tests.pipeline.release.refused import World
from tests.vocabularies import write_ids


class Stored(World):
    """A root with a block, a model and its decision, all of whose folders are there."""

    def __init__(self, folder):
        super().__init__(folder)
        for kind, name in (
            ("Examples", "block"),
            ("Vocabulary", "block"),
            ("Model", "training"),
            ("GateDecision", "step"),
        ):
            self.add(kind, self.folder_of(kind), fingerprint=name)
            self.folder_of(kind).mkdir(parents=True)
            (self.folder_of(kind) / "file").write_text("content")
        write_ids(self.folder_of("Vocabulary"), user=b"u1\nu2\n")
        (self.folder_of("Vocabulary") / "user.pending.parquet").write_bytes(b"")
        summary = self.folder_of("Vocabulary") / "vocabulary.json"
        text = summary.read_text().replace(
            '"hash"', '"pending_hash": "e3b0c44298fc1c14", "hash"'
        )
        summary.write_text(text)

    def folder_of(self, kind):
        """Returns the folder of the artifact of a type."""
        return self.config.root / "artifacts" / kind / "output" / "1"
