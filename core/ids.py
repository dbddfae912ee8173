"""Identifiers: UUIDv7, so that an id sorts by the time it was made and an index on it stays compact."""

import os
import time
import uuid


def uuid7(milliseconds: int | None = None) -> uuid.UUID:
    """A version 7 UUID (RFC 9562 §5.7): 48 bits of Unix milliseconds (None: now), then 74 random bits."""
    if milliseconds is None:
        milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (2**48 - 1)) << 80
    value |= 0x7 << 76
    value |= (random >> 68) << 64
    value |= 0b10 << 62
    value |= random & (2**62 - 1)
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
