"""Settings of references, scikit-learn's defaults unless they were tuned."""

from __future__ import annotations

from pydantic import Field

from models.strict_model import StrictModel


class LogisticSettings(StrictModel):
    """Logistic regression.

    Attributes:
        inverse_l2: scikit-learn's `C`: the smaller, the stronger the L2 penalty.
    """

    inverse_l2: float = Field(default=1.0, gt=0)


class GbdtSettings(StrictModel):
    """Gradient-boosted trees, with the names of `HistGradientBoostingClassifier`.

    Attributes:
        learning_rate: Share of a tree's correction that is added.
        max_iter: Number of trees.
        max_leaf_nodes: Leaves of a tree, at most.
        min_samples_leaf: Impressions of a leaf, at least.
    """

    learning_rate: float = Field(default=0.1, gt=0)
    max_iter: int = Field(default=100, gt=0, le=100_000)
    max_leaf_nodes: int = Field(default=31, gt=1, le=65_536)
    min_samples_leaf: int = Field(default=20, gt=0)


class ReferenceSettings(StrictModel):
    """Settings of each tunable reference, by its name in tables.

    Attributes:
        logistic: Logistic regression on the target alone.
        logistic + sources: The same on target and sources.
        logistic_by_domain + sources: The same with weights of the numbers by domain.
        gbdt: Boosted trees on the target alone.
        gbdt + sources: The same on target and sources.
    """

    logistic: LogisticSettings = LogisticSettings()
    logistic_with_sources: LogisticSettings = Field(
        default=LogisticSettings(), alias="logistic + sources"
    )
    logistic_by_domain_with_sources: LogisticSettings = Field(
        default=LogisticSettings(), alias="logistic_by_domain + sources"
    )
    gbdt: GbdtSettings = GbdtSettings()
    gbdt_with_sources: GbdtSettings = Field(
        default=GbdtSettings(), alias="gbdt + sources"
    )

    def by_name(self) -> dict[str, LogisticSettings | GbdtSettings]:
        """Returns the settings by the reference's name in tables."""
        return {
            str(field.alias or name): getattr(self, name)
            for name, field in type(self).model_fields.items()
        }
