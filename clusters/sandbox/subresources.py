"""Subresources besides /status: token, scale, eviction, finalize, and those that controllers register."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from clusters.sandbox import bodies, errors, jsontext, patches, pod_subresources, wire
from clusters.sandbox.call import Call, now, write_options
from clusters.sandbox.cluster import Cluster, SubresourceCall
from clusters.sandbox.managers import Tracker
from clusters.sandbox.resources import Resource, builtin_node
from clusters.sandbox.routes import Aggregated, Target
from clusters.sandbox.rules_cluster import finalizer_errors
from clusters.sandbox.tables import json_path
from clusters.sandbox.tokens import AUDIENCE, BOUND_KINDS, Tokens
from clusters.sandbox.wire import Answer, Request
from clusters.sandbox.writes import OTHER_NAMESPACE

Object = dict[str, Any]
TOKEN_GROUP = "authentication.k8s.io"  # noqa: S105 - the name of an API group
SHORTEST_TOKEN, LONGEST_TOKEN = 600, 2**32  # seconds
SCALE_SCHEME = "k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go:781"
TOKEN_REQUEST = Resource(TOKEN_GROUP, "v1", "tokenrequests", "TokenRequest", True, builtin_node("TokenRequest"))


def unsupported(method: str, call: Call) -> errors.ApiError:
    """The refusal to create or delete a part of a custom resource."""
    verb = {"POST": "create"}.get(method, method.lower())
    named = errors.qualified(call.resource.plural, call.resource.group)
    details = {"group": call.resource.group, "kind": call.resource.plural}
    return errors.error(405, "MethodNotAllowed", f'{verb} is not supported on resources of kind "{named}"', details)


def _bad_token(name: str, field: str, text: str) -> errors.ApiError:
    return errors.invalid("TokenRequest", TOKEN_GROUP, name, [errors.FieldError("Invalid value", field, text)])


def _same_account(call: Call, meta: Object) -> None:
    """A request for a token may name the account that its URL names, and no other."""
    if meta.get("namespace", call.namespace) != call.namespace:
        raise errors.bad_request(OTHER_NAMESPACE)
    name = meta.get("name")
    if name and name != call.name:
        why = f'"{name}": must match the service account name if specified'
        raise _bad_token(call.name, "metadata.name", why)


class Subresources:
    def __init__(self, cluster: Cluster, tokens: Tokens) -> None:
        self.cluster = cluster
        self.tokens = tokens

    def answer(self, request: Request, target: Target, call: Call) -> Answer:
        key, subresource = target.resource.key, target.subresource
        handler = self.cluster.subresources.get((key, subresource))
        if handler is not None:
            return self._registered(handler, request, call, target.rest)
        if key == "serviceaccounts" and subresource == "token":
            if request.method != "POST":
                raise errors.method_not_allowed()
            return self._token(request, call)
        if key == "namespaces" and subresource == "finalize" and request.method == "PUT":
            return self._finalize(request, call)
        if key == "pods":
            return pod_subresources.answer(self.cluster, request, call, subresource)
        if subresource == "scale" and target.resource.scale is not None:
            if request.method not in {"GET", "PUT", "PATCH"}:
                raise unsupported(request.method, call)
            if request.method in {"PUT", "PATCH"}:
                self._set_scale(request, call)
            return self._scale(call)
        if target.resource.custom:
            # A kind without the subresource answers as if the object were missing (k8s-transcript 06).
            raise errors.not_found(target.resource.plural, target.resource.group, target.name)
        raise errors.unknown_resource()

    def aggregated(self, request: Request, where: Aggregated) -> Answer | None:
        """Answers of a registered handler under an aggregated API; None when nobody registered."""
        handler = self.cluster.subresources.get((f"{where.resource}.{where.group}", where.subresource))
        if handler is None:
            return None
        call = Call.__new__(Call)
        call.namespace, call.name = where.namespace, where.name
        return self._registered(handler, request, call)

    def served(self, request: Request, target: Target, call: Call) -> Answer | None:
        """Answers for a resource that is computed, not stored; None when it is an ordinary one."""
        handler = self.cluster.served.get(target.resource.key)
        return None if handler is None else self._registered(handler, request, call)

    def _registered(self, handler: Any, request: Request, call: Call, rest: str = "") -> Answer:
        body = wire.parse(request.body, yaml_allowed=True) if request.body else None
        result = handler(SubresourceCall(request.method, call.namespace, call.name, body, request.query, rest))
        if isinstance(result, Answer):
            return result
        if result is None:
            return Answer(202, b"", "application/json")
        return Answer(200, orjson.dumps(result))

    def _token(self, request: Request, call: Call) -> Answer:
        write_options(call, request.query, "CreateOptions", request.header("user-agent"))
        obj = bodies.decode(replace(call, resource=TOKEN_REQUEST), wire.document(request, "TokenRequest"))
        _same_account(call, obj["metadata"])
        account = self.cluster.writer.existing(call)
        node, spec = TOKEN_REQUEST.node, obj["spec"]
        seconds = spec.setdefault("expirationSeconds", 3600)
        if not SHORTEST_TOKEN <= seconds <= LONGEST_TOKEN:
            limit = "less than 10 minutes" if seconds < SHORTEST_TOKEN else "larger than 2^32 seconds"
            raise _bad_token("", "spec.expirationSeconds", f"{seconds}: may not specify a duration {limit}")
        bound = self._bound(call, spec.get("boundObjectRef"))
        owned = Tracker(node, f"{TOKEN_GROUP}/v1", "token", False, now()).created(obj, call.manager)
        spec.setdefault("boundObjectRef", None)  # printed even when absent, yet never owned
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        obj["metadata"] = {
            "name": call.name,
            "namespace": call.namespace,
            "uid": account.meta["uid"],
            "creationTimestamp": now(),
            "managedFields": owned,
        }
        if not spec.get("audiences"):
            spec["audiences"] = [AUDIENCE]
        obj["status"] = {
            "token": self.tokens.issue(account.obj, spec["audiences"], seconds, bound),
            "expirationTimestamp": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        body = {"kind": "TokenRequest", "apiVersion": f"{TOKEN_GROUP}/v1", **obj}
        return Answer(201, orjson.dumps(body), warnings=call.warnings)

    def _bound(self, call: Call, ref: Object | None) -> Object | None:
        """What the token is to end with: it must be there, under the uid that was named."""
        if not ref:
            return None
        kind, name, uid = ref.get("kind", ""), ref.get("name", ""), ref.get("uid", "")
        resource = BOUND_KINDS.get(kind)
        group, _, version = ref.get("apiVersion", "").rpartition("/")
        if resource is None or group:
            raise errors.bad_request(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
        if not name:
            raise errors.bad_request("Name parameter required.")
        stored = self.cluster.store.get(resource, name if kind == "Node" else f"{call.namespace}/{name}")
        if stored is None:
            raise errors.not_found(resource, "", name)
        if uid and uid != stored.meta["uid"]:
            why = f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            raise errors.conflict(kind, "", name, why + "The object might have been deleted and then recreated")
        return {"kind": kind, "name": name, "uid": stored.meta["uid"]}

    def _finalize(self, request: Request, call: Call) -> Answer:
        """A namespace's spec.finalizers; without them a terminating namespace is gone."""
        stored = self.cluster.writer.existing(call)
        body = wire.document(request, "Namespace")
        finalizers = (body.get("spec") or {}).get("finalizers") or []
        wrong = finalizer_errors(finalizers, numbered=True)
        if wrong:
            raise errors.invalid("Namespace", "", call.name, wrong)
        obj = {**stored.copy(), "spec": {"finalizers": finalizers} if finalizers else {}}
        if finalizers != ((stored.obj.get("spec") or {}).get("finalizers") or []):
            write_options(call, request.query, "UpdateOptions", request.header("user-agent"))
            resource = call.resource
            tracker = Tracker(resource.node, resource.api_version, "finalize", resource.status, now())
            owned = tracker.updated(stored.obj, obj, call.manager)
            obj["metadata"] = {**obj["metadata"], "managedFields": owned} if owned else obj["metadata"]
        if stored.meta.get("deletionTimestamp") and not finalizers and not stored.meta.get("finalizers"):
            self.cluster.store.remove("namespaces", call.key)
            return Answer(200, orjson.dumps(obj))
        return Answer(200, self.cluster.store.put("namespaces", call.key, obj).raw)

    def _set_scale(self, request: Request, call: Call) -> None:
        """Writes spec.replicas of a Scale to where the definition says it lives."""
        options = "UpdateOptions" if request.method == "PUT" else "PatchOptions"
        write_options(call, request.query, options, request.header("user-agent"))
        body = wire.parse(request.body, yaml_allowed=True)
        replicas = self._wanted_scale(request, call, body if isinstance(body, dict) else {})
        patch: Any = replicas
        for name in reversed((call.resource.scale or {})["specReplicasPath"].strip(".").split(".")):
            patch = {name: patch}
        version = ((body if isinstance(body, dict) else {}).get("metadata") or {}).get("resourceVersion")
        if version:
            patch["metadata"] = {"resourceVersion": version}
        call.subresource, call.owned_as = "", "scale"
        self.cluster.writer.patch(call, patches.MERGE, patch)

    def _wanted_scale(self, request: Request, call: Call, body: Object) -> int:
        spec = body.get("spec")
        replicas = spec.get("replicas") if isinstance(spec, dict) else None
        whole = isinstance(replicas, int) and not isinstance(replicas, bool)
        if request.method == "PUT":
            if (body.get("apiVersion"), body.get("kind")) != ("autoscaling/v1", "Scale") or not (
                whole or replicas is None
            ):
                raise errors.bad_request(f'no kind is registered for the type v1.Scale in scheme "{SCALE_SCHEME}"')
            return replicas or 0
        if isinstance(spec, dict) and "replicas" in spec:
            if not whole and replicas is not None:
                raise self._no_scale(call, replicas)
            return replicas or 0
        shown: int = orjson.loads(self._scale(call).body)["spec"].get("replicas", 0)
        return shown

    def _no_scale(self, call: Call, replicas: Any) -> errors.ApiError:
        """A patch that leads to something that is no scale."""
        led = {**orjson.loads(self._scale(call).body), "spec": {"replicas": replicas}}
        word = f"number {replicas}" if isinstance(replicas, float) else jsontext.NAMES.get(type(replicas), "value")
        why = f"json: cannot unmarshal {word} into Go struct field ScaleSpec.spec.replicas of type int32"
        text = orjson.dumps(orjson.dumps(led).decode()).decode()
        return errors.invalid("", "", "", [errors.FieldError("Invalid value", "patch", f"{text}: {why}")])

    def _scale(self, call: Call) -> Answer:
        stored = self.cluster.writer.existing(call)
        scale = call.resource.scale or {}
        wanted = json_path(stored.obj, scale["specReplicasPath"])
        if not wanted:
            path = scale["specReplicasPath"]
            text = f'Internal error occurred: the spec replicas field "{path}" does not exist'
            raise errors.error(
                500,
                "InternalError",
                text,
                {"causes": [{"message": f'the spec replicas field "{path}" does not exist'}]},
            )
        meta = stored.meta
        status: Object = {"replicas": (json_path(stored.obj, scale["statusReplicasPath"]) or [0])[0]}
        selector = json_path(stored.obj, scale["labelSelectorPath"]) if scale.get("labelSelectorPath") else []
        if selector:
            status["selector"] = selector[0]
        names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        body = {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {name: meta[name] for name in names if name in meta},
            "spec": {"replicas": wanted[0]} if wanted[0] else {},
            "status": status,
        }
        return Answer(200, orjson.dumps(body))
