"""Whatever body is sent to whatever kind, the sandbox answers; it never fails inside."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clusters.sandbox.resources import Resource, builtin
from clusters.sandbox.schema import Node
from tests.clusters.sandbox.conftest import APPLY, MERGE, Sandbox

STRATEGIC = "application/strategic-merge-patch+json"
ODD: list[Any] = [None, [], {}, "zz", -1, 3.5, True, [None], [1], {"a": None}, 10**12, ""]
SAMPLES: dict[str, Any] = {
    "int": 1, "int64": 1, "bool": True, "float": 1.5, "bytes": "YQ==", "qty": "1", "ios": 1,
    "time": "2026-01-01T00:00:00Z", "microtime": "2026-01-01T00:00:00.000000Z",
}  # fmt: skip
KINDS = [kind for kind in builtin() if kind.plural != "customresourcedefinitions"]
SYSTEM = {"metadata", "kind", "apiVersion", "managedFields"}


def sample(node: Node, luck: random.Random, depth: int = 0) -> Any:
    """A document that fits the schema, with some of its fields."""
    if node.form == "scalar":
        return SAMPLES.get(node.scalar, "a")
    if node.form == "any" or depth > 6:
        return {"x": 1}
    if node.form in {"list", "map"}:
        assert node.elem is not None
        inner = sample(node.elem, luck, depth + 1)
        return [inner] if node.form == "list" else {"k": inner}
    wanted = [name for name in node.fields if name not in SYSTEM and luck.random() < 0.6]
    return {name: sample(node.fields[name], luck, depth + 1) for name in wanted}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in steps:
        yield from places(item, (*path, name))


def spoiled(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    out = list(value) if isinstance(value, list) else dict(value)
    out[path[0]] = spoiled(value[path[0]], path[1:], odd)
    return out


def bodies(kind: Resource, luck: random.Random) -> Iterator[Any]:
    for i in range(8):
        body = {**sample(kind.node, luck), "metadata": {"name": f"f{i}", "labels": {"a": "b"}, "finalizers": ["a/b"]}}
        yield body
        for _ in range(3):
            broken = spoiled(body, luck.choice(list(places(body))), luck.choice(ODD))
            yield {**broken, "kind": kind.kind, "apiVersion": kind.api_version} if isinstance(broken, dict) else broken


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    running = Sandbox("--plain")
    yield running
    running.stop()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_it_never_fails_inside(server: Sandbox, kind: Resource) -> None:
    luck = random.Random(kind.kind)
    base = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
    path = f"{base}/namespaces/default/{kind.plural}" if kind.namespaced else f"{base}/{kind.plural}"
    one = f"{path}/f{luck.randrange(8)}"
    calls: list[Callable[[Any], Any]] = [
        lambda body: server.call("POST", path, body),
        lambda body: server.call("PUT", one, body),
        lambda body: server.call("PUT", f"{one}/status", body),
        lambda body: server.call("PATCH", one, body, media=MERGE),
        lambda body: server.call("PATCH", one, body, media=STRATEGIC),
        lambda body: server.call("PATCH", f"{one}?fieldManager=m&force=true", body, media=APPLY),
    ]
    for body in bodies(kind, luck):
        for call in calls:
            answer = call(body)
            assert "the sandbox failed" not in answer.text, (body, answer.text)
