"""What contract cases make: config maps, and a kind of our own with most of what a definition can say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # whose module takes the fixture from here
    from tests.contract.conftest import Answer, Cluster

GROUP, VERSION = "contract.example.org", "contract.example.org/v1"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 100},
        "replicas": WHOLE,
        "tier": {"type": "string", "enum": ["gold", "silver"], "default": "silver"},
        "color": {"type": "string", "maxLength": 10, "pattern": "^[a-z]+$"},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": TEXT, "port": WHOLE, "proto": {"type": "string", "default": "TCP"}},
            },
        },
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
        "args": {"type": "array", "items": TEXT},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
STATUS = {"type": "object", "properties": {"phase": TEXT, "replicas": WHOLE}}
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wg"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
                ],
                "selectableFields": [{"jsonPath": ".spec.tier"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {"spec": SPEC, "status": STATUS},
                    }
                },
            }
        ],
    },
}


def widgets(space: str, name: str = "") -> str:
    """The path of the widgets of a namespace, or of one of them."""
    return f"/apis/{VERSION}/namespaces/{space}/widgets" + (f"/{name}" if name else "")


def maps(space: str, name: str = "") -> str:
    """The path of the config maps of a namespace, or of one of them."""
    return f"/api/v1/namespaces/{space}/configmaps" + (f"/{name}" if name else "")


def widget(name: str, /, metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": VERSION,
        "kind": "Widget",
        "metadata": {"name": name, **(metadata or {})},
        "spec": {"size": 1, **spec},
    }


def config_map(name: str, /, metadata: dict[str, Any] | None = None, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **(metadata or {})},
        **({"data": data} if data else {}),
    }


def made(cluster: Cluster, path: str, body: Any) -> Any:
    """The object, created; fails the case when it is not."""
    answer = cluster.call("POST", path, body)
    assert answer.status == 201, answer.text
    return answer.body


def applied(cluster: Cluster, path: str, body: Any, manager: str = "m1", **query: str) -> Answer:
    """A server-side apply."""
    extra = "".join(f"&{name}={value}" for name, value in query.items())
    return cluster.call("PATCH", f"{path}?fieldManager={manager}{extra}", body, media="application/apply-patch+yaml")


def refusal(answer: Answer) -> tuple[int, str | None, str]:
    """What a refusal says: code, reason, message. Its body is a Status, whatever it refuses."""
    body = answer.body
    assert (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure"), answer.text
    assert body["code"] == answer.status
    return answer.status, body.get("reason"), body["message"]


def version(obj: Any) -> int:
    return int(obj["metadata"]["resourceVersion"])


def events(cluster: Cluster, path: str, **query: str) -> list[Any]:
    """All of a watch until the server ends it, after a second unless the query says more."""
    asked = "&".join(f"{name}={value}" for name, value in {"watch": "1", "timeoutSeconds": "1", **query}.items())
    answer = cluster.call("GET", f"{path}?{asked}")
    assert answer.status == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def eventually(true: Callable[[], bool], seconds: float = 30) -> None:
    """Waits for what a controller does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


@pytest.fixture(scope="session")
def kinds(cluster: Cluster) -> Iterator[None]:
    """The Widget kind, served until the end of the session."""
    answer = cluster.call("POST", DEFINITIONS, DEFINITION)
    assert answer.status in {201, 409}, answer.text
    eventually(lambda: cluster.call("GET", f"/apis/{VERSION}/widgets").status == 200)
    yield
    cluster.call("DELETE", f"{DEFINITIONS}/{DEFINITION['metadata']['name']}")
