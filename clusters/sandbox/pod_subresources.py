"""Subresources of pods: eviction and binding, and what is asked of a node that no pod of this cluster runs on."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox import errors, wire
from clusters.sandbox.bodies import registered
from clusters.sandbox.call import Call, now
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.deletes import DeleteOptions
from clusters.sandbox.wire import Answer, Request

Object = dict[str, Any]
ON_NODES = ("log", "exec", "attach", "portforward")
DONE = orjson.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


def answer(cluster: Cluster, request: Request, call: Call, subresource: str) -> Answer:
    if subresource == "eviction" and request.method == "POST":
        return _evict(cluster, request, call)
    if subresource == "binding" and request.method == "POST":
        return _bind(cluster, request, call)
    if subresource in ON_NODES and request.method in {"GET", "POST"}:
        return _on_node(cluster, request, call, subresource)
    if subresource in {"eviction", "binding", *ON_NODES}:
        raise errors.method_not_allowed()
    raise errors.unknown_resource()


def _document(request: Request, call: Call, kind: str, versions: set[str], internal: str) -> Object:
    """The body; it may leave out its kind, and must name the pod of the URL."""
    body = wire.document(request, kind)
    version, said = body.get("apiVersion") or "", body.get("kind") or kind
    if said != kind or (version and version not in versions):
        short = version.rpartition("/")[2]
        why = f"converting ({short}.{said}) to ({internal}.{kind}): unknown conversion"
        if (version, said) not in registered():
            scheme = "pkg/api/legacyscheme/scheme.go:30"
            why = f'no kind "{said}" is registered for version "{version}" in scheme "{scheme}"'
        raise errors.bad_request(f'{said} in version "{short}" cannot be handled as a {kind}: {why}')
    if ((body.get("metadata") or {}).get("name") or "") != call.name:
        raise errors.bad_request(f"name in URL does not match name in {kind} object")
    return body


def _evict(cluster: Cluster, request: Request, call: Call) -> Answer:
    body = _document(request, call, "Eviction", {"policy/v1", "policy/v1beta1"}, "policy")
    call.dry_run = _is_dry(request)
    grace = (body.get("deleteOptions") or {}).get("gracePeriodSeconds")
    cluster.deleter.delete(call, DeleteOptions(grace=grace))
    return Answer(201, DONE)


def _is_dry(request: Request) -> bool:
    return request.query.get("dryRun") == "All"


def _bind(cluster: Cluster, request: Request, call: Call) -> Answer:
    """A scheduler gives the pod its node, once."""
    body = _document(request, call, "Binding", {"v1"}, "core")
    target = body.get("target") or {}
    if target.get("kind") not in {None, "", "Node"}:
        text = f'target.kind: Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"'
        raise errors.internal(text)
    if not target.get("name"):
        raise errors.internal("target.name: Required value")
    stored = cluster.writer.existing(call)
    spec = stored.obj["spec"]
    why = ""
    if stored.meta.get("deletionTimestamp"):
        why = f"pod {call.name} is being deleted, cannot be assigned to a host"
    elif spec.get("nodeName"):
        why = f'pod {call.name} is already assigned to node "{spec["nodeName"]}"'
    elif spec.get("schedulingGates"):
        why = f"pod {call.name} has non-empty .spec.schedulingGates"
    if why:
        raise errors.conflict("pods/binding", "", call.name, why)
    if not _is_dry(request):
        cluster.store.put("pods", call.key, _bound(stored.copy(), target["name"]))
    return Answer(201, DONE)


def _bound(pod: Object, node: str) -> Object:
    pod["spec"]["nodeName"] = node
    told = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now()}
    conditions = [one for one in pod["status"].get("conditions") or () if one["type"] != "PodScheduled"]
    pod["status"] = {**pod["status"], "conditions": [*conditions, told]}
    return pod


def _on_node(cluster: Cluster, request: Request, call: Call, subresource: str) -> Answer:
    """Nobody answers for a node here; what the API server itself refuses before it asks, it refuses."""
    pod = cluster.writer.existing(call).obj
    spec, wanted = pod["spec"], request.query.get("container", "")
    known = [one["name"] for field in ("initContainers", "containers") for one in spec.get(field) or ()]
    if subresource != "portforward":
        if wanted and wanted not in known:
            raise errors.bad_request(f"container {wanted} is not valid for pod {call.name}")
        if not wanted and len(known) > 1 and not _default_container(pod, known):
            listed = " ".join(known)
            text = f"a container name must be specified for pod {call.name}, choose one of: [{listed}]"
            raise errors.bad_request(text)
    node = spec.get("nodeName", "")
    if not node:
        if subresource == "log":
            return Answer(204, b"", "text/plain")
        raise errors.bad_request(f"pod {call.name} does not have a host assigned")
    if cluster.store.get("nodes", node) is None:
        raise errors.not_found("pods", "", node)
    raise errors.unknown_resource()


def _default_container(pod: Object, known: list[str]) -> bool:
    notes = pod["metadata"].get("annotations") or {}
    return notes.get("kubectl.kubernetes.io/default-container") in known
