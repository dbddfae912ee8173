"""The live server: server-sent events for pages and API clients. A process of its own, run by uvicorn.

GET /live/v1/stream → `change` {kind, id, generation, phase, deleted}: fetch the row; `resync`: changes may have been
missed, fetch what you show; `paused`: nothing comes until the next `resync`. A comment every 15 s shows that it lives.
Who comes back with the last event's id (Last-Event-ID, or `?since=`) hears `resumed` and what he missed; or `resync`.
"""

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.db import DatabaseError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from core.errors import DomainError, Throttled, Unauthenticated, Unavailable
from ovim_site.errors import problem
from ovim_site.live.hub import Hub
from ovim_site.live.inbox import Inbox, event
from ovim_site.live.viewer import Places, Viewer, in_thread, session_of
from tenancy.selectors import actors_behind

HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 3.0  # how long a stream outlives its session, at most
MOST_STREAMS = 16  # of one session: a stream a tab

log = logging.getLogger(__name__)
hub = Hub(settings.OVIM_REDIS_URL)
places = Places()
_open: Counter[Any] = Counter()
_viewers: dict[Viewer, Inbox] = {}


async def alive(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def stream(request: Request) -> Response:
    try:
        viewer = await _viewer(request)
    except Unauthenticated as error:
        return _refused(error)
    except DatabaseError:
        return _refused(Unavailable("The database can't be reached."))
    if _open[viewer.session_id] >= MOST_STREAMS:
        return _refused(Throttled(f"A session has at most {MOST_STREAMS} streams at a time.", retry_after=5))
    # X-Accel-Buffering: a proxy in front must pass events on as they come.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    since = request.query_params.get("since") or request.headers.get("last-event-id", "")
    return StreamingResponse(_events(viewer, since), media_type="text/event-stream", headers=headers)


async def _viewer(request: Request) -> Viewer:
    session_id = await in_thread(session_of, request)  # the keys may have to be read from the database
    actor = (await in_thread(actors_behind, {session_id})).get(session_id)
    if actor is None:
        raise Unauthenticated("The session has ended: sign in again.")
    return Viewer(session_id, actor)


def _refused(error: DomainError) -> Response:
    body = problem(error, "")
    return Response(orjson.dumps(body), status_code=body["status"], media_type="application/problem+json")


async def _events(viewer: Viewer, since: str) -> AsyncIterator[bytes]:
    """Everything one stream says. It ends when the session ends or its rights change."""
    mark, _, rights = since.rpartition("-")
    _viewers[viewer] = inbox = hub.open(mark if rights == viewer.rights_mark else "")
    _open[viewer.session_id] += 1
    try:
        yield b"retry: 2000\n\n"
        async for text in _talk(viewer, inbox):
            yield text
    finally:
        hub.inboxes.discard(inbox)
        del _viewers[viewer]
        _open[viewer.session_id] -= 1
        if not _open[viewer.session_id]:
            del _open[viewer.session_id]


async def _talk(viewer: Viewer, inbox: Inbox) -> AsyncIterator[bytes]:
    clock = asyncio.get_running_loop().time
    said = clock()
    while await inbox.wait(said + HEARTBEAT_SECONDS - clock()):
        signs, changes = inbox.take()
        mark = f"{hub.mark()}-{viewer.rights_mark}"  # at the same moment: all that is taken, and nothing after it
        text = b"".join(event(sign, {}) for sign in signs)
        if changes:
            try:
                heard = await viewer.may_hear(changes, places)
            except DatabaseError:
                text += event("resync", {})
                heard = []
            text += b"".join(change.event for change in heard)
        if text:
            text = _marked(text, mark)
        elif clock() - said >= HEARTBEAT_SECONDS:
            text = b": still here\n\n"
        if text:
            said = clock()
            yield text


async def _check_sessions() -> None:
    """Every few seconds, one question for all who listen: whoever has signed out or has other rights now is let go."""
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        listening = dict(_viewers)
        if not listening:
            continue
        try:
            actors = await in_thread(actors_behind, {viewer.session_id for viewer in listening})
        except Exception as error:  # nobody can say: the browsers come back and are asked who they are
            log.warning("sessions could not be checked, all streams end: %s", error)
            actors = {}
        for viewer, inbox in listening.items():
            if not viewer.is_still(actors.get(viewer.session_id)):
                inbox.close()


def _marked(text: bytes, mark: str) -> bytes:
    """Only the last event of a moment has the id: whoever breaks off in between comes back for all of it."""
    before, _, last = text[:-2].rpartition(b"\n\n")
    return before + (b"\n\n" if before else b"") + b"id: %s\n%s\n\n" % (mark.encode(), last)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    _end_streams_on_signals()
    tasks = [asyncio.create_task(hub.run()), asyncio.create_task(_check_sessions())]
    yield
    hub.close()
    for task in tasks:
        task.cancel()


def _end_streams_on_signals() -> None:
    """uvicorn waits for open answers before it ends, and ours never end by themselves."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if callable(before):
            signal.signal(number, _also(before, lambda: loop.call_soon_threadsafe(hub.close)))


def _also(before: Callable[[int, Any], Any], close: Callable[[], object]) -> Callable[[int, Any], None]:
    def handle(number: int, frame: Any) -> None:
        close()
        before(number, frame)

    return handle


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _hosts() -> Iterator[str]:
    """Django's `.example.org` means the domain and what is below it; Starlette has a word for each."""
    for host in settings.ALLOWED_HOSTS:
        if host.startswith("."):
            yield f"*{host}"
        yield host.removeprefix(".")


app = Starlette(
    routes=[Route("/healthz", alive), Route("/live/v1/stream", stream)],
    middleware=[
        Middleware(TrustedHostMiddleware, allowed_hosts=[*_hosts()]),
        # In the demo the live server has its own port: the cookie reaches it, and only the portal's pages may read it.
        Middleware(
            CORSMiddleware,
            allow_origins=[_origin(settings.OVIM_PUBLIC_URL)],
            allow_methods=["GET"],
            allow_headers=["Authorization", "Last-Event-ID"],
            allow_credentials=True,
        ),
    ],
    lifespan=lifespan,
)
