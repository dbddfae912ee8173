"""Live updates: who and what changed, through Redis pub/sub, after commit. Lost ones cost a refresh, nothing else."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from uuid import UUID

import orjson
import redis
from django.conf import settings
from prometheus_client import Counter

log = logging.getLogger(__name__)

CHANNEL = "ovim.changes"
LOST = Counter("ovim_live_updates_lost", "Live updates that could not be published")


@dataclass(frozen=True)
class Change:
    """What the live server needs in order to decide who may hear of it; the page then fetches the row itself."""

    kind: str
    id: UUID
    generation: int
    phase: str
    organization_id: UUID
    deleted: bool = False


@cache
def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.OVIM_REDIS_URL, socket_timeout=0.2, socket_connect_timeout=0.2)


def publish(changes: Sequence[Change]) -> None:
    """Send changes to all live servers, in one go. Never raises: the rows are committed."""
    try:
        pipe = _redis().pipeline(transaction=False)
        for change in changes:
            pipe.publish(CHANNEL, orjson.dumps(asdict(change)))
        pipe.execute()
    except redis.RedisError as error:
        LOST.inc(len(changes))
        log.debug("live updates were lost: %s", error)
