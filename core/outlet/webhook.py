"""Entries in batches by HTTPS POST, signed. Any 2xx takes a batch; everything else, and silence, has it sent again."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
from ssrfguard import SSRFGuardError
from ssrfguard.httpx import AsyncClient

from core.outlet.target import Target, Undelivered

TOTAL_SECONDS = 15.0
STEP_SECONDS = 10.0
USER_AGENT = "OVIM audit stream"


def send(target: Target, entries: Sequence[dict[str, Any]]) -> None:
    """Deliver a batch, or Undelivered."""
    body = orjson.dumps({"entries": list(entries)})
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "OVIM-Signature": signature(target.secret, body, int(time.time())),
    }
    try:
        with ThreadPoolExecutor(1) as alone:  # the caller's thread may have an event loop of its own
            status = alone.submit(asyncio.run, _bounded(target, body, headers)).result()
    except TimeoutError:
        raise Undelivered(f"no answer within {TOTAL_SECONDS:.0f} s") from None
    except (SSRFGuardError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise Undelivered(f"{type(error).__name__}: {error}") from None
    if not 200 <= status < 300:
        raise Undelivered(f"it answers {status}")


def signature(secret: str, body: bytes, at: int) -> str:
    """`t=<seconds>,v1=<hex>`: HMAC-SHA256 over the time, a dot and the body, so that an old batch can be told as old."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


async def _bounded(target: Target, body: bytes, headers: dict[str, str]) -> int:
    """One limit over everything: a receiver that answers a byte a second keeps nobody longer. Its body is not read."""
    async with (
        asyncio.timeout(TOTAL_SECONDS),
        AsyncClient(policy=target.policy, timeout=STEP_SECONDS, trust_env=False, verify=target.tls) as client,
        client.stream("POST", target.url, content=body, headers=headers) as answer,
    ):
        return answer.status_code
