"""Collisions of hashed id spaces: reported ones equal those of the table rows."""

import farmhash
import pyarrow as pa
import pytest

from components.vocabulary.logic import COUNTS_SCHEMA
from tests.components.bucketed import in_buckets

pytestmark = pytest.mark.slow

IDS = [b"a", b"b", b"c", b"d", "é".encode(), b"1234567"]
CAPACITY = 5


def test_rows_are_the_fingerprint_modulo_the_capacity():
    from components.vocabulary.collisions import hash_rows

    expected = [farmhash.fingerprint64(i.decode()) % CAPACITY + 2 for i in IDS]
    found = hash_rows(pa.array(IDS, pa.large_binary()), CAPACITY)
    assert found.tolist() == expected
    assert hash_rows(pa.array([], pa.large_binary()), CAPACITY).tolist() == []


@pytest.mark.parametrize("buckets", [1, 3])
def test_ids_that_share_a_row_are_counted_once_whatever_their_days(buckets):
    from components.vocabulary.collisions import measure_collisions

    days = [1] * len(IDS) + [2] * len(IDS)
    shown = {"id": IDS * 2, "day": days, "impressions": [10 + day for day in days]}
    counts = pa.table(shown, schema=COUNTS_SCHEMA)
    found = measure_collisions(in_buckets({"ads": counts}, buckets), CAPACITY)
    rows = [farmhash.fingerprint64(i.decode()) % CAPACITY for i in IDS]
    sharing = [i for i in range(len(IDS)) if rows.count(rows[i]) > 1]
    assert len(sharing) > 0
    assert found.ids == len(IDS)
    assert found.rows_used == len(set(rows))
    assert found.shared_ids == len(sharing)
    assert found.rate == len(sharing) / len(IDS)
    assert found.impressions == 23 * len(IDS)
    assert found.shared_impressions == 23 * len(sharing)


def test_no_ids_have_no_collisions():
    from components.vocabulary.collisions import measure_collisions

    found = measure_collisions(
        in_buckets({"ads": COUNTS_SCHEMA.empty_table()}, 2), CAPACITY
    )
    assert (found.ids, found.shared_ids, found.rate) == (0, 0, 0.0)
