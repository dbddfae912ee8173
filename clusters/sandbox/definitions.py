"""CustomResourceDefinitions take effect: names are accepted, versions served, deletion cleans up."""

from __future__ import annotations

from typing import Any

from clusters.sandbox import resources
from clusters.sandbox.call import Call, now
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.deletes import DeleteOptions
from clusters.sandbox.store import Change

Object = dict[str, Any]
KEY = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
MANAGER = "kube-apiserver"


class Definitions:
    """Reacts to changes of CRDs."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        cluster.observe(self._changed)
        cluster.deleter.marks[KEY] = doomed

    def load(self) -> None:
        """Serves what the journal brought back."""
        for stored in self.cluster.store.shelf(KEY).items():
            self.cluster.registry.add(*resources.from_crd(stored.obj))

    def _changed(self, resource: str, change: Change) -> None:
        if resource != KEY:
            return
        name = change.key
        if change.kind == "DELETED":
            self.cluster.registry.remove(name)
            self.cluster.store.drop(name)
            return
        crd = change.after.obj
        if change.before is None or change.before.obj.get("spec") != crd.get("spec"):
            self._serve(crd)
        self.cluster.after(0, lambda: self._settle(name))

    def _serve(self, crd: Object) -> None:
        served = resources.from_crd(crd)
        name = crd["metadata"]["name"]
        self.cluster.registry.remove(name)
        if served:
            self.cluster.registry.add(*served)

    def _settle(self, name: str) -> None:
        """Status as the API server writes it a moment later; the end of a terminating definition."""
        stored = self.cluster.store.get(KEY, name)
        if stored is None:
            return
        meta = stored.meta
        if meta.get("deletionTimestamp"):
            self._clean(name, stored.copy())
        elif not (stored.obj.get("status") or {}).get("conditions"):
            self._establish(stored.copy())

    def _establish(self, crd: Object) -> None:
        moment = now()
        names = {key: value for key, value in crd["spec"]["names"].items() if value}
        crd["status"] = {
            **crd.get("status", {}),
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found", moment),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted", moment),
            ],
            "acceptedNames": names,
        }
        self.cluster.controller_write(KEY, crd, manager=MANAGER, subresource="status")

    def _clean(self, name: str, crd: Object) -> None:
        """Deletes the instances, then lets the definition go."""
        if CLEANUP not in (crd["metadata"].get("finalizers") or ()):
            return
        crd = ending(crd, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
        self.cluster.controller_write(KEY, crd, manager=MANAGER, subresource="status")
        resource = self.cluster.registry.by_key.get(name)
        left = list(self.cluster.store.shelf(name).items()) if resource else []
        for stored in left:
            call = Call(resource, stored.meta.get("namespace"), stored.meta["name"], internal=True)  # type: ignore[arg-type]
            self.cluster.deleter.delete(call, DeleteOptions())
        if resource and list(self.cluster.store.shelf(name).items()):
            self.cluster.after(0.2, lambda: self._settle(name))
            return
        self._cleaned(name)

    def _cleaned(self, name: str) -> None:
        stored = self.cluster.store.get(KEY, name)
        assert stored is not None
        crd = ending(stored.copy(), "False", "InstanceDeletionCompleted", "removed all instances")
        crd["metadata"]["finalizers"].remove(CLEANUP)
        if crd["metadata"]["finalizers"]:
            self.cluster.store.put(KEY, name, crd)
        else:
            self.cluster.store.remove(KEY, name)


def doomed(crd: Object) -> Object:
    """A definition whose end begins: it stays until its instances are gone."""
    finalizers = [*crd["metadata"].get("finalizers", ())]
    if CLEANUP not in finalizers:
        finalizers.append(CLEANUP)
    text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    meta = {**crd["metadata"], "deletionTimestamp": now(), "finalizers": finalizers}
    return ending({**crd, "metadata": meta}, "True", "InstanceDeletionPending", text)


def ending(crd: Object, value: str, reason: str, message: str) -> Object:
    status = crd.get("status") or {}
    found = condition("Terminating", reason, message, now()) | {"status": value}
    conditions = []
    for other in status.get("conditions") or ():
        if other["type"] != "Terminating":
            conditions.append(other)
        elif other["status"] == value:
            found["lastTransitionTime"] = other["lastTransitionTime"]
    return {**crd, "status": {**status, "conditions": [*conditions, found]}}


def condition(kind: str, reason: str, message: str, moment: str) -> Object:
    return {"type": kind, "status": "True", "lastTransitionTime": moment, "reason": reason, "message": message}
