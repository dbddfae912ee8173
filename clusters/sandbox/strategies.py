"""What differs by kind between decoding and storing: preparation, validation, generation."""

from __future__ import annotations

from typing import Any

from clusters.sandbox import crd_rules, network, rules, scales, verdicts
from clusters.sandbox.errors import FieldError, invalid
from clusters.sandbox.resources import Resource
from clusters.sandbox.rules_storage import source
from clusters.sandbox.store import Store

Object = dict[str, Any]
CRDS = "customresourcedefinitions.apiextensions.k8s.io"


RBAC_KINDS = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
CREATED_BY_PUT = {
    "endpoints",
    "events",
    "leases.coordination.k8s.io",
    "limitranges",
    "services",
    *(f"{plural}.rbac.authorization.k8s.io" for plural in RBAC_KINDS),
}
RETURNED_WHEN_DELETED = {  # others answer a Status
    "csidrivers.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "resourcequotas",
    "serviceaccounts",
    "services",
    "storageclasses.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
}


def prepare_create(resource: Resource, obj: Object, store: Store) -> None:
    """Fields the server sets or empties on a new object (in place)."""
    if resource.custom:
        if resource.status:
            obj.pop("status", None)
        obj["metadata"]["generation"] = 1
        return
    if resource.generation:
        obj["metadata"]["generation"] = 1
    _initial_status(resource, obj)
    if resource.key == "persistentvolumeclaims":
        source(obj["spec"], None)
    if resource.key == "namespaces":
        spec = obj.setdefault("spec", {})
        finalizers = spec.get("finalizers") or []
        spec["finalizers"] = finalizers if "kubernetes" in finalizers else [*finalizers, "kubernetes"]


INITIAL_STATUS: dict[str, Object] = {
    "namespaces": {"phase": "Active"},
    "persistentvolumeclaims": {"phase": "Pending"},
    "persistentvolumes": {"phase": "Pending"},
    "services": {"loadBalancer": {}},
}


def _initial_status(resource: Resource, obj: Object) -> None:
    if not resource.status:
        return
    if resource.key == "nodes":
        return  # a node may be created with its status
    if resource.key == CRDS:
        stored = [v["name"] for v in obj["spec"].get("versions") or () if v.get("storage")]
        obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}
        return
    if resource.key == "pods":
        obj["status"] = {"phase": "Pending", "qosClass": _qos(obj["spec"])}
        return
    status = resource.node.fields.get("status")
    if status is not None and status.form == "any":
        obj.pop("status", None)
        return
    obj["status"] = dict(INITIAL_STATUS.get(resource.key, {}))


def _qos(spec: Object) -> str:
    """Guaranteed: limits equal requests for cpu and memory in every container."""
    guaranteed, anything = True, False
    for container in spec.get("containers") or ():
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        anything = anything or bool(limits) or bool(requests)
        for name in ("cpu", "memory"):
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                guaranteed = False
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def prepare_update(resource: Resource, new: Object, old: Object, subresource: str) -> None:
    if resource.custom or subresource:
        return
    if resource.key == "namespaces":
        new["spec"] = old.get("spec", {})  # only /finalize changes it
    elif resource.key == "services":
        network.settle(new, old)
    elif resource.key == "persistentvolumeclaims":
        source(new["spec"], old["spec"])


def errors(
    resource: Resource, new: Object, old: Object | None, store: Store, subresource: str = ""
) -> list[FieldError]:
    if not resource.custom:
        return rules.errors(resource.key, new, old, store)
    if not resource.schema:
        return []
    if subresource == "status":
        found = verdicts.status(resource.schema, new) + scales.status_errors(resource.scale, new)
    else:
        found = verdicts.root(resource.schema, new)
        verdicts.duplicates(resource.schema, new, "", found)
        found += scales.spec_errors(resource.scale, new) + scales.status_errors(resource.scale, new)
    if resource.ruled and not verdicts.blocked(found):
        found += crd_rules.errors(resource.schema, new, crd_rules.NOTHING if old is None else old)
    return found


def finish(resource: Resource, found: list[FieldError]) -> list[FieldError]:
    """Custom resources: says that CEL rules stayed unchecked where other errors block them."""
    if resource.custom and found and verdicts.blocked(found):
        return [*found, verdicts.NOT_CHECKED]
    return found


def begin(resource: Resource, new: Object, old: Object | None, store: Store, subresource: str = "") -> None:
    """Takes what must be unique (service addresses) before the object is judged; it may be refused here already."""
    if resource.key == "services" and not subresource:
        found = network.begin(new, old, store)
        if found:
            raise invalid(resource.kind, resource.group, new["metadata"].get("name", ""), found)


def canonicalize(resource: Resource, obj: Object) -> None:
    """The last touch before an object is stored: a namespace that the server named gets the label with its name."""
    if resource.key == "namespaces":
        meta = obj["metadata"]
        meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}


REWRITTEN = {"persistentvolumeclaims"}  # a quota in the same place is not (k8s-replay 02, k8s-transcript 04)


def rewrites(resource: Resource, live: Object, applied: Object) -> bool:
    """Whether an apply that changes nothing but the spelling of a size is stored once more.

    The real server does so for claims: 2048Mi over the 2Gi it keeps gets a new version, 2Gi over 2Gi none.
    """
    return resource.key in REWRITTEN and live.get("spec") != applied.get("spec")


def count_generation(resource: Resource, new: Object, old: Object, subresource: str) -> None:
    """+1 for a change of intent; metadata and status do not count."""
    if subresource == "status" or not (resource.custom or resource.generation):
        return
    skip = {"metadata", "status"} if resource.status else {"metadata"}
    if resource.custom:
        changed = any(new.get(key) != old.get(key) for key in {*new, *old} - skip)
    else:
        changed = new.get("spec") != old.get("spec")
    if changed:
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def may_vanish(resource: Resource, obj: Object) -> bool:
    """Whether a terminating object without finalizers is done (a namespace also has spec.finalizers)."""
    if resource.key == "namespaces":
        return not (obj.get("spec") or {}).get("finalizers")
    return not obj["metadata"].get("deletionGracePeriodSeconds")
