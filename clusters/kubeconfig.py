"""Reading a kubeconfig: where a cluster is and how to sign in, for the one context that is current. A bearer token only."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import Unavailable


@dataclass(frozen=True)
class Access:
    """What it takes to speak to a cluster."""

    server: str
    token: str
    ca: str = ""


def read(path: Path) -> Access:
    """The current context's cluster and user, or Unavailable saying what is missing."""
    try:
        body = yaml.safe_load(path.read_text()) or {}
        context = _named(body, "contexts", body["current-context"])["context"]
        cluster = _named(body, "clusters", context["cluster"])["cluster"]
        user = _named(body, "users", context["user"])["user"]
        token = user.get("token") or (path.parent / user["tokenFile"]).read_text().strip()
        return Access(str(cluster["server"]).rstrip("/"), str(token), _ca(cluster, path.parent))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, yaml.YAMLError) as error:
        raise Unavailable(
            f"The kubeconfig {path.name} can't be used ({type(error).__name__}: {error}): it must name a current context "
            "whose user has a token."
        ) from None


def _named(body: Mapping[str, Any], part: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(item for item in body[part] if item["name"] == name)
    return found


def _ca(cluster: Mapping[str, Any], folder: Path) -> str:
    if "certificate-authority-data" in cluster:
        return base64.b64decode(cluster["certificate-authority-data"]).decode()
    if "certificate-authority" in cluster:
        return (folder / str(cluster["certificate-authority"])).read_text()
    return ""
