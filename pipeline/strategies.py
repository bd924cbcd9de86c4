"""What each kind of strategy reads, starts from and trains.

Airflow loads this file in an environment without crossctr, so it needs nothing but the
standard library.
"""

from __future__ import annotations

from typing import Literal
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of strategy; see docs/methods for each.

    Attributes:
        pretrained: Whether the target starts from CPM, unless the entry's `warm_start`
            is false.
        snapshots: Whether it reads TPM's embeddings.
        loads_batch_norm: Whether it always takes over CPM's BatchNorm.
        mixed: Whether the target level trains on the sources' rows, too, over the
            same days.
        ctnet: Whether it reads a source model beside its own, day after day. It reads
            TPM's embeddings only if the entry names a number of `snapshots`.
        network: The network with a part of each domain's own that takes the backbone's
            place; None for the backbone.
        cctl: Whether it weighs the sources' rows, and reads only as many of them as
            the target's need.
    """

    pretrained: bool = False
    snapshots: bool = False
    loads_batch_norm: bool = False
    mixed: bool = False
    ctnet: bool = False
    network: Literal["shared_bottom", "mmoe", "ple", "star"] | None = None
    cctl: bool = False


# The strategy of a configuration that names none.
DEFAULT = "ecdctr"

KINDS = {
    "ecdctr": Kind(pretrained=True, snapshots=True),
    "target_only": Kind(),
    "joint": Kind(mixed=True),
    # E-CDCTR without snapshots and with BatchNorm: pretraining on the sources is CPM.
    "finetune": Kind(pretrained=True, loads_batch_norm=True),
    "shared_bottom": Kind(mixed=True, network="shared_bottom"),
    "mmoe": Kind(mixed=True, network="mmoe"),
    "ple": Kind(mixed=True, network="ple"),
    "star": Kind(mixed=True, network="star"),
    "ctnet": Kind(ctnet=True),
    "cctl": Kind(mixed=True, cctl=True),
}
