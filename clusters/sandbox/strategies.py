"""What differs by kind between decoding and storing: preparation, validation, generation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusters.sandbox import crd_rules, network, quantity, rules, rules_batch, rules_pods, scales, verdicts
from clusters.sandbox.call import now
from clusters.sandbox.errors import FieldError, invalid
from clusters.sandbox.objectmeta import UNJUDGED
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


TEMPLATES = "deprecated.daemonset.template.generation"
VERSIONED_UPDATES = {  # kinds of the server's own that are updated only by who names the version
    "apiservices.apiregistration.k8s.io",
    "csidrivers.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "csistoragecapacities.storage.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
    "leases.coordination.k8s.io",
    "mutatingadmissionpolicies.admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "poddisruptionbudgets.policy",
    "runtimeclasses.node.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "volumeattachments.storage.k8s.io",
}


def wants_version(resource: Resource) -> bool:
    """Whether an update must say which version of the object it is about."""
    return resource.custom or resource.key in VERSIONED_UPDATES


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
    make = MADE.get(resource.key)
    if make is not None:
        make(obj)


INITIAL_STATUS: dict[str, Object] = {
    "namespaces": {"phase": "Active"},
    "persistentvolumeclaims": {"phase": "Pending"},
    "persistentvolumes": {"phase": "Pending"},
    "services": {"loadBalancer": {}},
    "ingresses.networking.k8s.io": {"loadBalancer": {}},
    "poddisruptionbudgets.policy": dict.fromkeys(
        ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"), 0
    ),
    "horizontalpodautoscalers.autoscaling": {"desiredReplicas": 0, "currentMetrics": None},
    "replicasets.apps": {"replicas": 0},
    "statefulsets.apps": {"replicas": 0, "availableReplicas": 0},
    "daemonsets.apps": dict.fromkeys(
        ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"), 0
    ),
}


def _count_templates(new: Object, old: Object) -> None:
    """An annotation of the server's own counts the templates that a daemon set had."""
    count = int((old["metadata"].get("annotations") or {}).get(TEMPLATES, "0"))
    if new["spec"]["template"] != old["spec"]["template"]:
        count += 1
    new["metadata"]["annotations"] = {**(new["metadata"].get("annotations") or {}), TEMPLATES: str(count)}


def _uncoordinated(lease: Object) -> None:
    """Fields of a feature that is off."""
    for name in ("strategy", "preferredHolder"):
        (lease.get("spec") or {}).pop(name, None)


def _of_volume(obj: Object) -> None:
    obj["status"]["lastPhaseTransitionTime"] = now()


def _of_daemon_set(obj: Object) -> None:
    obj["metadata"]["annotations"][TEMPLATES] = "1"


def _of_pod(obj: Object) -> None:
    if obj["spec"].get("terminationGracePeriodSeconds", 0) < 0:
        obj["spec"]["terminationGracePeriodSeconds"] = 1


def _of_namespace(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    finalizers = spec.get("finalizers") or []
    spec["finalizers"] = finalizers if "kubernetes" in finalizers else [*finalizers, "kubernetes"]


MADE: dict[str, Callable[[Object], None]] = {  # what the server adds to a new object of a kind
    "jobs.batch": rules_batch.generate,
    "persistentvolumes": _of_volume,
    "leases.coordination.k8s.io": _uncoordinated,
    "daemonsets.apps": _of_daemon_set,
    "pods": _of_pod,
    "persistentvolumeclaims": lambda obj: source(obj["spec"], None),
    "namespaces": _of_namespace,
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
    """Guaranteed: limits equal requests for cpu and memory in every container, or in the pod as a whole."""
    guaranteed, anything = True, False
    whole = [spec] if (spec.get("resources") or {}).get("requests") else []
    for one in whole or [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = one.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            anything = anything or _is_some(limits.get(name)) or _is_some(requests.get(name))
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                guaranteed = False
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _is_some(amount: str | None) -> bool:
    return amount is not None and quantity.parse(amount) > 0


def is_view(resource: Resource, subresource: str) -> bool:
    """Whether a subresource is the object itself, of which it changes a part."""
    if resource.key == "pods" and subresource in POD_VIEWS:
        return True
    return subresource == "status" and resource.status


POD_VIEWS = ("ephemeralcontainers", "resize")


def _only_part(new: Object, old: Object, subresource: str) -> None:
    """Whatever else a body says, a view of a pod changes its own part (in place)."""
    spec = dict(old["spec"])
    wanted = new["spec"]
    if subresource == "ephemeralcontainers":
        spec.pop("ephemeralContainers", None)
        if wanted.get("ephemeralContainers"):
            spec["ephemeralContainers"] = wanted["ephemeralContainers"]
    else:
        sizes = {one.get("name"): one.get("resources") or {} for one in wanted.get("containers") or ()}
        spec["containers"] = [
            {**one, "resources": sizes.get(one["name"], one.get("resources"))} for one in spec["containers"]
        ]
    new["spec"] = spec


def prepare_update(resource: Resource, new: Object, old: Object, subresource: str) -> None:
    if resource.key == "pods" and subresource in POD_VIEWS:
        _only_part(new, old, subresource)
    if resource.custom or subresource:
        return
    if resource.key == "leases.coordination.k8s.io":
        _uncoordinated(new)
    if resource.key == "daemonsets.apps":
        _count_templates(new, old)
    if resource.key == "namespaces":
        new["spec"] = old.get("spec", {})  # only /finalize changes it
    elif resource.key == "services":
        network.settle(new, old)
    elif resource.key == "persistentvolumeclaims":
        source(new["spec"], old["spec"])


def errors(
    resource: Resource, new: Object, old: Object | None, store: Store, subresource: str = ""
) -> list[FieldError]:
    if resource.key == "pods" and subresource in POD_VIEWS and old is not None:
        return rules_pods.part(new, old, subresource)
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
    """Says that the rules in CEL, where a schema has any, stayed unchecked because other errors block them."""
    if resource.ruled and found and verdicts.blocked(found):
        return [*found, verdicts.NOT_CHECKED]
    if resource.key in UNJUDGED:
        return [one for one in found if not one.field.startswith("metadata")] or found
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
    elif resource.key == "jobs.batch" and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(obj["spec"]["template"]["metadata"].get("labels") or {})
    for name in NULLED.get(resource.key, ()):
        if obj.get(name) == []:
            obj[name] = None
    if resource.key == "limitranges" and obj["spec"].get("limits") == []:
        obj["spec"]["limits"] = None


NULLED = {  # lists that are printed even when empty, and whose emptiness storage doesn't keep
    "roles.rbac.authorization.k8s.io": ("rules",),
    "clusterroles.rbac.authorization.k8s.io": ("rules",),
    "endpointslices.discovery.k8s.io": ("endpoints", "ports"),
}


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
    if resource.custom or resource.key == "endpointslices.discovery.k8s.io":
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
