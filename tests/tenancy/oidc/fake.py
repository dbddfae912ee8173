"""An identity provider at the edge that does what it is told to, also what no real one would: wrong, slow, lying.

What a real one does is proven with a real one: tests/e2e/test_oidc.py.
"""

import hashlib
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa


class Op:
    """`claims` go into the id token, `more` into userinfo. `twist` changes what is signed, `answers` any address."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"k1": rsa.generate_private_key(65537, 2048)}
        self.kid, self.alg = "k1", "RS256"
        self.claims: dict[str, Any] = {"sub": "s-1"}
        self.more: dict[str, Any] | None = {"sub": "s-1"}
        self.twist: Callable[[dict[str, Any]], Any] = lambda claims: claims
        self.answers: dict[str, tuple[int, Any]] = {}
        self.metadata: dict[str, Any] = {}
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.headers: list[Any] = []
        self.delay = 0.0
        self.nonce = self.challenge = ""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def sign(self, claims: Any, **header: Any) -> str:
        return jwt.encode(claims, self.keys[self.kid], algorithm=self.alg, headers={"kid": self.kid} | header)

    def id_token(self, access: str = "at") -> str:
        now = int(time.time())
        digest = hashlib.sha256(access.encode()).digest()[:16]
        claims = {
            "iss": self.issuer, "aud": "ovim", "exp": now + 300, "iat": now, "nonce": self.nonce,
            "at_hash": urlsafe_b64encode(digest).rstrip(b"=").decode(), **self.claims,
        }  # fmt: skip
        twisted = self.twist(claims)
        return twisted if isinstance(twisted, str) else self.sign(twisted)

    def document(self, path: str) -> tuple[int, Any]:
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            named = ("authorization", "token", "userinfo", "end_session")
            told = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in named}
            return 200, {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks", **told, **self.metadata}
        if path == "/jwks":
            return 200, {"keys": [public_jwk(kid, key) for kid, key in self.keys.items()]}
        if path == "/userinfo":
            return 200, self.more
        if path == "/token":
            return 200, {"access_token": "at", "token_type": "Bearer", "id_token": self.id_token()}
        return 404, {}


def public_jwk(kid: str, key: Any) -> dict[str, Any]:
    kind: Any = (
        jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else jwt.algorithms.RSAAlgorithm
    )
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


def _handler(op: Op) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            op.asked.append(path)
            op.headers.append(self.headers)
            time.sleep(op.delay)
            status, told = op.document(path)
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status in (301, 302):
                self.send_header("Location", str(told))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            op.forms.append({name: values[0] for name, values in form.items()})
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
