"""Servers of images for contract cases: plain HTTP, a registry and an object store, on a port of this machine.

A real cluster must be able to reach the address that OVIM_CONTRACT_ADDRESS names (this machine, as it sees it).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import io
import json
import os
import re
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ADDRESS = os.environ.get("OVIM_CONTRACT_ADDRESS", "127.0.0.1")
OCI = "application/vnd.oci.image."
ACCESS_KEY, SECRET_KEY = "AKIACONTRACT", "s3cret/of+a=contract"


class Images:
    """What is served: files by path, container images by repository and tag, objects by bucket and key."""

    def __init__(self) -> None:
        self.host = ""
        self.files: dict[str, bytes] = {}
        self.objects: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[tuple[str, str], bytes] = {}
        self.logins: dict[str, str] = {}  # who may read the registry; empty: anybody
        self.silent = threading.Event()  # while unset, /silent/… answers nothing
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def push(self, repository: str, tag: str, disk: bytes, *, name: str = "disk/disk.img") -> str:
        """A container image for amd64 (and one for arm64 that must not be taken); answers the index's digest."""
        mine, other = self._image(disk, name), self._image(b"not for this machine", "disk/other.img")
        entries = [
            {
                "mediaType": f"{OCI}manifest.v1+json",
                "digest": digest,
                "size": len(self.blobs[digest]),
                "platform": platform,
            }
            for digest, platform in (
                (other, {"os": "linux", "architecture": "arm64"}),
                (mine, {"os": "linux", "architecture": "amd64"}),
            )
        ]
        index = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json", "manifests": entries}
        raw = json.dumps(index).encode()
        digest = self._keep(raw)
        self.tags[repository, tag] = self.tags[repository, digest] = raw
        for entry in entries:
            self.tags[repository, str(entry["digest"])] = self.blobs[str(entry["digest"])]
        return digest

    def _image(self, disk: bytes, name: str) -> str:
        layers = []
        for path, content in (("etc/empty", b""), (name, disk)):
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w:gz") as archive:
                entry = tarfile.TarInfo(path)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            layers.append(packed.getvalue())
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}manifest.v1+json",
            "config": {"mediaType": f"{OCI}config.v1+json", "digest": self._keep(b"{}"), "size": 2},
            "layers": [
                {"mediaType": f"{OCI}layer.v1.tar+gzip", "digest": self._keep(layer), "size": len(layer)}
                for layer in layers
            ],
        }
        return self._keep(json.dumps(manifest).encode())

    def _keep(self, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    # answers

    def answer(self, path: str, headers: Any) -> tuple[int, bytes, dict[str, str]]:
        parts = urlsplit(path)
        self.seen.append(path)
        if parts.path == "/token":
            return self._token(parts.query, headers)
        if parts.path.startswith("/v2/"):
            return self._registry(parts.path, headers)
        if parts.path.startswith("/s3/"):
            return self._object(parts.path, headers)
        if parts.path.startswith("/silent/"):
            self.silent.wait(60)
        found = self.files.get(parts.path.rpartition("/")[2])
        return (200, found, {}) if found is not None else (404, b"not here", {})

    def _token(self, query: str, headers: Any) -> tuple[int, bytes, dict[str, str]]:
        given = headers.get("Authorization", "").removeprefix("Basic ")
        user, _, password = base64.b64decode(given).decode().partition(":")
        if self.logins.get(user) != password or "scope" not in parse_qs(query):
            return 401, b"{}", {}
        return 200, json.dumps({"token": f"of-{user}"}).encode(), {}

    def _registry(self, path: str, headers: Any) -> tuple[int, bytes, dict[str, str]]:
        if self.logins and headers.get("Authorization", "") not in {f"Bearer of-{user}" for user in self.logins}:
            challenge = f'Bearer realm="{self.url}/token",service="contract"'
            return 401, b"{}", {"WWW-Authenticate": challenge}
        found = re.match(r"^/v2/(.+)/(manifests|blobs)/([^/]+)$", path)
        if found is None:
            return 200, b"{}", {}
        repository, kind, reference = found.groups()
        content = self.tags.get((repository, reference)) if kind == "manifests" else self.blobs.get(reference)
        if content is None:
            return 404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', {}
        extra = {"Content-Type": json.loads(content)["mediaType"]} if kind == "manifests" else {}
        return 200, content, extra

    def _object(self, path: str, headers: Any) -> tuple[int, bytes, dict[str, str]]:
        """An object, for whoever signed the request with the secret key (Signature Version 4)."""
        if not self._signed(path, headers):
            return 403, _error("SignatureDoesNotMatch", "The request signature we calculated does not match"), {}
        found = self.objects.get(path.removeprefix("/s3/"))
        if found is None:
            return 404, _error("NoSuchKey", "The specified key does not exist."), {}
        return 200, found, {}

    def _signed(self, path: str, headers: Any) -> bool:
        found = re.match(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)",
            headers.get("Authorization", ""),
        )
        if found is None or found.group(1) != ACCESS_KEY:
            return False
        _, day, region, names, signature = found.groups()
        lines = "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in names.split(";"))
        body = headers.get("x-amz-content-sha256", "")
        request = "\n".join(("GET", path, "", lines, names, body))
        scope = f"{day}/{region}/s3/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = "\n".join(("AWS4-HMAC-SHA256", headers.get("x-amz-date", ""), scope, digest))
        key = b"AWS4" + SECRET_KEY.encode()
        for part in (day, region, "s3", "aws4_request", text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.compare_digest(key.hex(), signature)


def _error(code: str, message: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


@contextmanager
def serving() -> Iterator[Images]:
    """The servers, while they run."""
    images = Images()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            code, body, extra = images.answer(self.path, self.headers)
            self._send(code, body, extra)

        def do_HEAD(self) -> None:
            code, body, extra = images.answer(self.path, self.headers)
            self._send(code, body, extra, empty=True)

        def _send(self, code: int, body: bytes, extra: dict[str, str], *, empty: bool = False) -> None:
            self.send_response(code)
            for name, value in ({"Content-Length": str(len(body))} | extra).items():
                self.send_header(name, value)
            self.end_headers()
            if not empty:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keeps test output clean."""

    server = ThreadingHTTPServer(("0.0.0.0" if ADDRESS != "127.0.0.1" else ADDRESS, 0), Handler)
    images.host = f"{ADDRESS}:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield images
    finally:
        images.silent.set()
        server.shutdown()


def raw_disk(size: int = 4 * 1024**2) -> bytes:
    """A small raw disk that is not empty."""
    return os.urandom(64 * 1024) + bytes(size - 64 * 1024)


def packed(content: bytes) -> bytes:
    return gzip.compress(content)
