"""Namespaces: what a new one gets, how a terminating one ends (k8s-transcript 07)."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.call import Call, now
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.deletes import DeleteOptions
from clusters.sandbox.errors import ApiError
from clusters.sandbox.store import Change, Stored

Object = dict[str, Any]
ROOT_CA = "kube-root-ca.crt"
CA_NOTE = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)
STEADY = ("default", "kube-system", "kube-public", "kube-node-lease")
FIRST_SWEEP = 0.5  # content stays writable for a moment (k8s-replay 03)
RECHECK = 0.3


class Namespaces:
    """The namespace controller."""

    def __init__(self, cluster: Cluster, ca_bundle: str = "sandbox") -> None:
        self.cluster = cluster
        self.ca_bundle = ca_bundle
        self._ending: set[str] = set()
        cluster.observe(self._changed)

    def populate(self) -> None:
        """The namespaces every cluster has."""
        for name in STEADY:
            if self.cluster.get("namespaces", None, name) is None:
                self.cluster.create("namespaces", {"metadata": {"name": name}}, manager="kube-apiserver")
        for stored in self.cluster.store.shelf("namespaces").items():
            if stored.meta.get("deletionTimestamp"):
                self._watch_end(stored.meta["name"])

    def _changed(self, resource: str, change: Change) -> None:
        if resource == "namespaces":
            if change.kind == "ADDED":
                self.cluster.after(0, lambda: self._furnish(change.key))
            elif change.kind == "MODIFIED" and change.after.meta.get("deletionTimestamp"):
                self._watch_end(change.key)
        elif change.kind == "DELETED" and resource in {"serviceaccounts", "configmaps"}:
            namespace, _, name = change.key.partition("/")
            if name in {"default", ROOT_CA}:
                self.cluster.after(0, lambda: self._furnish(namespace))

    def _furnish(self, name: str) -> None:
        """The default service account and the CA bundle."""
        stored = self.cluster.store.get("namespaces", name)
        if stored is None or stored.meta.get("deletionTimestamp"):
            return
        wanted: list[tuple[str, Object, str]] = [
            ("serviceaccounts", {"metadata": {"name": "default", "namespace": name}}, "kube-controller-manager"),
            (
                "configmaps",
                {
                    "metadata": {
                        "name": ROOT_CA,
                        "namespace": name,
                        "annotations": {"kubernetes.io/description": CA_NOTE},
                    },
                    "data": {"ca.crt": self.ca_bundle},
                },
                "kube-controller-manager",
            ),
        ]
        for resource, obj, manager in wanted:
            if self.cluster.store.get(resource, f"{name}/{obj['metadata']['name']}") is None:
                try:
                    self.cluster.create(resource, obj, manager=manager)
                except ApiError as problem:
                    if problem.code not in {403, 404, 409}:  # quota, gone meanwhile, made by somebody else
                        raise

    def _watch_end(self, name: str) -> None:
        if name not in self._ending:
            self._ending.add(name)
            self.cluster.after(FIRST_SWEEP, lambda: self._end(name))

    def _end(self, name: str) -> None:
        """One round: delete content, say what remains, let the namespace go when nothing does."""
        self._ending.discard(name)
        stored = self.cluster.store.get("namespaces", name)
        if stored is None or not stored.meta.get("deletionTimestamp"):
            return
        self._delete_content(name)
        remaining = self._content(name)
        if remaining:
            self._report(stored, remaining)
            self._ending.add(name)
            self.cluster.after(RECHECK, lambda: self._end(name))
            return
        others = [one for one in (stored.obj.get("spec") or {}).get("finalizers") or () if one != "kubernetes"]
        if others or stored.meta.get("finalizers"):
            self._report(stored, {})
            latest = self.cluster.store.get("namespaces", name) or stored
            self.cluster.store.put(
                "namespaces", name, {**latest.copy(), "spec": {"finalizers": others} if others else {}}
            )
            return
        self._report(stored, {})
        self.cluster.store.remove("namespaces", name)

    def _content(self, name: str) -> dict[str, list[Stored]]:
        out = {}
        for key, resource in self.cluster.registry.by_key.items():
            if resource.namespaced:
                items = list(self.cluster.store.shelf(key).items(name))
                if items:
                    out[key] = items
        return out

    def _delete_content(self, name: str) -> None:
        for key, items in self._content(name).items():
            resource = self.cluster.registry.by_key[key]
            for stored in items:
                if stored.meta.get("deletionTimestamp") and key != "pods":
                    continue
                call = Call(resource, name, stored.meta["name"], internal=True)
                try:
                    self.cluster.deleter.delete(call, DeleteOptions(propagation="Background"))
                except ApiError as problem:
                    if problem.code not in {403, 404, 409}:
                        raise

    def _report(self, stored: Stored, remaining: dict[str, list[Stored]]) -> None:
        """Conditions of a namespace that is waiting for finalizers."""
        finalizers: dict[str, int] = {}
        for items in remaining.values():
            for item in items:
                for finalizer in item.meta.get("finalizers") or ():
                    finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
        counts = [f"{_counted(key)} has {len(items)} resource instances" for key, items in sorted(remaining.items())]
        blocked = [f"{name} in {count} resource instances" for name, count in sorted(finalizers.items())]
        left = "Some resources are remaining: " + ", ".join(counts) if counts else "All content successfully removed"
        kept = "Some content in the namespace has finalizers remaining: " + ", ".join(blocked) if blocked else ""
        moment = now()
        wanted = [
            (
                "NamespaceDeletionDiscoveryFailure",
                False,
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                False,
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
            (
                "NamespaceDeletionContentFailure",
                False,
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
            ("NamespaceContentRemaining", bool(counts), "SomeResourcesRemain" if counts else "ContentRemoved", left),
            (
                "NamespaceFinalizersRemaining",
                bool(blocked),
                "SomeFinalizersRemain" if blocked else "ContentHasNoFinalizers",
                kept or "All content-preserving finalizers finished",
            ),
        ]
        before = {c.get("type", ""): c for c in stored.obj.get("status", {}).get("conditions") or ()}
        conditions = []
        for kind, true, reason, message in wanted:
            state = "True" if true else "False"
            old = before.get(kind)
            since = old["lastTransitionTime"] if old and old["status"] == state else moment
            conditions.append(
                {"type": kind, "status": state, "lastTransitionTime": since, "reason": reason, "message": message}
            )
        if conditions != stored.obj.get("status", {}).get("conditions"):
            obj = stored.copy()
            obj["status"] = {**obj.get("status", {}), "phase": "Terminating", "conditions": conditions}
            self.cluster.controller_write("namespaces", obj, manager="kube-controller-manager", subresource="status")


def _counted(key: str) -> str:
    """Built-in core resources print with a trailing dot, as the real server does."""
    return key if "." in key else key + "."
