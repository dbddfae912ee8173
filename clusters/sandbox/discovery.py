"""Discovery: groups, versions, resources, plain and aggregated (k8s-transcript 01)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import orjson

from clusters.sandbox import discovery_rows, errors, negotiation
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.errors import TextError
from clusters.sandbox.negotiation import JSON
from clusters.sandbox.resources import Registry, Resource
from clusters.sandbox.routes import NOT_FOUND_TEXT
from clusters.sandbox.wire import Answer, Request

Object = dict[str, Any]
VERSION: Object = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "sandbox",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.26",
    "compiler": "sandbox",
    "platform": "linux/amd64",
}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
CUSTOM_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]


class Discovery:
    """Answers of /api, /apis and below. Aggregated APIs add their groups in `extra`."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.extra: dict[tuple[str, str], list[Object]] = {}  # (group, version) → APIResource entries

    def answer(self, request: Request) -> Answer:
        parts = request.path.strip("/").split("/")
        accept = request.header("accept")
        if self._is_routed(parts):
            if request.method != "GET":
                raise errors.method_not_allowed()
            negotiation.routed(accept)
        if len(parts) > 1:
            found = self._below(parts)  # a group that is not there is not negotiated about
            negotiation.discovered(accept, aggregated=False)
            return found
        if negotiation.discovered(accept, aggregated=True):
            return Answer(200, orjson.dumps(self._aggregated(core=parts[0] == "api")), AGGREGATED)
        return Answer(200, orjson.dumps(self._versions() if parts[0] == "api" else self._groups()))

    def _below(self, parts: list[str]) -> Answer:
        if parts[0] == "api":
            return self._resources("", parts[1])
        return self._group(parts[1]) if len(parts) == 2 else self._resources(parts[1], parts[2])

    def _is_routed(self, parts: list[str]) -> bool:
        """Lists of groups, and what definitions add, are answered whatever the method."""
        if parts[0] == "api":
            return True
        if len(parts) < 3:
            return False
        return any(not resource.custom for resource in self._of(parts[1], parts[2]))

    def _versions(self) -> Object:
        server = {"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [server]}

    def _all_groups(self) -> dict[str, list[str]]:
        out = self.registry.groups()
        for group, version in self.extra:
            if version not in out.setdefault(group, []):
                out[group].append(version)
        ranked = sorted(out, key=lambda group: discovery_rows.group_rank(group, out[group]))
        return {group: out[group] for group in ranked}

    def _group_body(self, group: str, versions: list[str]) -> Object:
        listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
        return {"name": group, "versions": listed, "preferredVersion": listed[0]}

    def _groups(self) -> Object:
        groups = [self._group_body(group, versions) for group, versions in self._all_groups().items()]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def _group(self, group: str) -> Answer:
        versions = self._all_groups().get(group)
        if versions is None:
            raise TextError(404, NOT_FOUND_TEXT)
        return Answer(200, orjson.dumps({"kind": "APIGroup", "apiVersion": "v1", **self._group_body(group, versions)}))

    def _resources(self, group: str, version: str) -> Answer:
        found = self._of(group, version)
        extra = self.extra.get((group, version), [])
        if not found and not extra:
            raise TextError(404, NOT_FOUND_TEXT)
        rows = [row for resource in found for row in self._rows(resource)] + extra
        if not group:
            rows = sorted([*rows, *discovery_rows.BARE_CORE], key=lambda row: str(row["name"]))
        name = f"{group}/{version}" if group else version
        body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": rows}
        if not group:
            del body["apiVersion"]
        return Answer(200, orjson.dumps(body), JSON)

    def _of(self, group: str, version: str) -> list[Resource]:
        found = [r for r in self.registry.by_path.values() if r.group == group and r.version == version]
        return sorted(found, key=lambda r: r.plural)

    def _verbs(self, resource: Resource) -> list[str]:
        if resource.custom:
            return CUSTOM_VERBS
        return [verb for verb in resource.verbs if (resource.key, verb) != ("namespaces", "deletecollection")]

    def _rows(self, resource: Resource) -> list[Object]:
        row: Object = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": self._verbs(resource),
        }
        if resource.short_names:
            row["shortNames"] = list(resource.short_names)
        if resource.categories:
            row["categories"] = list(resource.categories)
        named = f"{resource.group}/{resource.version}/{resource.kind}"
        row["storageVersionHash"] = base64.b64encode(hashlib.sha256(named.encode()).digest()[:8]).decode()
        return [row, *discovery_rows.subresources(resource)]

    def _aggregated(self, *, core: bool) -> Object:
        groups = {"": ["v1"]} if core else self._all_groups()
        items = [
            {
                "metadata": {"name": group} if group else {},
                "versions": [
                    {"version": version, "resources": self._discovered(group, version), "freshness": "Current"}
                    for version in versions
                ],
            }
            for group, versions in groups.items()
        ]
        return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}

    def _discovered(self, group: str, version: str) -> list[Object]:
        out = []
        for resource in self._of(group, version):
            own = {"group": group, "version": version} if resource.custom else {"group": "", "version": ""}
            kind = {**own, "kind": resource.kind}
            row: Object = {
                "resource": resource.plural,
                "responseKind": kind,
                "scope": "Namespaced" if resource.namespaced else "Cluster",
                "singularResource": resource.singular,
                "verbs": self._verbs(resource),
            }
            if resource.short_names:
                row["shortNames"] = list(resource.short_names)
            if resource.categories:
                row["categories"] = list(resource.categories)
            below = [self._discovered_below(sub, own) for sub in discovery_rows.subresources(resource)]
            if below:
                row["subresources"] = below
            out.append(row)
        return out + _discovered_bare(self.extra.get((group, version), []))

    def _discovered_below(self, sub: Object, own: Object) -> Object:
        place = {name: sub.get(name, own[name]) for name in ("group", "version")}
        kind = {**place, "kind": sub["kind"]}
        return {"subresource": sub["name"].partition("/")[2], "responseKind": kind, "verbs": sub["verbs"]}


def aggregated_rows(cluster: Cluster) -> dict[str, list[Object]]:
    """Rows of aggregated subresources, by group: names only, as virt-api lists its own."""
    out: dict[str, list[Object]] = {}
    for resource, subresource in sorted(cluster.subresources):
        plural, _, group = resource.partition(".")
        if group and group not in cluster.discovered and resource not in cluster.registry.by_key:
            out.setdefault(group, []).append(_bare(f"{plural}/{subresource}"))
    return out | {group: [_bare(name) for name in names] for group, names in cluster.discovered.items()}


def _bare(name: str) -> Object:
    return {"name": name, "singularName": "", "namespaced": True, "kind": "", "verbs": None}


def _discovered_bare(rows: list[Object]) -> list[Object]:
    """The same rows in the answer for all groups at once: below a resource each, listed or not."""
    out: dict[str, Object] = {}
    for row in rows:
        name, _, below = row["name"].partition("/")
        empty: Object = {"responseKind": {"group": "", "version": "", "kind": ""}, "verbs": None}
        scope = {"resource": name, "scope": "Namespaced", "singularResource": ""}
        above = out.setdefault(name, {**scope, **empty})
        if below:
            above.setdefault("subresources", []).append({"subresource": below, **empty})
    return list(out.values())
