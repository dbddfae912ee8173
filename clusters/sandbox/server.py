"""The ASGI application: authenticates, routes, streams watches, obeys injected faults."""

from __future__ import annotations

import asyncio
import logging
import re

import orjson

from clusters.sandbox import access, errors, health, routes, wire
from clusters.sandbox.api import VERBS, Api, settle, verb_of
from clusters.sandbox.call import User
from clusters.sandbox.client_certificates import ClientAuthority
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.controls import Controls
from clusters.sandbox.discovery import VERSION, Discovery, aggregated_rows
from clusters.sandbox.errors import ApiError, TextError
from clusters.sandbox.faults import Fault, Faults
from clusters.sandbox.openapi import OpenApi
from clusters.sandbox.questions import Memory, PendingError
from clusters.sandbox.rbac import Wish
from clusters.sandbox.tokens import Tokens
from clusters.sandbox.watching import Watch
from clusters.sandbox.webhook_client import WebhookClient
from clusters.sandbox.wire import Answer, Receive, Request, Scope, Send

LOG = logging.getLogger("ovim.sandbox")
HEALTH = ("/healthz", "/livez", "/readyz")
READING = {"GET", "HEAD"}
MOST_RUNS = 50  # of one write: one per mutating webhook and one for all others, more where others write meanwhile


