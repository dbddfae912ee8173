"""The door to one API server: the official client's transport (TLS, keep-alive, proxies), plain dicts in and out.

The typed API of the client is left aside: its models cost 90 MB and answer None on an apply that creates a custom
object (facts/kubernetes.md §11). Every write calls `fence` first, so that a worker without its lease writes nothing.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import urllib3
from kubernetes.client.configuration import Configuration
from kubernetes.client.rest import RESTClientObject

from clusters import certificates
from clusters.errors import Cause, KubeError, Unreachable
from clusters.kubeconfig import Access
from clusters.refs import Manifest, ObjectKind, Ref

MANAGER = "ovim"
CONNECT_SECONDS, READ_SECONDS = 3.0, 15.0
APPLY = "application/apply-patch+yaml"  # JSON is YAML
MERGE = "application/merge-patch+json"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
Object = dict[str, Any]


def _no_fence() -> None:
    """For readers, who need no lease."""


class Client:
    """One cluster, for one process or thread pool. Thread-safe; make it after a fork, never before.

    It signs in by a bearer token, or by a client certificate and its key in PEM. `timeout` is (connect, read) in seconds and
    must stay shorter than a lease (ENGINE §1).
    """

    def __init__(
        self,
        server: str,
        token: str = "",
        *,
        ca: str = "",
        certificate: str = "",
        key: str = "",
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
    ) -> None:
        configuration = Configuration(host=server)
        configuration.retries = False  # the work item is retried, with back-off and a fresh look
        configuration.connection_pool_maxsize = 16
        configuration.verify_ssl = True
        if ca and not certificate:
            configuration.ca_cert_data = ca
        self.server = server.rstrip("/")
        self.timeout = timeout
        self.fence: Callable[[], None] = _no_fence
        self._rest = RESTClientObject(configuration)
        if certificate:
            # Given as files they would be read again for each new connection, and had to lie there as long.
            self._rest.pool_manager.connection_pool_kw["ssl_context"] = certificates.context(certificate, key, ca)
        self._pool = self._rest.pool_manager.connection_from_url(self.server)
        # What stands before each path: of a plain HTTP server behind a proxy, all of its address.
        forwarded = self._pool.proxy is not None and self._pool.scheme == "http"
        self._base = self.server if forwarded else (urlsplit(self.server).path or "")
        self._headers = {"Accept": "application/json", "User-Agent": "ovim"}
        self._headers |= {"Authorization": f"Bearer {token}"} if token else {}

    @contextlib.contextmanager
    def fenced(self, fence: Callable[[], None]) -> Iterator["Client"]:
        """The same connections with another fence. The pool is shared, the fence is not."""
        client = object.__new__(Client)
        client.__dict__.update(self.__dict__)
        client.fence = fence
        yield client

    def get(self, ref: Ref) -> Object | None:
        """The live object, or None when there is none (404)."""
        try:
            return self._json("GET", ref.path)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def list_metadata(self, kind: ObjectKind, *, selector: str, limit: int = 500) -> list[Object]:
        """Only the metadata of a kind's objects with these labels, everywhere: what they hold is not sent."""
        items: list[Object] = []
        token = ""
        while True:
            query = {"labelSelector": selector, "limit": str(limit)} | ({"continue": token} if token else {})
            page = self._json("GET", f"{kind.path('')}?{urlencode(query)}", accept=METADATA)
            items += page["items"] or ()  # null: no object
            token = page["metadata"].get("continue", "")
            if not token:
                return items

    def list(self, kind: ObjectKind, *, namespace: str = "", limit: int = 500) -> tuple[list[Object], str]:
        """All objects of a kind in pages, and the resource version a watch can start from."""
        items: list[Object] = []
        token = ""
        while True:
            query = {"limit": str(limit)} | ({"continue": token} if token else {})
            page = self._json("GET", f"{kind.path(namespace)}?{urlencode(query)}")
            items += page["items"]
            token = page["metadata"].get("continue", "")
            if not token:
                return items, page["metadata"]["resourceVersion"]

    def apply(
        self, ref: Ref, body: Manifest, *, force: bool = False, subresource: str = "", dry_run: bool = False
    ) -> Object:
        """Server-side apply as field manager `ovim`; the object as it is afterwards."""
        query = (
            {"fieldManager": MANAGER} | ({"force": "true"} if force else {}) | ({"dryRun": "All"} if dry_run else {})
        )
        path = ref.path + (f"/{subresource}" if subresource else "")
        return self._write("PATCH", f"{path}?{urlencode(query)}", body, APPLY)

    def merge(self, ref: Ref, patch: Manifest) -> Object:
        """A merge patch under our name. `metadata.resourceVersion` in it makes it conditional."""
        return self._write("PATCH", f"{ref.path}?fieldManager={MANAGER}", patch, MERGE)

    def delete(self, ref: Ref, uid: str) -> bool:
        """Delete exactly the object of this uid. False when it is gone already; 409 when another has its name."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            self._write("DELETE", ref.path, body, "application/json")
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return True

    def raw(self, method: str, path: str, body: Manifest | None = None) -> Any:
        """Any other request (versions, discovery, subresources). A write is fenced like the others."""
        if method == "GET":
            return self._json("GET", path)
        return self._write(method, path, body or {}, "application/json")

    def watch(self, kind: ObjectKind, resource_version: str, *, seconds: int) -> Iterator[Object]:
        """Events since a version until the server ends the watch after `seconds`. An event may be of type ERROR."""
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(seconds),
        }
        response = self._send(
            "GET", f"{kind.path('')}?{urlencode(query)}", None, self._headers, (self.timeout[0], seconds + 15.0)
        )
        if response.status != 200:
            raise _error(response.status, response.read(), response.headers)
        buffer = b""
        try:
            for chunk in response.stream(amt=None if response.chunked else 65536):
                buffer += chunk
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    if line:
                        yield orjson.loads(line)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"the watch of {kind.plural} broke off: {error}") from error
        finally:
            response.close()

    @classmethod
    def by(cls, access: Access, timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS)) -> "Client":
        """The client for this way in."""
        return cls(
            access.server,
            access.token,
            ca=access.ca,
            certificate=access.certificate,
            key=access.key,
            timeout=timeout,
        )

    def close(self) -> None:
        self._rest.close()

    def _write(self, method: str, path: str, body: Manifest, content_type: str) -> Object:
        self.fence()
        return self._json(method, path, orjson.dumps(body), content_type)

    def _json(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "", accept: str = ""
    ) -> Object:
        headers = self._headers | ({"Content-Type": content_type} if content_type else {})
        headers |= {"Accept": accept} if accept else {}
        response = self._send(method, path, body, headers, self.timeout)
        try:
            payload = response.read()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"{self.server} broke off its answer: {error}") from error
        finally:
            response.release_conn()
        if response.status >= 400:
            raise _error(response.status, payload, response.headers)
        try:
            answer: Object = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise Unreachable(f"{self.server} answered {response.status} with something that is no JSON") from error
        return answer

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: tuple[float, float]
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.urlopen(
                method,
                self._base + path,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=timeout[0], read=timeout[1]),
                retries=False,
                preload_content=False,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"{self.server} can't be reached: {error}") from error


def _error(status: int, payload: bytes, headers: Mapping[str, str]) -> KubeError:
    """The Status in a refusal; an unknown group or resource answers plain text (facts/kubernetes.md §1)."""
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    details = body.get("details") or {}
    causes = [
        Cause(cause.get("reason", ""), cause.get("field", ""), cause.get("message", ""))
        for cause in details.get("causes") or []
    ]
    retry = headers.get("Retry-After", "")
    message = body.get("message") or payload[:200].decode(errors="replace").strip() or f"HTTP {status}"
    return KubeError(
        status, body.get("reason") or "", message, causes, retry_after=float(retry) if retry.isdigit() else None
    )
