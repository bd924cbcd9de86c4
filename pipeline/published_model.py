"""Published model: the scores of raw impressions, in this process."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from models.errors import DataError
from pipeline.config.schema import Config

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from models.serving.saved_scorer import SavedScorer


class Model:
    """A published model.

    Attributes:
        version: Number of the version.
        folder: Folder of its SavedModel.
    """

    def __init__(self, config: Config, version: int, folder: Path) -> None:
        """Loads the SavedModel in `folder`."""
        from models.serving.saved_scorer import SavedScorer

        self.version, self.folder = version, folder
        self._table = config.table
        self._scorer: SavedScorer = SavedScorer(folder)

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float32]:
        """Returns the click probabilities of impressions, (B,).

        Args:
            rows: B raw impressions: a value, or a list or array of values, by feature.
                A feature that is not there, None or NaN is missing.

        Raises:
            DataError: A row names something that is no feature, or a value is of
                another type.
        """
        from models.serving.requests import inputs_of
        from pipeline.request_rows import python_row

        if not rows:
            raise DataError(
                "there are no rows; expected at least one, such as "
                "{'user_id': 'u1', 'item_id': 'i1'}"
            )
        lists = [
            python_row(f"row {number}", row, self._table)
            for number, row in enumerate(rows)
        ]
        inputs = inputs_of("predict", self._table, lists)
        found: npt.NDArray[np.float32] = self._scorer("predict", inputs)["ctr"]
        return found


def load_model(config: Config, version: int | None = None) -> Model:
    """Returns a published model.

    Args:
        config: The configuration.
        version: Number of the version; the stable one by default.

    Raises:
        DataError: There is no such version.
    """
    from components.publisher.labels import labels_in
    from components.publisher.logic import holds_model
    from components.publisher.logic import versions_in

    folder = config.serving.directory / config.name
    versions = versions_in(folder)
    labels = labels_in(config.serving.directory, config.name, versions)
    if labels is None:
        raise DataError(
            f"no version of {config.name!r} is published in "
            f"{str(config.serving.directory)!r}; run `crossctr run` for a day that the "
            "Gate approves first"
        )
    chosen = labels.stable if version is None else version
    if chosen not in versions:
        raise DataError(
            f"there is no version {chosen} of {config.name!r}; expected one of "
            f"{', '.join(map(str, versions))}"
        )
    if not holds_model(folder / str(chosen)):
        raise DataError(
            f"{str(folder / str(chosen))!r} holds no SavedModel; restore it from a "
            "backup, or publish another version with `crossctr promote`"
        )
    return Model(config, chosen, folder / str(chosen))
