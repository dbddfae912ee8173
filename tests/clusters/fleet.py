"""Sandboxes as clusters of a fleet, prepared as an operator prepares a cluster, with kubectl's own requests."""

import base64
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.sandbox import TOKEN, Sandbox

ROOT = Path(__file__).resolve().parents[2]
PLURALS = {
    "CustomResourceDefinition": "customresourcedefinitions",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "Secret": "secrets",
}


def manifests(*folders: str) -> list[dict[str, Any]]:
    files = sorted(file for folder in folders for file in (ROOT / "deploy" / folder).glob("*.yaml"))
    return [body for file in files for body in yaml.safe_load_all(file.read_text())]


def prepare(sandbox: Sandbox) -> str:
    """`kubectl apply -f deploy/crds -f deploy/rbac -f deploy/account`; the token of the account."""
    for body in manifests("crds", "rbac", "account"):
        apply(sandbox, body)
    path = "/api/v1/namespaces/ovim-system/secrets/ovim-token"
    while not (data := sandbox.request("GET", path).get("data")):
        time.sleep(0.05)
    return base64.b64decode(data["token"]).decode()


def path_of(body: dict[str, Any]) -> str:
    version, metadata = body["apiVersion"], body["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{place}/{PLURALS[body['kind']]}/{metadata['name']}"


def apply(sandbox: Sandbox, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{sandbox.url}{path_of(body)}?fieldManager=kubectl&force=true",
        method="PATCH",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/apply-patch+yaml"},
    )
    sandbox.open(request).close()
