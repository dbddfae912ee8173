"""The importer: fetches an http source for real, in a thread, and says what CDI's importer would say.

The bytes are spooled, judged and thrown away: the sandbox has no disks, only what their importers report.
Messages: pkg/importer and pkg/image of CDI 1.66 (facts/kubevirt.md section 4.5).
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import ssl
import tempfile
import zlib
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO, ClassVar, cast

import urllib3

from clusters.sandbox.cdi.image import ImageError, inspect, kind_of

CHUNK = 256 * 1024
MOST_BYTES = 16 * 1024**3  # a sandbox never spools more than this
TIMEOUT = urllib3.Timeout(connect=10, read=30)
CONNECT = "Unable to connect to {} data source: "
PROCESS = "Unable to process data: "
CONVERT = PROCESS + "Unable to convert source data to target format: "
TOO_SMALL = "DataVolume too small to contain image"  # CDI shortens its own long message to this


@dataclass
class Failure(Exception):
    """Why an import ended; `fatal` ones are not tried again."""

    message: str
    fatal: bool = False


@dataclass
class Download:
    """One import: what to fetch, and how far it is. The loop's thread reads the numbers, the worker's writes them."""

    url: str
    available: int
    headers: dict[str, str] = field(default_factory=dict)
    checksum: str = ""
    verify: bool = True
    authorities: str = ""  # PEM of what signs the server's certificate; empty: the machine's own
    received: int = 0
    expected: int = 0
    cancelled: bool = False

    kind: ClassVar[str] = "http"
    needs_scratch: ClassVar[bool] = False

    @property
    def share(self) -> float:
        """How much is here, 0 to 1; 0 while the source tells no length."""
        return min(1.0, self.received / self.expected) if self.expected else 0.0

    def run(self) -> int:
        """Fetches and judges; answers the virtual size or raises Failure."""
        digest = _digest(self.checksum)
        with tempfile.TemporaryFile() as spool:
            self._fetch(spool, digest)
            if digest is not None:
                _compare(self.checksum, digest.hexdigest())
            spool.seek(0)
            return self._judge(spool)

    def _pool(self) -> urllib3.PoolManager:
        if not self.authorities:
            return urllib3.PoolManager(cert_reqs="CERT_REQUIRED" if self.verify else "CERT_NONE")
        try:
            context = ssl.create_default_context(cadata=self.authorities)
        except (ssl.SSLError, ValueError) as error:
            raise Failure(f"{CONNECT.format(self.kind)}Error creating http client: {error}") from error
        return urllib3.PoolManager(ssl_context=context)

    def _fetch(self, spool: IO[bytes], digest: Any) -> None:
        try:
            response = self._pool().request(
                "GET", self.url, headers=self.headers, preload_content=False, timeout=TIMEOUT, retries=_redirects()
            )
        except urllib3.exceptions.HTTPError as error:
            raise Failure(f"{CONNECT.format(self.kind)}{_unreachable(self.url, error)}") from error
        with response:
            if response.status != 200:
                raise self._refused(response)
            self.expected = int(response.headers.get("Content-Length") or 0)
            try:
                self._copy(response, spool, digest)
            except urllib3.exceptions.HTTPError as error:
                raise Failure(CONVERT + "unexpected EOF") from error
        if self.expected and self.received < self.expected:
            raise Failure(CONVERT + "unexpected EOF")

    def _refused(self, response: urllib3.BaseHTTPResponse) -> Failure:
        text = f"expected status code 200, got {response.status}. Status: {response.status} {response.reason}"
        return Failure(CONNECT.format(self.kind) + text)

    def _copy(self, response: urllib3.BaseHTTPResponse, spool: IO[bytes], digest: Any) -> None:
        while chunk := response.read(CHUNK, decode_content=False):
            self._arrived(chunk)
            spool.write(chunk)
            if digest is not None:
                digest.update(chunk)

    def _arrived(self, chunk: bytes) -> None:
        if self.cancelled:
            raise Failure("cancelled", fatal=True)
        self.received += len(chunk)
        if self.received > MOST_BYTES:
            raise Failure(CONVERT + "no space left on device")

    def _judge(self, spool: IO[bytes]) -> int:
        kind = kind_of(spool.read(16))
        spool.seek(0)
        try:
            if kind in ("gz", "xz"):
                with tempfile.TemporaryFile() as plain:
                    _expand(spool, plain, kind, self.available)
                    image = inspect(cast(BinaryIO, plain))
            else:
                image = inspect(cast(BinaryIO, spool))
        except ImageError as error:
            raise Failure(f"{CONVERT}{error}") from error
        if image.virtual_size > self.available:
            raise Failure(TOO_SMALL)
        return image.virtual_size


def _expand(source: IO[bytes], target: IO[bytes], kind: str, available: int) -> None:
    """Unpacks, but never more than the claim could hold: a small archive may be a very large disk."""
    opened = gzip.GzipFile(fileobj=source) if kind == "gz" else lzma.LZMAFile(source)  # noqa: SIM115 - closed with source
    try:
        while chunk := opened.read(CHUNK):
            target.write(chunk)
            if target.tell() > available + CHUNK:
                raise Failure(TOO_SMALL)
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise ImageError("unexpected EOF") from error


def _redirects() -> urllib3.Retry:
    return urllib3.Retry(total=5, connect=0, read=0, redirect=5, status=0, raise_on_status=False)


def _unreachable(url: str, error: Exception) -> str:
    return f'HTTP request errored: Get "{url}": {unreachable_reason(url, error)}'


def unreachable_reason(url: str, error: Exception) -> str:
    """Go's words for a connection that never came about."""
    reason = getattr(error, "reason", error)
    parsed = urllib3.util.parse_url(url)
    address = f"{parsed.host}:{parsed.port or (443 if parsed.scheme == 'https' else 80)}"
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        why = f"dial tcp: lookup {parsed.host}: no such host"
    elif isinstance(reason, urllib3.exceptions.NewConnectionError):
        why = f"dial tcp {address}: connect: connection refused"
    elif isinstance(reason, urllib3.exceptions.ConnectTimeoutError):
        why = f"dial tcp {address}: i/o timeout"
    elif isinstance(reason, urllib3.exceptions.SSLError):
        why = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    else:
        why = str(reason) or type(reason).__name__
    return why


def _digest(checksum: str) -> Any:
    if not checksum:
        return None
    algorithm, _, value = checksum.partition(":")
    if algorithm not in ("md5", "sha1", "sha256", "sha512") or not value:
        text = f"invalid checksum: unsupported hash algorithm: {algorithm}"
        raise Failure(f"Unable to connect to http data source: {text}", fatal=True)
    return hashlib.new(algorithm, usedforsecurity=False)


def _compare(checksum: str, found: str) -> None:
    algorithm, _, value = checksum.partition(":")
    if value.lower() != found:
        text = f"checksum mismatch: expected {algorithm}:{value.lower()}, calculated {algorithm}:{found}"
        raise Failure(f"{PROCESS}checksum validation failed: {text}", fatal=True)
