"""Counting failed sign-ins, in the database: it holds with Redis down, and for all web processes together.

An attempt is counted before the password is looked at and taken back if it was right, so that attempts made at the
same moment can't slip past the count together.
"""

from django.db import connection, transaction

from core.errors import Throttled

WINDOW_SECONDS = 15 * 60
# One address guessing at one account; everybody guessing at one account; one address guessing at many.
PER_PAIR, PER_ACCOUNT, PER_ADDRESS = 10, 50, 100

_COUNT = """
INSERT INTO tenancy_failedsignins AS f (key, failures, since)
SELECT key, 1, now() FROM unnest(%(keys)s::text[]) AS k(key) ORDER BY key
ON CONFLICT (key) DO UPDATE SET
  failures = CASE WHEN f.since < now() - %(window)s * interval '1 second' THEN 1 ELSE f.failures + 1 END,
  since = CASE WHEN f.since < now() - %(window)s * interval '1 second' THEN now() ELSE f.since END
RETURNING key, failures, ceil(extract(epoch FROM since + %(window)s * interval '1 second' - now()))::int
"""
_TAKE_BACK = """
UPDATE tenancy_failedsignins SET failures = CASE WHEN key = %(forgiven)s THEN 0 ELSE greatest(failures - 1, 0) END
WHERE key = ANY(%(keys)s)
"""


def _limits(username: str, address: str) -> dict[str, int]:
    account = username.lower()[:150]
    return {
        f"account:{account}": PER_ACCOUNT,
        f"address:{address}": PER_ADDRESS,
        f"pair:{account}:{address}": PER_PAIR,
    }


def attempt(username: str, address: str) -> None:
    """Count an attempt; Throttled once there have been too many in the window. Commits by itself."""
    _count(_limits(username, address))


def failed_by_provider(address: str) -> None:
    """Count a sign-in or a sign-out by a provider that came to nothing: anybody can send such, and each is on record."""
    _count({f"provider:{address}": PER_ADDRESS})


def _count(limits: dict[str, int]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_COUNT, {"keys": sorted(limits), "window": WINDOW_SECONDS})
        over = [seconds for key, failures, seconds in cursor.fetchall() if failures > limits[key]]
    if over:
        seconds = max(over)
        raise Throttled(
            f"Too many failed attempts to sign in: try again in {-(-seconds // 60)} minutes.", retry_after=seconds
        )


def was_right(username: str, address: str) -> None:
    """The attempt was no failure: take it back, and forget this address's earlier ones at this account."""
    keys = _limits(username, address)
    forgiven = next(key for key in keys if key.startswith("pair:"))
    _take_back(sorted(keys), forgiven)


def take_back(username: str, address: str) -> None:
    """The attempt was none after all. Earlier failures stay counted."""
    _take_back(sorted(_limits(username, address)), None)


def _take_back(keys: list[str], forgiven: str | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, {"keys": keys, "forgiven": forgiven})
