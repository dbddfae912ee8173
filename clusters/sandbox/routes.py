"""From a URL to what it names."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from clusters.sandbox.errors import TextError, unknown_resource
from clusters.sandbox.resources import Registry, Resource

NOT_FOUND_TEXT = "404 page not found\n"


@dataclass(frozen=True)
class Target:
    """One resource path: collection (no name), object, or subresource."""

    resource: Resource
    namespace: str | None
    name: str = ""
    subresource: str = ""
    rest: str = ""
    watch: bool = False  # by the path, not by the query
    only: str = ""  # such a watch on one object


@dataclass(frozen=True)
class Aggregated:
    """A path under an API that a handler was registered for (subresources.kubevirt.io)."""

    group: str
    version: str
    resource: str
    namespace: str | None
    name: str
    subresource: str


def parse(registry: Registry, path: str) -> Target:
    """The target of an /api or /apis path; raises the 404 the real server gives."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise TextError(404, NOT_FOUND_TEXT)
    return _resolve(registry, group, version, rest)


def _resolve(registry: Registry, group: str, version: str, rest: list[str]) -> Target:
    namespace: str | None = None
    if rest[0] == "watch" and len(rest) > 1:
        return _old_watch(registry, group, version, rest[1:])
    if rest[0] == "namespaces" and len(rest) > 2 and not (not group and rest[2] in {"status", "finalize"}):
        namespace, rest = rest[1], rest[2:]
    resource = registry.by_path.get((group, version, rest[0]))
    if resource is None or len(rest) > 4:
        raise _missing(registry, group)
    if namespace is not None and not resource.namespaced:
        raise _missing(registry, group)
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    tail = rest[3] if len(rest) > 3 else ""
    if name and resource.namespaced and namespace is None:
        raise _missing(registry, group)
    return Target(resource, namespace, name, subresource, tail)


def _old_watch(registry: Registry, group: str, version: str, rest: list[str]) -> Target:
    """The deprecated /watch/ prefix: the same as ?watch=1, with a name as ?fieldSelector (k8s-replay 04)."""
    target = _resolve(registry, group, version, rest)
    if target.subresource:
        raise _missing(registry, group)
    return Target(target.resource, target.namespace, only=target.name, watch=True)


def _missing(registry: Registry, group: str) -> Exception:
    """A built-in group answers with a Status, whatever the version; anything else with plain text."""
    builtin = any(r.group == group and not r.custom for r in registry.by_path.values())
    return unknown_resource() if builtin else TextError(404, NOT_FOUND_TEXT)


def parse_aggregated(path: str) -> Aggregated | None:
    """/apis/<group>/<version>/[namespaces/<ns>/]<resource>/<name>/<subresource>"""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if len(parts) < 6 or parts[0] != "apis":
        return None
    group, version, rest = parts[1], parts[2], parts[3:]
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 4:
        namespace, rest = rest[1], rest[2:]
    if len(rest) < 3:
        return None
    return Aggregated(group, version, rest[0], namespace, rest[1], "/".join(rest[2:]))
