"""Asks webhooks over TLS, and says in the real server's words why one could not be asked (k8s-transcript 10).

`clientConfig.url` is called as it is. `clientConfig.service` must name a stored Service that has the port; the sandbox
has no service network, so the connection goes to the first ready address of an EndpointSlice of that service (or to
the name of an ExternalName service), while the certificate is checked for SERVICE.NAMESPACE.svc.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import orjson
from cryptography import x509

from clusters.sandbox.questions import REVIEW_VERSION, Memory, Outcome, Question
from clusters.sandbox.store import Store

Object = dict[str, Any]
HEADERS = {
    "User-Agent": "kube-apiserver-admission",
    "Accept": "application/json, */*",
    "Content-Type": "application/json",
}
SLICES = "endpointslices.discovery.k8s.io"
SERVICE_OF = "kubernetes.io/service-name"
AT_ONCE = 32
WRONG_NAME, WRONG_ADDRESS, EXPIRED = 62, 64, 10  # OpenSSL's verification results


class UnreachableError(Exception):
    """Why a webhook gave no answer."""


@dataclass(frozen=True)
class Address:
    """`url` is what refusals print; the connection goes to `host` and `port`, for the name `server`."""

    url: str
    host: str
    port: int
    server: str
    path: str


class WebhookClient:
    def __init__(self, store: Store, down: Callable[[str], bool]) -> None:
        self.store = store
        self.down = down  # by order of the sandbox's controls
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")

    async def answer(self, questions: list[Question], memory: Memory) -> None:
        outcomes = await asyncio.gather(*(self._ask(question) for question in questions))
        for question, outcome in zip(questions, outcomes, strict=True):
            memory.learn(question, outcome)

    async def _ask(self, question: Question) -> Outcome:
        hook = question.hook
        seconds = hook.get("timeoutSeconds") or 10
        url = _url(hook["clientConfig"], seconds)
        try:
            address = self._address(hook["clientConfig"], url)
            if self.down(hook["name"]):
                raise UnreachableError(f"dial tcp {address.host}:{address.port}: connect: connection refused")
            context = _context(hook["clientConfig"].get("caBundle", ""))
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._threads, _post, address, context, question.body(), seconds)
            status, body = await asyncio.wait_for(work, seconds)
        except TimeoutError:
            return Outcome(failure=f'failed to call webhook: Post "{url}": context deadline exceeded')
        except UnreachableError as problem:
            return Outcome(failure=f'failed to call webhook: Post "{url}": {problem}')
        if not 200 <= status < 300:
            return Outcome(failure=f"failed to call webhook: {_http_failure(status, body)}")
        return _review(body, question.uid)

    def _address(self, config: Object, url: str) -> Address:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        service = config.get("service")
        if service is None:
            host = parts.hostname or ""
            return Address(url, host, parts.port or 443, host, path or "/")
        name, namespace, port = service["name"], service["namespace"], service.get("port") or 443
        stored = self.store.get("services", f"{namespace}/{name}")
        if stored is None:
            raise UnreachableError(f'service "{name}" not found')
        spec = stored.obj["spec"]
        server = f"{name}.{namespace}.svc"
        if spec.get("type") == "ExternalName":
            return Address(url, spec.get("externalName", ""), port, server, path)
        offered = next((item for item in spec.get("ports") or () if item.get("port") == port), None)
        if offered is None:
            raise UnreachableError(f'no service port {port} found for service "{name}"')
        host, target = self._endpoint(namespace, name, offered.get("name", ""))
        return Address(url, host, target, server, path)

    def _endpoint(self, namespace: str, name: str, port: str) -> tuple[str, int]:
        for stored in self.store.shelf(SLICES).items(namespace):
            if (stored.meta.get("labels") or {}).get(SERVICE_OF) != name:
                continue
            number = next((p["port"] for p in stored.obj.get("ports") or () if (p.get("name") or "") == port), None)
            for endpoint in stored.obj.get("endpoints") or ():
                ready = (endpoint.get("conditions") or {}).get("ready", True)
                if number and ready and endpoint.get("addresses"):
                    return endpoint["addresses"][0], number
        raise UnreachableError(f'no endpoints available for service "{name}"')


def _url(config: Object, seconds: int) -> str:
    service = config.get("service")
    if service is None:
        base = config.get("url", "")
    else:
        path = "/" + (service.get("path") or "").lstrip("/")
        base = f"https://{service['name']}.{service['namespace']}.svc:{service.get('port') or 443}{path}"
    return f"{base}{'&' if '?' in base else '?'}timeout={seconds}s"


@lru_cache(maxsize=64)
def _context(bundle: str) -> ssl.SSLContext:
    """Trusts the bundle alone, or without one what this machine trusts."""
    if not bundle:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
    except (ssl.SSLError, ValueError) as problem:
        raise UnreachableError("unable to load root certificates: unable to parse bytes as PEM block") from problem


def _post(address: Address, context: ssl.SSLContext, body: bytes, seconds: int) -> tuple[int, bytes]:
    dial = f"dial tcp {address.host}:{address.port}"
    try:
        plain = socket.create_connection((address.host, address.port), timeout=seconds)
    except socket.gaierror as problem:
        raise UnreachableError(f"dial tcp: lookup {address.host}: no such host") from problem
    except ConnectionRefusedError as problem:
        raise UnreachableError(f"{dial}: connect: connection refused") from problem
    except TimeoutError:
        raise
    except OSError as problem:
        raise UnreachableError(f"{dial}: connect: {(problem.strerror or str(problem)).lower()}") from problem
    with plain:
        return _exchange(plain, address, context, body)


def _exchange(plain: socket.socket, address: Address, context: ssl.SSLContext, body: bytes) -> tuple[int, bytes]:
    try:
        with context.wrap_socket(plain, server_hostname=address.server) as secure:
            connection = http.client.HTTPConnection(address.server, address.port)
            connection.sock = secure
            connection.request("POST", address.path, body=body, headers=HEADERS)
            response = connection.getresponse()
            return response.status, response.read()
    except ssl.SSLCertVerificationError as problem:
        raise UnreachableError(_untrusted(problem, address)) from problem
    except ssl.SSLError as problem:
        if "WRONG_VERSION" in str(problem.reason) or "HTTP_REQUEST" in str(problem.reason):
            raise UnreachableError("http: server gave HTTP response to HTTPS client") from problem
        raise UnreachableError(
            f"remote error: tls: {(problem.reason or 'error').lower().replace('_', ' ')}"
        ) from problem
    except TimeoutError:
        raise
    except (http.client.HTTPException, OSError) as problem:
        raise UnreachableError("EOF") from problem


def _untrusted(problem: ssl.SSLCertVerificationError, address: Address) -> str:
    start = "tls: failed to verify certificate: x509: "
    if problem.verify_code in {WRONG_NAME, WRONG_ADDRESS}:
        names = _names(address)
        if problem.verify_code == WRONG_ADDRESS:
            why = f"cannot validate certificate for {address.server} because it doesn't contain any IP SANs"
            return start + (f"certificate is valid for {names}, not {address.server}" if names else why)
        return start + f"certificate is valid for {names}, not {address.server}"
    if problem.verify_code == EXPIRED:
        return start + "certificate has expired or is not yet valid"
    return start + "certificate signed by unknown authority"


def _names(address: Address) -> str:
    """The names in the certificate that was refused, fetched once more without judging it."""
    try:
        pem = ssl.get_server_certificate((address.host, address.port), timeout=2)
        found = x509.load_pem_x509_certificate(pem.encode()).extensions
        names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return ""
    kind: type[x509.DNSName] | type[x509.IPAddress] = x509.DNSName
    if address.server.replace(".", "").isdigit():
        kind = x509.IPAddress
    return ", ".join(str(value) for value in names.get_values_for_type(kind))


def _http_failure(status: int, body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    if status == 404:
        return "the server could not find the requested resource"
    if status in {401, 403}:
        return "the server has asked for the client to provide credentials" if status == 401 else f"{text}"
    if status >= 500 or status == 0:
        shown = text or "unknown"
        return f'an error on the server ("{shown}") has prevented the request from succeeding'
    return f'the server responded with the status code {status} but did not return more information ("{text}")'


def _review(body: bytes, uid: str) -> Outcome:
    """The response of a well-formed AdmissionReview; anything else is a failed call."""
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace").strip()
        why = f"couldn't get version/kind; json parse error: invalid character in {text[:40]!r}"
        return Outcome(failure=f"failed to call webhook: {why}")
    if not isinstance(review, dict):
        return Outcome(failure="failed to call webhook: couldn't get version/kind; json parse error")
    why = ""
    response = review.get("response")
    version, kind = review.get("apiVersion", ""), review.get("kind", "")
    if not isinstance(response, dict):
        why = "webhook response was absent"
    elif (version, kind) != (REVIEW_VERSION, "AdmissionReview"):
        why = f"expected webhook response of {REVIEW_VERSION}, Kind=AdmissionReview, got {version or '/'}, Kind={kind}"
    elif response.get("uid") != uid:
        why = f'expected response.uid="{uid}", got "{response.get("uid", "")}"'
    elif response.get("patch") and response.get("patchType") != "JSONPatch":
        why = "webhook returned response.patch but not response.patchType"
    if why:
        return Outcome(failure=f"received invalid webhook response: {why}")
    assert isinstance(response, dict)
    return Outcome(response)