class Server:
    """One cluster over HTTP."""

    def __init__(
        self, cluster: Cluster, token: str, tokens: Tokens | None = None, authority: ClientAuthority | None = None
    ) -> None:
        """`authority`: of client certificates; None where none are asked for."""
        self.cluster = cluster
        self.token = token
        self.tokens = tokens or Tokens(cluster.store)
        self.authority = authority
        self.api = Api(cluster, token, self.tokens)
        self.discovery = Discovery(cluster.registry)
        for group, rows in aggregated_rows(cluster).items():
            self.discovery.extra[group, "v1"] = rows
        self.openapi = OpenApi(cluster.registry)
        self.faults = Faults()
        cluster.admission.outage = self.faults.webhook_is_down
        self.webhooks = WebhookClient(cluster.store, self.faults.webhook_is_down)
        self.watches: set[Watch] = set()
        self.controls = Controls(cluster, self.faults, self.watches, authority)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request: Request | None = None
        try:
            request = await wire.read(scope, receive)
            request.presented = wire.presented(send)
            await self._handle(request, receive, send)
        except (ApiError, TextError) as problem:
            answer = wire.refusal(problem, [])
            await wire.write(send, wire.spoken(request, answer) if request else answer)
        except Exception:
            LOG.exception("%s %s", scope["method"], scope["path"])
            message = "Internal error occurred: the sandbox failed, see its log"
            await wire.write(send, wire.refusal(errors.error(500, "InternalError", message), []))

    async def _handle(self, request: Request, receive: Receive, send: Send) -> None:
        path = request.path
        user = access.identify(request, self.token, self.tokens, self.authority)
        _timed(request.query.get("timeout", ""))
        if path.startswith("/_sandbox/"):
            await wire.write(send, self.controls.answer(request, user))
            return
        fault = self.faults.take(request.method, path)
        if fault is not None and await self._before(fault, send):
            return
        target = self._target(path)
        wish = self._wish(request, target)
        user = access.acting_as(self.cluster.store, user, request.headers, wish)
        if target is not None and wish.verb == "watch":
            await self._watch(request, target, user, receive, send)
            return
        answer = await self._reviewed(request, target, user)
        if fault is not None and fault.action == "lost":
            wire.cut(send)
            return
        await wire.write(send, await wire.compressed(request, wire.spoken(request, answer)))

    async def _before(self, fault: Fault, send: Send) -> bool:
        """Carries a fault out ahead of the request; True when there is nothing left to do."""
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.action == "status":
            headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
            body = errors.status(fault.code, fault.reason, fault.message)
            await wire.write(send, Answer(fault.code, orjson.dumps(body), headers=headers))
            return True
        if fault.action == "reset":
            wire.cut(send)
            return True
        return False

    def _target(self, path: str) -> routes.Target | None:
        """The resource a path names; None for everything else."""
        parts = path.strip("/").split("/")
        if (parts[0] == "api" and len(parts) >= 3) or (parts[0] == "apis" and len(parts) >= 4):
            try:
                return routes.parse(self.cluster.registry, path)
            except TextError:
                if routes.parse_aggregated(path) is None:
                    raise
        return None

    def _wish(self, request: Request, target: routes.Target | None) -> Wish:
        """What the request asks for, in the terms of authorization."""
        if target is not None:
            return access.wish_of(verb_of(request.method, target, request.query), target, request.query)
        aggregated = routes.parse_aggregated(request.path)
        if aggregated is None:
            return Wish(request.method.lower(), path=request.path)
        verb = VERBS.get(request.method, request.method.lower())
        where = aggregated
        return Wish(verb, where.group, where.resource, where.subresource, where.namespace or "", where.name)

    async def _reviewed(self, request: Request, target: routes.Target | None, user: User) -> Answer:
        """The answer, once every webhook that has a say was asked; each run of the write knows more answers."""
        if request.method in READING or target is None or not self.cluster.admission.webhooks.configured():
            return self._answer(request, target, user)
        memory = Memory()
        for _ in range(MOST_RUNS):
            try:
                return self._answer(request, target, user, memory)
            except PendingError as pending:
                await self.webhooks.answer(pending.questions, memory)
        raise errors.error(500, "InternalError", "Internal error occurred: the object changed under its reviews", {})

    def _answer(
        self, request: Request, target: routes.Target | None, user: User, memory: Memory | None = None
    ) -> Answer:
        if target is not None:
            return self.api.answer(request, target, user, memory)
        path = request.path.rstrip("/") or "/"
        access.require(self.cluster.store, user, self._wish(request, None))
        if path.startswith(HEALTH):
            failing = () if self.cluster.store.roles_read else (health.ROLES_READ,)
            text = health.report(path, verbose="verbose" in request.query, failing=failing)
            return Answer(200, text, "text/plain; charset=utf-8")
        if path == "/version":
            if request.method not in READING:
                raise errors.method_not_allowed()
            return Answer(200, orjson.dumps(VERSION))
        if path.startswith("/openapi/"):
            return self.openapi.answer(path)
        aggregated = routes.parse_aggregated(path)
        if aggregated is not None:
            found = self.api.subresources.aggregated(request, aggregated)
            if found is not None:
                return found
        elif path in {"/api", "/apis"} or path.startswith(("/api/", "/apis/")):
            return self.discovery.answer(request)
        raise TextError(404, routes.NOT_FOUND_TEXT)

    async def _watch(self, request: Request, target: routes.Target, user: User, receive: Receive, send: Send) -> None:
        access.require(self.cluster.store, user, access.wish_of("watch", target, request.query))
        if target.only:
            request.query["fieldSelector"] = f"metadata.name={target.only}"
        settle(request, target)
        watch = Watch(self.cluster.store, target.resource, target.namespace, request.query, request.shape)
        watch.stalled = self.faults.stall_watches
        watch.open()
        self.watches.add(watch)
        gone = asyncio.ensure_future(_disconnected(receive, watch))
        try:
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            async for batch in watch.lines():
                if watch.dropped:
                    break
                await send({"type": "http.response.body", "body": batch, "more_body": True})
            if watch.dropped:
                wire.cut(send)
            else:
                await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            watch.close()
            self.watches.discard(watch)


DURATION = re.compile(r"[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")


def _timed(timeout: str) -> None:
    """Refuses a timeout that is none."""
    if timeout and not DURATION.fullmatch(timeout):
        unit = " missing unit in" if re.fullmatch(r"[-+]?[\d.]+", timeout) else " invalid"
        why = f"time:{unit} duration {orjson.dumps(timeout).decode()}"
        raise errors.bad_request(f"invalid timeout specified in the request URL - {why}")


async def _disconnected(receive: Receive, watch: Watch) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            watch.close()
            return
