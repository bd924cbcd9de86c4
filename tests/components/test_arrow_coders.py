"""Beam coder of Arrow data: lossless, and sized without encoding."""

import pyarrow as pa
import pytest

pytestmark = pytest.mark.slow

TABLE = pa.table(
    {
        "id": pa.array([[b"a", b"\xff"], [], None], pa.large_list(pa.large_binary())),
        "day": pa.array([[1], [2], [3]], pa.large_list(pa.int64())),
    }
)
(BATCH,) = TABLE.to_batches()


@pytest.mark.parametrize("value", [TABLE, BATCH, BATCH.slice(1, 1), TABLE.slice(0, 0)])
def test_beam_uses_the_coder_and_round_trips_tables(value, monkeypatch):
    import apache_beam as beam

    from components import arrow_coders

    arrow_coders.register()
    coder = beam.coders.registry.get_coder(type(value))
    assert coder.decode(coder.encode(value)).equals(value)
    monkeypatch.setattr(type(coder), "encode", None)
    assert coder.get_impl().estimate_size(value) == value.nbytes
