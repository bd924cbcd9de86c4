"""Controlled changes of the shipped data: cold users, and permuted source users."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from pipeline.config.sections import ColdUsers
from pipeline.datasets.aggregates import Bools
from pipeline.datasets.aggregates import encode_ids

_HASHES = 2**64


def are_cold(user_ids: pa.Array, cold: ColdUsers) -> Bools:
    """Returns which rows are of cold users, shape (rows,).

    Whether a user is cold depends on the id and the seed alone.
    """
    codes, names = encode_ids(user_ids)
    chosen = [_hash(cold.seed, name) < cold.share * _HASHES for name in names.tolist()]
    return np.array(chosen, np.bool_)[codes]


def permuted_users(user_ids: pa.Array, seed: int, domain: str) -> pa.Array:
    """Returns the ids with the domain's distinct users permuted.

    Each user's rows become those of one other user (now and then the same), so every
    user's number of rows and sequence of items exists as before, under another id.
    """
    codes, names = encode_ids(user_ids)
    rng = np.random.default_rng([seed, *domain.encode()])
    return names.take(pa.array(rng.permutation(len(names))[codes]))


def _hash(seed: int, user_id: str) -> int:
    digest = hashlib.sha256(f"{seed} {user_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big")
