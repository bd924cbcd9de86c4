"""Chooses and builds a level's network: the one place that does."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Literal
from typing import NamedTuple

from models.cctl.network import CompanionNetwork
from models.ctnet.network import Ctnet
from models.ctnet.settings import CtnetConfig
from models.data.snapshots import SnapshotTables
from models.features.table import FeatureTable
from models.networks.backbone import Backbone
from models.networks.multi_domain.network import MultiDomainNetwork
from models.networks.network import Network
from models.networks.tpm import TinyModel
from models.settings import CctlConfig
from models.settings import MultiDomainConfig
from models.settings import NetworkConfig


class NetworkKind(NamedTuple):
    """What decides which network a level has; see `LevelInputs` for the settings.

    Attributes:
        level: The level; TPM has a network of its own.
        domains: Domains whose rows are trained on, the target last.
        multi_domain: The network with parts of each domain's own, if it is one.
        ctnet: The adapters to a source tower, if it has one.
        cctl: How source rows are weighed, if they are.
    """

    level: Literal["tpm", "cpm", "source", "target"]
    domains: Sequence[str]
    multi_domain: MultiDomainConfig | None = None
    ctnet: CtnetConfig | None = None
    cctl: CctlConfig | None = None


def build_network(
    kind: NetworkKind,
    features: FeatureTable,
    network: NetworkConfig,
    *,
    domain_rows: Mapping[str, int],
    snapshots: Mapping[str, SnapshotTables],
) -> Network:
    """Returns an untrained network.

    Args:
        kind: Which one.
        features: All features.
        network: Its sizes.
        domain_rows: Row of each domain in the table of the feature `domain`; a domain
            without rows so far has none.
        snapshots: Aligned TPM snapshots by id space; empty for none.
    """
    if kind.level == "tpm":
        return TinyModel(features, network)
    if kind.cctl is not None:
        sources = kind.domains[:-1]
        return CompanionNetwork(features, network, kind.cctl, sources, domain_rows)
    if kind.multi_domain is not None:
        return MultiDomainNetwork(
            features, network, kind.multi_domain, kind.domains, domain_rows
        )
    if kind.ctnet is not None:
        return Ctnet(features, network, kind.ctnet, snapshots)
    return Backbone(features, network, snapshots)
