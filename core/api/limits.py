"""How many requests a minute: of each user, and of each address for those who are not signed in.

Counted in Redis in fixed windows. While Redis is away nobody is refused: that is logged once a while and counted.
Answers say what is left, in the fields of draft-ietf-httpapi-ratelimit-headers-10.
"""

import logging
import time
from dataclasses import dataclass
from functools import cache

import redis
from django.conf import settings
from prometheus_client import Counter

from core.errors import Throttled

log = logging.getLogger(__name__)
WINDOW_SECONDS = 60
TIMEOUT_SECONDS = 0.25
REST_SECONDS = 5.0  # so long Redis is left alone after it did not answer: nobody waits for it again and again
UNCOUNTED = Counter("ovim_requests_uncounted", "API requests let through uncounted, because Redis did not answer")
REFUSED = Counter("ovim_requests_throttled", "API requests refused, because there were too many", ["who"])
_quiet = {"until": 0.0}


@dataclass(frozen=True)
class Count:
    """Where somebody stands in the window that is running."""

    policy: str
    limit: int
    used: int
    seconds_left: int

    def headers(self) -> dict[str, str]:
        left = max(self.limit - self.used, 0)
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"{self.policy}";r={left};t={self.seconds_left}',
        }

    def check(self) -> None:
        """Throttled if this was one too many."""
        if self.used > self.limit:
            REFUSED.labels(self.policy).inc()
            raise Throttled(
                f"Too many requests: {self.limit} in {WINDOW_SECONDS} seconds are allowed.",
                retry_after=self.seconds_left,
            )


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=TIMEOUT_SECONDS)


def of_user(user_id: object) -> Count | None:
    """Count a request of somebody who is signed in. None: it is not limited, or can't be counted now."""
    return _count("user", str(user_id), settings.OVIM_RATE_LIMIT_USER)


def of_address(address: str) -> Count | None:
    """Count a request of somebody unknown."""
    return _count("address", address, settings.OVIM_RATE_LIMIT_ADDRESS)


def _now() -> float:
    """Unix time, the same for all web processes."""
    return time.time()


def _count(policy: str, who: str, limit: int) -> Count | None:
    if not limit:
        return None
    now = _now()
    window = int(now // WINDOW_SECONDS)
    if time.monotonic() < _quiet["until"]:
        UNCOUNTED.inc()
        return None
    key = f"ovim:rate:{policy}:{who}:{window}"
    try:
        client = _client(settings.OVIM_REDIS_URL)
        used = int(client.incr(key))
        if used == 1:  # a second round trip once a window, not with every request
            client.expire(key, 2 * WINDOW_SECONDS)
    except redis.RedisError as error:
        _quiet["until"] = time.monotonic() + REST_SECONDS
        UNCOUNTED.inc()
        log.warning("requests are not counted, Redis does not answer: %s", error)
        return None
    return Count(policy, limit, used, max(int((window + 1) * WINDOW_SECONDS - now), 1))
