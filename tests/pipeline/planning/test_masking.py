"""Features that the target lacks: the levels on sources that mask them."""

from __future__ import annotations

from tests.pipeline.planning.worlds import make_config
from tests.pipeline.planning.worlds import planner


def levels_with(**cpm):
    levels = make_config().model_dump(mode="json")["levels"]
    return {"levels": {**levels, "cpm": {**levels["cpm"], **cpm}}}


def lacking(**cpm):
    """Returns a configuration whose target logs no `item_id`."""
    return make_config(
        **levels_with(**cpm),
        domain_columns={"ads": {"item_id": None}},
        strategies={"ecdctr": {}, "ctnet": {}},
    )


def test_levels_on_sources_mask_what_the_target_lacks():
    config = lacking()
    masked = {"masked": ["item_id"], "masked_share": 0.5}
    assert config.masked_of("cpm") == config.masked_of("source") == masked
    assert config.masked_of("tpm") == config.masked_of("target") == {}
    assert make_config().masked_of("cpm") == {}
    assert lacking(field_dropout=0.0).masked_of("cpm") == {}


def test_a_cross_is_masked_with_its_features():
    config = lacking()
    pair = {"name": "pair", "kind": "cross", "of": ["user_id", "item_id"]}
    features = [*config.model_dump(mode="json")["features"], pair]
    config = make_config(domain_columns={"ads": {"item_id": None}}, features=features)
    assert config.masked_of("cpm")["masked"] == ["item_id", "pair"]


def test_masking_is_part_of_the_fingerprints():
    both = ["ecdctr", "ctnet"]
    before = {s.fingerprint for s in planner(lacking()).run(38, both)}
    after = planner(lacking(field_dropout=0.2)).run(38, both)
    changed = {str(s.kind) for s in after if s.fingerprint not in before}
    assert changed == {"cpm", "target"}
    # Where the target lacks nothing, nothing is masked and nothing changes.
    plain = [s.fingerprint for s in planner(make_config()).run(38, ["ecdctr"])]
    zero = make_config(**levels_with(field_dropout=0.0))
    assert [s.fingerprint for s in planner(zero).run(38, ["ecdctr"])] == plain
