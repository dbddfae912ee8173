"""Kubeconfigs that the sandbox gives out, in the shape in which `kubectl` and client libraries read them."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]


def by_token(server: str, token: str, ca: Path | None) -> Object:
    """Of the administrator, by the server's token. `ca`: the file in which the server's authority stands."""
    authority = {} if ca is None else {"certificate-authority": str(ca.resolve())}
    return _config("sandbox", {"server": server} | authority, "admin", {"token": token})


def by_certificate(server: str, ca: str, name: str, certificate: str, key: str) -> Object:
    """Of one user, by a client certificate; all of it inline, as `kubeadm kubeconfig user` writes it."""
    authority = {"certificate-authority-data": _inline(ca)} if ca else {}
    user = {"client-certificate-data": _inline(certificate), "client-key-data": _inline(key)}
    return _config(f"{name}@sandbox", {"server": server} | authority, name, user)


def _config(context: str, cluster: Object, name: str, user: Object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": "sandbox", "user": name}}],
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
    }


def _inline(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def write(path: Path, config: Object) -> None:
    """For nobody but us to read."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        yaml.safe_dump(config, file)
