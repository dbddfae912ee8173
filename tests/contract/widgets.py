"""A kind with rules in CEL, for cases about custom resources."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.conftest import Cluster


@pytest.fixture(scope="module")
def widgets(cluster: Cluster) -> Iterator[str]:
    """A custom resource with rules; answers the collection's path under /apis, to be put behind a namespace."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    made = cluster.call("POST", path, definition(WIDGET))
    assert made.status in {201, 409}, made.text
    end = time.monotonic() + 30
    while cluster.call("GET", "/apis/contract.ovim.io/v1/widgets").status != 200:
        assert time.monotonic() < end, "the definition was never served"
        time.sleep(0.1)
    yield "/apis/contract.ovim.io/v1"
    cluster.call("DELETE", f"{path}/widgets.contract.ovim.io")


RULES = "x-kubernetes-validations"
SPEC_RULES = [
    {"rule": "!has(self.max) || self.size <= self.max", "message": "size must not exceed max", "fieldPath": ".size"},
    {
        "rule": "!has(self.tags) || self.tags.size() < 3",
        "messageExpression": "self.tags.size() > 3 ? 'far too many tags' : 'too many tags'",
    },
    {"rule": "!has(self.__namespace__) || self.__namespace__ != 'x'", "message": "no x"},
]
TAG = {"type": "string", "maxLength": 10, RULES: [{"rule": "self.startsWith('t-')"}]}
ONLY_GROWS = {
    "rule": "!has(oldSelf.port) || self.port >= oldSelf.port",
    "message": "ports only grow",
    "reason": "FieldValueForbidden",
}
PORT = {
    "type": "object",
    "required": ["name"],
    RULES: [ONLY_GROWS],
    "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
}
WIDGET: dict[str, Any] = {
    "type": "object",
    RULES: [{"rule": "self.metadata.name != 'forbidden'", "message": "this name is taken"}],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            RULES: SPEC_RULES,
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 100},
                "max": {"type": "integer"},
                "color": {"type": "string", RULES: [{"rule": "self == oldSelf", "message": "color is immutable"}]},
                "tags": {"type": "array", "maxItems": 10, "items": TAG},
                "namespace": {"type": "string"},
                "ports": {
                    "type": "array",
                    "maxItems": 10,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": PORT,
                },
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}


def definition(schema: dict[str, Any], plural: str = "widgets", kind: str = "Widget") -> dict[str, Any]:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "metadata": {"name": f"{plural}.contract.ovim.io"},
        "spec": {
            "group": "contract.ovim.io",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [version],
        },
    }
