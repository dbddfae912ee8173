"""Uploads: UploadTokenRequest at the API, and the upload proxy that takes the bytes on a port of its own."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import orjson

from clusters.sandbox import errors
from clusters.sandbox.cdi.claims import size_of
from clusters.sandbox.cdi.datavolumes import POD_PHASE, VOLUMES, DataVolumes
from clusters.sandbox.cdi.download import Failure
from clusters.sandbox.cdi.objects import owned_by
from clusters.sandbox.cdi.serve import Application, Message, Receive, Send
from clusters.sandbox.cdi.storage import CLAIMS
from clusters.sandbox.cdi.transfers import Transfer, Upload
from clusters.sandbox.clock import CLOCK
from clusters.sandbox.resources import Resource
from clusters.sandbox.structural import root_node
from clusters.sandbox.wire import Answer

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster, SubresourceCall

Object = dict[str, Any]
GROUP, VERSION, KIND = "upload.cdi.kubevirt.io", "v1beta1", "UploadTokenRequest"
PATHS = {f"/{version}/upload{suffix}" for version in ("v1beta1", "v1alpha1") for suffix in ("", "-async")}
LIFETIME = 300  # seconds a token is good for
PATIENCE = 10.0  # how long the proxy waits for the volume to be ready


@dataclass(frozen=True)
class Ticket:
    namespace: str
    name: str
    ends: float  # by the controllers' clock


class Uploads:
    def __init__(self, cluster: Cluster, volumes: DataVolumes) -> None:
        self.cluster = cluster
        self.volumes = volumes
        self.tickets: dict[str, Ticket] = {}
        resource = Resource(
            GROUP,
            VERSION,
            "uploadtokenrequests",
            KIND,
            True,
            root_node({}),
            singular="uploadtokenrequest",
            list_kind=f"{KIND}List",
            short_names=("utr", "utrs"),
            verbs=("create",),
        )
        cluster.serve(resource, self.token)
        cluster.doors["upload"] = self.door
        cluster.door_opened["upload"] = self.opened

    def token(self, call: SubresourceCall) -> Answer:
        body = call.body if isinstance(call.body, dict) else {}
        claim = (body.get("spec") or {}).get("pvcName")
        if call.method != "POST" or not call.namespace:
            raise errors.method_not_allowed()
        if not claim:
            missing = errors.FieldError("Required value", "spec.pvcName", "")
            raise errors.invalid(KIND, GROUP, (body.get("metadata") or {}).get("name", ""), [missing])
        token = secrets.token_urlsafe(48)
        self.tickets[token] = Ticket(call.namespace, str(claim), CLOCK.now().timestamp() + LIFETIME)
        meta = {**(body.get("metadata") or {}), "namespace": call.namespace, "creationTimestamp": CLOCK.stamp()}
        answer = {"kind": KIND, "apiVersion": f"{GROUP}/{VERSION}", "metadata": meta}
        return Answer(201, orjson.dumps({**answer, "spec": {"pvcName": claim}, "status": {"token": token}}))

    def opened(self, url: str) -> None:
        """Where the proxy listens, told where a cluster tells it: status.uploadProxyURL of the CDIConfig."""
        config = self.cluster.get("cdiconfigs.cdi.kubevirt.io", None, "config")
        if config is not None:
            config["status"] = (config.get("status") or {}) | {"uploadProxyURL": url}
            self.cluster.update("cdiconfigs.cdi.kubevirt.io", config, manager="cdi-operator")

    @property
    def door(self) -> Application:
        async def application(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return
            code, text = await self._upload(scope, receive)
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
            await send({"type": "http.response.start", "status": code, "headers": headers})
            await send({"type": "http.response.body", "body": text.encode()})

        return application

    async def _upload(self, scope: Message, receive: Receive) -> tuple[int, str]:
        if scope["path"] == "/healthz":
            return 200, "OK"
        if scope["path"] not in PATHS:
            return 404, "404 page not found\n"
        if scope["method"] == "HEAD":
            return 200, ""
        if scope["method"] not in ("POST", "PUT"):
            return 405, ""
        ticket = self.tickets.get(_bearer(scope))
        if ticket is None or ticket.ends < CLOCK.now().timestamp():
            return 401, ""
        problem = await self._ready(ticket)
        if problem:
            return 503, problem
        with tempfile.TemporaryFile() as spool:
            if not await _received(receive, spool):
                return 400, "the connection ended early"
            return await self._fill(ticket, spool)

    async def _ready(self, ticket: Ticket) -> str:
        """Why the bytes can't be taken; waits a little for the upload pod."""
        end = time.monotonic() + PATIENCE
        while True:
            claim = self.cluster.get(CLAIMS, ticket.namespace, ticket.name)
            if claim is None:
                return f"rejecting Upload Request for PVC {ticket.name} that doesn't exist"
            if (claim["metadata"].get("annotations") or {}).get(POD_PHASE) == "Succeeded":
                return f"rejecting Upload Request for PVC {ticket.name} that already finished uploading"
            volume = self.cluster.get(VOLUMES, ticket.namespace, ticket.name)
            if volume is None or not owned_by(claim, volume) or "upload" not in (volume["spec"].get("source") or {}):
                return f"PVC {ticket.name} is not an upload target"
            if volume.get("status", {}).get("phase") == "UploadReady":
                return ""
            if time.monotonic() > end:
                return "context deadline exceeded"
            await asyncio.sleep(0.05)

    async def _fill(self, ticket: Ticket, spool: IO[bytes]) -> tuple[int, str]:
        """Judges what came, in a thread; the volume goes on when it was an image."""
        volume = self.cluster.get(VOLUMES, ticket.namespace, ticket.name)
        claim = self.cluster.get(CLAIMS, ticket.namespace, ticket.name)
        if volume is None or claim is None:
            return 503, f"rejecting Upload Request for PVC {ticket.name} that doesn't exist"
        upload = Upload("upload", size_of(claim), source=spool)
        try:
            await asyncio.to_thread(upload.run)
        except Failure as failure:
            return 400 if "too small" in failure.message else 500, f"Saving stream failed: {failure.message}"
        transfer = self.volumes.transfers.setdefault(volume["metadata"]["uid"], Transfer())
        transfer.download, transfer.done = upload, True
        self.volumes.worker.wake(ticket.namespace, ticket.name)
        return 200, ""


def _bearer(scope: Message) -> str:
    given = next((value.decode() for name, value in scope["headers"] if name == b"authorization"), "")
    word, _, token = given.partition(" ")
    return token.strip() if word.lower() == "bearer" else ""


async def _received(receive: Receive, spool: IO[bytes]) -> bool:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        spool.write(message.get("body", b""))
        if not message.get("more_body"):
            return True
