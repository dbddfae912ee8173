"""/openapi/v3: enough for kubectl apply, explain and delete --wait."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from clusters.sandbox import patches
from clusters.sandbox.discovery import VERSION
from clusters.sandbox.errors import TextError
from clusters.sandbox.resources import Registry, Resource
from clusters.sandbox.routes import NOT_FOUND_TEXT
from clusters.sandbox.schema import Node
from clusters.sandbox.wire import Answer

Object = dict[str, Any]
SCALARS: dict[str, Object] = {
    "str": {"type": "string"},
    "int": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "bytes": {"type": "string", "format": "byte"},
    "qty": {"type": "string"},
    "ios": {"type": "string", "format": "int-or-string"},
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time"},
}
OPTIONS = ("dryRun", "fieldManager", "fieldValidation", "force")
DEPTH = 12


class OpenApi:
    """Documents by group and version, built when asked for."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def answer(self, path: str) -> Answer:
        if path == "/openapi/v3":
            return Answer(200, orjson.dumps({"paths": self._index()}), "text/plain; charset=utf-8")  # as the real one
        if path == "/openapi/v2":
            return Answer(200, orjson.dumps(self._swagger()))
        place = path.removeprefix("/openapi/v3/")
        parts = place.split("/")
        group, version = ("", parts[1]) if parts[0] == "api" and len(parts) == 2 else ("", "")
        if parts[0] == "apis" and len(parts) == 3:
            group, version = parts[1], parts[2]
        found = [r for r in self.registry.by_path.values() if version and r.group == group and r.version == version]
        if not found:
            raise TextError(404, NOT_FOUND_TEXT)
        return Answer(200, orjson.dumps(self._document(place, found)))

    def _index(self) -> Object:
        out: Object = {}
        for group, version, _ in self.registry.by_path:
            place = f"apis/{group}/{version}" if group else f"api/{version}"
            names = sorted(r.plural for r in self.registry.by_path.values() if (r.group, r.version) == (group, version))
            digest = hashlib.sha256(" ".join(names).encode()).hexdigest().upper()
            out[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={digest}"}
        return out

    def _document(self, place: str, found: list[Resource]) -> Object:
        schemas: Object = {}
        paths: Object = {}
        for resource in found:
            name = self._name(resource)
            gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
            schemas[name] = _root(resource, gvk)
            base = f"/{place}/" + ("namespaces/{namespace}/" if resource.namespaced else "") + resource.plural
            paths[base] = {"get": _operation("list", gvk, name), "post": _operation("post", gvk, name)}
            paths[base + "/{name}"] = {
                method: _operation(method, gvk, name) for method in ("get", "put", "patch", "delete")
            }
        info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
        return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}

    def _swagger(self) -> Object:
        """The old document: only definitions, which is what old clients look for."""
        definitions: Object = {}
        for resource in self.registry.by_path.values():
            gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
            definitions[self._name(resource)] = _root(resource, gvk)
        info = {"title": "Kubernetes", "version": "1.36"}
        return {"swagger": "2.0", "info": info, "paths": {}, "definitions": definitions}

    def _name(self, resource: Resource) -> str:
        if resource.custom:
            return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])
        return f"io.k8s.api.{resource.group.partition('.')[0] or 'core'}.{resource.version}.{resource.kind}"


def _operation(action: str, gvk: Object, name: str) -> Object:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    parameters = [
        {"name": option, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for option in OPTIONS
    ]
    return {
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": gvk,
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": content}},
    }


def _root(resource: Resource, gvk: Object) -> Object:
    """The schema of a kind: as its definition has it, with its descriptions, or from the built-in structs."""
    if resource.custom and resource.schema:
        head = {name: _schema(resource.node.fields[name], 0) for name in ("apiVersion", "kind", "metadata")}
        schema = {**resource.schema, "properties": {**(resource.schema.get("properties") or {}), **head}}
    else:
        schema = _schema(resource.node, 0)
    return {**schema, "x-kubernetes-group-version-kind": [gvk]}


def _schema(node: Node, depth: int) -> Object:
    if node.form == "scalar":
        return dict(SCALARS.get(node.scalar, {}))
    if node.form == "any" or depth > DEPTH:
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    if node.form == "list":
        out: Object = {"type": "array", "items": _schema(node.elem, depth + 1) if node.elem else {}}
        if node.keys:
            out |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(node.keys)}
            key = patches.STRATEGIC_KEYS.get(node.keys, node.keys[0])
            out |= {"x-kubernetes-patch-merge-key": key, "x-kubernetes-patch-strategy": "merge"}
        elif node.is_set:
            out |= {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
        else:
            out["x-kubernetes-list-type"] = "atomic"
        return out
    out = {"type": "object"}
    if node.fields:
        out["properties"] = {name: _schema(child, depth + 1) for name, child in node.fields.items()}
        required = [name for name, child in node.fields.items() if child.always]
        if required:
            out["required"] = required
    if node.elem is not None:
        out["additionalProperties"] = _schema(node.elem, depth + 1)
    if node.atomic:
        out["x-kubernetes-map-type"] = "atomic"
    return out
