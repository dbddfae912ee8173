"""Ids sort by when they were made."""

import time
import uuid

from core.ids import uuid7


def test_what_is_made_within_a_millisecond_is_in_order_too():
    made = [uuid7() for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == 5000


def test_they_are_of_version_7_and_tell_their_millisecond():
    made = uuid7(1_700_000_000_123.75)
    assert (made.version, made.variant, made.int >> 80) == (7, uuid.RFC_4122, 1_700_000_000_123)
    assert abs((uuid7().int >> 80) - time.time() * 1000) < 5000
    assert uuid7(1_700_000_000_123.25) < made < uuid7(1_700_000_000_124)
