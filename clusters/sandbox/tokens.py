"""Tokens of service accounts: signed by the server, bound to what they were asked for, checked on every use."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clusters.sandbox.call import User
from clusters.sandbox.store import Store
from clusters.sandbox.tls import secret_file

Object = dict[str, Any]
ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCE = "https://kubernetes.default.svc"
LEGACY_ISSUER = "kubernetes/serviceaccount"
LEGACY = "kubernetes.io/serviceaccount/"
CREDENTIAL = "authentication.kubernetes.io/credential-id"
BOUND_KINDS = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}
ALGORITHM = "ES256"


class Tokens:
    """One signing key; with a path it outlives the process, and so do the tokens."""

    def __init__(self, store: Store, key_file: Path | None = None) -> None:
        self.store = store
        self.key = _key(key_file)

    def issue(self, account: Object, audiences: list[str], seconds: int, bound: Object | None) -> str:
        """A token for a stored ServiceAccount; `bound` is {kind, name, uid} of a Pod, Secret or Node."""
        meta, moment = account["metadata"], int(time.time())
        private: Object = {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
        }
        if bound:
            private[bound["kind"].lower()] = {"name": bound["name"], "uid": bound["uid"]}
        claims = {
            "aud": audiences,
            "exp": moment + seconds,
            "iat": moment,
            "nbf": moment,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        return jwt.encode(claims, self.key, ALGORITHM)

    def issue_legacy(self, account: Object, secret: Object) -> str:
        """The endless token that a Secret of an account carries."""
        meta = account["metadata"]
        claims = {
            "iss": LEGACY_ISSUER,
            f"{LEGACY}namespace": meta["namespace"],
            f"{LEGACY}secret.name": secret["metadata"]["name"],
            f"{LEGACY}service-account.name": meta["name"],
            f"{LEGACY}service-account.uid": meta["uid"],
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        return jwt.encode(claims, self.key, ALGORITHM)

    def user(self, token: str, audience: str = AUDIENCE) -> User | None:
        """Whose token it is; None when it is forged, expired, for others, or what it is bound to is gone."""
        try:
            claims = jwt.decode(
                token, self.key.public_key(), [ALGORITHM], options={"verify_aud": False, "verify_iat": False}
            )
        except jwt.InvalidTokenError:
            return None
        if claims.get("iss") == LEGACY_ISSUER:
            return self._legacy(claims)
        private = claims.get("kubernetes.io")
        if claims.get("iss") != ISSUER or not private or audience not in claims.get("aud", ()):
            return None
        namespace, account = private["namespace"], private["serviceaccount"]
        if not self._alive("serviceaccounts", namespace, account):
            return None
        extra = {CREDENTIAL: [f"JTI={claims['jti']}"]}
        for kind, resource in BOUND_KINDS.items():
            bound = private.get(kind.lower())
            if bound is None:
                continue
            if not self._alive(resource, None if kind == "Node" else namespace, bound):
                return None
            if kind != "Secret":
                extra[f"authentication.kubernetes.io/{kind.lower()}-name"] = [bound["name"]]
                extra[f"authentication.kubernetes.io/{kind.lower()}-uid"] = [bound["uid"]]
        return _account_user(namespace, account["name"], account["uid"], extra)

    def _legacy(self, claims: Object) -> User | None:
        namespace = claims[f"{LEGACY}namespace"]
        name, uid = claims[f"{LEGACY}service-account.name"], claims[f"{LEGACY}service-account.uid"]
        secret = self.store.get("secrets", f"{namespace}/{claims[f'{LEGACY}secret.name']}")
        if secret is None or not self._alive("serviceaccounts", namespace, {"name": name, "uid": uid}):
            return None
        return _account_user(namespace, name, uid, {})

    def _alive(self, resource: str, namespace: str | None, wanted: Object) -> bool:
        stored = self.store.get(resource, f"{namespace}/{wanted['name']}" if namespace else wanted["name"])
        return stored is not None and stored.meta["uid"] == wanted["uid"]


def _account_user(namespace: str, name: str, uid: str, extra: dict[str, list[str]]) -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups, admin=False, uid=uid, extra=extra)


def _key(path: Path | None) -> ec.EllipticCurvePrivateKey:
    if path is not None and path.exists():
        found = serialization.load_pem_private_key(path.read_bytes(), None)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        return found
    key = ec.generate_private_key(ec.SECP256R1())
    if path is not None:
        secret_file(path, key)
    return key
