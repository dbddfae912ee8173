"""Identifiers: UUIDv7, so that an id sorts by the time it was made and an index on it stays compact."""

import os
import time
import uuid


def uuid7(milliseconds: float | None = None) -> uuid.UUID:
    """A version 7 UUID: 48 bits of Unix milliseconds (None: now), 12 of the fraction of one, 62 random bits.

    The fraction keeps what one process makes within a millisecond in order (RFC 9562 §5.7, §6.2 method 3).
    """
    ticks = time.time_ns() * 4096 // 1_000_000 if milliseconds is None else int(milliseconds * 4096)
    random = int.from_bytes(os.urandom(8)) & (2**62 - 1)
    value = (ticks >> 12 & (2**48 - 1)) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | random
    return uuid.UUID(int=value)


def uuids_in(text: str, most: int) -> list[uuid.UUID]:
    """The ids in a comma-separated list, as pages ask for rows; what is none is passed over."""
    found = []
    for part in text.split(",")[:most]:
        try:
            found.append(uuid.UUID(part))
        except ValueError:
            continue
    return found
