"""Answers that are kept for a while, so that a request that is sent again is not done again (Idempotency-Key).

The answer is written in the transaction of the effect: neither exists without the other.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import orjson
from django.db import connection
from django.db.models.functions import Now

from core.errors import InProgress
from core.models import AnsweredRequest

LIFETIME = timedelta(hours=24)

_STORE = """
INSERT INTO core_answeredrequest AS a (digest, user_id, route, key, body_hash, status, headers, body, answered_at)
VALUES (%(digest)s, %(user_id)s, %(route)s, %(key)s, %(body_hash)s, %(status)s, %(headers)s::jsonb, %(body)s, now())
ON CONFLICT (digest) DO UPDATE SET body_hash = excluded.body_hash, status = excluded.status,
  headers = excluded.headers, body = excluded.body, answered_at = excluded.answered_at
"""  # only an expired answer is ever overwritten: the lock is held, and a fresh one would have been replayed


def digest_of(user_id: UUID, route: str, key: str) -> str:
    """What stands for a request: by whom, to which address, under which key."""
    return hashlib.sha256(f"{user_id}\n{route}\n{key}".encode()).hexdigest()


def lock(digest: str) -> None:
    """Keep others out until this transaction ends, or InProgress: the same request is being carried out elsewhere."""
    number = int.from_bytes(bytes.fromhex(digest[:16]), "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        (got,) = cursor.fetchone()
    if not got:
        raise InProgress("A request with this Idempotency-Key is being carried out: ask again in a moment.")


def find(digest: str) -> AnsweredRequest | None:
    """The answer that was given, unless it is too old. A statement of its own: it must see what was committed."""
    return AnsweredRequest.objects.filter(digest=digest, answered_at__gt=Now() - LIFETIME).first()


def store(
    user_id: UUID, route: str, key: str, *, body_hash: str, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _STORE,
            {
                "digest": digest_of(user_id, route, key),
                "user_id": user_id,
                "route": route,
                "key": key,
                "body_hash": body_hash,
                "status": status,
                "headers": orjson.dumps(dict(headers)).decode(),
                "body": body,
            },
        )


def sweep() -> int:
    """Forget what is too old. How many there were."""
    gone, _ = AnsweredRequest.objects.filter(answered_at__lte=Now() - LIFETIME).delete()
    return gone
