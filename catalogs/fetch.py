"""The first bytes of an image, fetched from OVIM's own network: so every address is checked where the socket is opened.

The rules are those of `images.check_url`, applied to each redirect, too; a name's addresses are looked up once, checked,
and connected to (ssrfguard), so that a record that moves in between leads nowhere.
"""

import asyncio
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import httpx
from ssrfguard import SSRFGuardError
from ssrfguard.httpx import AsyncClient

from catalogs.images import BadImage, check_url
from catalogs.magic import HEAD_BYTES, Judgement, Verdict, judge
from core import outward

TOTAL_SECONDS = 8.0
STEP_SECONDS = 4.0
MOST_REDIRECTS = 5
HEADERS = {"Range": f"bytes=0-{HEAD_BYTES - 1}", "Accept-Encoding": "identity", "User-Agent": "OVIM image check"}


class Unreachable(Exception):
    """Nothing can be said about the image now; trying again later may help."""


def look(url: str, allowed_hosts: Collection[str] = ()) -> Judgement:
    """What is at this address. Unreachable: it did not answer with a file, within seconds."""
    try:
        with ThreadPoolExecutor(1) as alone:  # the caller's thread may have an event loop of its own
            return alone.submit(asyncio.run, _bounded(url, frozenset(allowed_hosts))).result()
    except (BadImage, SSRFGuardError) as error:
        return Judgement(Verdict.UNKNOWN, f"OVIM does not look there: {error}")
    except TimeoutError:
        raise Unreachable(f"no answer within {TOTAL_SECONDS:.0f} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}") from None


async def _bounded(url: str, hosts: frozenset[str]) -> Judgement:
    """One limit over everything: a server that sends a byte a second keeps nobody longer."""
    async with asyncio.timeout(TOTAL_SECONDS):
        return await _look(url, hosts)


async def _look(url: str, hosts: frozenset[str]) -> Judgement:
    async def each(request: httpx.Request) -> None:
        check_url(str(request.url), hosts)

    policy = outward.policy(named_by_operator=bool(hosts), redirects=MOST_REDIRECTS)
    client = AsyncClient(
        policy=policy, timeout=STEP_SECONDS, follow_redirects=True, trust_env=False, event_hooks={"request": [each]}
    )
    async with client, client.stream("GET", url, headers=HEADERS) as answer:
        if answer.status_code == 416 and answer.headers.get("content-range", "").endswith("*/0"):
            return judge(b"")  # no range of an empty file can be had
        if not answer.is_success:
            raise Unreachable(f"it answers {answer.status_code}")
        encoding = answer.headers.get("content-encoding", "identity")
        head = await _head(answer)
        return judge(head, content_type=answer.headers.get("content-type", ""), encoded=encoding != "identity")


async def _head(answer: httpx.Response) -> bytes:
    """Whatever the server makes of the range that was asked for: no more than a head is read."""
    head = b""
    async for chunk in answer.aiter_raw():
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    return head[:HEAD_BYTES]
