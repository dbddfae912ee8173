"""What admission gives every new pod: its account and token, tolerations, a priority (k8s-transcript 09)."""

from __future__ import annotations

import random
from typing import Any

from clusters.sandbox import errors
from clusters.sandbox.call import Call
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.store import Store
from clusters.sandbox.writes import NAME_ALPHABET

Object = dict[str, Any]
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - where it lies, not what it is
PRIORITIES = "priorityclasses.scheduling.k8s.io"
SYSTEM = (
    ("system-node-critical", 2_000_001_000, "that must not be moved from their current node."),
    (
        "system-cluster-critical",
        2_000_000_000,
        "that must run in the cluster, but can be moved to another node if necessary.",
    ),
)
TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class Pods:
    """Admission of pods."""

    def __init__(self, cluster: Cluster) -> None:
        self.store: Store = cluster.store
        cluster.admission.mutators.append(self.mutate)
        self.cluster = cluster
        cluster.after(0, self._populate)

    def _populate(self) -> None:
        """The priorities that every cluster has, for the pods that it can't do without."""
        for name, value, what in SYSTEM:
            if self.store.get(PRIORITIES, name) is None:
                body = {
                    "metadata": {"name": name},
                    "value": value,
                    "description": f"Used for system critical pods {what}",
                }
                self.cluster.create(PRIORITIES, body, manager="kube-apiserver")

    def mutate(self, call: Call, obj: Object, old: Object | None) -> Object:
        if call.resource.key != "pods" or call.subresource:
            return obj
        spec = dict(obj["spec"])
        if old is not None:
            spec["tolerations"] = _tolerations(spec.get("tolerations") or [])
            for field in ("priority", "preemptionPolicy"):
                if spec.get(field) is None and old["spec"].get(field) is not None:
                    spec[field] = old["spec"][field]
            return {**obj, "spec": spec}
        self._account(call, spec)
        spec["tolerations"] = _tolerations(spec.get("tolerations") or [])
        self._priority(call, spec)
        runtime = spec.get("runtimeClassName")
        if runtime and self.store.get("runtimeclasses.node.k8s.io", runtime) is None:
            why = f'pod rejected: RuntimeClass "{runtime}" not found'
            raise errors.forbidden("pods", "", call.name, why)
        if spec.get("overhead") and not runtime:
            why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            raise errors.forbidden("pods", "", call.name, why)
        return {**obj, "spec": spec}

    def _priority(self, call: Call, spec: Object) -> None:
        """Of the class that the pod names, or of the one that is everybody's."""
        shelf, name = self.store.shelf(PRIORITIES), spec.get("priorityClassName")
        if name:
            stored = self.store.get(PRIORITIES, name)
            if stored is None:
                raise errors.forbidden("pods", "", call.name, f"no PriorityClass with name {name} was found")
            found = stored.obj
        else:
            shared = [stored.obj for stored in shelf.items() if stored.obj.get("globalDefault")]
            found = min(shared, key=lambda one: one.get("value", 0)) if shared else {}
            if found:
                spec["priorityClassName"] = found["metadata"]["name"]
        value, policy = found.get("value", 0), found.get("preemptionPolicy", "PreemptLowerPriority")
        for field, words, shown, right in (
            ("priority", "integer value of priority", spec.get("priority"), value),
            ("preemptionPolicy", "string value of PreemptionPolicy", spec.get("preemptionPolicy"), policy),
        ):
            if shown is not None and shown != right:
                why = f"the {words} ({shown}) must not be provided in pod spec; priority admission controller "
                kind = "PriorityClass"
                raise errors.forbidden("pods", "", call.name, f"{why}computed {right} from the given {kind} name")
            spec[field] = right

    def _account(self, call: Call, spec: Object) -> None:
        """The service account: the one named must exist; its token is mounted unless somebody says no."""
        name = spec.get("serviceAccountName") or "default"
        account = self.store.get("serviceaccounts", f"{call.namespace}/{name}")
        if account is None and name != "default":
            why = f'error looking up service account {call.namespace}/{name}: serviceaccount "{name}" not found'
            raise errors.forbidden("pods", "", call.name, why)
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        automatic = spec.get("automountServiceAccountToken")
        if automatic is None and account is not None:
            automatic = account.obj.get("automountServiceAccountToken")
        if automatic is False:
            return
        volume = "kube-api-access-" + "".join(random.choices(NAME_ALPHABET, k=5))  # noqa: S311 - a name
        mount = {"name": volume, "readOnly": True, "mountPath": TOKEN_PATH}
        mounted = False
        for field in ("initContainers", "containers"):
            containers = [_mounting(container, mount) for container in spec.get(field) or ()]
            mounted = mounted or containers != (spec.get(field) or [])
            if containers:
                spec[field] = containers
        if mounted:
            spec["volumes"] = [*(spec.get("volumes") or ()), _token_volume(volume)]


def _mounting(container: Object, mount: Object) -> Object:
    """The container with the token, unless something lies in its place already."""
    mounts = container.get("volumeMounts") or []
    if any(present.get("mountPath") == TOKEN_PATH for present in mounts):
        return container
    return {**container, "volumeMounts": [*mounts, mount]}


def _token_volume(name: str) -> Object:
    namespace = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}


def _tolerations(present: list[Object]) -> list[Object]:
    """Five minutes for a node that is not ready or not reached, where the pod says nothing itself."""
    fresh = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in TOLERATED
        if not any(t.get("key") in {key, "", None} and t.get("effect") in {"NoExecute", "", None} for t in present)
    ]
    return [*present, *fresh]
