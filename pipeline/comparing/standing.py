"""Standing of one training each beside the references, in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from components.references.stored import StoredReferences
from models.strategies.registry import BASELINE_KIND


def standing(
    aucs: Mapping[str, float | None], references: StoredReferences | None
) -> list[str]:
    """Returns which strategies are ahead, and why GAUC may not be usable.

    Args:
        aucs: AUC by strategy; None where undefined.
        references: Simple models on the same impressions; None without any.
    """
    if references is None:
        return ["No references: nothing here counts as a win."]
    sentences = [f"{references.guard}."] if references.guard else []
    if references.best is None:
        return sentences
    name = references.best
    auc = references.by_name[name].metrics["auc"] or 0.0
    bars = {BASELINE_KIND: aucs.get(BASELINE_KIND), name: auc}
    ahead = [
        strategy
        for strategy, value in aucs.items()
        if value is not None
        and strategy != BASELINE_KIND
        and all(bar is None or value > bar for bar in bars.values())
    ]
    both = f"{BASELINE_KIND} and " if bars[BASELINE_KIND] is not None else ""
    told = f"{', '.join(ahead)} ahead" if ahead else "No strategy is ahead"
    return [
        *sentences,
        f"{told} of {both}the best reference, {name} (AUC {auc:.4f}), in AUC. One "
        "training each, so nothing counts as a win: `crossctr compare` counts wins.",
    ]
