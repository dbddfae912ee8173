"""Counting failed sign-ins, in the database: it holds with Redis down, and for all web processes together.

An attempt is counted before the password is looked at and taken back if it was right, so that attempts made at the
same moment can't slip past the count together.
"""

from django.db import connection, transaction

from core.errors import Throttled

WINDOW_SECONDS = 15 * 60
# One address guessing at one account; everybody guessing at one account; one address guessing at many.
PER_PAIR, PER_ACCOUNT, PER_ADDRESS = 10, 50, 100
# Mails with a link for a new password: of one account, and asked for from one address.
RESETS_PER_ACCOUNT, RESETS_PER_ADDRESS = 5, 30

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


class TooMany(Throttled):
    """`telling`: it is worth an audit entry. The first one is, then the tenth, the hundredth …: who guesses on and on
    fills no log, and still it says how much there was."""

    def __init__(self, what: str, seconds: int, excess: int) -> None:
        minutes = -(-seconds // 60)
        super().__init__(f"Too many {what}: try again in {_counted(minutes, 'minute')}.", retry_after=seconds)
        self.telling = str(excess).rstrip("0") == "1"


def attempt(username: str, address: str) -> None:
    """Count an attempt; TooMany once there have been too many in the window. Commits by itself."""
    _count(_limits(username, address), "failed attempts to sign in")


def ask(account: str, address: str) -> None:
    """Count a wish for a mail with a link, as above. Accounts that there are not count alike."""
    limits = {
        f"reset:account:{account.lower()[:200]}": RESETS_PER_ACCOUNT,
        f"reset:address:{address}": RESETS_PER_ADDRESS,
    }
    _count(limits, "requests for a new password")


def ask_for_device(address: str) -> None:
    """Count a command that asks to be signed in by a browser."""
    _count({f"device:address:{address}": PER_ADDRESS}, "sign-ins of devices")


def _of_device(person: str, address: str) -> dict[str, int]:
    return {f"device:person:{person}": PER_PAIR, f"device:guess:{address}": PER_ADDRESS}


def guess_at_device(person: str, address: str) -> None:
    """Count a short code that somebody typed, ahead of looking at it."""
    _count(_of_device(person, address), "wrong codes")


def knew_device(person: str, address: str) -> None:
    """It was right: take it back."""
    _take_back(sorted(_of_device(person, address)), None)


def failed_by_provider(address: str) -> None:
    """Count a sign-in or a sign-out by a provider that came to nothing: anybody can send such, and each is on record."""
    _count({f"provider:{address}": PER_ADDRESS}, "failed sign-ins")


def _count(limits: dict[str, int], what: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_COUNT, {"keys": sorted(limits), "window": WINDOW_SECONDS})
        over = [
            (seconds, failures - limits[key]) for key, failures, seconds in cursor.fetchall() if failures > limits[key]
        ]
    if over:
        raise TooMany(what, max(over)[0], max(excess for _, excess in over))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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
