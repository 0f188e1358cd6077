"""Short runs of the fuzzers: valid inputs, and a few hundred damaged ones of each target.

Long ones are ``make fuzz``. Each fault that one finds becomes a test of its own beside the code.
"""

import json

import numpy as np
import pytest
from mutation import damaged_document, damaged_input
from targets import TARGETS

ROUNDS = {"body": 200, "options": 200, "color": 100, "decode": 60, "http": 4, "s3": 20}
"""Damaged inputs for each seed: a few seconds in all."""


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs(name: str) -> None:
    """An answer, or an error that fits."""
    target = TARGETS[name]
    random = np.random.default_rng(list(name.encode()))
    for seed in target.seeds:
        target.check(seed)
        for _ in range(ROUNDS[name]):
            target.check(damaged_input(seed, random, is_document=target.is_document))


def test_a_damaged_document_is_a_document() -> None:
    """Half of the damage to events gets past the JSON parser, into the handlers."""
    random = np.random.default_rng(1)
    seed = TARGETS["s3"].seeds[0]
    changed = [damaged_document(seed, random) for _ in range(20)]
    assert sum(json.loads(document) != json.loads(seed) for document in changed) > 10
